/*
 * relay.h - any thread gives, any thread takes one, oldest first
 *
 * Threads:  any.  The object has left the relay when it was taken.
 * Progress: give is lock-free.  take costs the same however many wait: each
 *           object is moved once, from `given` to `ready`.  It does not wait
 *           for another taker: it says NULL instead.
 * Sleepers: whoever gives wakes a taker; whoever takes wakes another if the
 *           relay is not empty then, since that one may have been refused, or
 *           have looked while `given` was being moved.
 *
 * Protocol RL1: `ready` and the links behind it belong to who has the turn.
 * The exchange that takes the turn acquires what the store that gave it back
 * has released.  RL2: others only ask whether there is any.
 */
#pragma once

#include <stdbool.h>

#include "pipeline/handoff.h"

struct relay {
    struct handoff given;
    _Atomic uint32_t turn;                /* RL1: 1: somebody takes */
    _Atomic(struct handoff_link *) ready; /* RL2: oldest first */
};

static inline void relay_init(struct relay *relay)
{
    handoff_init(&relay->given);
    atomic_init(&relay->turn, 0);
    atomic_init(&relay->ready, NULL);
}

static inline void relay_give(struct relay *relay, struct handoff_link *link)
{
    handoff_give(&relay->given, link);
}

/* seq_cst: a thread going to sleep looks here after it said so (lot.h PK2) */
static inline bool relay_empty(struct relay *relay)
{
    return handoff_empty(&relay->given) &&
           atomic_load_explicit(&relay->ready, /* RL2 */
                                memory_order_seq_cst) == NULL;
}

/* The oldest, or NULL if there is none or somebody else is taking one. */
static inline struct handoff_link *relay_take(struct relay *relay)
{
    struct handoff_link *link;

    if (relay_empty(relay) ||
        atomic_exchange_explicit(&relay->turn, 1, /* RL1 */
                                 memory_order_acquire) != 0)
        return NULL;
    /* relaxed: with the turn, nobody else writes it */
    link = atomic_load_explicit(&relay->ready, memory_order_relaxed);
    if (link == NULL)
        link = handoff_take(&relay->given);
    /* RL2: before the taker looks whether to wake another */
    atomic_store_explicit(&relay->ready, link == NULL ? NULL : link->next,
                          memory_order_seq_cst);
    atomic_store_explicit(&relay->turn, 0, memory_order_release); /* RL1 */
    return link;
}
