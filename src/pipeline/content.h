/*
 * content.h - what happened in a directory's children, untold by one watch
 *
 * A *content item* says of one child, by its inode: these IN_* bits.  It has no
 * name: the name is looked up when it is told, in the listings that the guest
 * is told of, so that it is told under a name that the guest knows
 * (plan-content.c).
 *
 * Workers make items and put them into the watch; the holder of the instance's
 * claim merges them into the watch's set, one entry a child.  So the backlog of
 * a slow guest is bounded by what there is in the directory.
 */
#pragma once

#include <stdbool.h>

#include "pipeline/handoff.h"

struct content_item {
    struct handoff_link link;
    uint64_t ino;      /* as the directory lists it */
    uint64_t noted_ns; /* when the oldest note behind it was read */
    uint32_t bits;     /* NOTE_CONTENT */
    bool is_dir;
};

/* Any thread.  NULL: no memory. */
struct content_item *content_item_create(uint64_t ino, uint32_t bits,
                                         bool is_dir, uint64_t noted_ns);

/* One child. */
struct content {
    uint64_t ino, noted_ns;
    uint32_t bits;
    bool is_dir;
    bool is_listed, has_come, told; /* a plan's (plan-content.c) */
};

/* In the order of their notes, or nearly so. */
struct content_set {
    struct content *entries;
    uint32_t count, size;
    uint32_t *table; /* 1 + index, by inode and kind, open addressing; 0: free */
    uint32_t slots;  /* a power of two, at least twice `size`; 0: no table */
};

/* Takes over the item.  False: no memory, nothing is changed, and it stays the
   caller's. */
bool content_set_merge(struct content_set *, struct content_item *);

/* NULL: none.  By kind as well: a number that was a file's may be a directory's
   by now, and nothing is told of that under the file's name. */
struct content *content_set_find(const struct content_set *, uint64_t ino,
                                 bool is_dir);

/* Zeroed again, without memory. */
void content_set_fini(struct content_set *);
