/*
 * world.h - directories in which everything changes at random
 *
 * Changers create, remove, rename, link, write to and change the modes of
 * files and directories n0, n1, ... in a few directories d0, d1, ..., within
 * and across them, and rename these themselves.
 *
 * Threads: world_open and world_close: one, before and after all others.  A
 *          changer stands still between world_halt and world_go_on.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "options.h"
#include "place.h"
#include "vnotify.h"

enum { WORLD_DIRS_MAX = 256 };

struct world {
    const char *program;
    struct vnotify *engine;
    struct place places[PLACES_MAX];
    char *root;
    unsigned dirs, names; /* names per directory */
    bool content;         /* writes and modes, too */
    unsigned filled;      /* every so many names are there at first; 0: none */
    unsigned burst_max;   /* changes in a burst; 0: 200 */
    unsigned rest_us_max; /* of a changer, after a burst; 0: none */
    int dir_fds[WORLD_DIRS_MAX]; /* whatever the names are */
    pthread_rwlock_t still; /* read: changing; written: nobody may */
    atomic_uint halting;    /* who wants that, or has it: changers let them */
    atomic_bool stop, failed;
    atomic_ulong changes;
};

extern struct world world;

/* `world` has its sizes; exits with 125 and a message if it cannot. */
void world_open(const struct options *, const struct vnotify_config *);
void world_close(void);

/* The invariant does not hold: says so, and stops everything. */
__attribute__((format(printf, 1, 2))) void world_fail(const char *format, ...);

/* A thread's body: changes until `stop`; arg is its seed. */
void *world_changer(void *arg);

/* Nothing changes between the two; one caller at a time gets there. */
void world_halt(void);
void world_go_on(void);

/* Waits for `seconds`, or until something has failed; then sets `stop`. */
void world_run(double seconds);

/* Last line and exit code. */
int world_result(const struct options *);

/* The number in "n<number>", or -1. */
int world_name_index(const char *name);

void pause_us(unsigned us);
