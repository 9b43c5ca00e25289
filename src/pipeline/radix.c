/*
 * R1.  A node is complete, all 0, before a release store makes it part of the
 * tree, and is found by an acquire load.  What readers find at a word may be
 * old; it is never anything else.
 */
#include "pipeline/radix.h"

#include <stdlib.h>

enum {
    HEIGHT_MAX = 6, /* 36 bits */
    HEIGHT_MASK = 7,
};

struct node {
    radix_word words[RADIX_FAN]; /* R1: nodes below, or the user's */
};

static struct node *node_of(uint64_t word)
{
    return (struct node *)(uintptr_t)(word & ~(uint64_t)HEIGHT_MASK);
}

static unsigned height_of(uint64_t root)
{
    return (unsigned)(root & HEIGHT_MASK);
}

static bool holds(uint64_t root, uint32_t key)
{
    unsigned height = height_of(root);

    return root != 0 && (uint64_t)key >> (RADIX_BITS * height) == 0;
}

static radix_word *word_at(struct node *node, uint32_t key, unsigned height)
{
    uint64_t index = (uint64_t)key >> (RADIX_BITS * (height - 1));

    return &node->words[index % RADIX_FAN];
}

radix_word *radix_find(const struct radix *radix, uint32_t key)
{
    uint64_t at = atomic_load_explicit(&radix->root,
                                       memory_order_acquire); /* R1 */
    unsigned height = height_of(at);

    if (!holds(at, key))
        return NULL;
    for (; height > 1; height--) {
        at = atomic_load_explicit(word_at(node_of(at), key, height),
                                  memory_order_acquire); /* R1 */
        if (at == 0)
            return NULL;
    }
    return word_at(node_of(at), key, 1);
}

static struct node *node_make(void)
{
    return calloc(1, sizeof(struct node));
}

/* Another node on top, until the key fits. */
static bool raise_root(struct radix *radix, uint32_t key)
{
    /* relaxed: writers hold the lock (R1) */
    uint64_t root = atomic_load_explicit(&radix->root, memory_order_relaxed);

    while (!holds(root, key)) {
        struct node *node = node_make();

        if (node == NULL)
            return false;
        /* relaxed: published with the node (R1) */
        atomic_store_explicit(&node->words[0],
                              (uint64_t)(uintptr_t)node_of(root),
                              memory_order_relaxed);
        root = (uint64_t)(uintptr_t)node + height_of(root) + 1;
        atomic_store_explicit(&radix->root, root,
                              memory_order_release); /* R1 */
    }
    return true;
}

radix_word *radix_make(struct radix *radix, uint32_t key)
{
    struct node *node;
    unsigned height;
    uint64_t root;

    if (!raise_root(radix, key))
        return NULL;
    /* relaxed, here and below: writers hold the lock (R1) */
    root = atomic_load_explicit(&radix->root, memory_order_relaxed);
    node = node_of(root);
    for (height = height_of(root); height > 1; height--) {
        radix_word *word = word_at(node, key, height);

        node = node_of(atomic_load_explicit(word, memory_order_relaxed));
        if (node == NULL) {
            node = node_make();
            if (node == NULL)
                return NULL;
            atomic_store_explicit(word, (uint64_t)(uintptr_t)node,
                                  memory_order_release); /* R1 */
        }
    }
    return word_at(node, key, 1);
}

static bool is_empty(const struct node *node)
{
    for (int i = 0; i < RADIX_FAN; i++)
        /* relaxed: who writes to it holds the writers' lock */
        if (atomic_load_explicit(&node->words[i], memory_order_relaxed) != 0)
            return false;
    return true;
}

static bool keep_for_later(struct radix_trimmed *trimmed, void *node)
{
    if (trimmed->count == trimmed->size) {
        uint32_t size = trimmed->size == 0 ? 8 : trimmed->size * 2;
        void **nodes = realloc(trimmed->nodes, size * sizeof(*nodes));

        if (nodes == NULL)
            return false;
        trimmed->nodes = nodes;
        trimmed->size = size;
    }
    trimmed->nodes[trimmed->count++] = node;
    return true;
}

void radix_trim(struct radix *radix, uint32_t key,
                struct radix_trimmed *trimmed)
{
    radix_word *path[HEIGHT_MAX]; /* to the node at each height but the top */
    unsigned height, top;
    /* relaxed, here and below: writers hold the lock (R1) */
    uint64_t at = atomic_load_explicit(&radix->root, memory_order_relaxed);

    if (!holds(at, key))
        return;
    top = height_of(at);
    for (height = top; height > 1; height--) {
        path[height - 2] = word_at(node_of(at), key, height);
        at = atomic_load_explicit(path[height - 2], memory_order_relaxed);
        if (at == 0)
            break;
    }
    for (; height < top; height++) {
        radix_word *above = path[height - 1];
        /* relaxed: as before */
        struct node *node =
            node_of(atomic_load_explicit(above, memory_order_relaxed));

        if (node == NULL)
            continue;
        if (!is_empty(node) || !keep_for_later(trimmed, node))
            return;
        atomic_store_explicit(above, 0, memory_order_release); /* R1 */
    }
}

void radix_free_trimmed(struct radix_trimmed *trimmed)
{
    for (uint32_t i = 0; i < trimmed->count; i++)
        free(trimmed->nodes[i]);
    free(trimmed->nodes);
    *trimmed = (struct radix_trimmed){ 0 };
}

/* Of keys above those bits of the key that the height stands for. */
static void each_below(struct node *node, unsigned height, uint32_t key,
                       radix_fn *fn, void *arg)
{
    for (uint32_t i = 0; i < RADIX_FAN; i++) {
        uint32_t here = key | i << (RADIX_BITS * (height - 1));
        uint64_t at = atomic_load_explicit(&node->words[i],
                                           memory_order_acquire); /* R1 */

        if (at == 0)
            continue;
        if (height == 1)
            fn(arg, here, &node->words[i]);
        else
            each_below(node_of(at), height - 1, here, fn, arg);
    }
}

void radix_each(const struct radix *radix, radix_fn *fn, void *arg)
{
    uint64_t root = atomic_load_explicit(&radix->root,
                                         memory_order_acquire); /* R1 */

    if (root != 0)
        each_below(node_of(root), height_of(root), 0, fn, arg);
}

static void free_below(struct node *node, unsigned height)
{
    for (int i = 0; height > 1 && i < RADIX_FAN; i++) {
        /* relaxed: nobody else has it any more */
        uint64_t at = atomic_load_explicit(&node->words[i],
                                           memory_order_relaxed);

        if (at != 0)
            free_below(node_of(at), height - 1);
    }
    free(node);
}

void radix_fini(struct radix *radix)
{
    /* relaxed: nobody else has it any more */
    uint64_t root = atomic_load_explicit(&radix->root, memory_order_relaxed);

    if (root != 0)
        free_below(node_of(root), height_of(root));
    /* relaxed: as above */
    atomic_store_explicit(&radix->root, 0, memory_order_relaxed);
}
