#include "pipeline/snapshot.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "pipeline/fault.h"
#include "pipeline/hash.h"
#include "port/listing.h"

enum {
    ENTRY_HEADER = 10, /* inode 8, type 1, length 1 */
    /*
     * Large enough that directories of some thousand entries come in one
     * system call, and so in one consistent state; small enough that a huge
     * one lets its writers in between the calls.
     */
    RAW_BYTES = 256 * 1024,
    BUILDER_BYTES_MIN = 64 * 1024,
};

size_t snapshot_entry(const struct snapshot *snapshot, size_t offset,
                      struct entry *entry)
{
    const uint8_t *at = snapshot->entries + offset;

    assert(offset < snapshot->bytes);
    memcpy(&entry->ino, at, sizeof(entry->ino));
    entry->type = at[8];
    entry->name_len = at[9];
    entry->name = (const char *)at + ENTRY_HEADER;
    return offset + ENTRY_HEADER + entry->name_len;
}

void snapshot_acquire(struct snapshot *snapshot)
{
    /* relaxed: the caller's own reference keeps it alive (S1) */
    atomic_fetch_add_explicit(&snapshot->refs, 1, memory_order_relaxed);
}

void snapshot_release(const struct arenas *arenas, struct snapshot *snapshot)
{
    if (snapshot != NULL &&
        atomic_fetch_sub_explicit(&snapshot->refs, 1,
                                  memory_order_acq_rel) == 1) /* S1 */
        arena_free(arenas, snapshot);
}

int snapshot_builder_init(struct snapshot_builder *builder)
{
    *builder = (struct snapshot_builder){
        .bytes = malloc(BUILDER_BYTES_MIN),
        .size = BUILDER_BYTES_MIN,
        .raw = malloc(RAW_BYTES),
        .raw_size = RAW_BYTES,
    };
    if (builder->bytes != NULL && builder->raw != NULL)
        return 0;
    snapshot_builder_fini(builder);
    return -ENOMEM;
}

void snapshot_builder_fini(struct snapshot_builder *builder)
{
    free(builder->bytes);
    free(builder->raw);
    *builder = (struct snapshot_builder){ 0 };
}

struct listing_job {
    struct snapshot_builder *builder;
    const struct fault *fault;
};

static int builder_grow(struct snapshot_builder *builder)
{
    uint8_t *bytes = realloc(builder->bytes, builder->size * 2);

    if (bytes == NULL)
        return -ENOMEM;
    builder->bytes = bytes;
    builder->size *= 2;
    return 0;
}

static int builder_add(void *arg, const struct listing_entry *listed)
{
    struct listing_job *job = arg;
    struct snapshot_builder *builder = job->builder;
    uint8_t *at;

    if (builder->count == 1 && fault_hits(job->fault, FAULT_READ))
        return -EIO;
    if (listed->name_len == 0 || listed->name_len > 255)
        return -EIO; /* no file system of ours has such names */
    /* Names lie in the raw buffer in the order of one call: one that does not
       lie behind the one before is another call's. */
    if ((uintptr_t)listed->name <= builder->last_name)
        builder->piecemeal = true;
    builder->last_name = (uintptr_t)listed->name;
    if (builder->size - builder->used <
        (size_t)ENTRY_HEADER + listed->name_len) {
        int err = builder_grow(builder);
        if (err != 0)
            return err;
    }
    at = builder->bytes + builder->used;
    memcpy(at, &listed->ino, sizeof(listed->ino));
    at[8] = listed->type;
    at[9] = (uint8_t)listed->name_len;
    memcpy(at + ENTRY_HEADER, listed->name, listed->name_len);
    builder->used += (size_t)ENTRY_HEADER + listed->name_len;
    builder->count++;
    return 0;
}

static bool removed(int host_fd)
{
    struct stat st;

    return fstat(host_fd, &st) == 0 && st.st_nlink == 0;
}

static size_t entry_bytes(const uint8_t *at)
{
    return (size_t)ENTRY_HEADER + at[9];
}

/*
 * A name can be listed twice if it went and came between two of the host's
 * calls.  The later entry is the newer; a snapshot has each name once.  The
 * earlier one is cut out.
 */
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
        size_t bytes = entry_bytes(entry);
        const char *name = (const char *)entry + ENTRY_HEADER;

        slot = hash_bytes(name, entry[9]) & (slots - 1);
        while (table[slot] != 0) {
            uint8_t *other = builder->bytes + table[slot] - 1;
            if (other[9] == entry[9] &&
                memcmp(other + ENTRY_HEADER, name, entry[9]) == 0) {
                *found = true;
                other[8] = UINT8_MAX; /* no DT_* has this value */
                break;
            }
            slot = (slot + 1) & (slots - 1);
        }
        table[slot] = (uint32_t)at + 1;
        at += bytes;
    }
    free(table);
    return 0;
}

/*
 * What has come since the listing before is all that can be there twice: a
 * snapshot has each name once, so of two entries of one name one at least is
 * not the next of those that the two listings have in common, in order.  Such
 * entries are few, unless the host's order has changed; then -1.
 */
