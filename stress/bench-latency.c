/*
 * bench-latency - from creating a file to having read its event
 *
 * In directories of 0 to 100,000 entries files are created one by one, each at
 * its time, and moved away half-way to the next.  (Nothing is removed before
 * the end: see keep_away_from_freed_inodes in place.c.)  Their names are drawn,
 * for where a name comes in the listing is how soon it can be told.  A latency
 * counts from when the file was due to when the subject's reader has the event
 * with its name.
 *
 * How often a subject is given a file depends on how fast they are: a pilot run
 * of a few lone files, each waited for, gives the time that each needs, and the
 * interval is six times the longest (the global lock has its own), so that nothing is measured but the latency
 * of a lone event.  Floors, measured in the same rounds: the relay (subject.h), the
 * listing of that directory, the wake-up of a reader, the creation itself.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

enum {
    INTERVAL_NS_MIN = 2 * 1000 * 1000,
    FILES_MIN = 20,
    FILES_MIN_SLOW = 5, /* where each takes a second */
    FILES_MAX = 1000,
    PILOTS = 3,
    /* Past this it takes half a minute for one event. */
    GLOBAL_LOCK_ENTRIES_MAX = 10000,
};

static const unsigned long sizes[] = { 0, 10, 100, 1000, 10000, 100000 };

struct point {
    uint64_t interval_ns; /* 0: takes no part */
    unsigned files;       /* in a round */
    unsigned long untold;
    double p50[ROUNDS_MAX], p99[ROUNDS_MAX];
    struct histogram all;
};

struct floors {
    double listing[ROUNDS_MAX], wakeup[ROUNDS_MAX], create[ROUNDS_MAX];
};

enum { NAME_BYTES = 32 };

/* The number is for the agent, the rest for where the name is listed. */
static void name_of(struct bench *bench, char name[NAME_BYTES], unsigned n)
{
    snprintf(name, NAME_BYTES, "e%06u-%06x", n,
             random_below(&bench->random, 1 << 24));
}

/* Where files go, beside the watched directories. */
static int trash_fd;

/* Waits for each file's event before the next: what one takes. */
static void run_pilot(struct bench *bench, struct agent *agent,
                      const char *path, struct point *point)
{
    int dir_fd = bench_open_dir(path);
    double times[PILOTS];
    char name[NAME_BYTES];

    agent_forget(agent);
    agent_open(agent, 0);
    agent_add(agent, 0, path, bench->mask);
    for (unsigned i = 0; i < PILOTS; i++) {
        uint64_t before;

        name_of(bench, name, i);
        before = now_ns();
        bench_create(dir_fd, name);
        agent_wait(&agent->shared->stamped, i + 1, 60);
        times[i] = (double)(agent->shared->stamps[i] - before);
        bench_throw_away(dir_fd, name, trash_fd);
        agent_wait(&agent->shared->deleted, i + 1, 60);
    }
    agent_close(agent, 0);
    close(dir_fd);
    point->interval_ns = (uint64_t)(6 * median(times, PILOTS));
    if (point->interval_ns < INTERVAL_NS_MIN)
        point->interval_ns = INTERVAL_NS_MIN;
}

static bool is_slow(const struct agent *agent)
{
    return agent->subject == &subjects[GLOBAL_LOCK];
}

/*
 * What was left alone for longer is no longer in the CPU's caches, and takes
 * longer to list.  So all have the pace of the slowest, except for who is slower
 * by an order of magnitude.
 */
static void choose_pace(const struct bench *bench, struct point *points)
{
    uint64_t slowest = 0;

    for (unsigned i = 0; i < bench->agent_count; i++)
        if (!is_slow(&bench->agents[i]) && points[i].interval_ns > slowest)
            slowest = points[i].interval_ns;
    for (unsigned i = 0; i < bench->agent_count; i++)
        if (!is_slow(&bench->agents[i]))
            points[i].interval_ns = slowest;
}

static void choose_files(const struct bench *bench, const struct agent *agent,
                         struct point *point)
{
    unsigned least = is_slow(agent) ? FILES_MIN_SLOW : FILES_MIN;

    point->files = (unsigned)(bench->options.seconds * 1e9 /
                              (double)point->interval_ns);
    if (point->files < least)
        point->files = least;
    if (point->files > FILES_MAX)
        point->files = FILES_MAX;
}

/* Creates and moves away on schedule; `due` gets when each file was to be. */
static void make_files(struct bench *bench, const struct point *point,
                         int dir_fd, uint64_t *due)
{
    uint64_t start = now_ns() + INTERVAL_NS_MIN;
    char name[NAME_BYTES];

    for (unsigned i = 0; i < point->files; i++) {
        /* Out of step with whatever else comes once a millisecond. */
        unsigned jitter =
            random_below(&bench->random, (unsigned)(point->interval_ns / 4));

        due[i] = start + i * point->interval_ns + jitter;
        name_of(bench, name, i);
        pace_until(due[i]);
        bench_create(dir_fd, name);
        sleep_until_ns(due[i] + point->interval_ns / 2);
        bench_throw_away(dir_fd, name, trash_fd);
    }
}

