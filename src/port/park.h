/*
 * park.h - sleep until a word changes
 *
 *     sleeper                               waker
 *       read the word: expected               change the word
 *       look for work; none                   park_wake(word, n)
 *       park_wait(word, expected, deadline)
 *
 * A change of the word followed by park_wake is never slept through: park_wait
 * compares the word once more, ordered against park_wake.
 *
 * Threads:  any, within one process.
 * Progress: park_wake does not wait for a sleeper to run.
 * Returns:  for no reason as well; the caller looks at the word again.
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

/* Sleeps while *word == expected; deadline: CLOCK_MONOTONIC, NULL for none. */
void park_wait(_Atomic uint32_t *word, uint32_t expected,
               const struct timespec *deadline);

/* Wakes at least how_many sleepers of this word, or all: INT_MAX. */
void park_wake(_Atomic uint32_t *word, int how_many);
