/*
 * bench-memory - what a watched directory of 10 files costs
 *
 * Each subject, started afresh every round, watches very many directories; the
 * memory that its processes have more than before, and the descriptors, are
 * divided by their number.  Of a guest it is vnotify that is looked at, not the
 * program.  What the kernel keeps for a watch is in none of the figures.
 */
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "process.h"

enum { WANTED = 100000, FILES = 10 };

static const char program[] = "bench-memory";

struct costs {
    double bytes[ROUNDS_MAX], descriptors[ROUNDS_MAX], added[ROUNDS_MAX];
    double before[ROUNDS_MAX];
};

static void look_at(const struct agent *agent, struct usage *usage)
{
    if (agent->subject->under_vnotify)
        process_group_usage_without(agent->pid, program, usage);
    else
        process_group_usage(agent->pid, usage);
}

static void run_subject(const struct bench *bench, struct agent *agent,
                        const char *path, unsigned long count,
                        struct costs *costs, unsigned round)
{
    struct usage before, after;
    unsigned long added;
    int wd;

    agent_stop(agent);
    agent_start(agent, (enum subject_id)(agent->subject - subjects));
    agent_open(agent, 0);
    wd = agent_add(agent, 0, path, bench->mask); /* the first of all costs more */
    agent_remove(agent, 0, wd);
    look_at(agent, &before);
    added = agent_add_many(agent, 0, path, bench->mask, count);
    look_at(agent, &after);
    costs->added[round] = (double)added;
    costs->before[round] = before.resident_bytes;
    costs->bytes[round] =
        (after.resident_bytes - before.resident_bytes) / (double)added;
    costs->descriptors[round] =
        (after.descriptors - before.descriptors) / (double)added;
    agent_close(agent, 0);
}

static void add_row(struct table *table, const struct bench *bench,
                    const char *name, struct costs *costs)
{
    unsigned rounds = bench->options.rounds;

    table_row(table);
    table_text(table, "subject", name);
    table_number(table, "watches", median(costs->added, rounds));
    table_number(table, "bytes a watch", median(costs->bytes, rounds));
    table_number(table, "descriptors a watch",
                 median(costs->descriptors, rounds));
    table_number(table, "MiB before", median(costs->before, rounds) / 1048576);
}

int main(int argc, char **argv)
{
    static struct bench bench = { .options = { .rounds = 3 } };
    static struct costs costs[SUBJECTS];
    struct table *tables[2] = { NULL };
    const struct place *place;
    char path[BENCH_PATH_MAX];
    unsigned order[SUBJECTS];
    unsigned long count;

    bench_begin(&bench, argc, argv);
    count = bench_watches(&bench, WANTED);
    place = &bench.places[bench.place_count - 1];
    make_forest(place->path, "forest", count, FILES);
    bench_path(path, place, "forest");
    for (unsigned r = 0; r < bench.options.rounds; r++) {
        bench_order(&bench, order);
        for (unsigned i = 0; i < bench.agent_count; i++)
            run_subject(&bench, &bench.agents[order[i]], path, count,
                        &costs[order[i]], r);
    }
    tables[0] = table_create("memory", "memory of watches on directories of 10 "
                                       "files");
    for (unsigned i = 0; i < bench.agent_count; i++)
        add_row(tables[0], &bench, bench.agents[i].subject->name, &costs[i]);
    return bench_end(&bench, tables, program);
}
