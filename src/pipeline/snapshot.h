/*
 * snapshot.h - the immutable listing of one directory
 *
 * Packed entries in the order the host lists them: one allocation, ten bytes
 * and the name each.  Shared by reference count; never changed once made.
 *
 * Threads:  builder: its owner.  snapshot: any, while a reference is held.
 * Errors:   a listing that fails anywhere gives no snapshot: failed is never
 *           empty.
 * Protocol: S1.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "pipeline/arena.h"
#include "pipeline/sync.h"

struct snapshot {
    _Atomic uint32_t refs; /* S1: acq_rel decrement, the last one frees */
    uint32_t count;        /* entries */
    uint64_t id;           /* unique in the engine; 0 is never used */
    int64_t begun_rt_ns;   /* wall clock when the listing began: files born
                              earlier are in it */
    int64_t listed_rt_ns;  /* and when it ended: files born later cannot be */
    size_t bytes;          /* of entries */
    uint8_t entries[];
};

/* One entry, read from the packed form; `name` is not NUL-terminated. */
struct entry {
    uint64_t ino;
    const char *name;
    uint8_t name_len; /* 1..255 */
    uint8_t type;     /* DT_* */
};

/* Reads the entry at `offset` and returns the offset of the next. */
size_t snapshot_entry(const struct snapshot *, size_t offset, struct entry *);

void snapshot_acquire(struct snapshot *);
void snapshot_release(const struct arenas *, struct snapshot *); /* NULL: ok */

/* Scratch to list into; reused by one owner at a time. */
struct snapshot_builder {
    uint8_t *bytes;
    size_t used, size;
    uint32_t count;
    int64_t begun_rt_ns, listed_rt_ns; /* as in struct snapshot */
    uintptr_t last_name;  /* where the host's last name was, in raw */
    bool piecemeal;       /* the listing took more than one call */
    bool first;           /* the next one's descriptor was not read from yet */
    void *raw; /* the host's own listing goes here first */
    size_t raw_size;
};

int snapshot_builder_init(struct snapshot_builder *);
void snapshot_builder_fini(struct snapshot_builder *);

struct fault;

/*
 * Lists the directory open at host_fd into the builder.  0 or -errno.  A
 * removed directory is an empty one.  `before`: an earlier listing, or NULL;
 * if it is much the same, a large directory takes less time.
 */
int snapshot_list(struct snapshot_builder *, int host_fd,
                  const struct snapshot *before, const struct fault *);

/* The listing of a directory that was removed: empty. */
void snapshot_list_removed(struct snapshot_builder *);

/* Does the builder hold exactly what the snapshot holds? */
bool snapshot_same(const struct snapshot_builder *, const struct snapshot *);

/* The builder's contents as a snapshot with one reference, or NULL. */
struct snapshot *snapshot_create(const struct arenas *,
                                 const struct snapshot_builder *,
                                 const struct fault *, uint64_t id);
