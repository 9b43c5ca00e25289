/*
 * bench-addwatch - what a watch costs when there are few, and when many
 *
 * Each subject adds a watch on each of very many directories of 10 files; what
 * the first thousand and the last thousand calls took is kept.  There are two
 * floors, in the same round on the same directories: the primitives that nobody
 * can do without (open, fstat, inotify_add_watch and one listing), and all
 * system calls that the engine makes, with nothing between (engine-calls.h).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench.h"
#include "engine-calls.h"

enum { WANTED = 100000, FILES = 10, SAMPLE = 1000, ENDS = 2 };

/* What is measured besides the subjects. */
enum { PRIMITIVES = SUBJECTS, CALLS, MEASURED };

struct costs {
    unsigned long added; /* fewest of all rounds */
    double p50[ENDS][ROUNDS_MAX], p99[ENDS][ROUNDS_MAX], mean[ENDS][ROUNDS_MAX];
};

static struct costs costs[MEASURED];

static void keep(struct costs *to, const uint64_t *calls_ns, unsigned long added,
                 unsigned round)
{
    static struct histogram histogram;
    unsigned long sample = added < SAMPLE ? added : SAMPLE;

    if (round == 0 || added < to->added)
        to->added = added;
    for (int end = 0; end < ENDS; end++) {
        const uint64_t *from = end == 0 ? calls_ns : calls_ns + added - sample;
        uint64_t sum = 0;

        histogram_clear(&histogram);
        for (unsigned long i = 0; i < sample; i++) {
            histogram_record(&histogram, from[i]);
            sum += from[i];
        }
        to->p50[end][round] = (double)histogram_at(&histogram, 50) / 1e3;
        to->p99[end][round] = (double)histogram_at(&histogram, 99) / 1e3;
        to->mean[end][round] = (double)sum / (double)sample / 1e3;
    }
}

/* One directory, with the four calls that nobody can do without. */
static uint64_t do_primitives(int inotify_fd, const char *path, uint32_t mask)
{
    uint64_t before = now_ns();
    struct stat status;
    int fd = bench_open_dir(path);

    fstat(fd, &status);
    if (inotify_add_watch(inotify_fd, path, mask) < 0)
        bench_give_up("watch", path);
    bench_list(fd);
    before = now_ns() - before;
    close(fd);
    return before;
}

static void run_primitives(const struct bench *bench, const char *path,
                           unsigned long count, uint64_t *calls_ns)
{
    int inotify_fd = inotify_init1(IN_CLOEXEC);
    char directory[BENCH_PATH_MAX + 32];

    for (unsigned long i = 0; i < count; i++) {
        snprintf(directory, sizeof(directory), "%s/d%06lu", path, i);
        calls_ns[i] = do_primitives(inotify_fd, directory, bench->mask);
    }
    close(inotify_fd);
}

/* Its watches stay until all are there, as the engine's do. */
static void run_calls(const struct bench *bench, const char *path,
                      unsigned long count, uint64_t *calls_ns)
{
    struct engine_calls *calls =
        engine_calls_create(bench->options.libuv ? FILES : 0);
    char name[16];

    for (unsigned long i = 0; i < count; i++) {
        snprintf(name, sizeof(name), "d%06u", (unsigned)i);
        calls_ns[i] = engine_calls_add(calls, path, name);
    }
    engine_calls_destroy(calls);
}

static void run_subject(const struct bench *bench, struct agent *agent,
                        const char *path, unsigned long count, struct costs *to,
                        unsigned round)
{
    unsigned long added;

    agent_open(agent, 0);
    added = agent_add_many(agent, 0, path, bench->mask, count);
    keep(to, agent->shared->calls_ns, added, round);
    agent_close(agent, 0);
    bench_settle(agent);
}

static void add_row(struct table *table, const struct bench *bench,
                    const struct place *place, const char *name,
                    struct costs *from, int end, const double floors_us[2])
{
    unsigned rounds = bench->options.rounds;
    double mean = median(from->mean[end], rounds);

    table_row(table);
    table_text(table, "fs", place->fs);
    table_text(table, "subject", name);
    table_number(table, "watches",
                 end == 0 && from->added > SAMPLE ? SAMPLE
                                                  : (double)from->added);
    table_number(table, "mean us", mean);
    table_number(table, "p50 us", median(from->p50[end], rounds));
    table_number(table, "p99 us", median(from->p99[end], rounds));
    table_number(table, "mean / primitives", mean / floors_us[0]);
    table_number(table, "mean / calls", mean / floors_us[1]);
    table_number(table, "mean / at 1,000",
                 mean / median(from->mean[0], rounds));
}

static void add_rows(struct table *table, const struct bench *bench,
                     const struct place *place)
{
    unsigned rounds = bench->options.rounds;

    for (int end = 0; end < ENDS; end++) {
        const double floors_us[2] = {
            median(costs[PRIMITIVES].mean[end], rounds),
            median(costs[CALLS].mean[end], rounds),
        };

        add_row(table, bench, place, "primitives", &costs[PRIMITIVES], end,
                floors_us);
        add_row(table, bench, place, "calls", &costs[CALLS], end, floors_us);
        for (unsigned i = 0; i < bench->agent_count; i++)
            add_row(table, bench, place, bench->agents[i].subject->name,
                    &costs[i], end, floors_us);
    }
}

static void run_place(struct bench *bench, const struct place *place,
                      unsigned long count, struct table *table)
{
    uint64_t *calls_ns = calloc(count, sizeof(*calls_ns));
    char path[BENCH_PATH_MAX];
    unsigned order[SUBJECTS];

    make_forest(place->path, "forest", count, FILES);
    bench_path(path, place, "forest");
    run_primitives(bench, path, count, calls_ns); /* fills the caches */
    for (unsigned r = 0; r < bench->options.rounds; r++) {
        bench_order(bench, order);
        run_primitives(bench, path, count, calls_ns);
        keep(&costs[PRIMITIVES], calls_ns, count, r);
        run_calls(bench, path, count, calls_ns);
        keep(&costs[CALLS], calls_ns, count, r);
        for (unsigned i = 0; i < bench->agent_count; i++)
            run_subject(bench, &bench->agents[order[i]], path, count,
                        &costs[order[i]], r);
    }
    add_rows(table, bench, place);
    remove_tree_at(place->path, "forest");
    free(calls_ns);
}

int main(int argc, char **argv)
{
    static struct bench bench;
    struct table *tables[2] = { NULL };
    unsigned long count;

    bench_begin(&bench, argc, argv);
    count = bench_watches(&bench, WANTED);
    tables[0] = table_create("addwatch", "add_watch on directories of 10 files,"
                                         " the first and the last thousand");
    for (unsigned p = 0; p < bench.place_count; p++)
        run_place(&bench, &bench.places[p], count, tables[0]);
    return bench_end(&bench, tables, "bench-addwatch");
}
