/*
 * The word:
 *
 *     63        32  31..27   26    25..24    23         0
 *     generation     0      HELD   phases    pending bits
 *
 * C1  post: a compare-and-swap with release: what the poster wrote before
 *     (an offer, self bits) is seen by whoever takes the bits.
 * C2  take, release, close: compare-and-swap with acquire (and release, for
 *     the next holder's sake: the claim is a mutex in this respect).
 *
 * Counting.  Pending bits are one item, which counts in each phase of the set
 * beside them: at most once in each.  A post passes on its counts; one that the
 * word has already ends, since the two are one item now.  Which of two phases is
 * the older need not be known: the item ends in both when it is done.
 */
#include "pipeline/claim.h"

#include <assert.h>

#define PHASES_SHIFT 24
#define PHASES (UINT64_C(3) << PHASES_SHIFT)
#define HELD (UINT64_C(1) << 26)
#define GENERATION(word) ((uint32_t)((word) >> 32))

static unsigned phases_of(uint64_t word)
{
    return (unsigned)((word & PHASES) >> PHASES_SHIFT);
}

void claim_init(struct claim *claim, uint32_t generation, bool held)
{
    atomic_init(&claim->word,
                (uint64_t)generation << 32 | (held ? HELD : 0));
}

uint32_t claim_generation(const struct claim *claim)
{
    /* C2, with claim_close: what was written before it is seen (A1); others
       keep the generation from ending */
    return GENERATION(
        atomic_load_explicit(&claim->word, memory_order_acquire));
}

uint32_t claim_pending(const struct claim *claim)
{
    /* relaxed: what follows from the bits is seen by who takes them */
    return (uint32_t)atomic_load_explicit(&claim->word,
                                          memory_order_relaxed) &
           CLAIM_MASK;
}

enum claim_outcome claim_post(struct claim *claim, struct barrier *barrier,
                              uint32_t generation, uint32_t bits,
                              unsigned phases)
{
    uint64_t new;
    /* relaxed: only what the compare-and-swap confirms is believed */
    uint64_t old = atomic_load_explicit(&claim->word, memory_order_relaxed);

    assert((bits & ~(uint32_t)CLAIM_MASK) == 0);
    assert(bits != 0 || phases == BARRIER_UNCOUNTED);
    do {
        if (GENERATION(old) != generation) {
            barrier_done(barrier, phases);
            return CLAIM_STALE;
        }
        if (bits == 0 && (old & HELD) != 0)
            return CLAIM_LEFT;
        new = old | bits | HELD | (uint64_t)phases << PHASES_SHIFT;
    } while (!atomic_compare_exchange_weak_explicit(
        &claim->word, &old, new, memory_order_acq_rel /* C1, C2 */,
        memory_order_relaxed));
    barrier_done(barrier, phases & phases_of(old));
    return (old & HELD) != 0 ? CLAIM_LEFT : CLAIM_TAKEN;
}

uint32_t claim_take(struct claim *claim, unsigned *phases)
{
    uint64_t old = atomic_fetch_and_explicit(
        &claim->word, ~(PHASES | (uint64_t)CLAIM_MASK),
        memory_order_acq_rel); /* C2, pairs with C1 */

    assert((old & HELD) != 0);
    *phases = phases_of(old);
    return (uint32_t)old & CLAIM_MASK;
}

bool claim_release(struct claim *claim)
{
    /* relaxed: only what the compare-and-swap confirms is believed */
    uint64_t old = atomic_load_explicit(&claim->word, memory_order_relaxed);

    do {
        assert((old & HELD) != 0);
        if ((old & CLAIM_MASK) != 0)
            return false;
    } while (!atomic_compare_exchange_weak_explicit(
        &claim->word, &old, old & ~HELD, memory_order_acq_rel /* C2 */,
        memory_order_relaxed));
    return true;
}

void claim_close(struct claim *claim, struct barrier *barrier)
{
    uint64_t next;
    /* relaxed: only what the compare-and-swap confirms is believed */
    uint64_t old = atomic_load_explicit(&claim->word, memory_order_relaxed);

    do {
        assert((old & HELD) != 0);
        next = (uint64_t)(GENERATION(old) + 1) << 32;
    } while (!atomic_compare_exchange_weak_explicit(
        &claim->word, &old, next, memory_order_acq_rel /* C2 */,
        memory_order_relaxed));
    barrier_done(barrier, phases_of(old));
}
