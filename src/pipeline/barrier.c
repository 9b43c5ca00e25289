/*
 * B1  The reader alone turns `phase`.  Who begins an item counts it in the
 *     phase that it saw, then looks again: if the phase is still the same, the
 *     turn to come is after the count, and its drain waits for it; if not, the
 *     count is taken back.  Both seq_cst: store and load of two words on either
 *     side.  Items that stem from others take their phase over.
 * B2  The reader stores `draining`, then gives up its own item of the old
 *     phase; whoever brings a count to zero then loads `draining`.  One of
 *     them is the last, and the reader's item keeps the count above zero until
 *     the store: so somebody sees zero and draining together.  More than one
 *     may (a count taken back, B1), and one may see a zero of before the turn:
 *     the one whose compare-and-swap makes it COMPLETING, and who then still
 *     sees zero, ends the cycle.  All seq_cst: store-load pairs of two words.
 *     Checked exhaustively: tests/model/barrier.pml.
 * B3  An item's count goes up before the item can be seen by others, and down
 *     after its effects were released.
 * B4  `requested` goes up before the requester wakes the reader; the reader
 *     loads it before it drains.  So all notes that were posted before the
 *     request are in the drain.  `completed` is stored when the drained phase
 *     counts none: release, pairs with the acquire in barrier_reached.
 */
#include "pipeline/barrier.h"

#include <assert.h>
#include <limits.h>

#include "port/park.h"

void barrier_init(struct barrier *b, barrier_complete_fn *complete,
                  barrier_kick_fn *kick, void *arg)
{
    atomic_init(&b->phase, 0);
    atomic_init(&b->draining, 0);
    atomic_init(&b->in_flight[0], 0);
    atomic_init(&b->in_flight[1], 0);
    atomic_init(&b->requested, 0);
    atomic_init(&b->completed, 0);
    atomic_init(&b->wake, 0);
    b->started = 0;
    b->complete = complete;
    b->kick = kick;
    b->arg = arg;
}

static void add(struct barrier *b, unsigned phase)
{
    /* seq_cst: counted before anything of the item can be seen (B3) */
    atomic_fetch_add_explicit(&b->in_flight[phase], 1, memory_order_seq_cst);
}

unsigned barrier_join(struct barrier *b)
{
    for (;;) {
        unsigned phase =
            atomic_load_explicit(&b->phase, memory_order_seq_cst); /* B1 */

        add(b, phase);
        if (atomic_load_explicit(&b->phase, memory_order_seq_cst) == phase)
            return 1u << phase; /* B1 */
        barrier_done(b, 1u << phase);
    }
}

uint64_t barrier_wanted(struct barrier *b)
{
    uint64_t ticket;

    if (atomic_load_explicit(&b->draining, memory_order_acquire) != 0) /* B2 */
        return 0;
    ticket = atomic_load_explicit(&b->requested, memory_order_seq_cst); /* B4 */
    return ticket == b->started ? 0 : ticket;
}

void barrier_flip(struct barrier *b, uint64_t ticket)
{
    uint32_t old = atomic_load_explicit(&b->phase, memory_order_relaxed); /* B1 */

    b->started = ticket;
    atomic_store_explicit(&b->phase, old ^ 1, memory_order_seq_cst); /* B1 */
    atomic_store_explicit(&b->draining, 1 + old, memory_order_seq_cst); /* B2 */
}

void barrier_add(struct barrier *b, unsigned phases)
{
    for (unsigned phase = 0; phase < 2; phase++)
        if ((phases & 1u << phase) != 0)
            add(b, phase);
}

/*
 * What waited for the cycle is looked at after `completed` says that it ended,
 * or the look would not see it.  No other cycle can begin meanwhile, and what
 * the look leads to counts in the phase that does not drain.
 */
static void cycle_complete(struct barrier *b, unsigned phase)
{
    uint64_t ticket = b->started;

    /* B4; seq_cst: before the look, for barrier_completed */
    atomic_store_explicit(&b->completed, ticket, memory_order_seq_cst);
    b->complete(b->arg, 1u << (phase ^ 1));
    atomic_store_explicit(&b->draining, 0, memory_order_seq_cst); /* B2 */
    atomic_fetch_add_explicit(&b->wake, 1, memory_order_seq_cst); /* B4 */
    park_wake(&b->wake, INT_MAX);
    /* Who asked while draining was set was put off by the reader. */
    if (atomic_load_explicit(&b->requested, memory_order_seq_cst) != ticket)
        b->kick(b->arg); /* B4 */
}

/*
 * Ends the cycle if this phase drains and counts none.  Both must hold at one
 * moment after draining was stored: a zero seen before the phase turned says
 * nothing, since items may have joined since.
 */
static void try_complete(struct barrier *b, unsigned phase)
{
    for (;;) {
        uint32_t draining = 1 + phase;

        if (!atomic_compare_exchange_strong_explicit(
                &b->draining, &draining, BARRIER_COMPLETING,
                memory_order_seq_cst, memory_order_seq_cst)) /* B2 */
            return;
        if (atomic_load_explicit(&b->in_flight[phase], /* B2, B3 */
                                 memory_order_seq_cst) == 0) {
            cycle_complete(b, phase);
            return;
        }
        atomic_store_explicit(&b->draining, 1 + phase, /* B2 */
                              memory_order_seq_cst);
        /* Whoever brings it to zero from here sees draining. */
        if (atomic_load_explicit(&b->in_flight[phase], /* B2, B3 */
                                 memory_order_seq_cst) != 0)
            return;
    }
}

static void done(struct barrier *b, unsigned phase)
{
    int64_t before = atomic_fetch_sub_explicit(&b->in_flight[phase], 1,
                                               memory_order_seq_cst); /* B3 */

    assert(before > 0);
    if (before == 1)
        try_complete(b, phase);
}

void barrier_done(struct barrier *b, unsigned phases)
{
    for (unsigned phase = 0; phase < 2; phase++)
        if ((phases & 1u << phase) != 0)
            done(b, phase);
}

uint64_t barrier_request(struct barrier *b)
{
    uint64_t ticket = 1 + atomic_fetch_add_explicit(&b->requested, 1, /* B4 */
                                                    memory_order_seq_cst);

    b->kick(b->arg);
    return ticket;
}

bool barrier_reached(struct barrier *b, uint64_t ticket)
{
    return atomic_load_explicit(&b->completed, memory_order_acquire) >= /* B4 */
           ticket;
}

uint64_t barrier_completed(struct barrier *b)
{
    return atomic_load_explicit(&b->completed, memory_order_seq_cst); /* B4 */
}

void barrier_await(struct barrier *b, uint64_t ticket)
{
    for (;;) {
        uint32_t wake =
            atomic_load_explicit(&b->wake, memory_order_seq_cst); /* B4 */

        if (barrier_reached(b, ticket))
            return;
        park_wait(&b->wake, wake, NULL);
    }
}

bool barrier_quiet(struct barrier *b, unsigned mine)
{
    int64_t items =
        atomic_load_explicit(&b->in_flight[0], memory_order_seq_cst) + /* B3 */
        atomic_load_explicit(&b->in_flight[1], memory_order_seq_cst); /* B3 */

    return items <= (int64_t)mine;
}
