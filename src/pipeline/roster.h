/*
 * roster.h - who watches a vnode: instance and watch descriptor, packed
 *
 * One watch costs nothing but the roster's own word, more of them eight bytes
 * each.  An entry is there from add_watch until the watch is unlinked, whether
 * or not there is a struct watch for it (watch.h).
 *
 * Threads:  walking: any, inside an epoch section, or with the writers' lock.
 *           Writers hold the registry's lock.
 * LIFETIME  blocks are added and never given up before roster_fini.
 * Protocol: V2.  Adding stores with seq_cst, so that an adder which then looks
 *           elsewhere (control.c, V3) is ordered with walkers that load it so.
 */
#pragma once

#include "pipeline/sync.h"

struct roster {
    _Atomic uint64_t word; /* V2: 0, the one entry (odd), or a block */
};

static inline uint64_t roster_entry(uint32_t instance_index, int wd)
{
    return (uint64_t)instance_index << 32 | (uint64_t)(uint32_t)wd << 1 | 1;
}

static inline uint32_t entry_instance(uint64_t entry)
{
    return (uint32_t)(entry >> 32);
}

static inline int entry_wd(uint64_t entry)
{
    return (int)((uint32_t)entry >> 1);
}

/* What a walk has still to see; entries that are added meanwhile it may miss. */
struct roster_walk {
    uint64_t word; /* as roster.word; 0: the end */
    uint32_t at;   /* in the block */
};

struct roster_walk roster_begin(const struct roster *);

/* The next entry; 0: there are no more. */
uint64_t roster_next(struct roster_walk *);

/* Writers.  0 or -ENOMEM. */
int roster_add(struct roster *, uint64_t entry);

/* Writers.  One that is not there is no matter. */
void roster_remove(struct roster *, uint64_t entry);

/* When nobody walks it any more: empty again. */
void roster_fini(struct roster *);
