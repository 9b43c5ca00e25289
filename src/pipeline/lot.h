/*
 * lot.h - where workers sleep, and are woken one by one
 *
 * Protocol PK1 to PK4.  A worker about to sleep sets its bit, then looks at
 * every source of work once more, then sleeps.  Who publishes work then looks
 * at the bits.  Both are read-modify-writes of one word, hence ordered: if the
 * waker's comes first, the sleeper's acquires what was published before it and
 * its second look finds the work; if the sleeper's comes first, the waker sees
 * the bit and wakes it.
 *
 * PK4.  Who only wants something seen to by a certain time need not wake who
 * will be awake by then.  The sleeper says until when it sleeps before its
 * second look, and the publisher looks at that after it has published.  So who
 * has read what was said of an earlier sleep is found by the second look.
 *
 * Progress: wake is lock-free.  Spurious wake-ups are possible.
 */
#pragma once

#include <stdbool.h>

#include "pipeline/sync.h"
#include "port/park.h"

enum { LOT_SLEEPERS_MAX = 64 };

struct lot {
    _Atomic uint64_t asleep; /* PK1 in lot_wake, PK2 in lot_prepare */
    struct {
        /* PK3: stored with release by the waker, exchanged by the sleeper */
        _Alignas(SYNC_CACHE_LINE) _Atomic uint32_t token;
        _Atomic uint64_t until_ns; /* PK4: now_ns; LOT_FOREVER */
    } sleepers[LOT_SLEEPERS_MAX];
};

#define LOT_ANYBODY UINT64_MAX
#define LOT_FOREVER UINT64_MAX

static inline void lot_prepare(struct lot *lot, unsigned me,
                               uint64_t until_ns)
{
    atomic_store_explicit(&lot->sleepers[me].until_ns, until_ns,
                          memory_order_seq_cst); /* PK4 */
    atomic_fetch_or_explicit(&lot->asleep, UINT64_C(1) << me,
                             memory_order_seq_cst); /* PK2 */
}

/* After lot_prepare, if there is still nothing to do. */
static inline void lot_sleep(struct lot *lot, unsigned me,
                             const struct timespec *deadline)
{
    _Atomic uint32_t *token = &lot->sleepers[me].token;

    if (atomic_load_explicit(token, memory_order_acquire) == 0) /* PK3 */
        park_wait(token, 0, deadline);
    atomic_fetch_and_explicit(&lot->asleep, ~(UINT64_C(1) << me),
                              memory_order_seq_cst); /* PK2: a timeout */
    atomic_exchange_explicit(token, 0, memory_order_acquire); /* PK3 */
}

/* Wakes one sleeper of those in `among`, the lowest first, if there is one. */
static inline bool lot_wake(struct lot *lot, uint64_t among)
{
    uint64_t asleep =
        atomic_fetch_or_explicit(&lot->asleep, 0, /* PK1 */
                                 memory_order_seq_cst);

    while ((asleep & among) != 0) { /* PK1 */
        unsigned who = (unsigned)__builtin_ctzll(asleep & among);
        uint64_t bit = UINT64_C(1) << who;

        asleep = atomic_fetch_and_explicit(&lot->asleep, ~bit,
                                           memory_order_seq_cst); /* PK1 */
        if ((asleep & bit) == 0)
            continue;
        atomic_store_explicit(&lot->sleepers[who].token, 1,
                              memory_order_release); /* PK3 */
        park_wake(&lot->sleepers[who].token, 1);
        return true;
    }
    return false;
}

/* Wakes this sleeper if it would not be awake by due_ns. */
static inline void lot_wake_by(struct lot *lot, unsigned who, uint64_t due_ns)
{
    if (atomic_load_explicit(&lot->sleepers[who].until_ns, /* PK4 */
                             memory_order_seq_cst) > due_ns)
        lot_wake(lot, UINT64_C(1) << who);
}

/*
 * Instead of sleeping, when there is something to do after all.  Whoever woke
 * us meanwhile meant other work: another sleeper shall see to that.
 */
static inline void lot_cancel(struct lot *lot, unsigned me)
{
    uint64_t bit = UINT64_C(1) << me;

    if ((atomic_fetch_and_explicit(&lot->asleep, ~bit,
                                   memory_order_seq_cst) & /* PK2 */
         bit) == 0 &&
        !lot_wake(lot, LOT_ANYBODY - 1)) /* who may take any kind of work */
        lot_wake(lot, LOT_ANYBODY);
}
