#include <stdlib.h>

#include "pipeline/arena.h"

int arenas_init(struct arenas *arenas)
{
    (void)arenas;
    return 0;
}

void arenas_fini(struct arenas *arenas)
{
    (void)arenas;
}

void *arena_alloc(const struct arenas *arenas, enum arena_kind kind,
                  size_t bytes)
{
    (void)arenas;
    (void)kind;
    return malloc(bytes);
}

void arena_free(const struct arenas *arenas, void *ptr)
{
    (void)arenas;
    free(ptr);
}

void *pages_alloc(size_t bytes)
{
    return calloc(1, bytes);
}

void pages_free(void *ptr, size_t bytes)
{
    (void)bytes;
    free(ptr);
}
