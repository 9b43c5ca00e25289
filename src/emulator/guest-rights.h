/*
 * guest-rights.h - a thread of ours with the guest's rights to files, a while
 *
 * Linux gives every thread its own credentials; libc's wrappers hide that, so
 * the system calls are made directly.
 *
 * Most guests never have other rights than ours.  To read a thread's from /proc
 * takes 25 us, a third of what an inotify_add_watch of a guest takes; so it is
 * not done where they can be known to be ours.
 *
 * Threads:  changes the calling thread only; assume and drop in one thread.
 *           guest_rights_changed and guest_rights_are_ours: any.
 * Errors:   negative errno; nothing has changed then.
 */
#pragma once

#include <stdbool.h>

#include "emulator/guest-task.h"

struct guest_rights {
    bool assumed;
};

/* Ours, as they are when nothing is assumed; call before any other thread. */
int guest_rights_init(void);
void guest_rights_fini(void);

/* Whether we may look into whatever process: CAP_SYS_PTRACE. */
bool guest_rights_see_all(void);

/*
 * The guest starts with our groups, and from now on guest_rights_are_ours may
 * say that of its rights.  True if that depends on guest_rights_changed being
 * called before a guest's setgroups is let go on.  After guest_rights_init, which
 * undoes it.
 */
bool guest_rights_follow(void);

/* Whether guest_rights_are_ours may be true of anybody. */
bool guest_rights_are_followed(void);

/* Some guest's groups are about to change: all is read from here on. */
void guest_rights_changed(void);

/* Whether a thread that waits for us has our rights; false if unknown.
   `at_home`: its user namespace is known to be ours (guest-home.h). */
bool guest_rights_are_ours(pid_t tid, bool at_home);

int guest_rights_assume(struct guest_rights *,
                        const struct guest_credentials *);
void guest_rights_drop(struct guest_rights *);
