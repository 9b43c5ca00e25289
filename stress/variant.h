/*
 * variant.h - one program in different ways: alone and as a guest
 *
 *     native   as it is
 *     guest    under `vnotify run`
 *     strict   under `vnotify run --strict`
 *     trapped  under trap-only: natively, but for the traps
 *
 * Threads: one.  Errors: a message, and exit with 125.
 */
#pragma once

#include <sys/types.h>

#include "options.h"

enum variant_id {
    VARIANT_NATIVE,
    VARIANT_GUEST,
    VARIANT_STRICT,
    VARIANT_TRAPPED,
    VARIANTS
};

struct variant {
    const char *name;
    const char *words[5]; /* before the program's, NULL after the last; the
                             first is a file beside us */
};

extern const struct variant variants[VARIANTS];

/* Those that --subjects does not leave out, into `ids`; how many. */
unsigned variants_wanted(const struct options *, enum variant_id *ids);

/* Reorders them at random. */
void variants_shuffle(enum variant_id *ids, unsigned count, uint64_t *random);

/* "DIRECTORY/NAME" of this program's own directory, in a static buffer. */
const char *beside_us(const char *name);

/*
 * Starts the program that argv names (at most 8 words), with its standard
 * output going to `out` unless that is -1.
 */
pid_t variant_start(enum variant_id, const char *const *argv, int out);

/* Waits for its end: the exit status as a shell has it. */
int variant_end(pid_t);
