/*
 * park-linux.c - park.h over futex(2)
 *
 * The kernel compares the word under the lock of the futex's hash bucket, which
 * park_wake takes as well.
 */
#include "port/park.h"

#include <linux/futex.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

_Static_assert(sizeof(time_t) == sizeof(long),
               "a 32-bit system with a 64-bit time needs futex_time64");

void park_wait(_Atomic uint32_t *word, uint32_t expected,
               const struct timespec *deadline)
{
    /* The bitset form takes an absolute time, of CLOCK_MONOTONIC. */
    (void)syscall(SYS_futex, word, FUTEX_WAIT_BITSET_PRIVATE, expected,
                  deadline, NULL, FUTEX_BITSET_MATCH_ANY);
}

void park_wake(_Atomic uint32_t *word, int how_many)
{
    (void)syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, how_many, NULL, NULL, 0);
}
