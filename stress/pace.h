/*
 * pace.h - a schedule that what is measured cannot slow down
 *
 * Work is due at start + n * interval, whatever became of the work before it,
 * and its latency counts from when it was due.  So time during which nothing
 * could be asked is not left out (coordinated omission).
 */
#pragma once

#include <stdint.h>
#include <time.h>

enum { PACE_SPIN_NS = 60 * 1000 }; /* what a sleep may be late by */

static inline uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static inline void sleep_until_ns(uint64_t when)
{
    struct timespec until = {
        .tv_sec = (time_t)(when / 1000000000),
        .tv_nsec = (long)(when % 1000000000),
    };

    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) != 0)
        ;
}

/* To the microsecond, unless it is late already: the last bit is spun. */
static inline void pace_until(uint64_t when)
{
    if (when > now_ns() + PACE_SPIN_NS)
        sleep_until_ns(when - PACE_SPIN_NS);
    while (now_ns() < when)
        ;
}
