/*
 * chain.h - a list that is written under a lock and read under an epoch
 *
 * Readers walk it inside a ck_epoch section of their own and wait for nobody.
 * Writers hold the lock of whatever the chain belongs to; what they take out
 * stays readable until ck_epoch_synchronize has returned.
 *
 * Protocol: V2.  Adding stores the head with seq_cst, so that an adder which
 * then looks elsewhere (control.c, V3) is ordered with readers that load it so.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "pipeline/sync.h"

struct chain_link {
    _Atomic(struct chain_link *) next; /* V2 */
};

struct chain {
    _Atomic(struct chain_link *) first; /* V2: newest first */
};

#define CHAIN_OBJECT(type, member, link)                                       \
    ((type *)(void *)((char *)(link) - offsetof(type, member)))

static inline void chain_init(struct chain *chain)
{
    /* relaxed: published with what it is part of */
    atomic_store_explicit(&chain->first, NULL, memory_order_relaxed);
}

/* Inside an epoch section, or with the writers' lock. */
static inline struct chain_link *chain_first(const struct chain *chain)
{
    return atomic_load_explicit(&chain->first, memory_order_seq_cst); /* V2 */
}

static inline struct chain_link *chain_next(const struct chain_link *link)
{
    return atomic_load_explicit(&link->next, memory_order_acquire); /* V2 */
}

/* Writers. */
static inline void chain_add(struct chain *chain, struct chain_link *link)
{
    /* relaxed: writers hold the lock */
    struct chain_link *first =
        atomic_load_explicit(&chain->first, memory_order_relaxed);

    /* relaxed: published by the store behind it */
    atomic_store_explicit(&link->next, first, memory_order_relaxed);
    atomic_store_explicit(&chain->first, link, memory_order_seq_cst); /* V2 */
}

/* Writers.  A link that is not in the chain stays as it is. */
static inline void chain_remove(struct chain *chain, struct chain_link *link)
{
    _Atomic(struct chain_link *) *at = &chain->first;
    struct chain_link *here;

    /* relaxed: writers hold the lock */
    while ((here = atomic_load_explicit(at, memory_order_relaxed)) != link) {
        if (here == NULL)
            return;
        at = &here->next;
    }
    /* V2: who is on `link` now still finds the rest behind it */
    atomic_store_explicit(
        at, atomic_load_explicit(&link->next, memory_order_relaxed),
        memory_order_release);
}
