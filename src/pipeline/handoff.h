/*
 * handoff.h - objects passed on to whoever comes to fetch them
 *
 * An intrusive stack: any thread gives, any thread takes *all*.  Taking all at
 * once is what makes it free of ABA without tagged pointers.  An object is in
 * at most one handoff at a time; its owner sees to that (the holder of its
 * claim, or whoever set its "queued" flag).
 *
 * Progress: give is lock-free, take is wait-free.
 * Order:    take returns the oldest first.
 * Protocol: H1 the store of `newest` when giving releases the object and all
 *           that was written before; H2 the exchange when taking acquires it.
 *           Giving on top of an object that another thread gave continues its
 *           release sequence, so one acquire sees them all.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "pipeline/sync.h"

struct handoff_link {
    struct handoff_link *next;
};

struct handoff {
    _Atomic(struct handoff_link *) newest; /* H1 in give, H2 in take */
};

#define HANDOFF_OBJECT(type, member, link)                                     \
    ((type *)(void *)((char *)(link) - offsetof(type, member)))

static inline void handoff_init(struct handoff *handoff)
{
    atomic_init(&handoff->newest, NULL);
}

static inline void handoff_give(struct handoff *handoff,
                                struct handoff_link *link)
{
    /* relaxed: the value is only compared, never followed */
    struct handoff_link *newest =
        atomic_load_explicit(&handoff->newest, memory_order_relaxed);

    do {
        link->next = newest;
    } while (!atomic_compare_exchange_weak_explicit(
        &handoff->newest, &newest, link, memory_order_seq_cst /* H1, PK1 */,
        memory_order_relaxed));
}

/* seq_cst: a thread going to sleep looks here after it said so (park.h PK2) */
static inline bool handoff_empty(struct handoff *handoff)
{
    return atomic_load_explicit(&handoff->newest, memory_order_seq_cst) ==
           NULL;
}

/* A list through `next`, oldest first, or NULL. */
static inline struct handoff_link *handoff_take(struct handoff *handoff)
{
    struct handoff_link *newest, *oldest = NULL;

    if (handoff_empty(handoff))
        return NULL;
    newest = atomic_exchange_explicit(&handoff->newest, NULL,
                                      memory_order_acquire); /* H2 */
    while (newest != NULL) {
        struct handoff_link *next = newest->next;

        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    return oldest;
}
