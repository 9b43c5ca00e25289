/*
 * bench-idle - what many watches cost when nothing happens
 *
 * All subjects watch very many directories, and are left alone for --seconds.
 * Counted are the times that any thread of theirs slept or was put off the CPU,
 * and CPU time; a guest's include those of vnotify.
 */
#include <unistd.h>

#include "bench.h"
#include "process.h"

enum { WANTED = 100000, FILES = 1 };

struct costs {
    double wakeups[ROUNDS_MAX], cpu_us[ROUNDS_MAX];
    double added, threads;
};

static void run_round(struct bench *bench, struct costs *costs, unsigned round)
{
    struct usage before[SUBJECTS], after;

    for (unsigned i = 0; i < bench->agent_count; i++)
        process_group_usage(bench->agents[i].pid, &before[i]);
    sleep_until_ns(now_ns() + (uint64_t)(bench->options.seconds * 1e9));
    for (unsigned i = 0; i < bench->agent_count; i++) {
        process_group_usage(bench->agents[i].pid, &after);
        costs[i].wakeups[round] = after.wakeups - before[i].wakeups;
        costs[i].cpu_us[round] = (after.cpu_ns - before[i].cpu_ns) / 1e3;
        costs[i].threads = after.threads;
    }
}

int main(int argc, char **argv)
{
    static struct bench bench = { .options = { .seconds = 10, .rounds = 1 } };
    static struct costs costs[SUBJECTS];
    struct table *tables[2] = { NULL };
    const struct place *place;
    char path[BENCH_PATH_MAX];
    unsigned long count;

    bench_begin(&bench, argc, argv);
    count = bench_watches(&bench, WANTED);
    place = &bench.places[bench.place_count - 1];
    make_forest(place->path, "forest", count, FILES);
    bench_path(path, place, "forest");
    for (unsigned i = 0; i < bench.agent_count; i++) {
        agent_open(&bench.agents[i], 0);
        costs[i].added = (double)agent_add_many(&bench.agents[i], 0, path,
                                                bench.mask, count);
    }
    sleep_until_ns(now_ns() + UINT64_C(2000000000)); /* what adding left to do */
    for (unsigned r = 0; r < bench.options.rounds; r++)
        run_round(&bench, costs, r);
    tables[0] = table_create("idle", "watches left alone");
    for (unsigned i = 0; i < bench.agent_count; i++) {
        table_row(tables[0]);
        table_text(tables[0], "subject", bench.agents[i].subject->name);
        table_number(tables[0], "watches", costs[i].added);
        table_number(tables[0], "threads", costs[i].threads);
        table_number(tables[0], "seconds", bench.options.seconds);
        table_number(tables[0], "wake-ups",
                     median(costs[i].wakeups, bench.options.rounds));
        table_number(tables[0], "cpu us",
                     median(costs[i].cpu_us, bench.options.rounds));
    }
    return bench_end(&bench, tables, "bench-idle");
}
