/*
 * guest-rights.h - a thread of ours with the guest's rights to files, a while
 *
 * Linux gives every thread its own credentials; libc's wrappers hide that, so
 * the system calls are made directly.
 *
 * Threads:  changes the calling thread only; assume and drop in one thread.
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

int guest_rights_assume(struct guest_rights *,
                        const struct guest_credentials *);
void guest_rights_drop(struct guest_rights *);
