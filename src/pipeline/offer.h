/*
 * offer.h - handing what a worker found to watches, and on to dispatch
 *
 * Threads: the holder of the vnode's claim, a worker.
 */
#pragma once

#include <stdint.h>

struct fate;
struct handoff_link;
struct offer;
struct vnode;
struct worker;

/* One vnode being served. */
struct serving {
    struct worker *worker;
    struct handoff_link *taken; /* instances whose claim this worker got and
                                   has yet to dispatch */
    uint64_t noted_ns;
    unsigned phases; /* of the item that this worker holds */
};

/* Wakes all that is dormant of the vnode's watches, before any of it is told
   anything, or `current` changes.  0 or -ENOMEM. */
int offer_wake(struct worker *, struct vnode *);

/* `offer` (or NULL) and self events, to every watch of the vnode. */
void offer_to_watches(struct serving *, struct vnode *, struct offer *offer,
                      const struct fate *);

/* Named events, to the watches of each directory that has the vnode as a
   child.  0, or -ENOMEM: some may have them and others not. */
int offer_to_parents(struct serving *, struct vnode *, const struct fate *);

/* V9.  To those directories: it has ended, and its number may be another's. */
void offer_end_to_parents(struct serving *, struct vnode *);

/* The directory's findings, to its watches; none are left then.  -ENOMEM. */
int offer_findings(struct serving *, struct vnode *dir);

/* Runs the dispatch of what was taken. */
void offer_dispatch(struct serving *);
