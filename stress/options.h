/*
 * options.h - what every stress and benchmark program takes; --help lists it
 *
 * Bad usage is a message and exit with 125.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
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
    const char *loads;   /* NULL: all */
};

/*
 * What is set in `options` before is the default; zero means: 10 seconds,
 * 5 rounds, /tmp and /dev/shm.
 */
void options_parse(struct options *, int argc, char **argv);

/* That all words of the list "A,B", as given to --OPTION, are among the names:
   `count` of them, each `stride` bytes behind the one before. */
void options_check(const char *option, const char *list,
                   const char *const *names, size_t count, size_t stride);

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
