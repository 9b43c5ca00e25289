/*
 * stats.h - counters and stage times
 *
 * One tally for each thread of the engine and one for all callers, so that
 * counting is a relaxed addition to a line that is (nearly always) this CPU's.
 * Readers sum them up; a sum is a picture of a moment that never quite was.
 */
#pragma once

#include "pipeline/sync.h"
#include "vnotify.h"

enum tally_counter {
    TALLY_NOTES,
    TALLY_NOTES_STALE,
    TALLY_NOTES_COALESCED,
    TALLY_RING_FULL,
    TALLY_LISTINGS,
    TALLY_LISTINGS_UNCHANGED,
    TALLY_LISTINGS_FAILED,
    TALLY_ENTRIES,
    TALLY_STREAMED,
    TALLY_RESTS,
    TALLY_DELTAS,
    TALLY_ROUNDS,
    TALLY_HOLDS,
    TALLY_EVENTS,
    TALLY_EVENTS_MERGED,
    TALLY_QUEUE_FULL,
    TALLY_COUNTERS,
};

enum tally_high {
    TALLY_RING_HIGH,
    TALLY_QUEUE_HIGH,
    TALLY_HIGHS,
};

enum tally_stage {
    STAGE_WAIT,     /* note read -> worker has it; not of bulk */
    STAGE_LISTING,  /* listing one directory */
    STAGE_DIFF,     /* comparing it with the one before */
    STAGE_DISPATCH, /* one round */
    STAGE_TOTAL,    /* note read -> events in the queues */
    STAGE_COUNT,
};

/* Powers of two, each in four steps: within 13 % of the true value. */
enum { STAGE_BUCKETS = 64 * 4 };

struct tally {
    /* relaxed, here and below: a count orders nothing */
    _Alignas(SYNC_CACHE_LINE) _Atomic uint64_t counters[TALLY_COUNTERS];
    _Atomic uint64_t highs[TALLY_HIGHS];
    _Atomic uint64_t stage_max[STAGE_COUNT];
    _Atomic uint32_t stages[STAGE_COUNT][STAGE_BUCKETS];
};

static inline void tally_add(struct tally *tally, enum tally_counter which,
                             uint64_t n)
{
    atomic_fetch_add_explicit(&tally->counters[which], n,
                              memory_order_relaxed);
}

void tally_high(struct tally *, enum tally_high, uint64_t value);
void tally_stage(struct tally *, enum tally_stage, uint64_t duration_ns);

struct vnotify;