static void run_round(struct bench *bench, struct agent *agent,
                      const char *path, struct point *point, unsigned round)
{
    static uint64_t due[FILES_MAX];
    static struct histogram histogram;
    int dir_fd = bench_open_dir(path);

    histogram_clear(&histogram);
    agent_forget(agent);
    agent_open(agent, 0);
    agent_add(agent, 0, path, bench->mask);
    make_files(bench, point, dir_fd, due);
    agent_wait(&agent->shared->stamped, point->files,
               1 + 2e-9 * (double)point->interval_ns);
    agent_close(agent, 0);
    close(dir_fd);
    for (unsigned i = 0; i < point->files; i++) {
        if (agent->shared->stamps[i] == 0)
            point->untold++;
        else
            histogram_record(&histogram, agent->shared->stamps[i] - due[i]);
    }
    point->p50[round] = (double)histogram_at(&histogram, 50) / 1e3;
    point->p99[round] = (double)histogram_at(&histogram, 99) / 1e3;
    histogram_merge(&point->all, &histogram);
}

static void add_row(struct table *table, struct bench *bench,
                    const struct place *place, unsigned long size,
                    const struct agent *agent, struct point *point,
                    const struct point *native, const double floors[3])
{
    unsigned rounds = bench->options.rounds;
    double p50 = median(point->p50, rounds), p99 = median(point->p99, rounds);

    table_row(table);
    table_text(table, "fs", place->fs);
    table_number(table, "entries", (double)size);
    table_text(table, "subject", agent->subject->name);
    table_number(table, "p50 us", p50);
    table_number(table, "p99 us", p99);
    table_number(table, "max us", (double)point->all.max / 1e3);
    if (native != NULL) {
        double native_p50[ROUNDS_MAX], native_p99[ROUNDS_MAX];

        memcpy(native_p50, native->p50, sizeof(native_p50));
        memcpy(native_p99, native->p99, sizeof(native_p99));
        table_number(table, "p50 / native", p50 / median(native_p50, rounds));
        table_number(table, "p99 / native", p99 / median(native_p99, rounds));
    }
    table_number(table, "listing us", floors[0]);
    table_number(table, "wake-up us", floors[1]);
    table_number(table, "create us", floors[2]);
    table_number(table, "p50 / (listing + 25 us)", p50 / (floors[0] + 25));
    table_number(table, "files", (double)point->all.total);
    table_number(table, "untold", (double)point->untold);
    table_hidden(table, "interval us", (double)point->interval_ns / 1e3);
    table_hidden(table, "p90 us", (double)histogram_at(&point->all, 90) / 1e3);
    table_hidden(table, "p99.9 us",
                 (double)histogram_at(&point->all, 99.9) / 1e3);
}

/* How long the engine's directory is left alone between two listings. */
static uint64_t pause_ns(const struct bench *bench, const struct point *points)
{
    uint64_t interval_ns = INTERVAL_NS_MIN;

    for (unsigned i = 0; i < bench->agent_count; i++)
        if (bench->agents[i].subject == &subjects[ENGINE])
            interval_ns = points[i].interval_ns;
    return interval_ns / 2;
}

static void run_size(struct bench *bench, const struct place *place,
                     unsigned long size, struct table *table)
{
    static struct point points[SUBJECTS];
    static struct floors floors;
    unsigned order[SUBJECTS], rounds = bench->options.rounds;
    const struct point *native = NULL;
    char name[32], path[BENCH_PATH_MAX];
    double medians[3];

    memset(points, 0, sizeof(points));
    snprintf(name, sizeof(name), "watched-%lu", size);
    make_directory(place->path, name, size);
    bench_path(path, place, name);
    for (unsigned i = 0; i < bench->agent_count; i++) {
        struct agent *agent = &bench->agents[i];

        if (!is_slow(agent) || size <= GLOBAL_LOCK_ENTRIES_MAX)
            run_pilot(bench, agent, path, &points[i]);
        if (agent->subject == &subjects[NATIVE])
            native = &points[i];
    }
    choose_pace(bench, points);
    for (unsigned i = 0; i < bench->agent_count; i++)
        if (points[i].interval_ns != 0)
            choose_files(bench, &bench->agents[i], &points[i]);
    for (unsigned r = 0; r < rounds; r++) {
        bench_order(bench, order);
        floors.listing[r] = primitive_listing(path, pause_ns(bench, points)) /
                           1e3;
        floors.wakeup[r] = primitive_wakeup() / 1e3;
        floors.create[r] = primitive_create(path, trash_fd) / 1e3;
        for (unsigned i = 0; i < bench->agent_count; i++)
            if (points[order[i]].interval_ns != 0)
                run_round(bench, &bench->agents[order[i]], path,
                          &points[order[i]], r);
    }
    medians[0] = median(floors.listing, rounds);
    medians[1] = median(floors.wakeup, rounds);
    medians[2] = median(floors.create, rounds);
    for (unsigned i = 0; i < bench->agent_count; i++)
        if (points[i].interval_ns != 0)
            add_row(table, bench, place, size, &bench->agents[i], &points[i],
                    native, medians);
}

static void run_place(struct bench *bench, const struct place *place,
                      struct table *table)
{
    char path[BENCH_PATH_MAX];

    make_directory(place->path, "trash", 0);
    bench_path(path, place, "trash");
    trash_fd = bench_open_dir(path);
    for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++)
        if (bench->options.count == 0 || sizes[s] <= bench->options.count)
            run_size(bench, place, sizes[s], table);
    close(trash_fd);
}

int main(int argc, char **argv)
{
    static struct bench bench = { .options = { .seconds = 0.5 },
                                  .relayed = true };
    struct table *tables[2] = { NULL };

    bench_begin(&bench, argc, argv);
    tables[0] = table_create("latency", "create -> event read, by the number "
                                        "of entries in the directory");
    for (unsigned p = 0; p < bench.place_count; p++)
        run_place(&bench, &bench.places[p], tables[0]);
    return bench_end(&bench, tables, "bench-latency");
}
