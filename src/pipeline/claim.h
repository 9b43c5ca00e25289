/*
 * claim.h - pending bits, and who may act on them: the engine's one protocol
 *
 * A vnode and an instance each have one word: bits that are pending, whether
 * somebody holds the claim, and a generation.  Posting ORs bits in.  Who posts
 * to a free word holds the claim from then on and owns the object's mutable
 * state until it has released it, which succeeds only with nothing pending.
 * Whatever is posted meanwhile is the holder's to do.  Nobody ever waits.
 *
 *     state        event              to            who may
 *     free         post               held+pending  any; the poster holds it
 *     held         post               held+pending  any
 *     held+pending take               held          holder
 *     held         release            free          holder
 *     held+pending release            (refused)     holder
 *     held*        close              free, gen+1   holder; later posts of the
 *                                                   old generation are refused
 *
 * A claim may be handed to another thread (handoff.h) while it is held.
 *
 * Phases:   a post carries the barrier phases of an item that the poster holds
 *           and passes its counts on; see the top of claim.c.
 * Progress: lock-free; a post retries only when the word changed.
 * Protocol: C1, C2.
 */
#pragma once

#include <stdbool.h>

#include "pipeline/barrier.h"

struct claim {
    _Atomic uint64_t word; /* C1, C2 */
};

enum {
    CLAIM_BITS = 24, /* bits 0..23 are the user's */
    CLAIM_MASK = (1 << CLAIM_BITS) - 1,
};

enum claim_outcome {
    CLAIM_TAKEN, /* the caller holds the claim now and must serve it */
    CLAIM_LEFT,  /* the holder will */
    CLAIM_STALE, /* another generation: nothing posted */
};

/* `held`: the creator holds it from the start. */
void claim_init(struct claim *, uint32_t generation, bool held);

uint32_t claim_generation(const struct claim *);

/* Any thread: the bits that are pending now.  The holder's to take later. */
uint32_t claim_pending(const struct claim *);

/*
 * Any thread.  `phases`: of an item that the caller holds, which is passed on
 * (or ended, where the word counts already), or BARRIER_UNCOUNTED.  `bits` may
 * be 0 to try for the claim alone: CLAIM_TAKEN or CLAIM_LEFT.
 */
enum claim_outcome claim_post(struct claim *, struct barrier *,
                              uint32_t generation, uint32_t bits,
                              unsigned phases);

/* Holder: takes all pending bits; the item's phases go to *phases. */
uint32_t claim_take(struct claim *, unsigned *phases);

/* Holder: gives the claim up, unless something is pending (then false). */
bool claim_release(struct claim *);

/* Holder: ends this generation; ends the item of what was pending. */
void claim_close(struct claim *, struct barrier *);
