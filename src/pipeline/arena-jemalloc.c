#include <errno.h>
#include <jemalloc/jemalloc.h>
#include <stdio.h>
#include <sys/mman.h>

#include "pipeline/arena.h"

int arenas_init(struct arenas *arenas)
{
    for (int kind = 0; kind < ARENA_KINDS; kind++) {
        size_t size = sizeof(arenas->index[kind]);
        int err = mallctl("arenas.create", &arenas->index[kind], &size, NULL,
                          0);
        if (err != 0)
            return -err;
    }
    return 0;
}

/* Everything was freed before: destroying gives the arenas' pages back. */
void arenas_fini(struct arenas *arenas)
{
    char name[64];

    for (int kind = 0; kind < ARENA_KINDS; kind++) {
        snprintf(name, sizeof(name), "arena.%u.destroy", arenas->index[kind]);
        (void)mallctl(name, NULL, NULL, NULL, 0);
    }
}

/*
 * No thread cache: a block is allocated by one thread and freed by another,
 * which would fill the one's cache from the other's for ever.
 */
void *arena_alloc(const struct arenas *arenas, enum arena_kind kind,
                  size_t bytes)
{
    return mallocx(bytes, MALLOCX_ARENA(arenas->index[kind]) |
                              MALLOCX_TCACHE_NONE);
}

void arena_free(const struct arenas *arenas, void *ptr)
{
    (void)arenas;
    if (ptr != NULL)
        dallocx(ptr, MALLOCX_TCACHE_NONE);
}

/* From the host: an allocator may hand out pages that were written to. */
void *pages_alloc(size_t bytes)
{
    void *pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return pages == MAP_FAILED ? NULL : pages;
}

void pages_free(void *ptr, size_t bytes)
{
    (void)munmap(ptr, bytes);
}
