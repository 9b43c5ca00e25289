/*
 * The word:
 *
 *     63        32  31..27   26     25     24      23         0
 *     generation     0      HELD   PHASE  COUNTED  pending bits
 *
 * C1  post: a compare-and-swap with release: what the poster wrote before
 *     (an offer, self bits) is seen by whoever takes the bits.
 * C2  take, release, close: compare-and-swap with acquire (and release, for
 *     the next holder's sake: the claim is a mutex in this respect).
 *
 * Counting.  Pending bits are at most one item.  COUNTED says that they are
 * one, PHASE of which phase.  A counted post to a word with
 *   no count       passes its count on;
 *   a count of the same phase: the two are one item now; one count ends;
 *   a count of the other phase: the item must end with the older phase, which
 *                  is the one that does not count now.  The older stays, the
 *                  younger ends.  Only two phases are alive, and a cycle
 *                  cannot turn again while the older one counts, so "the one
 *                  that is not `phase`" is the older (B1).
 * The bits thus count until a take has handed the count to the holder.
 */
#include "pipeline/claim.h"

#include <assert.h>

#define COUNTED (UINT64_C(1) << 24)
#define PHASE (UINT64_C(1) << 25)
#define HELD (UINT64_C(1) << 26)
#define GENERATION(word) ((uint32_t)((word) >> 32))

static uint64_t with_phase(uint64_t word, unsigned phase)
{
    return (word & ~PHASE) | COUNTED | (phase != 0 ? PHASE : 0);
}

static unsigned phase_of(uint64_t word)
{
    if ((word & COUNTED) == 0)
        return BARRIER_UNCOUNTED;
    return (word & PHASE) != 0;
}

void claim_init(struct claim *claim, uint32_t generation, bool held)
{
    atomic_init(&claim->word,
                (uint64_t)generation << 32 | (held ? HELD : 0));
}

uint32_t claim_generation(const struct claim *claim)
{
    /* relaxed: asked by those who keep the generation from ending */
    return GENERATION(
        atomic_load_explicit(&claim->word, memory_order_relaxed));
}

/* What a counted post makes of the word's count; *over: the count to end. */
static uint64_t merge_phase(uint64_t word, struct barrier *barrier,
                            unsigned phase, unsigned *over)
{
    unsigned there = phase_of(word);
    unsigned younger;

    *over = BARRIER_UNCOUNTED;
    if (phase == BARRIER_UNCOUNTED)
        return word;
    if (there == BARRIER_UNCOUNTED)
        return with_phase(word, phase);
    /* acquire: pairs with B1; both phases count, so it cannot turn now */
    younger = atomic_load_explicit(&barrier->phase, memory_order_acquire);
    *over = there == phase ? phase : younger;
    return with_phase(word, there == phase ? phase : younger ^ 1);
}

enum claim_outcome claim_post(struct claim *claim, struct barrier *barrier,
                              uint32_t generation, uint32_t bits,
                              unsigned phase)
{
    uint64_t new;
    unsigned over;
    /* relaxed: only what the compare-and-swap confirms is believed */
    uint64_t old = atomic_load_explicit(&claim->word, memory_order_relaxed);

    assert((bits & ~(uint32_t)CLAIM_MASK) == 0);
    assert(bits != 0 || phase == BARRIER_UNCOUNTED);
    do {
        if (GENERATION(old) != generation) {
            barrier_done(barrier, phase);
            return CLAIM_STALE;
        }
        new = merge_phase(old, barrier, phase, &over) | bits | HELD;
        if (bits == 0 && (old & HELD) != 0)
            return CLAIM_LEFT;
    } while (!atomic_compare_exchange_weak_explicit(
        &claim->word, &old, new, memory_order_acq_rel /* C1, C2 */,
        memory_order_relaxed));
    barrier_done(barrier, over);
    return (old & HELD) != 0 ? CLAIM_LEFT : CLAIM_TAKEN;
}

uint32_t claim_take(struct claim *claim, unsigned *phase)
{
    uint64_t old = atomic_fetch_and_explicit(
        &claim->word, ~(COUNTED | PHASE | (uint64_t)CLAIM_MASK),
        memory_order_acq_rel); /* C2, pairs with C1 */

    assert((old & HELD) != 0);
    *phase = phase_of(old);
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
    barrier_done(barrier, phase_of(old));
}
