/*
 * bench.h - what the benchmarks have in common
 *
 * Each starts its subjects once, and in every round lets each of them do the
 * same in turn, in an order drawn anew: what the machine does meanwhile meets
 * all of them alike.  A figure is the median of its rounds.
 */
#pragma once

#include "agent.h"
#include "options.h"
#include "pace.h"
#include "place.h"
#include "table.h"

enum { ROUNDS_MAX = 64, BENCH_PATH_MAX = AGENT_PATH_MAX };

struct bench {
    struct options options;
    struct place places[PLACES_MAX];
    unsigned place_count;
    struct agent agents[SUBJECTS];
    unsigned agent_count;
    bool relayed; /* the relay takes part, see subject.h */
    uint64_t random;
    uint32_t mask; /* membership; with --libuv all that node asks for */
};

/* In `bench->options` are the program's defaults, and `relayed` is set. */
void bench_begin(struct bench *, int argc, char **argv);

/* Prints and writes the tables and cleans up: main's value. */
int bench_end(struct bench *, struct table *const *tables,
              const char *program);

/* Says "cannot WHAT WHICH" and errno's text, and ends with 125. */
_Noreturn void bench_give_up(const char *what, const char *which);

/* The numbers of the agents in this round's order. */
void bench_order(struct bench *, unsigned order[SUBJECTS]);

/* The agent of a subject, or NULL if it does not take part. */
struct agent *bench_agent(struct bench *, enum subject_id);

/* "PATH/NAME" in a buffer of BENCH_PATH_MAX. */
void bench_path(char *buf, const struct place *, const char *name);

/* Creates a file in the directory open at dir_fd. */
void bench_create(int dir_fd, const char *name);

/* Moves a file to a directory that nobody watches, which leaves its inode in
   use: see keep_away_from_freed_inodes in place.c. */
void bench_throw_away(int dir_fd, const char *name, int trash_fd);

int bench_open_dir(const char *path);

/* Reads all entries from where the descriptor is. */
void bench_list(int dir_fd);

/*
 * How many directories to watch: --count, else `wanted`.  A subject that needs
 * a descriptor for each stops where it may have no more.
 */
unsigned long bench_watches(const struct bench *, unsigned long wanted);

/* Waits until a subject has given back what a closed instance held, and the
   kernel has freed its watches; 20 s at most. */
void bench_settle(const struct agent *);

/* What the machine takes for the parts, in nanoseconds. */

/* All entries of the directory, through one descriptor, that was left alone for
   so long before: what was listed a moment ago is in the CPU's caches, and is
   listed three times as fast. */
double primitive_listing(const char *path, uint64_t pause_ns);

/* From write() to a reader that was blocked in read(), once a millisecond. */
double primitive_wakeup(void);

/* A file in that directory, which nobody should be watching.  It is thrown away
   there. */
double primitive_create(const char *path, int trash_fd);
