/*
 * answer.h - the supervisor's side of one notification
 *
 * Threads: any.
 * Errors:  an answer to a guest that is gone is no error, but answers false:
 *          what the call did must be undone or remembered.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* 0 or more, or -LINUX_E*. */
bool answer_result(int listener, uint64_t id, int64_t result);

/* Let the kernel do the call, as if it had not been trapped. */
bool answer_continue(int listener, uint64_t id);

/*
 * A copy of host_fd in the guest, at number `guest_fd` (any if negative), is
 * the result.  False: *error says why; 0 if the guest is gone.  The guest may
 * have lowered its limit below that number (-EBADF), or just be opening
 * something there (-EBUSY).
 */
bool answer_descriptor(int listener, uint64_t id, int host_fd, int guest_fd,
                       bool cloexec, int *error);

/* Whether the guest still waits: what was read of it is its own then. */
bool answer_wanted(int listener, uint64_t id);
