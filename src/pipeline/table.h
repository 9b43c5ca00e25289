/*
 * table.h - ck_hs for tables whose readers and writers hold a lock
 *
 * ck_hs allows one writer beside any number of lock-free readers.  Ours are
 * read by control calls only, which hold the lock anyway, so memory that the
 * table gives up goes at once.
 */
#pragma once

#include <ck_hs.h>
#include <stdlib.h>

static inline void *table_malloc(size_t bytes)
{
    return malloc(bytes);
}

static inline void table_free(void *ptr, size_t bytes, bool defer)
{
    (void)bytes;
    (void)defer;
    free(ptr);
}

/* False: no memory. */
static inline bool table_init(ck_hs_t *table, ck_hs_hash_cb_t *hash,
                              ck_hs_compare_cb_t *equal)
{
    static struct ck_malloc allocator = {
        .malloc = table_malloc,
        .free = table_free,
    };

    return ck_hs_init(table, CK_HS_MODE_OBJECT | CK_HS_MODE_SPMC, hash, equal,
                      &allocator, 16, 0);
}
