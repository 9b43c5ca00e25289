/*
 * bench-throughput - 100,000 files as fast as they can be made
 *
 * The files are spread over 100 watched directories, one in each in turn, which
 * is the hardest for who lists; the writer never waits.  In every round
 * the same is done with nobody watching.  Counted are the events that came,
 * those that did not, those of a name that had been told already, and
 * overflows; events a second until the last one was read; and how much longer
 * the writer took than without a watcher.
 *
 * The floor of who learns names by listing, on a host that notes by inotify:
 * the writer while a thread takes in what the host notes and throws it away,
 * then one listing of all.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "bench.h"

enum { DIRECTORIES = 100, FILES = 100000, TURN_NS = 250 * 1000 };

static const double settle_seconds = 2;

struct figures {
    double lost[ROUNDS_MAX], rate[ROUNDS_MAX], slowed[ROUNDS_MAX];
    double writer_us[ROUNDS_MAX]; /* a file */
    unsigned long overflows, repeated;
};

static unsigned long file_count(const struct bench *bench)
{
    unsigned long count = bench->options.count;

    return count == 0 || count > FILES ? FILES : count;
}

/* Nanoseconds of the writer. */
static uint64_t write_files(const int *dir_fds, unsigned long files)
{
    uint64_t before = now_ns();
    char name[16];

    for (unsigned long i = 0; i < files; i++) {
        snprintf(name, sizeof(name), "e%06lu", i);
        bench_create(dir_fds[i % DIRECTORIES], name);
    }
    return now_ns() - before;
}

/* Until all is told, or nothing more has come for a while. */
static void wait_for_events(struct agent *agent, unsigned long files)
{
    unsigned long before;

    do {
        before = atomic_load(&agent->shared->stamped);
        if (agent_wait(&agent->shared->stamped, files, settle_seconds) == 0)
            return;
    } while (atomic_load(&agent->shared->stamped) != before);
}

/* A fresh one each time, called so. */
static char forest[32];
static unsigned forests;

static void open_forest(const struct place *place, int *dir_fds)
{
    char path[BENCH_PATH_MAX], name[64];

    snprintf(forest, sizeof(forest), "watched%u", forests++);
    make_forest(place->path, forest, DIRECTORIES, 0);
    for (int i = 0; i < DIRECTORIES; i++) {
        snprintf(name, sizeof(name), "%s/d%06d", forest, i);
        bench_path(path, place, name);
        dir_fds[i] = bench_open_dir(path);
    }
}

/*
 * On ext4 the files stay until all is done: see keep_away_from_freed_inodes in
 * place.c.
 */
static void close_forest(const struct place *place, const int *dir_fds)
{
    for (int i = 0; i < DIRECTORIES; i++)
        close(dir_fds[i]);
    if (strcmp(place->fs, "ext4") != 0)
        remove_tree_at(place->path, forest);
}

static void remove_forests(const struct place *place)
{
    while (forests > 0) {
        snprintf(forest, sizeof(forest), "watched%u", --forests);
        remove_tree_at(place->path, forest);
    }
}

/* With nobody who lists, nanoseconds in each round. */
struct unlisted {
    double unwatched[ROUNDS_MAX]; /* the writer's */
    double watched[ROUNDS_MAX];
    double listing[ROUNDS_MAX]; /* of all that was written, once */
};

static double list_all(const int *dir_fds)
{
    uint64_t before = now_ns();

    for (int i = 0; i < DIRECTORIES; i++)
        bench_list(dir_fds[i]);
    return (double)(now_ns() - before);
}

static void run_unwatched(struct bench *bench, const struct place *place,
                          struct unlisted *unlisted, unsigned round)
{
    int dir_fds[DIRECTORIES];

    open_forest(place, dir_fds);
    unlisted->unwatched[round] =
        (double)write_files(dir_fds, file_count(bench));
    unlisted->listing[round] = list_all(dir_fds);
    close_forest(place, dir_fds);
}

/* What the port asks for where names are wanted and nothing else. */
static void watch_all(int inotify_fd, const struct place *place)
{
    const uint32_t mask =
        IN_ATTRIB | IN_CREATE | IN_DELETE | IN_MOVE | IN_MOVE_SELF;
    char path[BENCH_PATH_MAX], name[64];

    for (int i = 0; i < DIRECTORIES; i++) {
        snprintf(name, sizeof(name), "%s/d%06d", forest, i);
        bench_path(path, place, name);
        if (inotify_add_watch(inotify_fd, path, mask) < 0)
            bench_give_up("watch", path);
    }
}

struct drain {
    int inotify_fd;
    atomic_bool stop;
};

/* As often as the engine's reader in a storm, so that the host has nobody to
   wake. */
static void *drain(void *arg)
{
    static char events[65536];
    struct drain *drain = arg;

    while (!atomic_load(&drain->stop)) {
        while (read(drain->inotify_fd, events, sizeof(events)) > 0)
            continue;
        sleep_until_ns(now_ns() + TURN_NS);
    }
    return NULL;
}

