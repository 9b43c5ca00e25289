/*
 * newcomers.h - what a listing under way has that the one before had not
 *
 * Two listings of a directory mostly agree, in order too.  So the older one is
 * walked in step with the newer as that grows; an entry that is not one of the
 * next few of the older is a newcomer: new, or replaced, or listed in another
 * place.  Such are few, unless the host's order has changed.  All others need
 * not be packed once more: they are there in one piece.
 *
 * Threads:  the builder's owner.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct listing_entry;
struct snapshot;
struct snapshot_builder;

enum { NEWCOMERS_MAX = 8 };

struct newcomer {
    size_t at;        /* offset in the builder */
    size_t before_at; /* and where it would be in the listing before */
    int64_t born_rt_ns; /* for snapshot_insert, by who calls it */
    enum { NEWCOMER_UNSEEN, NEWCOMER_IS_THERE, NEWCOMER_IS_NOT } seen;
};

struct newcomers {
    const struct snapshot *before; /* of the builder's base, or NULL: all
                                      is new */
    size_t before_at; /* walked so far */
    size_t from;      /* from here to there it is the newer as well, and not in
                         the builder yet */
    int count;        /* -1: more than NEWCOMERS_MAX, or no `before` */
    struct newcomer all[NEWCOMERS_MAX];
};

void newcomers_begin(struct newcomers *, const struct snapshot *before);

/*
 * The listing is complete, with so many entries: did it have all of the listing
 * before, so that the newcomers are all that has changed?
 */
bool newcomers_are_all(const struct newcomers *, const struct snapshot *before,
                       uint32_t listed);

/* Is this what comes next in the listing before?  Then it is walked over. */
bool newcomers_follow(struct newcomers *, const struct listing_entry *,
                      uint64_t base);

/* What comes next is another: this is the entry, at `at` in the builder. */
void newcomers_part(struct newcomers *, const struct snapshot_builder *,
                    size_t at);

/*
 * The listing of what is open at host_fd is complete: drops what the host's later
 * calls say is stale.  Of two entries with one name, which there are if it went
 * and came between two calls, the earlier.  And where a newcomer has the inode
 * of another entry, whose name is gone by now, the other: it was renamed between
 * two calls.  (Not where there are too many newcomers to know.)  0 or -ENOMEM.
 */
int newcomers_drop_stale(struct newcomers *, struct snapshot_builder *,
                         int host_fd);
