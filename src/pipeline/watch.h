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
 * Protocol  W1..W5.
 */
#pragma once

#include <stdbool.h>

#include "pipeline/chain.h"
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
    uint64_t crossed_ns; /* when the host said last that a rename across
                            directories was in it, or 0 */
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
    _Atomic uint8_t state;     /* W2: LIVE to ENDED once, by exchange */
    _Atomic uint8_t queued;    /* W4: in the inbox */
    bool removed;              /* by rm_watch: instance lock */
    struct chain_link chain;   /* of the vnode's watches: V2, registry lock */
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
    bool listed;           /* in instance.pending */
    bool retired;          /* IGNORED is told: the housekeeper has it */
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
    uint64_t hold_since_ns;
    uint32_t self;         /* as watch.self */
    bool waits_long;       /* held for what decides on the order (plan.h) */
    bool let_go;           /* waited long enough: tell as it is */
    bool let_go_at_last;   /* even for that */
};

struct vnotify;

/* NULL: no memory.  Takes over the reference on told. */
struct watch *watch_create(struct vnotify_instance *, struct vnode *,
                           uint32_t mask, struct snapshot *told,
                           uint64_t told_ended);
void watch_acquire(struct watch *);
void watch_release(struct vnotify *, struct watch *);

/* True for the one caller that ended it. */
bool watch_end(struct watch *);
bool watch_live(const struct watch *);

/* The holder of the instance's claim: lets go of what is untold.  NULL: ok. */
void untold_free(struct vnotify *, struct untold *);

void offer_release(struct vnotify *, struct offer *); /* NULL: ok */
