/*
 * options.h - what every stress and benchmark program takes
 *
 *     --seed N      of all that is random; drawn and printed if not given
 *     --seconds N   how long it runs
 *     --json FILE   the printed figures, for programs
 *     --dir DIR     where it makes its files; default /tmp
 */
#pragma once

#include <stdint.h>

struct options {
    uint64_t seed;
    double seconds;
    const char *json; /* NULL: none */
    const char *dir;
};

/* Exits with 125 and a message on bad usage. */
void options_parse(struct options *, int argc, char **argv);

/* A figure of the result: printed as a row, and kept for --json. */
void figure(const char *name, double value, const char *unit);

/* Writes the JSON file if one was asked for; false: could not. */
int figures_write(const struct options *, const char *program);

/* xorshift64*: state is seeded with anything but zero. */
static inline uint64_t random_next(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(2685821657736338717);
}

static inline unsigned random_below(uint64_t *state, unsigned bound)
{
    return (unsigned)((random_next(state) >> 32) * bound >> 32);
}
