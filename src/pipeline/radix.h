/*
 * radix.h - words by number, dense and read without a lock
 *
 * A tree of nodes of 64 words, as high as its largest key needs.  Keys that
 * are given out in order cost eight bytes each and little more.
 *
 * Threads:  radix_find: any, inside an epoch section, or with the writers' lock.
 *           The words are the caller's, and atomic.  All else: writers.
 * LIFETIME  a node stays until radix_trim has taken it out and an epoch has
 *           passed.
 * Protocol: R1.
 */
#pragma once

#include <stdbool.h>

#include "pipeline/sync.h"

enum { RADIX_BITS = 6, RADIX_FAN = 1 << RADIX_BITS };

typedef _Atomic uint64_t radix_word; /* relaxed: its user names the partner */

struct radix {
    radix_word root; /* R1: a node, and the tree's height in the low bits; 0 */
};

/* NULL: no such word was ever made, or it has been trimmed. */
radix_word *radix_find(const struct radix *, uint32_t key);

/* Makes it, 0, if there is none.  NULL: no memory. */
radix_word *radix_make(struct radix *, uint32_t key);

/* Nodes that are out of a tree, to be freed when an epoch has passed. */
struct radix_trimmed {
    void **nodes;
    uint32_t count, size;
};

/* Takes out nodes that have become empty, of those that lead to the key. */
void radix_trim(struct radix *, uint32_t key, struct radix_trimmed *);
void radix_free_trimmed(struct radix_trimmed *);

/* Every word that is not 0, by key. */
typedef void radix_fn(void *arg, uint32_t key, radix_word *word);

void radix_each(const struct radix *, radix_fn *fn, void *arg);

void radix_fini(struct radix *);
