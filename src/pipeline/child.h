/*
 * child.h - what a directory keeps of its entries, so that changes in them are
 * noticed
 *
 * A *row* for each inode that the directory lists, where a watch asks for
 * content.  Either it has a *child*: the entry's own vnode, whose notes are
 * told to the directory's watches as well; or a *footprint* of its stat fields,
 * which a sweep compares (sweep.h).
 *
 * OWNER     rows: the holder of the directory's claim.  A child's fields are
 *           fixed; its place in the vnode's parents: registry lock.
 * LIFETIME  a child is found through its vnode's parents inside an epoch
 *           section; the housekeeper unlinks it, waits for an epoch, and frees
 *           it.  Until then its directory's slot is not reused.
 * MEMORY    row 40 bytes; child 64, and a vnode.
 *
 * V9.  What is parked does not keep its number.  So a file can be removed and
 * another be made in its place, with its name and its number, and two listings
 * are the same.  Who serves the child's end sets `ended`, then the directory's
 * more.rows_ended, then posts HINT_KEEP to it: whoever takes that, or any hint
 * after it, sees both.  It renews such rows if their name is there, and else
 * leaves the mark for the note that comes when it is there again.
 */
#pragma once

#include <stdbool.h>

#include "pipeline/chain.h"
#include "pipeline/handoff.h"
#include "port/look.h"

struct vnode;

struct child {
    struct chain_link chain; /* of vnode->parents */
    struct vnode *dir, *vnode;
    uint64_t ino; /* as the directory lists it */
    _Atomic uint32_t ended; /* V9: its inode is gone */
    struct handoff_link retire_link;
};

/* Hashes of what a look had seen. */
struct footprint {
    uint32_t size, modified, changed, attributes, links;
};

struct row {
    uint64_t ino;
    struct child *child; /* NULL: swept */
    struct footprint footprint;
    bool leaving;  /* not listed any more, but its inode is not gone */
    uint8_t young; /* sweeps in a row that found it changed, too lately to be
                      told */
};

/* What was found to have happened to a child, beside its notes. */
struct finding {
    uint64_t ino;
    uint32_t bits; /* NOTE_CONTENT */
    bool is_dir;
};

/* CLOSE_WRITE that is said of a child after a quiet time. */
struct quiet_row {
    uint64_t ino, due_ns;
};

struct children {
    struct row *rows; /* by inode, ascending, as far as `sorted` */
    uint32_t count, sorted, size;
    uint32_t swept;       /* rows without a child */
    uint32_t wanted;      /* that rows are kept for: note_children_wanted */
    uint64_t listing;     /* id of the snapshot that rows follow; 0: none */
    int64_t begun_rt_ns;  /* when the newest listing began that has all that
                             was born before in rows */
    uint64_t leave_ns;    /* leaving rows are let go then; 0: there is none */
    uint64_t retry_ns;    /* something could not be had: then again; 0 */
    bool lacking;         /* an entry was not what was listed, and has no row:
                             it may come to be so again */
    bool misnumbered;     /* attach.h */
    int64_t missed_rt_ns; /* since when there have been entries without a row
                             for these reasons; 0: there are none */
    struct finding *findings; /* not offered yet */
    uint32_t finding_count, finding_size;
    /* sweep.c */
    struct quiet_row *quiet;
    uint32_t quiet_count, quiet_size;
    uint32_t sweep_at;  /* entries of this pass that are done */
    bool sweep_changed; /* it has found something */
    uint64_t sweep_ns;  /* the next slice; 0: none */
    uint64_t pause_ns;  /* between passes */
    uint64_t cost_ns, last_cost_ns; /* of this pass, of the one before */
    uint32_t parkable;  /* rows that this pass could have parked */
    uint64_t turn_ns;   /* its turn to park them (park-turns.h), or 0 */
    bool has_young;     /* this pass has left changes for the next */
};

/* Among those that are sorted. */
struct row *children_find(const struct children *, uint64_t ino);

/* Room for so many rows and findings more.  -ENOMEM. */
int children_reserve(struct children *, uint32_t rows, uint32_t findings);

/* Reserved before; found only after the next children_sort. */
void children_append(struct children *, const struct row *);
void children_sort(struct children *);
void children_remove(struct children *, struct row *);

/* Reserved before; no bits: nothing. */
void children_found(struct children *, uint64_t ino, uint32_t bits,
                    bool is_dir);

void children_free(struct children *); /* no row has a child any more */
