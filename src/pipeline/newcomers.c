#include "pipeline/newcomers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/hash.h"
#include "pipeline/packed.h"
#include "pipeline/snapshot.h"

enum { LOOK_AHEAD = 8 };

void newcomers_begin(struct newcomers *new, const struct snapshot *before)
{
    new->before = before;
    new->before_at = new->from = 0;
    new->count = before == NULL ? -1 : 0;
}

/* The offset behind this entry in `before`, if it is one of the next; or 0. */
static size_t find_next(const struct snapshot *before, size_t at,
                        const uint8_t *entry)
{
    for (int i = 0; i <= LOOK_AHEAD && at < before->bytes; i++) {
        const uint8_t *other = before->entries + at;

        at += packed_bytes(other);
        if (packed_same(other, entry))
            return at;
    }
    return 0;
}

bool newcomers_follow(struct newcomers *new,
                      const struct listing_entry *listed, uint64_t base)
{
    const uint8_t *next;

    if (new->count < 0 || new->before_at == new->before->bytes)
        return false;
    next = new->before->entries + new->before_at;
    if (!packed_is(next, listed, base))
        return false;
    new->before_at += packed_bytes(next);
    return true;
}

void newcomers_part(struct newcomers *new,
                    const struct snapshot_builder *builder, size_t at)
{
    size_t next;

    if (new->count < 0)
        return;
    next = find_next(new->before, new->before_at, builder->bytes + at);
    if (next != 0)
        new->before_at = new->from = next;
    else if (new->count == NEWCOMERS_MAX)
        new->count = -1;
    else
        new->all[new->count++] = (struct newcomer){ at, new->before_at };
}

/*
 * A snapshot has each name once, so of two entries of one name one at least is
 * a newcomer.
 */
static bool may_repeat(const struct newcomers *new,
                       const struct snapshot_builder *builder)
{
    for (size_t at = 0; new->count > 0 && at < builder->used;) {
        const uint8_t *entry = builder->bytes + at;

        for (int i = 0; i < new->count; i++)
            if (new->all[i].at != at &&
                packed_same_name(builder->bytes + new->all[i].at, entry))
                return true;
        at += packed_bytes(entry);
    }
    return new->count < 0;
}

/* Marks the earlier of two entries with one name. */
static int mark_repeated(struct snapshot_builder *builder, bool *found)
{
    size_t slots = 64, slot;
    uint32_t *table; /* 1 + offset */

    while (slots < (size_t)builder->count * 2)
        slots *= 2;
    table = calloc(slots, sizeof(*table));
    if (table == NULL)
        return -ENOMEM;
    *found = false;
    for (size_t at = 0; at < builder->used;) {
        uint8_t *entry = builder->bytes + at;

        slot = hash_bytes(packed_name(entry), packed_name_len(entry)) &
               (slots - 1);
        while (table[slot] != 0) {
            uint8_t *other = builder->bytes + table[slot] - 1;
            if (packed_same_name(other, entry)) {
                *found = true;
                other[0] |= PACKED_REPEATED;
                break;
            }
            slot = (slot + 1) & (slots - 1);
        }
        table[slot] = (uint32_t)at + 1;
        at += packed_bytes(entry);
    }
    free(table);
    return 0;
}

int newcomers_drop_repeated(struct newcomers *new,
                            struct snapshot_builder *builder)
{
    bool found;
    size_t to = 0, bytes;
    int err;

    if (!may_repeat(new, builder))
        return 0;
    err = mark_repeated(builder, &found);
    if (err != 0 || !found)
        return err;
    builder->count = 0;
    for (size_t from = 0; from < builder->used; from += bytes) {
        bytes = packed_bytes(builder->bytes + from);
        if ((builder->bytes[from] & PACKED_REPEATED) != 0)
            continue;
        memmove(builder->bytes + to, builder->bytes + from, bytes);
        to += bytes;
        builder->count++;
    }
    builder->used = to;
    return 0;
}
