/*
 * SB1 acquires what SB2 releases: the buffers as the giver left them.  A slot
 * is NULL or has one builder that nobody else has, so there is no ABA.
 */
#include "pipeline/builders.h"

#include <stdlib.h>

static void destroy(struct snapshot_builder *builder)
{
    snapshot_builder_fini(builder);
    free(builder);
}

struct snapshot_builder *builders_take(struct builders *builders)
{
    struct snapshot_builder *builder;

    for (int i = 0; i < BUILDERS_KEPT; i++) {
        /* relaxed: the exchange decides */
        if (atomic_load_explicit(&builders->spare[i], memory_order_relaxed) ==
            NULL)
            continue;
        builder = atomic_exchange_explicit(&builders->spare[i], NULL, /* SB1 */
                                           memory_order_acquire);
        if (builder != NULL)
            return builder;
    }
    builder = malloc(sizeof(*builder));
    if (builder != NULL && snapshot_builder_init(builder) != 0) {
        free(builder);
        builder = NULL;
    }
    return builder;
}

void builders_give(struct builders *builders, struct snapshot_builder *builder)
{
    for (int i = 0;
         builder->size <= BUILDER_KEPT_BYTES && i < BUILDERS_KEPT; i++) {
        struct snapshot_builder *none = NULL;

        if (atomic_compare_exchange_strong_explicit(
                &builders->spare[i], &none, builder, memory_order_release,
                memory_order_relaxed)) /* SB2 */
            return;
    }
    destroy(builder);
}

void builders_fini(struct builders *builders)
{
    for (int i = 0; i < BUILDERS_KEPT; i++) {
        /* relaxed: no other thread is left (SB1) */
        struct snapshot_builder *builder = atomic_load_explicit(
            &builders->spare[i], memory_order_relaxed);

        if (builder != NULL)
            destroy(builder);
    }
}
