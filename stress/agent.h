/*
 * agent.h - a subject in a process of its own, and how to talk to it
 *
 * A benchmark starts itself again for each subject (for the guest, under
 * `vnotify run`).  Calls go through a pair of pipes, one at a time; what the
 * subject's readers see goes into shared memory: an event named "e" and a
 * number is stamped with the time at which the reader had it.
 *
 * Threads: of the benchmark: one.  Errors: a message, and exit with 125, unless
 * something else is said.  An agent ends when the benchmark does.
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

#include "histogram.h"
#include "options.h"
#include "subject.h"

enum {
    AGENT_STAMPS_MAX = 131072,
    AGENT_CALLS_MAX = 262144,
    AGENT_INSTANCES_MAX = 8,
    AGENT_PATH_MAX = 600,
};

/* Written by the agent, read by the benchmark. */
struct agent_shared {
    atomic_ulong events;   /* all of them */
    atomic_ulong stamped;  /* IN_CREATE of "e..." with a new number */
    atomic_ulong deleted;  /* IN_DELETE, IN_MOVED_FROM of "e..." */
    atomic_ulong repeated; /* IN_CREATE of a number that has a stamp */
    atomic_ulong overflows;
    atomic_ulong last_ns; /* when the last event was read */
    atomic_ulong stamps[AGENT_STAMPS_MAX];
    uint64_t calls_ns[AGENT_CALLS_MAX]; /* each call of the last command */
};

struct agent {
    const struct subject *subject;
    pid_t pid; /* of what was started: the agent, or `vnotify run` */
    int to, from;
    struct agent_shared *shared;
};

/* First thing in main: does not return in a process that is an agent. */
void agent_main(int argc, char **argv);

void agent_start(struct agent *, enum subject_id);
void agent_stop(struct agent *);

/* Starts those that --subjects wants, of all or all but the relay; returns how
   many. */
unsigned agents_start(const struct options *, bool relayed,
                      struct agent *agents);

/* No stamps and no counts. */
void agent_forget(struct agent *);

/* Instances have numbers below AGENT_INSTANCES_MAX, and a reader each. */
void agent_open(struct agent *, int instance);
void agent_close(struct agent *, int instance);

/* The watch descriptor. */
int agent_add(struct agent *, int instance, const char *path, uint32_t mask);
void agent_remove(struct agent *, int instance, int wd);

/*
 * Adds PATH/d000000 to PATH/d<count - 1>, and notes how long each took; the
 * number added, less than `count` if one could not be.
 */
unsigned long agent_add_many(struct agent *, int instance, const char *path,
                             uint32_t mask, unsigned long count);

/*
 * Adds `path` `count` times, one due every interval, and removes it again in
 * between; or makes a watching instance each time and closes it.  Notes how
 * long each add, or close, was from when it was due; `agent_take` waits for
 * them and puts them into a histogram.
 */
void agent_start_adds(struct agent *, int instance, const char *path,
                      uint32_t mask, unsigned long count,
                      uint64_t interval_ns);
void agent_start_closes(struct agent *, const char *path, uint32_t mask,
                        unsigned long count, uint64_t interval_ns);
void agent_take(struct agent *, struct histogram *);

/* Waits until `counter` is at least `value`: 0, or -1 at the deadline. */
int agent_wait(const atomic_ulong *counter, unsigned long value,
               double seconds);
