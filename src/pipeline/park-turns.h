/*
 * park-turns.h - directories park their rows in turn, within a share of one CPU
 *
 * Threads: any.  All of it is of cost alone: who reads what another is about to
 * write parks a little sooner or later.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    PARK_TURNS_SHARE = 4, /* parking takes a quarter of one CPU */
    /* After the last add_watch, for as long as they went on before it: who has
       added all of a tree's reads its files next. */
    PARK_TURNS_QUIET_NS = 100 * 1000 * 1000,
    PARK_TURNS_QUIET_NS_MAX = 1000 * 1000 * 1000,
    PARK_TURNS_BUSY_NS = 100 * 1000 * 1000, /* of adding, with no such time */
};

struct park_turns {
    _Atomic uint64_t joined_ns; /* of the newest add_watch; relaxed: as above */
    _Atomic uint64_t began_ns;  /* of the first of those that have followed each
                                   other since; later, the longer they left each
                                   other alone; relaxed: as above */
    _Atomic uint64_t free_ns;   /* when the turns that are booked will be over;
                                   relaxed: as above */
    _Atomic uint64_t each_ns;   /* what a row costs; 0: not known yet; relaxed:
                                   as above */
};

/* A watch was added: its caller waits for the CPU. */
void park_turns_joined(struct park_turns *, uint64_t now);
bool park_turns_quiet(const struct park_turns *, uint64_t now);

/* Watches are being added, and have been for a while. */
bool park_turns_busy(const struct park_turns *, uint64_t now);

/* When so many rows may be parked: not 0. */
uint64_t park_turns_book(struct park_turns *, uint32_t rows, uint64_t now);

/* So many were parked, and took so long.  What to wait before the next ones of
   the same turn, in nanoseconds. */
uint64_t park_turns_parked(struct park_turns *, uint32_t rows,
                           uint64_t took_ns);
