/*
 * barrier.h - when is everything done that was noted before now?
 *
 * Every piece of work that stems from a note is an *item*: the reader's own
 * turn, a note in the ring, the pending bits of a vnode, the pending bits of
 * an instance.  Items are counted in one of two phases (or in both, where two
 * have become one).  A *cycle* drains the
 * port, turns the phase, and ends when the old phase counts none: then all
 * that was noted before the cycle was asked for is in the queues, or owed (to
 * a full queue, or by a listing that failed: owing is not an item).
 *
 * Roles:    wanted, flip: the reader alone, inside an item of its own.  join:
 *           any thread that begins something.  add: whoever holds an item of
 *           that phase, or runs the cycle's completion.  done: whoever held it.
 * Progress: wait-free, but barrier_await, which sleeps.
 * Protocol: B1..B4, explained in barrier.c.
 */
#pragma once

#include <stdbool.h>

#include "pipeline/sync.h"

/* Runs once per cycle, by the thread that ended it; may barrier_add. */
typedef void barrier_complete_fn(void *arg, unsigned phases);

/* Wakes the reader. */
typedef void barrier_kick_fn(void *arg);

struct barrier {
    _Atomic uint32_t phase;        /* 0, 1: B1, written by the reader */
    _Atomic uint32_t draining;     /* 0, 1 + the phase that drains, or
                                      BARRIER_COMPLETING: B2 */
    _Atomic int64_t in_flight[2];  /* items of each phase: B3 */
    _Atomic uint64_t requested;    /* tickets asked for: B4 */
    _Atomic uint64_t completed;    /* highest ticket done: B4 */
    _Atomic uint32_t wake;         /* B4: changes with completed, to sleep
                                      on */
    uint64_t started;              /* ticket of the cycle in progress: the
                                      reader's, then the completer's */
    barrier_complete_fn *complete;
    barrier_kick_fn *kick;
    void *arg;
};

enum {
    /* A set of phases: 1 << 0, 1 << 1, both, or none of them. */
    BARRIER_UNCOUNTED = 0,
    /* A value of `draining`. */
    BARRIER_COMPLETING = 3,
};

void barrier_init(struct barrier *, barrier_complete_fn *, barrier_kick_fn *,
                  void *arg);

/* Begins an item and returns its phase, as a set. */
unsigned barrier_join(struct barrier *);

/* Reader, inside its turn, before it drains: the ticket to drain for, or 0. */
uint64_t barrier_wanted(struct barrier *);

/* Reader, inside its turn, after it drained: starts the cycle's end. */
void barrier_flip(struct barrier *, uint64_t ticket);

/* One more, one less, in each phase of the set. */
void barrier_add(struct barrier *, unsigned phases);
void barrier_done(struct barrier *, unsigned phases);

/* Any thread: a new ticket; wakes the reader. */
uint64_t barrier_request(struct barrier *);
bool barrier_reached(struct barrier *, uint64_t ticket);

/*
 * The last ticket that is reached.  Who lists itself for the look that comes
 * with a cycle's end (`complete`) and then sees no newer one than before is
 * found by that look.
 */
uint64_t barrier_completed(struct barrier *);
void barrier_await(struct barrier *, uint64_t ticket);

/* True if at most `mine` items are in flight (mine: the caller's own). */
bool barrier_quiet(struct barrier *, unsigned mine);
