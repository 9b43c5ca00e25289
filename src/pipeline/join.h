/*
 * join.h - what an add_watch does with its vnode and its watch
 *
 * control.c has a vnode with its knote and a listing; here the watch is put
 * where workers find it, or the one that is there gets its new mask (join.c),
 * and the children are kept (join-keep.c).
 *
 * Threads:  the caller of add_watch.
 * Protocol: V3 (the top of control.c), V5, W6.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct opened;
struct snapshot;
struct vnode;
struct vnotify;
struct vnotify_instance;

/* An add_watch call in progress. */
struct joining {
    struct vnotify *engine;
    struct vnotify_instance *instance;
    struct opened *opened;
    struct vnode *vnode;
    uint32_t generation; /* of the vnode: it may be gone once published */
    uint32_t mask;
    struct snapshot *told;
    uint64_t begin, end;
    uint64_t joined_ns;  /* watch.h */
    bool holds;          /* the vnode's claim */
    bool sleeps;         /* a dormant watch will do */
    bool published;
};

/* Is it watched already?  Then no listing is needed, and *result is the answer:
   the descriptor or -errno. */
bool join_updates(struct joining *, int *result);

/* Could a watch with this mask be dormant? */
bool join_may_sleep(const struct joining *, uint32_t mask);

/* The watch's descriptor, or -errno. */
int join_publish(struct joining *);

/*
 * V5: the children, where the mask asks for what becomes of them: before the
 * call returns, so that what the guest does next is noticed.
 */

/* What the mask wants of them, as note_children_wanted. */
uint32_t join_content(const struct joining *);

/* Says so; before anything is posted that keeps them. */
void join_want_children(struct joining *);

/* Returns when they are kept for that: 0, or -ENOMEM. */
int join_await_kept(struct joining *);