static void run_drained(struct bench *bench, const struct place *place,
                        struct unlisted *unlisted, unsigned round)
{
    struct drain draining = {
        .inotify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK),
    };
    int dir_fds[DIRECTORIES];
    pthread_t thread;

    open_forest(place, dir_fds);
    watch_all(draining.inotify_fd, place);
    errno = pthread_create(&thread, NULL, drain, &draining);
    if (errno != 0)
        bench_give_up("start", "a thread");
    unlisted->watched[round] = (double)write_files(dir_fds, file_count(bench));
    atomic_store(&draining.stop, true);
    pthread_join(thread, NULL);
    close(draining.inotify_fd);
    close_forest(place, dir_fds);
}

static void run_watched(struct bench *bench, const struct place *place,
                        struct agent *agent, struct figures *figures,
                        unsigned round, double unwatched_ns)
{
    unsigned long files = file_count(bench), told;
    int dir_fds[DIRECTORIES];
    char path[BENCH_PATH_MAX];
    uint64_t start, ns;

    open_forest(place, dir_fds);
    agent_forget(agent);
    agent_open(agent, 0);
    bench_path(path, place, forest);
    agent_add_many(agent, 0, path, bench->mask, DIRECTORIES);
    start = now_ns();
    ns = write_files(dir_fds, files);
    wait_for_events(agent, files);
    told = agent->shared->stamped;
    figures->lost[round] = (double)(files - told);
    figures->rate[round] =
        told == 0 ? 0
                  : (double)told / (double)(agent->shared->last_ns - start) *
                        1e9;
    figures->slowed[round] = (double)ns / unwatched_ns;
    figures->writer_us[round] = (double)ns / 1e3 / (double)files;
    figures->overflows += agent->shared->overflows;
    figures->repeated += agent->shared->repeated;
    agent_close(agent, 0);
    close_forest(place, dir_fds);
}

static void add_row(struct table *table, const struct place *place,
                    const char *subject, double rate, double native_rate)
{
    table_row(table);
    table_text(table, "fs", place->fs);
    table_text(table, "subject", subject);
    table_number(table, "events/s", rate);
    if (native_rate > 0)
        table_number(table, "events/s / native", rate / native_rate);
}

static void add_subject(struct table *table, struct bench *bench,
                        const struct place *place, unsigned which,
                        struct figures *figures, double native_rate)
{
    unsigned rounds = bench->options.rounds;
    double files = (double)file_count(bench);

    add_row(table, place, bench->agents[which].subject->name,
            median(figures->rate, rounds), native_rate);
    table_number(table, "writer us a file", median(figures->writer_us, rounds));
    table_number(table, "writer slowed x", median(figures->slowed, rounds));
    table_number(table, "lost %", median(figures->lost, rounds) / files * 100);
    table_number(table, "overflows", (double)figures->overflows);
    table_number(table, "told twice", (double)figures->repeated);
}

/* Of who learns names by listing; and what nobody pays for. */
static void add_floors(struct table *table, struct bench *bench,
                       const struct place *place, double native_rate,
                       struct unlisted *unlisted)
{
    unsigned rounds = bench->options.rounds;
    double files = (double)file_count(bench);
    double unwatched = median(unlisted->unwatched, rounds);
    double watched = median(unlisted->watched, rounds);
    double listing = median(unlisted->listing, rounds);

    add_row(table, place, "floor", files / (watched + listing) * 1e9,
            native_rate);
    table_number(table, "writer us a file", watched / 1e3 / files);
    table_number(table, "writer slowed x", watched / unwatched);
    table_number(table, "listing all ms", listing / 1e6);
    table_row(table);
    table_text(table, "fs", place->fs);
    table_text(table, "subject", "unwatched");
    table_number(table, "writer us a file", unwatched / 1e3 / files);
}

static void run_place(struct bench *bench, const struct place *place,
                      struct table *table)
{
    static struct figures figures[SUBJECTS];
    static struct unlisted unlisted;
    double native_rate = 0;
    unsigned order[SUBJECTS], rounds = bench->options.rounds;

    memset(figures, 0, sizeof(figures));
    /* the first is not like the others */
    run_unwatched(bench, place, &unlisted, 0);
    for (unsigned r = 0; r < rounds; r++) {
        run_unwatched(bench, place, &unlisted, r);
        run_drained(bench, place, &unlisted, r);
        bench_order(bench, order);
        for (unsigned i = 0; i < bench->agent_count; i++)
            run_watched(bench, place, &bench->agents[order[i]],
                        &figures[order[i]], r, unlisted.unwatched[r]);
    }
    remove_forests(place);
    for (unsigned i = 0; i < bench->agent_count; i++)
        if (bench->agents[i].subject == &subjects[NATIVE])
            native_rate = median(figures[i].rate, rounds);
    for (unsigned i = 0; i < bench->agent_count; i++)
        add_subject(table, bench, place, i, &figures[i], native_rate);
    add_floors(table, bench, place, native_rate, &unlisted);
}

int main(int argc, char **argv)
{
    static struct bench bench;
    struct table *tables[2] = { NULL };

    bench_begin(&bench, argc, argv);
    tables[0] = table_create("throughput",
                             "files made flat out in 100 directories");
    for (unsigned p = 0; p < bench.place_count; p++)
        run_place(&bench, &bench.places[p], tables[0]);
    return bench_end(&bench, tables, "bench-throughput");
}
