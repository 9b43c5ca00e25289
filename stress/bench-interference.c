/*
 * bench-interference - a small directory beside a huge one
 *
 * X is a directory of 100,000 entries (10,000 for the global lock, which would
 * not come back from more) in which a file appears or vanishes every
 * millisecond.  Y and Z are small.  Measured, with X left alone and with X
 * changing: events of Y, add_watch of Z, closing an instance that watches Z;
 * with Y watched by the instance that watches X, and by another one.
 *
 * The floor, among these and with the subject as busy: a pipe, at such times as
 * Y's events, from when the write was due until who slept in read() has what
 * was written.  Whoever is woken waits that long for a CPU, once for each
 * wake-up on the way.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

enum {
    X_ENTRIES = 100000,
    X_ENTRIES_LOCK = 10000,
    Y_ENTRIES = 10,
    CHURN_NS = 1000 * 1000,
    INTERVAL_NS = 2 * 1000 * 1000,
    CALLS_MAX = 1000,
    CLOSE_NS = 20 * 1000 * 1000, /* native: it waits for an RCU's grace period */
    CLOSES_MIN = 30,
};

enum what { EVENTS, PIPE, ADDS, CLOSES, WHATS };
enum where { OTHER, SAME, WHERES };
enum state { IDLE, CHURN, STATES };

static const char *const what_names[] = { "event", "pipe", "add_watch",
                                          "close" };
static const char *const where_names[] = { "other", "same" };

struct latency {
    double p50[ROUNDS_MAX], p99[ROUNDS_MAX];
    unsigned long untold;
};

struct situation {
    struct latency latencies[WHATS][STATES];
    double churner_cpu[ROUNDS_MAX]; /* 1: all of one CPU */
};

static struct situation situations[SUBJECTS][WHERES];

/* X's own life: nothing but the calls that any program would change it by. */

struct churner {
    int dir_fd;
    atomic_bool stop;
    pthread_t thread;
    double cpu;
};

static uint64_t thread_cpu_ns(void)
{
    struct timespec cpu;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu);
    return (uint64_t)cpu.tv_sec * 1000000000 + (uint64_t)cpu.tv_nsec;
}

static void *churn(void *arg)
{
    struct churner *churner = arg;
    uint64_t start = now_ns();
    char name[16] = "";

    for (unsigned i = 0; !atomic_load(&churner->stop) || i % 2 == 1; i++) {
        sleep_until_ns(start + i * (uint64_t)CHURN_NS);
        if (i % 2 == 0) {
            snprintf(name, sizeof(name), "c%06u", i);
            bench_create(churner->dir_fd, name);
        } else {
            unlinkat(churner->dir_fd, name, 0);
        }
    }
    churner->cpu = (double)thread_cpu_ns() / (double)(now_ns() - start);
    return NULL;
}

static void churner_start(struct churner *churner, const char *x)
{
    churner->dir_fd = bench_open_dir(x);
    atomic_store(&churner->stop, false);
    pthread_create(&churner->thread, NULL, churn, churner);
}

static void churner_stop(struct churner *churner)
{
    atomic_store(&churner->stop, true);
    pthread_join(churner->thread, NULL);
    close(churner->dir_fd);
}

/* What is measured. */

static unsigned calls_of(const struct bench *bench)
{
    double calls = bench->options.seconds * 1e9 / INTERVAL_NS;

    return calls < 10 ? 10 : calls > CALLS_MAX ? CALLS_MAX : (unsigned)calls;
}

static unsigned closes_of(const struct bench *bench)
{
    unsigned closes = calls_of(bench) * INTERVAL_NS / CLOSE_NS;

    return closes < CLOSES_MIN ? CLOSES_MIN : closes;
}

static uint64_t due_at(struct bench *bench, uint64_t start, unsigned i)
{
    return start + i * (uint64_t)INTERVAL_NS +
           random_below(&bench->random, INTERVAL_NS / 2);
}

