/*
 * repeats.h - calls whose answer the guest never got, and will make again
 *
 * Where the kernel lets a signal interrupt a call that is being served (before
 * 5.19), the guest makes the same call once more.  inotify_rm_watch would find
 * nothing to remove then, and IN_MASK_CREATE its own watch.  So the result of
 * an answer that was not wanted is kept for that thread's next call, and given
 * if that call is the same and fails.
 *
 * Threads: any.
 * Full:    the oldest is forgotten: its repeat fails as it would without us.
 */
#pragma once

#include <stdint.h>

#include "emulator/service.h"

struct repeats *repeats_create(void);
void repeats_destroy(struct repeats *);

/* The answer to `call` was not taken; `instance` is the pipe's inode. */
void repeats_keep(struct repeats *, const struct trapped *, ino_t instance,
                  int64_t result);

/* The result that the thread did not get, if this is its repeat; 0 if not. */
bool repeats_take(struct repeats *, const struct trapped *, ino_t instance,
                  int64_t *result);
