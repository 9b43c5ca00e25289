/*
 * instance.h - one inotify instance: its watches, its queue, what it is owed
 *
 * OWNER     control fields: the instance lock, held by control calls only and
 *           never across I/O.  dispatch fields: the holder of the claim.
 * REFCNT    one while it is open, one for each struct watch, one while it is
 *           in a handoff of the engine.
 * LIFETIME  instance_create .. instance_destroy; after that its claim's
 *           generation has ended, so no post reaches it; memory goes with the
 *           last reference.
 * Protocol  I1..I5.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>

#include "pipeline/claim.h"
#include "pipeline/plan.h"
#include "pipeline/queue.h"
#include "pipeline/radix.h"
#include "pipeline/watch.h"

/* Pending bits of an instance's claim. */
enum {
    INSTANCE_DIRTY = 1 << 0,  /* the inbox has something */
    INSTANCE_ROOM = 1 << 1,   /* the queue was full and has room now */
    INSTANCE_HOLDS = 1 << 2,  /* look at what is held: a barrier has passed */
    INSTANCE_CLOSE = 1 << 3,  /* destroy waits for the claim */
};

enum { INSTANCE_OPEN = 1 }; /* the one generation of its claim */

/* What a plan keeps alive for each source. */
struct telling {
    struct watch *watch;
    struct offer *offer;
    struct delta *own;
};

struct vnotify_instance {
    struct vnotify *engine;
    struct claim claim;
    _Atomic uint32_t refs;        /* I1: acq_rel decrement, the last frees */
    struct handoff inbox;         /* watches with something new (W4) */
    struct handoff_link link;     /* engine.deliver, or housekeeper */
    struct handoff_link held_link;
    _Atomic uint32_t held_listed; /* I2: in engine.held */
    _Atomic uint32_t behind;      /* I3: the queue was full */
    _Atomic uint32_t yielded;     /* I4: the claim was left to destroy */
    vnotify_ready_fn *ready;
    void *ready_arg;
    int event_fd;                 /* or -1: readiness by callback */
    struct queue queue;

    uint32_t index;       /* fixed: in engine.by_index, and in rosters */
    struct radix seats;   /* by watch descriptor: W6 */
    pthread_mutex_t lock; /* control */
    int last_wd;

    _Atomic uint32_t ended;       /* removed, with IN_IGNORED untold; relaxed:
                                     a bound, not exact */
    _Atomic uint32_t watches;     /* registered now; relaxed: of cost alone */

    /* dispatch */
    struct watch *pending; /* with something untold, oldest first */
    struct watch **pending_end;
    uint32_t pending_count;
    struct plan plan;      /* being told */
    struct telling *tellings; /* its sources; NULL: nothing is being told */
    uint32_t telling_count;
};

struct vnotify;

void instance_acquire(struct vnotify_instance *);
void instance_release(struct vnotify_instance *);

/* The watch of a roster's entry (roster.h): its instance and its seat.  False:
   it is gone.  Inside an epoch section. */
bool instance_of_entry(struct vnotify *, uint64_t entry,
                       struct vnotify_instance **, _Atomic uint64_t **seat);

/* The housekeeper: the instance is closed.  All that is dormant is dead from
   here on, everything else in `retired`. */
void instance_end_dormant(struct vnotify_instance *);
/* An epoch later: lets go of the vnodes of what is dead. */
void instance_bury_dead(struct vnotify_instance *);

/* Reader, after it popped: readiness follows, and what was behind goes on. */
void instance_made_room(struct vnotify_instance *);

/* Holder of the claim: tells the reader that there is something. */
void instance_signal(struct vnotify_instance *);
