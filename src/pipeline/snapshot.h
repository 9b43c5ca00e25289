/*
 * snapshot.h - the immutable listing of one directory
 *
 * Packed entries in the order the host lists them: one allocation, the name and
 * three to ten bytes each.  Shared by reference count; never changed once made.
 *
 * Threads:  builder: its owner.  snapshot: any, while a reference is held.
 * Errors:   a listing that fails anywhere gives no snapshot: failed is never
 *           empty.
 * Protocol: S1.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "pipeline/arena.h"
#include "pipeline/newcomers.h"
#include "pipeline/sync.h"

struct snapshot {
    uint64_t id;           /* unique in the engine; 0 is never used */
    int64_t begun_rt_ns;   /* wall clock when the listing began: files born
                              earlier are in it */
    uint64_t base;         /* inodes are kept as differences from it */
    _Atomic uint32_t refs; /* S1: acq_rel decrement, the last one frees */
    uint32_t count;        /* entries */
    uint32_t bytes;        /* of entries */
    uint8_t inserted;      /* struct birth, behind them */
    uint8_t entries[];
};

/* An entry that snapshot_insert has put in. */
struct birth {
    uint64_t ino;
    int64_t born_rt_ns; /* wall clock */
};

enum { SNAPSHOT_BYTES_MAX = 0x7fffffff }; /* about; more: -EFBIG */

/* One entry, read from the packed form; `name` is not NUL-terminated. */
struct entry {
    uint64_t ino;
    const char *name;
    uint8_t name_len; /* 1..255 */
    uint8_t type;     /* DT_* */
};

/* Reads a packed entry (packed.h). */
void entry_read(const uint8_t *at, uint64_t base, struct entry *);

/* Its name, NUL-terminated. */
static inline void entry_name(const struct entry *entry,
                              char name[UINT8_MAX + 1])
{
    memcpy(name, entry->name, entry->name_len);
    name[entry->name_len] = '\0';
}

static inline bool entry_same_name(const struct entry *a,
                                   const struct entry *b)
{
    return a->name_len == b->name_len &&
           memcmp(a->name, b->name, a->name_len) == 0;
}

/* Reads the entry at `offset` and returns the offset of the next. */
size_t snapshot_entry(const struct snapshot *, size_t offset, struct entry *);

void snapshot_acquire(struct snapshot *);
void snapshot_release(const struct arenas *, struct snapshot *); /* NULL: ok */

/* Scratch to list into; reused by one owner at a time. */
struct snapshot_builder {
    uint8_t *bytes;
    size_t used, size;
    uint32_t count;
    uint64_t base;        /* as in struct snapshot: any number, the directory's
                             own is a good one; set before listing */
    int64_t begun_rt_ns;  /* as in struct snapshot */
    int64_t listed_rt_ns; /* when it ended: files born later are not in it */
    unsigned calls;       /* of the host's, that the listing has taken */
    bool takes_long;      /* others are offered the CPU meanwhile */
    bool first;           /* the next one's descriptor was not read from yet */
    uint64_t yielded_ns;  /* that others had the CPU; set to 0 before listing,
                             by who wants to know */
    uint64_t yield_from_ns; /* they had their share: not again before */
    struct newcomers newcomers;
    void *raw; /* the host's own listing goes here first */
    size_t raw_size;
};

int snapshot_builder_init(struct snapshot_builder *);
void snapshot_builder_fini(struct snapshot_builder *);

struct fault;

/* Who looks at a listing while it grows. */
struct snapshot_follower {
    /* One of the host's calls has ended: what it had is in the builder. */
    void (*call_ended)(struct snapshot_follower *, struct snapshot_builder *);
};

/*
 * Lists the directory open at host_fd into the builder.  0 or -errno.  A
 * removed directory is an empty one.  `before`: an earlier listing, or NULL;
 * if it is much the same, a large directory takes less time.  The caller keeps
 * it until this returns.  `follower`: NULL if nobody; then a directory that was
 * not large comes in one consistent state.
 */
int snapshot_list(struct snapshot_builder *, int host_fd,
                  const struct snapshot *before, struct snapshot_follower *,
                  const struct fault *);

/* Did it take more than one of the host's calls, whoever listed it? */
bool snapshot_is_large(const struct snapshot_builder *,
                       const struct snapshot *before);

/* After snapshot_list with a follower: if the directory changed meanwhile, may
   the listing show what it never was, and might one without show it right? */
bool snapshot_may_be_torn(const struct snapshot_builder *,
                          const struct snapshot *before);

/* The listing of a directory that was removed: empty. */
void snapshot_list_removed(struct snapshot_builder *);

/* Does the builder hold exactly what the snapshot holds? */
bool snapshot_same(const struct snapshot_builder *, const struct snapshot *);

bool snapshot_equal(const struct snapshot *, const struct snapshot *);

/* The builder's contents as a snapshot with one reference, or NULL. */
struct snapshot *snapshot_create(const struct arenas *,
                                 const struct snapshot_builder *,
                                 const struct fault *, uint64_t id);

/* False: it has no such entry that was put in. */
bool snapshot_birth(const struct snapshot *, uint64_t ino, struct birth *);

/*
 * `before` and some of the builder's entries, which has the same base, each
 * ahead of what is at its before_at, with one reference, or NULL.  They ascend.
 * As for when it was listed, it is as old as `before`: what else was born since
 * may be missing.
 */
struct snapshot *snapshot_insert(const struct arenas *,
                                 const struct snapshot *before,
                                 const struct snapshot_builder *,
                                 const struct newcomer *, int count,
                                 uint64_t id);
