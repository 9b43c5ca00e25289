/*
 * delta-walk.h - where two listings of one directory differ (delta.c)
 */
#pragma once

#include <stdbool.h>

#include "pipeline/snapshot.h"

/* One listing, and which of its entries may be changes. */
struct side {
    const struct snapshot *snapshot;
    size_t at;       /* offset of the next entry to walk */
    size_t *offsets; /* of the candidates, in the order listed; to be freed */
    uint32_t count, size;
};

/* The same name, inode and, where both tell it, type? */
bool entry_is_same(const struct entry *, const struct entry *);

/*
 * Walks both to their ends.  What is a candidate on neither side is the same in
 * both; a candidate may be, where the order of the listings differs.  False:
 * memory is out.
 */
bool delta_walk(struct side *before, struct side *after);