/* The files stay until the end, so that each of them has to be told. */
static void measure_events(struct bench *bench, struct agent *agent,
                           const char *y, struct histogram *histogram,
                           unsigned long *untold)
{
    static uint64_t due[CALLS_MAX];
    unsigned calls = calls_of(bench);
    uint64_t start = now_ns() + INTERVAL_NS;
    int dir_fd = bench_open_dir(y);
    char name[16];

    agent_forget(agent);
    for (unsigned i = 0; i < calls; i++) {
        due[i] = due_at(bench, start, i);
        snprintf(name, sizeof(name), "e%06u", i);
        pace_until(due[i]);
        bench_create(dir_fd, name);
    }
    agent_wait(&agent->shared->stamped, calls, 5);
    for (unsigned i = 0; i < calls; i++) {
        snprintf(name, sizeof(name), "e%06u", i);
        unlinkat(dir_fd, name, 0);
        if (agent->shared->stamps[i] == 0)
            ++*untold;
        else
            histogram_record(histogram, agent->shared->stamps[i] - due[i]);
    }
    agent_wait(&agent->shared->deleted, calls, 5);
    close(dir_fd);
}

struct sleeper {
    int ends[2];
    unsigned calls;
    uint64_t woken_ns[CALLS_MAX];
};

static void *sleep_in_read(void *arg)
{
    struct sleeper *sleeper = arg;
    char byte;

    for (unsigned i = 0; i < sleeper->calls; i++) {
        if (read(sleeper->ends[0], &byte, 1) != 1)
            bench_give_up("read", "a pipe");
        sleeper->woken_ns[i] = now_ns();
    }
    return NULL;
}

/* As measure_events, with nothing of the subject's on the way. */
static void measure_pipe(struct bench *bench, struct histogram *histogram)
{
    static struct sleeper sleeper;
    static uint64_t due[CALLS_MAX];
    uint64_t start = now_ns() + INTERVAL_NS;
    pthread_t thread;

    sleeper.calls = calls_of(bench);
    if (pipe2(sleeper.ends, O_CLOEXEC) != 0 ||
        pthread_create(&thread, NULL, sleep_in_read, &sleeper) != 0)
        bench_give_up("make", "a pipe");
    for (unsigned i = 0; i < sleeper.calls; i++) {
        due[i] = due_at(bench, start, i);
        pace_until(due[i]);
        if (write(sleeper.ends[1], "", 1) != 1)
            bench_give_up("write to", "a pipe");
    }
    pthread_join(thread, NULL);
    close(sleeper.ends[0]);
    close(sleeper.ends[1]);
    for (unsigned i = 0; i < sleeper.calls; i++)
        histogram_record(histogram, sleeper.woken_ns[i] - due[i]);
}

static void measure(struct bench *bench, const struct place *place,
                    struct agent *agent, enum what what, enum where where,
                    struct latency *latency, unsigned round)
{
    static struct histogram histogram;
    char path[BENCH_PATH_MAX];

    histogram_clear(&histogram);
    bench_path(path, place, what == EVENTS ? "y" : "z");
    if (what == EVENTS) {
        measure_events(bench, agent, path, &histogram, &latency->untold);
    } else if (what == PIPE) {
        measure_pipe(bench, &histogram);
    } else {
        if (what == ADDS)
            agent_start_adds(agent, where == SAME ? 0 : 1, path, bench->mask,
                             calls_of(bench), INTERVAL_NS);
        else
            agent_start_closes(agent, path, bench->mask, closes_of(bench),
                               CLOSE_NS);
        agent_take(agent, &histogram);
    }
    latency->p50[round] = (double)histogram_at(&histogram, 50) / 1e3;
    latency->p99[round] = (double)histogram_at(&histogram, 99) / 1e3;
}

static bool is_global_lock(const struct agent *agent)
{
    return agent->subject == &subjects[GLOBAL_LOCK];
}

/* X is watched by instance 0, Y by 0 or 1. */
static void run_subject(struct bench *bench, const struct place *place,
                        struct agent *agent, enum where where, unsigned round,
                        struct situation *to)
{
    struct churner churner;
    char x[BENCH_PATH_MAX], y[BENCH_PATH_MAX];

