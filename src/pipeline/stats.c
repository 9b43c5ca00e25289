#include "pipeline/stats.h"

#include <inttypes.h>
#include <string.h>

#include "pipeline/engine.h"

/* relaxed, here and below: a count orders nothing (stats.h) */

void tally_high(struct tally *tally, enum tally_high which, uint64_t value)
{
    _Atomic uint64_t *high = &tally->highs[which];
    uint64_t old = atomic_load_explicit(high, memory_order_relaxed);

    while (old < value &&
           !atomic_compare_exchange_weak_explicit(
               high, &old, value, memory_order_relaxed, memory_order_relaxed))
        continue;
}

static unsigned bucket_of(uint64_t ns)
{
    unsigned log2;

    if (ns < 4)
        return (unsigned)ns;
    log2 = 63 - (unsigned)__builtin_clzll(ns);
    return log2 * 4 + (unsigned)(ns >> (log2 - 2) & 3);
}

/* The middle of what falls into a bucket. */
static uint64_t bucket_value(unsigned bucket)
{
    unsigned log2 = bucket / 4;
    uint64_t step;

    if (log2 < 2)
        return bucket;
    step = UINT64_C(1) << (log2 - 2);
    return (4 + bucket % 4) * step + step / 2;
}

void tally_stage(struct tally *tally, enum tally_stage stage,
                 uint64_t duration_ns)
{
    _Atomic uint64_t *max = &tally->stage_max[stage];
    uint64_t old = atomic_load_explicit(max, memory_order_relaxed);

    atomic_fetch_add_explicit(&tally->stages[stage][bucket_of(duration_ns)],
                              1, memory_order_relaxed);
    while (old < duration_ns &&
           !atomic_compare_exchange_weak_explicit(max, &old, duration_ns,
                                                  memory_order_relaxed,
                                                  memory_order_relaxed))
        continue;
}

struct sums {
    uint64_t counters[TALLY_COUNTERS];
    uint64_t highs[TALLY_HIGHS];
    uint64_t stages[STAGE_COUNT][STAGE_BUCKETS];
    uint64_t stage_max[STAGE_COUNT];
};

static uint64_t get(const _Atomic uint64_t *value)
{
    return atomic_load_explicit(value, memory_order_relaxed);
}

static void add_tally(struct sums *sums, const struct tally *tally)
{
    for (int i = 0; i < TALLY_COUNTERS; i++)
        sums->counters[i] += get(&tally->counters[i]);
    for (int i = 0; i < TALLY_HIGHS; i++)
        if (get(&tally->highs[i]) > sums->highs[i])
            sums->highs[i] = get(&tally->highs[i]);
    for (int i = 0; i < STAGE_COUNT; i++) {
        if (get(&tally->stage_max[i]) > sums->stage_max[i])
            sums->stage_max[i] = get(&tally->stage_max[i]);
        for (int k = 0; k < STAGE_BUCKETS; k++)
            sums->stages[i][k] += atomic_load_explicit(
                &tally->stages[i][k], memory_order_relaxed);
    }
}

static uint64_t quantile(const uint64_t *buckets, uint64_t count, double q)
{
    uint64_t rank = (uint64_t)((double)count * q), seen = 0;

    for (unsigned i = 0; i < STAGE_BUCKETS; i++) {
        seen += buckets[i];
        if (seen > rank)
            return bucket_value(i);
    }
    return 0;
}

static struct vnotify_stage stage_row(const struct sums *sums, int stage)
{
    static const char *const names[STAGE_COUNT] = {
        [STAGE_WAIT] = "note to worker", [STAGE_LISTING] = "listing",
        [STAGE_DIFF] = "delta",          [STAGE_DISPATCH] = "dispatch",
        [STAGE_TOTAL] = "note to queue",
    };
    struct vnotify_stage row = { .name = names[stage] };

    for (unsigned i = 0; i < STAGE_BUCKETS; i++)
        row.count += sums->stages[stage][i];
    row.p50_ns = quantile(sums->stages[stage], row.count, 0.5);
    row.p99_ns = quantile(sums->stages[stage], row.count, 0.99);
    row.max_ns = sums->stage_max[stage];
    /* The middle of the topmost bucket may lie above what fell into it. */
    if (row.p50_ns > row.max_ns)
        row.p50_ns = row.max_ns;
    if (row.p99_ns > row.max_ns)
        row.p99_ns = row.max_ns;
    return row;
}

