/*
 * unit.h - what every unit test needs: cmocka, and random numbers by seed
 *
 * A test that draws random numbers prints its seed; VNOTIFY_SEED repeats it.
 * cmocka's assertions belong to the main thread; other threads count.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <time.h>

struct random {
    uint64_t state;
};

static inline uint64_t random_next(struct random *random)
{
    uint64_t x = random->state += UINT64_C(0x9e3779b97f4a7c15);

    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

/* 0 .. n-1 */
static inline unsigned random_below(struct random *random, unsigned n)
{
    return (unsigned)(random_next(random) % n);
}

static inline uint64_t random_seed(void)
{
    const char *given = getenv("VNOTIFY_SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 0)
                                  : (uint64_t)time(NULL);

    print_message("VNOTIFY_SEED=%llu\n", (unsigned long long)seed);
    return seed;
}
