/*
 * Two listings of a directory mostly agree, in order too.  So both are walked
 * in step, over what is the same to the byte as such; where they part, a short
 * look ahead on either side finds the next entry in common, and what was passed
 * over becomes a candidate.  The look ahead is bounded and each entry passed
 * once, so the whole is linear however the host orders its entries; a host that
 * lists in a new order each time costs hashing, not correctness.
 */
#include "pipeline/delta-walk.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/packed.h"

enum { LOOK_AHEAD = 8 };

static bool side_add(struct side *side, size_t offset)
{
    if (side->count == side->size) {
        uint32_t size = side->size == 0 ? 64 : side->size * 2;
        size_t *offsets = realloc(side->offsets, size * sizeof(*offsets));

        if (offsets == NULL)
            return false;
        side->offsets = offsets;
        side->size = size;
    }
    side->offsets[side->count++] = offset;
    return true;
}

static bool at_end(const struct side *side)
{
    return side->at == side->snapshot->bytes;
}

/* A file system may tell an entry's type at one time and not at another. */
static bool same_type(const struct entry *a, const struct entry *b)
{
    return a->type == b->type || a->type == DT_UNKNOWN ||
           b->type == DT_UNKNOWN;
}

bool entry_is_same(const struct entry *a, const struct entry *b)
{
    return a->ino == b->ino && same_type(a, b) && entry_same_name(a, b);
}

/*
 * Is `wanted` among the next entries of `side`?  Then those before it become
 * candidates: 1.  0 if not, -1 when memory is out.
 */
static int resume_at(struct side *side, const struct entry *wanted)
{
    size_t offset = side->at;
    struct entry entry;

    for (int i = 0; i <= LOOK_AHEAD && offset < side->snapshot->bytes; i++) {
        size_t next = snapshot_entry(side->snapshot, offset, &entry);

        if (entry_is_same(&entry, wanted)) {
            while (side->at < offset) {
                if (!side_add(side, side->at))
                    return -1;
                side->at = snapshot_entry(side->snapshot, side->at, &entry);
            }
            return 1;
        }
        offset = next;
    }
    return 0;
}

/* Where the two part: finds where they meet again.  False: out of memory. */
static bool step_apart(struct side *before, struct side *after)
{
    struct entry b, a;
    size_t next_b = snapshot_entry(before->snapshot, before->at, &b);
    size_t next_a = snapshot_entry(after->snapshot, after->at, &a);
    int met = resume_at(after, &b);

    if (met == 0)
        met = resume_at(before, &a);
    if (met != 0)
        return met > 0;
    if (!side_add(before, before->at) || !side_add(after, after->at))
        return false;
    before->at = next_b;
    after->at = next_a;
    return true;
}

static bool add_rest(struct side *side)
{
    struct entry entry;

    while (!at_end(side)) {
        if (!side_add(side, side->at))
            return false;
        side->at = snapshot_entry(side->snapshot, side->at, &entry);
    }
    return true;
}

static size_t common_bytes(const uint8_t *a, const uint8_t *b, size_t bytes)
{
    size_t at = 0;
    uint64_t x, y;

    for (; at + sizeof(x) <= bytes; at += sizeof(x)) {
        memcpy(&x, a + at, sizeof(x));
        memcpy(&y, b + at, sizeof(y));
        if (x != y)
            break;
    }
    while (at < bytes && a[at] == b[at])
        at++;
    return at;
}

static size_t bytes_left(const struct side *side)
{
    return side->snapshot->bytes - side->at;
}

/* Walks over what is the same in both to the byte: nearly all, mostly. */
static void skip_common(struct side *before, struct side *after)
{
    const uint8_t *at = before->snapshot->entries + before->at, *from = at;
    size_t most = bytes_left(before) < bytes_left(after) ? bytes_left(before)
                                                         : bytes_left(after);
    size_t same;

    if (before->snapshot->base != after->snapshot->base)
        return;
    same = common_bytes(at, after->snapshot->entries + after->at, most);
    if (same == bytes_left(before)) /* and that is an entry's end */
        at += same;
    else
        while (same >= PACKED_HEADER &&
               (size_t)(at - from) <= same - PACKED_HEADER &&
               packed_bytes(at) <= same - (size_t)(at - from))
            at += packed_bytes(at);
    before->at += (size_t)(at - from);
    after->at += (size_t)(at - from);
}

bool delta_walk(struct side *before, struct side *after)
{
    for (;;) {
        struct entry b, a;
        size_t next_b, next_a;

        skip_common(before, after);
        if (at_end(before) || at_end(after))
            break;
        next_b = snapshot_entry(before->snapshot, before->at, &b);
        next_a = snapshot_entry(after->snapshot, after->at, &a);

        if (entry_is_same(&b, &a)) {
            before->at = next_b;
            after->at = next_a;
        } else if (!step_apart(before, after)) {
            return false;
        }
    }
    return add_rest(before) && add_rest(after);
}