void vnotify_stats(struct vnotify *engine, struct vnotify_stats *stats)
{
    struct sums sums;

    memset(&sums, 0, sizeof(sums));
    for (unsigned i = 0; i < engine_servers(engine); i++)
        add_tally(&sums, &engine->tallies[i]);
    *stats = (struct vnotify_stats){
        .notes = sums.counters[TALLY_NOTES],
        .notes_stale = sums.counters[TALLY_NOTES_STALE],
        .notes_coalesced = sums.counters[TALLY_NOTES_COALESCED],
        .host_overflows = kq_overflows(engine->kq),
        .ring_full = sums.counters[TALLY_RING_FULL],
        .ring_high = sums.highs[TALLY_RING_HIGH],
        .listings = sums.counters[TALLY_LISTINGS],
        .listings_unchanged = sums.counters[TALLY_LISTINGS_UNCHANGED],
        .listings_failed = sums.counters[TALLY_LISTINGS_FAILED],
        .entries_listed = sums.counters[TALLY_ENTRIES],
        .names_streamed = sums.counters[TALLY_STREAMED],
        .rests = sums.counters[TALLY_RESTS],
        .deltas = sums.counters[TALLY_DELTAS],
        .rounds = sums.counters[TALLY_ROUNDS],
        .holds = sums.counters[TALLY_HOLDS],
        .events = sums.counters[TALLY_EVENTS],
        .events_merged = sums.counters[TALLY_EVENTS_MERGED],
        .queue_full = sums.counters[TALLY_QUEUE_FULL],
        .queue_high = sums.highs[TALLY_QUEUE_HIGH],
        .vnodes = atomic_load_explicit(&engine->registry.in_use,
                                       memory_order_relaxed),
        .watches = atomic_load_explicit(&engine->watches,
                                        memory_order_relaxed),
        .instances = atomic_load_explicit(&engine->instances,
                                          memory_order_relaxed),
    };
    for (int i = 0; i < STAGE_COUNT; i++)
        stats->stages[i] = stage_row(&sums, i);
}

static void print_time(FILE *out, uint64_t ns)
{
    if (ns < 10000)
        fprintf(out, " %8" PRIu64 "ns", ns);
    else if (ns < 10000000)
        fprintf(out, " %8" PRIu64 "us", ns / 1000);
    else
        fprintf(out, " %8" PRIu64 "ms", ns / 1000000);
}

void vnotify_stats_print(const struct vnotify_stats *stats, FILE *out)
{
    const struct {
        const char *name;
        uint64_t value;
    } rows[] = {
        { "reader: notes", stats->notes },
        { "reader: ring high-water mark", stats->ring_high },
        { "reader: waits for room", stats->ring_full },
        { "reader: host queue overflows", stats->host_overflows },
        { "worker: notes coalesced", stats->notes_coalesced },
        { "worker: notes stale", stats->notes_stale },
        { "worker: listings", stats->listings },
        { "worker: listings without change", stats->listings_unchanged },
        { "worker: listings failed, retried", stats->listings_failed },
        { "worker: listings put off", stats->rests },
        { "worker: entries listed", stats->entries_listed },
        { "worker: names told early", stats->names_streamed },
        { "worker: deltas", stats->deltas },
        { "dispatch: rounds", stats->rounds },
        { "dispatch: rounds that waited", stats->holds },
        { "queue: events", stats->events },
        { "queue: events merged", stats->events_merged },
        { "queue: times full", stats->queue_full },
        { "queue: high-water mark", stats->queue_high },
        { "now: instances", stats->instances },
        { "now: watches", stats->watches },
        { "now: vnodes", stats->vnodes },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        fprintf(out, "%-34s %10" PRIu64 "\n", rows[i].name, rows[i].value);
    fprintf(out, "%-16s %10s %10s %10s %10s\n", "stage", "count", "p50", "p99",
            "max");
    for (size_t i = 0; i < 8 && stats->stages[i].name != NULL; i++) {
        const struct vnotify_stage *stage = &stats->stages[i];

        fprintf(out, "%-16s %10" PRIu64, stage->name, stage->count);
        print_time(out, stage->p50_ns);
        print_time(out, stage->p99_ns);
        print_time(out, stage->max_ns);
        fputc('\n', out);
    }
}
