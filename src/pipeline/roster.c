/*
 * A roster of several entries is a chain of blocks, each twice as large as the
 * one before it, the largest first.  A block is nothing but words: entries,
 * which are odd, 0 where there is none, and in the last word of all but the
 * first block that was made the block before.  How large it is stands in the
 * low bits of the word that leads to it.
 */
#include "pipeline/roster.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

enum {
    WORDS_MIN = 6, /* 48 bytes */
    CLASS_SHIFT = 1,
    CLASS_MAX = 7, /* 768 words; what is chained to that is as large */
};

static bool is_block(uint64_t word)
{
    return word != 0 && (word & 1) == 0;
}

static _Atomic uint64_t *block_of(uint64_t word)
{
    return (_Atomic uint64_t *)(uintptr_t)(word & ~(uint64_t)15);
}

static unsigned class_of(uint64_t word)
{
    return (unsigned)(word >> CLASS_SHIFT) & CLASS_MAX;
}

static uint32_t size_of(uint64_t word)
{
    return (uint32_t)WORDS_MIN << class_of(word);
}

struct roster_walk roster_begin(const struct roster *roster)
{
    return (struct roster_walk){
        .word = atomic_load_explicit(&roster->word, /* V2 */
                                     memory_order_seq_cst),
    };
}

uint64_t roster_next(struct roster_walk *walk)
{
    while (is_block(walk->word)) {
        uint64_t word;

        if (walk->at == size_of(walk->word))
            break;
        word = atomic_load_explicit(
            &block_of(walk->word)[walk->at++], memory_order_seq_cst); /* V2 */
        if (is_block(word))
            *walk = (struct roster_walk){ .word = word };
        else if (word != 0)
            return word;
    }
    if (!is_block(walk->word)) { /* the one entry, or none */
        uint64_t only = walk->word;

        walk->word = 0;
        return only;
    }
    walk->word = 0;
    return 0;
}

/* A free word, or that of the entry. */
static _Atomic uint64_t *find(const struct roster *roster, uint64_t entry)
{
    /* relaxed, here and below: writers hold the lock */
    uint64_t word = atomic_load_explicit(&roster->word, memory_order_relaxed);
    uint32_t at = 0;

    while (is_block(word) && at < size_of(word)) {
        _Atomic uint64_t *here = &block_of(word)[at++];
        uint64_t found = atomic_load_explicit(here, memory_order_relaxed);

        if (found == entry)
            return here;
        if (is_block(found)) {
            word = found;
            at = 0;
        }
    }
    return NULL;
}

/* The word that leads to a new block, which has two entries, or one and a block
   that it is chained to.  0: no memory. */
static uint64_t make_block(uint64_t before, uint64_t entry)
{
    unsigned class = !is_block(before)              ? 0
                     : class_of(before) < CLASS_MAX ? class_of(before) + 1
                                                    : CLASS_MAX;
    uint32_t size = (uint32_t)WORDS_MIN << class;
    /* calloc aligns to 16 bytes */
    _Atomic uint64_t *block = calloc(size, sizeof(*block));

    if (block == NULL)
        return 0;
    atomic_init(&block[is_block(before) ? size - 1 : 0], before);
    atomic_init(&block[is_block(before) ? 0 : 1], entry);
    return (uint64_t)(uintptr_t)block | class << CLASS_SHIFT;
}

int roster_add(struct roster *roster, uint64_t entry)
{
    /* relaxed: writers hold the lock */
    uint64_t word = atomic_load_explicit(&roster->word, memory_order_relaxed);
    _Atomic uint64_t *to = word == 0 ? &roster->word : find(roster, 0);

    if (to == NULL) {
        entry = make_block(word, entry);
        if (entry == 0)
            return -ENOMEM;
        to = &roster->word;
    }
    atomic_store_explicit(to, entry, memory_order_seq_cst); /* V2 */
    return 0;
}

void roster_remove(struct roster *roster, uint64_t entry)
{
    /* relaxed: writers hold the lock */
    uint64_t word = atomic_load_explicit(&roster->word, memory_order_relaxed);
    _Atomic uint64_t *at =
        word == entry ? &roster->word : find(roster, entry);

    if (at != NULL)
        atomic_store_explicit(at, 0, memory_order_release); /* V2 */
}

void roster_fini(struct roster *roster)
{
    /* relaxed, here and below: nobody else has it any more */
    uint64_t word = atomic_load_explicit(&roster->word, memory_order_relaxed);

    atomic_store_explicit(&roster->word, 0, memory_order_relaxed);
    while (is_block(word)) {
        _Atomic uint64_t *block = block_of(word);

        /* relaxed: as above */
        word = atomic_load_explicit(&block[size_of(word) - 1],
                                    memory_order_relaxed);
        free((void *)block);
    }
}
