/*
 * bench-startup - what it costs to start a program as a guest
 *
 * In each round every variant runs `true` --count times, in an order drawn
 * anew each time: from fork() until its status is there.  Must hold: the status
 * is the program's, of `true` each time and of `false` once a round.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "histogram.h"
#include "pace.h"
#include "table.h"
#include "variant.h"

enum { COUNT = 50, ROUNDS_MAX = 64 };

struct costs {
    double p50[ROUNDS_MAX], p99[ROUNDS_MAX], least[ROUNDS_MAX];
};

static struct costs costs[VARIANTS];
static unsigned wrong;

static uint64_t run_once(enum variant_id id, const char *program, int expected)
{
    const char *const argv[] = { program, NULL };
    uint64_t before = now_ns();
    int status = variant_end(variant_start(id, argv, -1));
    uint64_t took = now_ns() - before;

    if (status != expected) {
        fprintf(stderr, "vnotify: %s: %s has ended with %d, not %d\n",
                variants[id].name, program, status, expected);
        wrong++;
    }
    return took;
}

static void run_round(const struct options *options, enum variant_id *ids,
                      unsigned count, uint64_t *random, unsigned round)
{
    static struct histogram histograms[VARIANTS];
    uint64_t least[VARIANTS];

    for (int i = 0; i < VARIANTS; i++) {
        histogram_clear(&histograms[i]);
        least[i] = UINT64_MAX;
    }
    for (unsigned long n = 0; n < options->count; n++) {
        variants_shuffle(ids, count, random);
        for (unsigned i = 0; i < count; i++) {
            uint64_t took = run_once(ids[i], "/bin/true", 0);

            histogram_record(&histograms[ids[i]], took);
            if (took < least[ids[i]])
                least[ids[i]] = took;
        }
    }
    for (unsigned i = 0; i < count; i++) {
        struct costs *to = &costs[ids[i]];

        run_once(ids[i], "/bin/false", 1);
        to->p50[round] = (double)histogram_at(&histograms[ids[i]], 50) / 1e6;
        to->p99[round] = (double)histogram_at(&histograms[ids[i]], 99) / 1e6;
        to->least[round] = (double)least[ids[i]] / 1e6;
    }
}

static struct table *make_table(const struct options *options)
{
    struct table *table = table_create("startup", "`true`, start to end");
    double native =
        median(costs[VARIANT_NATIVE].p50, options->rounds);

    for (int i = 0; i < VARIANTS; i++) {
        double p50 = median(costs[i].p50, options->rounds);

        if (!options_want(options, variants[i].name))
            continue;
        table_row(table);
        table_text(table, "subject", variants[i].name);
        table_number(table, "p50 ms", p50);
        table_number(table, "p99 ms", median(costs[i].p99, options->rounds));
        table_number(table, "least ms",
                     median(costs[i].least, options->rounds));
        table_number(table, "p50 - native ms", p50 - native);
    }
    return table;
}

int main(int argc, char **argv)
{
    struct options options = { .rounds = 5,
                               .subjects = "native,guest,strict" };
    enum variant_id ids[VARIANTS];
    unsigned count;
    uint64_t random;

    options_parse(&options, argc, argv);
    if (options.count == 0)
        options.count = COUNT;
    if (options.rounds > ROUNDS_MAX)
        options.rounds = ROUNDS_MAX;
    random = options.seed;
    count = variants_wanted(&options, ids);
    for (unsigned round = 0; round < options.rounds; round++)
        run_round(&options, ids, count, &random, round);
    table_print(make_table(&options));
    if (tables_write(&options, "bench-startup") != 0)
        return 125;
    return wrong == 0 ? 0 : 1;
}
