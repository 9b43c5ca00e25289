#include "pipeline/roster.h"

#include <errno.h>
#include <stdlib.h>

/* So that the first fills a block of 64 bytes, and a further one of a power of
   two. */
enum { CROWD_HEADER = offsetof(struct crowd, entries), CROWD_BYTES_MIN = 64 };

static bool is_crowd(uint64_t word)
{
    return word != 0 && (word & 1) == 0;
}

static struct crowd *crowd_of(uint64_t word)
{
    return (struct crowd *)(uintptr_t)word;
}

uint64_t roster_next(const struct roster *roster, uint32_t *at)
{
    uint64_t word = atomic_load_explicit(&roster->word, /* V2 */
                                         memory_order_seq_cst);
    struct crowd *crowd;

    if (!is_crowd(word))
        return (*at)++ == 0 ? word : 0;
    crowd = crowd_of(word);
    while (*at < crowd->size) {
        uint64_t entry = atomic_load_explicit(&crowd->entries[(*at)++], /* V2 */
                                              memory_order_seq_cst);
        if (entry != 0)
            return entry;
    }
    return 0;
}

static struct crowd *crowd_create(size_t bytes)
{
    struct crowd *crowd = calloc(1, bytes);

    if (crowd != NULL)
        crowd->size = (uint32_t)((bytes - CROWD_HEADER) / sizeof(uint64_t));
    return crowd;
}

static bool put(struct crowd *crowd, uint64_t entry)
{
    for (uint32_t i = 0; i < crowd->size; i++) {
        /* relaxed: writers hold the lock */
        if (atomic_load_explicit(&crowd->entries[i], memory_order_relaxed) !=
            0)
            continue;
        atomic_store_explicit(&crowd->entries[i], entry, /* V2 */
                              memory_order_seq_cst);
        return true;
    }
    return false;
}

/* A crowd with room for one more than there are. */
static struct crowd *larger(uint64_t word)
{
    struct crowd *old = is_crowd(word) ? crowd_of(word) : NULL, *crowd;
    size_t bytes = CROWD_BYTES_MIN;

    if (old != NULL)
        bytes = (CROWD_HEADER + old->size * sizeof(uint64_t) + 7) / 8 * 16;
    crowd = crowd_create(bytes);
    if (crowd == NULL)
        return NULL;
    if (old == NULL)
        atomic_init(&crowd->entries[0], word);
    for (uint32_t i = 0; old != NULL && i < old->size; i++)
        /* relaxed: writers hold the lock */
        atomic_init(&crowd->entries[i],
                    atomic_load_explicit(&old->entries[i],
                                         memory_order_relaxed));
    return crowd;
}

int roster_add(struct roster *roster, uint64_t entry, struct crowd **outgrown)
{
    /* relaxed: writers hold the lock */
    uint64_t word = atomic_load_explicit(&roster->word, memory_order_relaxed);
    struct crowd *crowd;

    *outgrown = NULL;
    if (word == 0) {
        atomic_store_explicit(&roster->word, entry,
                              memory_order_seq_cst); /* V2 */
        return 0;
    }
    if (is_crowd(word) && put(crowd_of(word), entry))
        return 0;
    crowd = larger(word);
    if (crowd == NULL)
        return -ENOMEM;
    if (is_crowd(word))
        *outgrown = crowd_of(word);
    (void)put(crowd, entry);
    atomic_store_explicit(&roster->word, (uint64_t)(uintptr_t)crowd,
                          memory_order_seq_cst); /* V2 */
    return 0;
}

void roster_remove(struct roster *roster, uint64_t entry)
{
    /* relaxed, here and below: writers hold the lock */
    uint64_t word = atomic_load_explicit(&roster->word, memory_order_relaxed);

    if (word == entry)
        atomic_store_explicit(&roster->word, 0, memory_order_release); /* V2 */
    if (!is_crowd(word))
        return;
    for (uint32_t i = 0; i < crowd_of(word)->size; i++) {
        _Atomic uint64_t *here = &crowd_of(word)->entries[i];

        if (atomic_load_explicit(here, memory_order_relaxed) == entry)
            atomic_store_explicit(here, 0, memory_order_release); /* V2 */
    }
}

void roster_fini(struct roster *roster)
{
    /* relaxed, here and below: nobody else has it any more */
    uint64_t word = atomic_load_explicit(&roster->word, memory_order_relaxed);

    if (is_crowd(word))
        free(crowd_of(word));
    atomic_store_explicit(&roster->word, 0, memory_order_relaxed);
}
