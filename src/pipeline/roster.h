/*
 * roster.h - who watches a vnode: instance and watch descriptor, packed
 *
 * One watch costs nothing but the roster's own word, more of them eight bytes
 * each.  An entry is there from add_watch until the watch is unlinked, whether
 * or not there is a struct watch for it (watch.h).
 *
 * Threads:  walking: any, inside an epoch section, or with the writers' lock.
 *           Writers hold the registry's lock.
 * LIFETIME  a crowd that has become too small is handed on to be freed when an
 *           epoch has passed.
 * Protocol: V2.  Adding stores with seq_cst, so that an adder which then looks
 *           elsewhere (control.c, V3) is ordered with walkers that load it so.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "pipeline/handoff.h"
#include "pipeline/sync.h"

struct crowd {
    struct handoff_link retire_link;
    uint32_t size;
    _Atomic uint64_t entries[]; /* V2: 0: free */
};

struct roster {
    _Atomic uint64_t word; /* V2: 0, the one entry, or a crowd (even) */
};

static inline uint64_t roster_entry(uint32_t instance, int wd)
{
    return (uint64_t)instance << 32 | (uint64_t)(uint32_t)wd << 1 | 1;
}

static inline uint32_t entry_instance(uint64_t entry)
{
    return (uint32_t)(entry >> 32);
}

static inline int entry_wd(uint64_t entry)
{
    return (int)((uint32_t)entry >> 1);
}

/* The next entry, from *at = 0 on; 0: there are no more. */
uint64_t roster_next(const struct roster *, uint32_t *at);

/* Writers.  -ENOMEM; *outgrown is a crowd to be freed, or NULL. */
int roster_add(struct roster *, uint64_t entry, struct crowd **outgrown);

/* Writers.  One that is not there is no matter. */
void roster_remove(struct roster *, uint64_t entry);

/* When nobody walks it any more: empty again. */
void roster_fini(struct roster *);
