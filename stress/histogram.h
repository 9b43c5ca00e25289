/*
 * histogram.h - latencies over a high dynamic range
 *
 * Counts nanoseconds in buckets that are linear within a power of two, as
 * HdrHistogram does: every value up to 68 seconds is kept to 1 part in 256,
 * at the cost of one increment.
 *
 * Threads: one at a time.
 */
#pragma once

#include <stdint.h>

enum {
    HISTOGRAM_SUB_BITS = 8,
    HISTOGRAM_SUB = 1 << HISTOGRAM_SUB_BITS,
    HISTOGRAM_POWERS = 28,
    HISTOGRAM_BUCKETS = HISTOGRAM_SUB * (HISTOGRAM_POWERS + 1),
};

struct histogram {
    uint64_t total, max;
    uint32_t counts[HISTOGRAM_BUCKETS];
};

void histogram_clear(struct histogram *);

/* What is over the range counts in the last bucket; `max` is exact. */
void histogram_record(struct histogram *, uint64_t ns);

void histogram_merge(struct histogram *into, const struct histogram *from);

/* The smallest value that `percent` of all are not above; 0 if there is none. */
uint64_t histogram_at(const struct histogram *, double percent);

/* Of `count` values, which are reordered; 0 if there is none. */
double median(double *values, unsigned count);
