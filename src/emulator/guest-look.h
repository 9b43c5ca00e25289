/*
 * guest-look.h - may we look into a guest's thread, and as whom?
 *
 * Descriptors, directories and memory of a process are shown to its own user,
 * and to who has CAP_SYS_PTRACE.  A supervisor that is root without it, as in a
 * container, may not look into a guest that has changed its user; but with that
 * user's file-system ids it may, through /proc.
 *
 *     struct guest_look look = { 0 };
 *
 *     do
 *         error = guest_task_...(tid, ...);
 *     while (guest_look_again(&look, tid, error));
 *
 * No other ids would do instead: the guest may signal a thread that has its
 * real user.
 *
 * Threads:  any; changes credentials of the calling thread only, between two
 *           calls of guest_look_again.  Not while a walk has the guest's rights.
 */
#pragma once

#include <stdbool.h>

#include "emulator/guest-rights.h"

struct guest_look {
    bool tried;
    struct guest_rights rights;
};

/*
 * True: the look was refused, and is to be made once more, as the guest.
 * False: `error` is the result, and the thread has its own rights.
 */
bool guest_look_again(struct guest_look *, pid_t tid, int error);

/* guest_task_open, once more if need be. */
int guest_look_open(pid_t tid, const char *link);

/* Nobody may look: says so, once, on stderr. */
void guest_look_complain(pid_t tid);
