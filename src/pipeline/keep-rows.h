/*
 * keep-rows.h - one row of a directory: how it comes, stays, and goes
 *
 * Threads: as keep.h.
 */
#pragma once

#include "pipeline/child.h"

struct change;
struct offer;
struct vnotify;
struct vnode;

/* One pass over a directory's rows. */
struct keeper {
    struct vnotify *engine;
    struct vnode *dir;
    struct children *children;
    const struct offer *offer; /* NULL: any listing may have been missed */
    uint64_t now;
    bool first;           /* what is there now has no history */
    bool again;           /* entries may have no row, or rows too little */
    bool lacks;           /* entries may have no row: children.lacking */
    bool renewing;        /* the entry is another file than before */
    int64_t missed_rt_ns; /* children.missed_rt_ns before this pass */
};

enum { KEEP_RETRY_NS = 2 * 1000 * 1000 };

/* Something could not be had. */
static inline void keep_retry_soon(struct keeper *k)
{
    k->children->retry_ns = k->now + KEEP_RETRY_NS;
}

/* Makes a row for an entry; `come` is the change that brought it, or NULL.
   Reserved before; children_sort is the caller's. */
void row_take_in(struct keeper *, uint64_t ino, const char *name, uint8_t type,
                 const struct change *come);

/* A row whose inode is listed under another name now, or its number is. */
void row_stay(struct keeper *, struct row *, const char *name,
              const struct change *come);

/* V9.  Of a child that has ended, while its number is listed: makes the row
   anew, if the name is there.  False: it was not.  Reserved before. */
bool row_renew(struct keeper *, struct row *, const char *name, uint8_t type);

/* It is not listed any more: it goes, or stays for LEAVE_NS. */
void row_leave(struct keeper *, struct row *);

/* Removes it. */
void row_let_go(struct keeper *, struct row *);
