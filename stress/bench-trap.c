/*
 * bench-trap - what a guest pays for a system call
 *
 * The same program makes the same calls natively, as a guest and as a strict
 * guest: some that vnotify never sees, some that its filter only looks at, and
 * those that are trapped and served.  Must hold: each call does what it does
 * natively.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "histogram.h"
#include "place.h"
#include "table.h"
#include "trap-calls.h"
#include "variant.h"

enum { ROUNDS_MAX = 64 };

static double costs[VARIANTS][TRAP_CALLS_MAX][ROUNDS_MAX];

/* True if all its calls did what they must. */
static bool run_variant(const struct options *options, enum variant_id id,
                        const struct place *place, unsigned round)
{
    char seconds[32];
    const char *argv[] = { NULL, "--calls", place->path, seconds, NULL };
    char self[1024];
    int ends[2];
    unsigned index;
    double took;
    FILE *from;
    pid_t pid;

    snprintf(seconds, sizeof(seconds), "%g", options->seconds);
    snprintf(self, sizeof(self), "%s", beside_us("bench-trap"));
    argv[0] = self;
    if (pipe(ends) != 0 || (from = fdopen(ends[0], "r")) == NULL) {
        perror("vnotify: pipe");
        exit(125);
    }
    pid = variant_start(id, argv, ends[1]);
    close(ends[1]);
    while (fscanf(from, "%u %lf", &index, &took) == 2)
        if (index < TRAP_CALLS_MAX)
            costs[id][index][round] = took / 1e3;
    fclose(from);
    return variant_end(pid) == 0;
}

static const char *trapped_in(const struct trap_call *call)
{
    if (call->in_guest)
        return "always";
    return call->in_strict ? "strict" : "no";
}

static struct table *make_table(const struct options *options)
{
    struct table *table =
        table_create("trap", "a guest's system calls, microseconds each");
    const struct trap_call *call;

    for (unsigned i = 0; (call = trap_call_at(i)) != NULL; i++) {
        double us[VARIANTS];

        for (int id = 0; id < VARIANTS; id++)
            us[id] = median(costs[id][i], options->rounds);
        table_row(table);
        table_text(table, "calls", call->name);
        table_text(table, "trapped", trapped_in(call));
        table_number(table, "native us", us[VARIANT_NATIVE]);
        table_number(table, "guest us", us[VARIANT_GUEST]);
        table_number(table, "strict us", us[VARIANT_STRICT]);
        table_number(table, "guest - native us",
                     us[VARIANT_GUEST] - us[VARIANT_NATIVE]);
        table_number(table, "strict - native us",
                     us[VARIANT_STRICT] - us[VARIANT_NATIVE]);
    }
    return table;
}

int main(int argc, char **argv)
{
    struct options options = { .seconds = 0.2, .rounds = 5 };
    enum variant_id ids[] = { VARIANT_NATIVE, VARIANT_GUEST, VARIANT_STRICT };
    const unsigned count = sizeof(ids) / sizeof(ids[0]);
    struct place places[PLACES_MAX];
    unsigned place_count;
    uint64_t random;
    bool right = true;

    if (argc == 4 && strcmp(argv[1], "--calls") == 0)
        return trap_calls_run(argv[2], strtod(argv[3], NULL));
    options_parse(&options, argc, argv);
    if (options.rounds > ROUNDS_MAX)
        options.rounds = ROUNDS_MAX;
    random = options.seed;
    place_count = places_open(&options, places);
    for (unsigned round = 0; round < options.rounds; round++) {
        variants_shuffle(ids, count, &random);
        for (unsigned i = 0; i < count; i++)
            right &= run_variant(&options, ids[i], &places[place_count - 1],
                                 round);
    }
    places_close();
    table_print(make_table(&options));
    if (tables_write(&options, "bench-trap") != 0)
        return 125;
    return right ? 0 : 1;
}