    bench_path(x, place, is_global_lock(agent) ? "x-lock" : "x");
    bench_path(y, place, "y");
    agent_open(agent, 0);
    agent_open(agent, 1);
    agent_add(agent, 0, x, bench->mask);
    agent_add(agent, where == SAME ? 0 : 1, y, bench->mask);
    for (int state = 0; state < STATES; state++) {
        if (state == CHURN)
            churner_start(&churner, x);
        for (int what = 0; what < WHATS; what++)
            if (what != CLOSES || where == OTHER)
                measure(bench, place, agent, (enum what)what, where,
                        &to->latencies[what][state], round);
    }
    churner_stop(&churner);
    to->churner_cpu[round] = churner.cpu;
    agent_close(agent, 0);
    agent_close(agent, 1);
}

static void add_row(struct table *table, const struct bench *bench,
                    const struct place *place, const struct agent *agent,
                    enum where where, enum what what,
                    struct situation *situation)
{
    struct latency *of = situation->latencies[what];
    struct latency *pipes = situation->latencies[PIPE];
    unsigned rounds = bench->options.rounds;
    double idle = median(of[IDLE].p99, rounds);
    double churned = median(of[CHURN].p99, rounds);
    double pipe_churned = median(pipes[CHURN].p99, rounds);

    table_row(table);
    table_text(table, "fs", place->fs);
    table_text(table, "subject", agent->subject->name);
    table_number(table, "X entries",
                 is_global_lock(agent) ? X_ENTRIES_LOCK : X_ENTRIES);
    table_text(table, "instance", where_names[where]);
    table_text(table, "what", what_names[what]);
    table_number(table, "idle p50 us", median(of[IDLE].p50, rounds));
    table_number(table, "idle p99 us", idle);
    table_number(table, "churn p50 us", median(of[CHURN].p50, rounds));
    table_number(table, "churn p99 us", churned);
    table_number(table, "p99 churn / idle", churned / idle);
    table_number(table, "pipe churn p99 us", pipe_churned);
    table_number(table, "churn p99 / pipe", churned / pipe_churned);
    table_number(table, "untold",
                 (double)(of[IDLE].untold + of[CHURN].untold));
    table_number(table, "churner cpu %",
                 100 * median(situation->churner_cpu, rounds));
}

static void run_place(struct bench *bench, const struct place *place,
                      struct table *table)
{
    unsigned order[SUBJECTS];

    memset(situations, 0, sizeof(situations));
    make_directory(place->path, "x", X_ENTRIES);
    if (bench_agent(bench, GLOBAL_LOCK) != NULL)
        make_directory(place->path, "x-lock", X_ENTRIES_LOCK);
    make_directory(place->path, "y", Y_ENTRIES);
    make_directory(place->path, "z", Y_ENTRIES);
    for (unsigned r = 0; r < bench->options.rounds; r++)
        for (int where = 0; where < WHERES; where++) {
            bench_order(bench, order);
            for (unsigned i = 0; i < bench->agent_count; i++)
                run_subject(bench, place, &bench->agents[order[i]],
                            (enum where)where, r,
                            &situations[order[i]][where]);
        }
    for (int what = 0; what < WHATS; what++)
        for (int where = 0; where < WHERES; where++)
            for (unsigned i = 0; i < bench->agent_count; i++)
                if (what != CLOSES || where == OTHER)
                    add_row(table, bench, place, &bench->agents[i],
                            (enum where)where, (enum what)what,
                            &situations[i][where]);
    remove_tree_at(place->path, "x");
    remove_tree_at(place->path, "x-lock");
    remove_tree_at(place->path, "y");
    remove_tree_at(place->path, "z");
}

int main(int argc, char **argv)
{
    static struct bench bench = { .options = { .seconds = 0.5 } };
    struct table *tables[2] = { NULL };

    bench_begin(&bench, argc, argv);
    tables[0] = table_create("interference",
                             "a small directory while a huge one changes");
    for (unsigned p = 0; p < bench.place_count; p++)
        run_place(&bench, &bench.places[p], tables[0]);
    return bench_end(&bench, tables, "bench-interference");
}
