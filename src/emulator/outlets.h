/*
 * outlets.h - every outlet, and the two threads that look after them
 *
 *     plumber  waits on all write ends: room in a pipe (kick it), or the last
 *              guest descriptor closed (take it out of the registry).
 *     clerk    destroys outlets that nobody refers to any more; serves short
 *              reads that had to wait (outlet-read.h).  Idle otherwise.
 *
 * Threads:  any, but for create and destroy.  The registry's lock is taken by
 *           calls of the guest and by these two, never on an event's way.
 * Errors:   negative errno.
 * Protocol: O4, O5, explained at the top of outlets.c.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "emulator/outlet.h"

/* `single`: packets hold one event from the start (--strict).  `limit`: of
   unread events for each instance, see outlet-limit.h; 0: none. */
int outlets_create(struct vnotify *engine, bool single, unsigned limit,
                   struct outlets **);

/* No guest is left: retires every outlet, joins both threads. */
void outlets_destroy(struct outlets *);

struct vnotify *outlets_engine(const struct outlets *);
bool outlets_single(const struct outlets *);
unsigned outlets_limit(const struct outlets *);

/* How many are in the registry. */
size_t outlets_count(struct outlets *);

/* Puts an outlet into the registry, with the caller's reference; it leaves by
   itself.  -errno: it is not there, and the reference is the caller's still. */
int outlets_insert(struct outlets *, struct outlet *);

/* Acquires the outlet whose pipe this is; NULL if there is none. */
struct outlet *outlets_find(struct outlets *, dev_t, ino_t);

/* Moves along what every queue holds (after vnotify_sync). */
void outlets_settle(struct outlets *);

/* outlet.c only: nobody refers to the outlet any more. */
void outlets_retire(struct outlets *, struct outlet *);

/* The clerk looks at every outlet soon. */
void outlets_wake_clerk(struct outlets *);

/* The same, and again and again until the flag is taken back. */
void outlets_attend(struct outlets *, bool *flag);
void outlets_attended(struct outlets *, bool *flag);