enum { NEWCOMERS = 8, LOOK_AHEAD = 8 };

static bool same_bytes(const uint8_t *a, const uint8_t *b)
{
    return a[9] == b[9] && memcmp(a, b, entry_bytes(a)) == 0;
}

/* The offset behind this entry in `before`, if it is one of the next; or 0. */
static size_t find_next(const struct snapshot *before, size_t at,
                        const uint8_t *entry)
{
    for (int i = 0; i <= LOOK_AHEAD && at < before->bytes; i++) {
        const uint8_t *other = before->entries + at;

        at += entry_bytes(other);
        if (same_bytes(other, entry))
            return at;
    }
    return 0;
}

static int find_newcomers(const struct snapshot_builder *builder,
                          const struct snapshot *before,
                          const uint8_t *newcomers[NEWCOMERS])
{
    size_t before_at = 0, bytes;
    int count = 0;

    for (size_t at = 0; at < builder->used; at += bytes) {
        const uint8_t *entry = builder->bytes + at;
        size_t next = find_next(before, before_at, entry);

        bytes = entry_bytes(entry);
        if (next != 0)
            before_at = next;
        else if (count == NEWCOMERS)
            return -1;
        else
            newcomers[count++] = entry;
    }
    return count;
}

static bool same_name(const uint8_t *a, const uint8_t *b)
{
    return a[9] == b[9] &&
           memcmp(a + ENTRY_HEADER, b + ENTRY_HEADER, a[9]) == 0;
}

static bool may_repeat(const struct snapshot_builder *builder,
                       const struct snapshot *before)
{
    const uint8_t *newcomers[NEWCOMERS];
    int count =
        before == NULL ? -1 : find_newcomers(builder, before, newcomers);

    for (size_t at = 0; count > 0 && at < builder->used;) {
        const uint8_t *entry = builder->bytes + at;

        for (int i = 0; i < count; i++)
            if (newcomers[i] != entry && same_name(newcomers[i], entry))
                return true;
        at += entry_bytes(entry);
    }
    return count < 0;
}

static int drop_repeated(struct snapshot_builder *builder)
{
    bool found;
    size_t to = 0, bytes;
    int err = mark_repeated(builder, &found);

    if (err != 0 || !found)
        return err;
    builder->count = 0;
    for (size_t from = 0; from < builder->used; from += bytes) {
        bytes = entry_bytes(builder->bytes + from);
        if (builder->bytes[from + 8] == UINT8_MAX)
            continue;
        memmove(builder->bytes + to, builder->bytes + from, bytes);
        to += bytes;
        builder->count++;
    }
    builder->used = to;
    return 0;
}

int snapshot_list(struct snapshot_builder *builder, int host_fd,
                  const struct snapshot *before, const struct fault *fault)
{
    struct listing_job job = { builder, fault };
    int err;

    builder->used = 0;
    builder->count = 0;
    builder->last_name = 0;
    builder->piecemeal = false;
    builder->begun_rt_ns = (int64_t)clock_ns(CLOCK_REALTIME);
    err = (builder->first ? listing_read_first : listing_read)(
        host_fd, builder->raw, builder->raw_size, builder_add, &job);
    builder->first = false;
    /* An empty or one-entry directory can fail half way too. */
    if (err == 0 && builder->count <= 1 && fault_hits(fault, FAULT_READ))
        err = -EIO;
    builder->listed_rt_ns = (int64_t)clock_ns(CLOCK_REALTIME);
    if (err == 0 && builder->piecemeal && may_repeat(builder, before))
        err = drop_repeated(builder);
    if (err != -ENOENT || !removed(host_fd))
        return err;
    builder->used = 0;
    builder->count = 0;
    return 0;
}

void snapshot_list_removed(struct snapshot_builder *builder)
{
    builder->used = 0;
    builder->count = 0;
    builder->last_name = 0;
    builder->piecemeal = false;
    builder->listed_rt_ns = (int64_t)clock_ns(CLOCK_REALTIME);
}

bool snapshot_same(const struct snapshot_builder *builder,
                   const struct snapshot *snapshot)
{
    return builder->used == snapshot->bytes &&
           memcmp(builder->bytes, snapshot->entries, builder->used) == 0;
}

struct snapshot *snapshot_create(const struct arenas *arenas,
                                 const struct snapshot_builder *builder,
                                 const struct fault *fault, uint64_t id)
{
    struct snapshot *snapshot;

    if (fault_hits(fault, FAULT_ALLOC))
        return NULL;
    snapshot = arena_alloc(arenas, ARENA_SNAPSHOT,
                           sizeof(*snapshot) + builder->used);
    if (snapshot == NULL)
        return NULL;
    atomic_init(&snapshot->refs, 1);
    snapshot->count = builder->count;
    snapshot->id = id;
    snapshot->begun_rt_ns = builder->begun_rt_ns;
    snapshot->listed_rt_ns = builder->listed_rt_ns;
    snapshot->bytes = builder->used;
    memcpy(snapshot->entries, builder->bytes, builder->used);
    return snapshot;
}
