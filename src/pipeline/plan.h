/*
 * plan.h - the events of one dispatch round, in a legal order
 *
 * Pure.  A round takes all watches of one instance that have something untold
 * (sources), pairs what is gone with what has come by (device, inode) within
 * and across their directories, and orders the result:
 *
 * - a name is freed before it is taken: chains of renames run from their end,
 *   a cycle is broken into a delete and a create;
 * - MOVED_FROM and MOVED_TO are adjacent and share a cookie; a name that is
 *   renamed over is not deleted first; MOVE_SELF of the moved object follows;
 * - what happened to an object that is gone is told, IGNORED included, before
 *   its directory's DELETE, or after the MOVED_TO of what took its name;
 * - what happened in a child is told under a name that the guest knows by then:
 *   before the name goes, or after it has come;
 * - a watch's self events follow those of its directory, but for MOVE_SELF,
 *   which comes before them, and for what is told of it by name as well: each
 *   such event follows the named one.
 *
 * Masks are applied by whoever pushes the events, not here.
 */
#pragma once

#include "pipeline/content.h"
#include "pipeline/delta.h"

struct plan_source {
    const struct delta *delta; /* or NULL: not a directory, or no change */
    const struct snapshot *now; /* what the delta leads to; NULL: no directory */
    struct content_set *content; /* of its children; NULL: none */
    uint64_t listed_ns;         /* when the note behind the delta was read */
    uint64_t dev, ino;         /* of the watched object */
    uint32_t self;             /* self events (IN_*), DELETE_SELF included */
    bool is_dir;               /* the watched object */
    bool ends;                 /* IGNORED is its last event */
    bool wants_moves;          /* its mask has MOVED_FROM or MOVED_TO */
    bool crossed;              /* an entry was renamed into or out of it;
                                  out: and is not among the pairs */
    uint32_t crossings;        /* out: pairs with another directory */
    bool may_wait;             /* in: its other half may yet come */
    bool may_wait_long;        /* in: so may what decides on the order: the end
                                  of what is gone, the name of what moved */
    bool may_lack_names;       /* in: rows may be older than the watch, which was
                                  told a listing of its own, and it may wait */
    bool may_precede;          /* in: something earlier may yet come; hold.c's,
                                  these four */
    bool is_due;               /* in: it has waited for all that there was when
                                  it began to */
    bool is_awaited;           /* in: vnotify_sync waits for it, and its barrier
                                  is reached: it need not wait for itself */
    bool is_awaited_soon;      /* in: the same, but for the barrier */
    bool waits;                /* out of plan_pair; in of plan_order */
    bool waits_long;           /* out: it waits for that, or with one that
                                  does */
    uint8_t state;             /* plan-order.c's, these five */
    uint32_t named_by;         /* 1 + the source whose content it is; 0 */
    uint32_t first_part;
    uint32_t unpaired;         /* parts that may be half a rename */
    uint32_t likely;           /* and those of them that have some sign of it */
    uint32_t first_named, named_count; /* in plan.named */
    bool name_is_here;
};

struct planned {
    uint32_t source;  /* index */
    uint32_t mask;    /* one event bit, and IN_ISDIR */
    uint32_t cookie;  /* 0 but for MOVED_FROM and MOVED_TO */
    uint32_t name_len;
    const char *name; /* in the source's delta, NUL-terminated, or in its
                         snapshot; NULL: a self event */
};

struct part;
struct named;

/* Does the instance watch this inode, and has not been told of its end? */
typedef bool plan_watched_fn(void *arg, uint64_t dev, uint64_t ino);

struct plan {
    struct planned *events;
    size_t count, size;
    size_t next; /* the first that is not told yet: the cursor */
    struct part *parts;
    uint32_t part_count;
    uint32_t *objects; /* 1 + source, by (device, inode); 0: free */
    uint32_t object_slots;
    struct named *named; /* what has a name to be told under */
    uint32_t named_count, named_size;
    plan_watched_fn *is_watched; /* for plan_pair; NULL: nothing else is */
    void *arg;
};

/*
 * Pairs renames.  Sets `waits` where a half is missing that may yet come, or
 * the end of a watched directory that is gone, or the new name of an object
 * that moved, and in every source that shares a pair with such a one.  True if
 * any waits.  -ENOMEM.
 */
int plan_pair(struct plan *, struct plan_source *, uint32_t count);

/* Fills events for all sources that do not wait.  0 or -ENOMEM. */
int plan_order(struct plan *, struct plan_source *, uint32_t count,
               _Atomic uint32_t *last_cookie);

/* Frees what plan_pair and plan_order made; a zeroed plan is fine. */
void plan_fini(struct plan *);
