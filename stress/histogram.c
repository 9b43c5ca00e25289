/*
 * histogram.c - latencies over a high dynamic range
 *
 * Bucket 0 to HISTOGRAM_SUB - 1 hold one value each; after them each power of
 * two has HISTOGRAM_SUB buckets, twice as wide as those of the power before.
 */
#include "histogram.h"

#include <stdlib.h>
#include <string.h>

static unsigned bucket_of(uint64_t ns)
{
    unsigned power, bucket;

    if (ns < HISTOGRAM_SUB)
        return (unsigned)ns;
    power = 63 - (unsigned)__builtin_clzll(ns) - HISTOGRAM_SUB_BITS;
    bucket = (power + 1) * HISTOGRAM_SUB +
             (unsigned)((ns >> power) - HISTOGRAM_SUB);
    return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

/* The middle of what a bucket holds. */
static uint64_t value_of(unsigned bucket)
{
    unsigned power = bucket / HISTOGRAM_SUB;
    uint64_t width;

    if (power == 0)
        return bucket;
    width = UINT64_C(1) << (power - 1);
    return (bucket % HISTOGRAM_SUB + HISTOGRAM_SUB) * width + width / 2;
}

void histogram_clear(struct histogram *h)
{
    memset(h, 0, sizeof(*h));
}

void histogram_record(struct histogram *h, uint64_t ns)
{
    h->counts[bucket_of(ns)]++;
    h->total++;
    if (ns > h->max)
        h->max = ns;
}

void histogram_merge(struct histogram *into, const struct histogram *from)
{
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        into->counts[i] += from->counts[i];
    into->total += from->total;
    if (from->max > into->max)
        into->max = from->max;
}

uint64_t histogram_at(const struct histogram *h, double percent)
{
    double rank = (double)h->total * percent / 100;
    uint64_t seen = 0;

    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += h->counts[i];
        if (seen > 0 && (double)seen >= rank)
            return value_of(i) < h->max ? value_of(i) : h->max;
    }
    return h->max;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

double median(double *values, unsigned count)
{
    if (count == 0)
        return 0;
    qsort(values, count, sizeof(*values), compare_doubles);
    return count % 2 == 1
               ? values[count / 2]
               : (values[count / 2 - 1] + values[count / 2]) / 2;
}
