/*
 * watch.h - one watch descriptor: what one instance wants to know of one vnode
 *
 * OWNER     identity (instance, vnode, wd): fixed before it is published.
 *           told and what follows it, and what is untold: the holder of the
 *           instance's claim.
 * REFCNT    one while it is registered, one while it is in its instance's
 *           inbox or pending list, one for each plan that names it.
 * LIFETIME  published by add_watch; ended (LIVE -> ENDED) by rm_watch, by
 *           its last event or with its instance; unlinked and, an epoch
 *           later, let go by the housekeeper; freed with the last reference.
 * DORMANT   a watch that has had nothing to tell yet is not even this: it is a
 *           word in its instance's table (its *seat*), which says all there is
 *           to say.  What it has been told is its vnode's newest listing.  So
 *           the holder of the vnode's claim wakes it before anything happens
 *           to that.
 * Protocol  W1..W6.
 */
#pragma once

#include <stdbool.h>

#include "pipeline/content.h"
#include "pipeline/delta.h"
#include "pipeline/handoff.h"

struct vnotify_instance;
struct vnode;

/*
 * What a worker found: a newer listing and, for watches that have been told
 * exactly the one before, the delta.  Shared by all watches of the vnode.
 */
struct offer {
    _Atomic uint32_t refs; /* W1: acq_rel decrement, the last one frees */
    uint64_t begun;        /* ticket when the listing began (engine.ticks) */
    uint64_t noted_ns;     /* when the oldest note behind it was read */
    struct snapshot *after;
    struct delta *delta; /* from the vnode's listing before, or NULL */
    struct delta *for_rows; /* from the whole one before, where `delta` is from
                               a partial one; or NULL.  For keep.c. */
    uint64_t crossed_ns; /* when the host said last that a rename across
                            directories was in it, or 0 */
    bool partial;        /* `after` is no whole listing (stream.h): only for who
                            was told exactly the one before */
};

enum watch_state {
    WATCH_LIVE,
    WATCH_ENDED, /* nothing but IGNORED is told any more */
};

/* Self bits beside the IN_* events of note_self_events. */
enum {
    SELF_IGNORED = 1u << 31, /* rm_watch: say IGNORED, then end */
    SELF_GONE = 1u << 30,    /* the object is gone: say so, then end */
};

struct watch {
    struct vnotify_instance *instance;
    struct vnode *vnode;
    int wd;
    _Atomic uint32_t refs;     /* W1 */
    _Atomic uint32_t mask;     /* written by add_watch, read by dispatch;
                                  relaxed: a change takes effect soon */
    _Atomic uint32_t self;     /* W3: ORed in, exchanged out */
    _Atomic(struct offer *) offer; /* W3: exchanged in by the vnode's
                                      holder, out by the instance's */
    _Atomic uint64_t noted;    /* W3: when the oldest note behind these two was
                                  read; 0: none */
    uint64_t joined_ns;        /* fixed: what was read from the kqueue before
                                  then is none of its business; 0: nothing */
    struct handoff contents;   /* W5: content items, oldest first */
    struct handoff_link inbox_link;
    struct handoff_link retire_link;

    /* dispatch */
    struct snapshot *told; /* what the guest knows; NULL: not a directory */
    uint64_t told_ended;   /* ticket when that listing had ended */
    uint64_t planned_ns;   /* when its last round with a delta was planned */
    uint64_t crossing_ticket; /* 0; else: until that barrier, what the host says
                                 to have crossed may have been told already */
    struct untold *untold; /* while it is in instance.pending, else NULL */
    bool is_fresh;         /* told what it joined with, and no offer yet */
    bool listed;           /* in instance.pending */
    bool retired;          /* IGNORED is told: the housekeeper has it */

    _Atomic uint8_t state;  /* W2: LIVE to ENDED once, by exchange */
    _Atomic uint8_t queued; /* W4: in the inbox */
    bool removed;           /* by rm_watch: instance lock */
};

/* What a watch has to tell: most have nothing, most of the time. */
struct untold {
    struct watch *next;    /* in instance.pending */
    struct offer *latest;  /* accepted, not told yet */
    struct delta *own;     /* told -> latest, if latest->delta is not it */
    struct content_set content; /* as watch.contents */
    uint64_t noted;        /* as watch.noted */
    uint64_t crossed_ns;   /* as offer.crossed_ns */
    uint64_t hold_ticket;  /* 0: not held; else the barrier to wait for */
    uint64_t ticket_ns;    /* when it was asked for */
    uint64_t hold_since_ns; /* and the first one of this hold: hold.h */
    uint32_t self;         /* as watch.self */
    bool grown;            /* what it may lack is younger than the ticket */
    bool prolonged;        /* its first barrier was reached, and it waits on */
};

struct vnotify;

/*
 * W6.  A seat is 0, a struct watch, a dormant watch, or a dead one, whose
 * instance is closed and whose vnode is still to be let go.  It changes from
 * dormant to anything else, and its mask, by compare-and-swap.
 */
enum { SEAT_DORMANT = 1, SEAT_DEAD = 3, SEAT_KIND = 3, SEAT_SLOT_SHIFT = 2 };

static inline uint64_t seat_of_dormant(uint32_t slot, uint32_t mask)
{
    return (uint64_t)mask << 32 | (uint64_t)slot << SEAT_SLOT_SHIFT |
           SEAT_DORMANT;
}

static inline bool seat_is_dormant(uint64_t seat)
{
    return (seat & SEAT_KIND) == SEAT_DORMANT;
}

static inline bool seat_is_dead(uint64_t seat)
{
    return (seat & SEAT_KIND) == SEAT_DEAD;
}

static inline uint32_t seat_slot(uint64_t seat)
{
    return (uint32_t)seat >> SEAT_SLOT_SHIFT;
}

static inline uint32_t seat_mask(uint64_t seat)
{
    return (uint32_t)(seat >> 32);
}

/* NULL: there is none, or it is dormant or dead. */
static inline struct watch *seat_watch(uint64_t seat)
{
    return (seat & SEAT_KIND) == 0 ? (struct watch *)(uintptr_t)seat : NULL;
}

/* NULL: no memory.  Takes over the reference on told. */
struct watch *watch_create(struct vnotify_instance *, struct vnode *,
                           uint32_t mask, struct snapshot *told,
                           uint64_t told_ended);

/*
 * The watch of a seat, which is woken if it is dormant: by the holder of its
 * vnode's claim, or `ending` it, with the instance's lock.  NULL with 0: there
 * is none (any more).  0 or -ENOMEM.
 */
int watch_wake(struct vnotify_instance *, int wd, _Atomic uint64_t *seat,
               bool ending, struct watch **woken);

void watch_acquire(struct watch *);
void watch_release(struct vnotify *, struct watch *);

/* True for the one caller that ended it. */
bool watch_end(struct watch *);
bool watch_live(const struct watch *);

/* The holder of the instance's claim: lets go of what is untold.  NULL: ok. */
void untold_free(struct vnotify *, struct untold *);

/* With one reference; takes over `delta`.  NULL: no memory. */
struct offer *offer_create(struct snapshot *after, struct delta *delta,
                           uint64_t begun);
void offer_release(struct vnotify *, struct offer *); /* NULL: ok */
