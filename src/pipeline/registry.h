/*
 * registry.h - all vnodes, by slot and by inode
 *
 * A note carries a vnode's slot, an add_watch knows its inode.  Also in here,
 * with the same lock: who watches a vnode and what its parents are.
 *
 * Threads:  any, unless it says who.
 * Blocks:   on its lock, which is never held across I/O.
 * Protocol: V2, V4, V8.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>

#include "pipeline/vnode.h"

/* Chains of vnodes by (device, inode): the first slot of each, 0: none. */
struct buckets {
    struct buckets *outgrown; /* the one before, half as large: a reader may
                                 still be in it */
    uint32_t count;           /* a power of two */
    _Atomic uint32_t first[]; /* V8 */
};

/* All vnodes: slots by number, and by (device, inode) those in use. */
struct registry {
    pthread_mutex_t lock; /* control calls only, never across I/O */
    _Atomic(struct buckets *) by_inode; /* V8 */
    _Atomic uint32_t growing; /* V8: odd while chains are made anew */
    _Atomic(struct vnode *) chunks[VNODE_CHUNKS_MAX]; /* V4 */
    uint32_t slots; /* made so far; slot 0 is never used */
    struct vnode *free;
    _Atomic uint32_t in_use; /* relaxed: for decisions of cost */
};

int registry_init(struct registry *);
void registry_fini(struct registry *);

/* Worker: the vnode of a slot number that a note carries; never NULL. */
struct vnode *registry_slot(struct registry *, uint32_t slot);

/*
 * Finds the vnode of this inode, or makes one that the caller must arm
 * (*made); either way with one user more.  NULL: no memory.  A vnode that was
 * made is held by the caller (claim.h).
 */
struct vnode *registry_get(struct registry *, const struct look *, bool *made);

/*
 * V8.  Any thread, inside an epoch section and without the lock: the vnode of
 * this inode, or NULL; not *sure: one may have been missed.  Chains are added
 * to at their head, and what is taken out still leads on until the section
 * ends; only while they are made anew may a walk come into another chain, and
 * then the count of that is odd, or another after the walk.
 */
struct vnode *registry_peek(struct registry *, uint64_t dev, uint64_t ino,
                            bool *sure);

/* Its number is another inode's now: it is found no more. */
void registry_displace(struct registry *, struct vnode *);

/* The same, if it has no user but the caller's; or false, and nothing done. */
bool registry_displace_alone(struct registry *, struct vnode *);

/*
 * From slot *at on, of VNODE_CHUNK slots at most: the next directory whose
 * children are wanted, with one user more, or NULL.  *at is behind what was
 * looked at; 0: that was the last slot.
 */
struct vnode *registry_next_dir(struct registry *, uint32_t *at);

/*
 * Gives up one user.  True if it was the last: the vnode is out of the
 * registry, and the caller sees to its release.
 */
bool registry_put(struct registry *, struct vnode *);

/* Housekeeper, after claim_close: the slot may be used again. */
void registry_free(struct registry *, struct vnode *);

/* Adds to and removes from the rosters of vnodes, with the registry's lock.
   0 or -ENOMEM. */
int registry_enter(struct registry *, struct vnode *, uint64_t entry);
void registry_leave(struct registry *, struct vnode *, uint64_t entry);

/* Adds to and removes from the chains of vnodes, with the registry's lock. */
void registry_link(struct registry *, struct chain *, struct chain_link *);
void registry_unlink(struct registry *, struct chain *, struct chain_link *);
