/*
 * options.h - what every stress and benchmark program takes
 *
 *     --seed N        of all that is random; drawn and printed if not given
 *     --seconds N     stress-*: how long it runs; bench-*: of one measurement
 *     --json FILE     the printed figures, for programs
 *     --dir DIR       where it makes its files; default /tmp
 * bench-* also:
 *     --memory-dir DIR  the same on a tmpfs; default /dev/shm, "" for none
 *     --rounds N      medians are over so many
 *     --subjects A,B  only these
 *     --count N       the largest number of what is counted (entries, watches)
 *     --libuv         watch with node's mask, content of children too
 * bench-devserver also:
 *     --scale X       of its tree: 1 is 400,000 files
 *     --clients A,B   only these
 * stress-parked also: --count, and
 *     --descriptors N  the limit that it gives itself
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct options {
    uint64_t seed;
    double seconds;
    const char *json; /* NULL: none */
    const char *dir, *memory_dir;
    unsigned rounds;
    const char *subjects; /* NULL: all */
    unsigned long count;  /* 0: the program's own */
    unsigned long descriptors; /* 0: the program's own */
    bool libuv;
    double scale;        /* 0: the program's own */
    const char *clients; /* NULL: all */
};

/*
 * What is set in `options` before is the default; zero means: 10 seconds,
 * 5 rounds, the directories above.  Exits with 125 and a message on bad usage.
 */
void options_parse(struct options *, int argc, char **argv);

/* True if --subjects does not leave it out. */
bool options_want(const struct options *, const char *subject);

/* True if it is in the list "A,B", or there is none. */
bool options_list_has(const char *list, const char *word);

/* A figure of the result: printed as a row, and kept for --json. */
void figure(const char *name, double value, const char *unit);

/* Writes the JSON file if one was asked for; -1: could not. */
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
