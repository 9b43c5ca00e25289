/*
 * arena.h - where snapshots, deltas and events live
 *
 * Each kind has a jemalloc arena of its own, so that its cost can be seen and
 * its memory goes back to the system after a burst.  Under a sanitizer it is
 * plain malloc, which the sanitizer can check.
 *
 * Threads: any.  Errors: NULL when memory is out; the caller stays owing.
 */
#pragma once

#include <stddef.h>

enum arena_kind {
    ARENA_SNAPSHOT,
    ARENA_DELTA,
    ARENA_EVENT,
    ARENA_KINDS,
};

struct arenas {
    unsigned index[ARENA_KINDS]; /* jemalloc's arena numbers */
};

int arenas_init(struct arenas *);
void arenas_fini(struct arenas *);

void *arena_alloc(const struct arenas *, enum arena_kind, size_t bytes);
void arena_free(const struct arenas *, void *ptr);

/* Zeroed memory, of which there is none before it is written to. */
void *pages_alloc(size_t bytes);
void pages_free(void *ptr, size_t bytes);
