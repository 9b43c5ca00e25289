#include "pipeline/newcomers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/hash.h"
#include "pipeline/packed.h"
#include "pipeline/snapshot.h"
#include "port/look.h"

enum { LOOK_AHEAD = 8 };

void newcomers_begin(struct newcomers *new, const struct snapshot *before)
{
    new->before = before;
    new->before_at = new->from = 0;
    new->count = before == NULL ? -1 : 0;
}

bool newcomers_are_all(const struct newcomers *new,
                       const struct snapshot *before, uint32_t listed)
{
    return before != NULL && new->before == before && new->count >= 0 &&
           listed == before->count + (uint32_t)new->count;
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
        new->all[new->count++] = (struct newcomer){
            .at = at,
            .before_at = new->before_at,
        };
}

static bool same_inode(const uint8_t *a, const uint8_t *b)
{
    return packed_difference(a) == packed_difference(b) &&
           packed_type(a) == packed_type(b);
}

/* 0: the inode is there by this name; -ENOENT: nothing is. */
static int look_for(const uint8_t *entry, uint64_t base, int host_fd)
{
    struct entry read;
    struct look look;
    char name[UINT8_MAX + 1];
    int err;

    entry_read(entry, base, &read);
    entry_name(&read, name);
    err = look_at(host_fd, name, &look);
    return err == 0 && look.ino != read.ino ? -ESTALE : err;
}

/* The newcomer is looked at once: a file system may list one number for all. */
static bool was_renamed(const uint8_t *entry, struct newcomer *to,
                        const struct snapshot_builder *builder, int host_fd)
{
    if (to->seen == NEWCOMER_UNSEEN)
        to->seen = look_for(builder->bytes + to->at, builder->base,
                            host_fd) == 0
                       ? NEWCOMER_IS_THERE
                       : NEWCOMER_IS_NOT;
    return to->seen == NEWCOMER_IS_THERE &&
           look_for(entry, builder->base, host_fd) == -ENOENT;
}

/*
 * A snapshot has each name once, so of two entries of one name one at least is
 * a newcomer; and so is one of two entries of an inode that was renamed.
 * Marks the latter.  True if there may be any of the former.
 */
static bool compare_with_new(struct newcomers *new,
                             struct snapshot_builder *builder, int host_fd,
                             bool *found)
{
    bool may_repeat = new->count < 0;

    for (size_t at = 0; new->count > 0 && at < builder->used;) {
        uint8_t *entry = builder->bytes + at;

        for (int i = 0; i < new->count; i++) {
            const uint8_t *other = builder->bytes + new->all[i].at;

            if (other == entry || (other[0] & PACKED_STALE) != 0)
                continue;
            if (packed_same_name(other, entry)) {
                may_repeat = true;
            } else if (same_inode(other, entry) &&
                       was_renamed(entry, &new->all[i], builder, host_fd)) {
                entry[0] |= PACKED_STALE;
                *found = true;
            }
        }
        at += packed_bytes(entry);
    }
    return may_repeat;
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
    for (size_t at = 0; at < builder->used;) {
        uint8_t *entry = builder->bytes + at;

        slot = hash_bytes(packed_name(entry), packed_name_len(entry)) &
               (slots - 1);
        while (table[slot] != 0) {
            uint8_t *other = builder->bytes + table[slot] - 1;
            if (packed_same_name(other, entry)) {
                *found = true;
                other[0] |= PACKED_STALE;
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

static void drop_marked(struct snapshot_builder *builder)
{
    size_t to = 0, bytes;

    builder->count = 0;
    for (size_t from = 0; from < builder->used; from += bytes) {
        bytes = packed_bytes(builder->bytes + from);
        if ((builder->bytes[from] & PACKED_STALE) != 0)
            continue;
        memmove(builder->bytes + to, builder->bytes + from, bytes);
        to += bytes;
        builder->count++;
    }
    builder->used = to;
}

int newcomers_drop_stale(struct newcomers *new,
                         struct snapshot_builder *builder, int host_fd)
{
    bool found = false;
    int err = 0;

    if (compare_with_new(new, builder, host_fd, &found))
        err = mark_repeated(builder, &found);
    if (err == 0 && found) {
        drop_marked(builder);
        new->count = -1; /* they have moved, and one may be gone */
    }
    return err;
}
