#include "pipeline/snapshot.h"

#include <assert.h>
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "pipeline/fault.h"
#include "pipeline/packed.h"
#include "port/listing.h"

enum {
    /*
     * Large enough that directories of some thousand entries come in one
     * system call, and so in one consistent state.  What takes several anyway
     * comes in pieces: its writers are let in more often.  So does, if somebody
     * follows, what takes longer to list than to tell a new name (stream.h).
     */
    RAW_BYTES = 256 * 1024,
    RAW_FOLLOWED = 16 * 1024,
    RAW_PIECE = 4 * 1024,
    RAW_ENTRY = 32, /* of getdents64, with a name of 5 to 12 bytes */
    BUILDER_BYTES_MIN = 64 * 1024,
};

void entry_read(const uint8_t *at, uint64_t base, struct entry *entry)
{
    entry->ino = base + (uint64_t)packed_difference(at);
    entry->type = packed_type(at);
    entry->name_len = packed_name_len(at);
    entry->name = packed_name(at);
}

size_t snapshot_entry(const struct snapshot *snapshot, size_t offset,
                      struct entry *entry)
{
    const uint8_t *at = snapshot->entries + offset;

    assert(offset < snapshot->bytes);
    entry_read(at, snapshot->base, entry);
    return offset + packed_bytes(at);
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

static uint8_t *put_bytes(uint8_t *to, const uint8_t *from, size_t bytes)
{
    memcpy(to, from, bytes);
    return to + bytes;
}

struct listing_job {
    struct snapshot_builder *builder;
    struct snapshot_follower *follower;
    const struct fault *fault;
};

static int builder_reserve(struct snapshot_builder *builder, size_t more)
{
    size_t size = builder->size;
    uint8_t *bytes;

    if (builder->used > SNAPSHOT_BYTES_MAX)
        return -EFBIG;
    while (size - builder->used < more)
        size *= 2;
    if (size == builder->size)
        return 0;
    bytes = realloc(builder->bytes, size);
    if (bytes == NULL)
        return -ENOMEM;
    builder->bytes = bytes;
    builder->size = size;
    return 0;
}

/* Copies what is as in the listing before. */
static int builder_catch_up(struct snapshot_builder *builder)
{
    struct newcomers *new = &builder->newcomers;
    size_t bytes = new->before_at - new->from;
    int err;

    if (bytes == 0)
        return 0;
    err = builder_reserve(builder, bytes);
    if (err != 0)
        return err;
    memcpy(builder->bytes + builder->used, new->before->entries + new->from,
           bytes);
    builder->used += bytes;
    new->from = new->before_at;
    return 0;
}

/*
 * Who is at a long listing is not interrupted for who has been woken, on many a
 * kernel not before the next tick: 4 ms, of a wait that is 20 us otherwise.  So
 * the CPU is offered after each of the host's calls.  Where that took long,
 * somebody computes there who would not do as much for us: then it is not
 * offered again for as long.
 */
static void let_others(struct snapshot_builder *builder)
{
    uint64_t before = now_ns(), took;

    if (before < builder->yield_from_ns)
        return;
    sched_yield();
    took = now_ns() - before;
    builder->yielded_ns += took;
    builder->yield_from_ns = before + 2 * took;
}

static int end_call(struct listing_job *job)
{
    struct snapshot_builder *builder = job->builder;
    int err = builder_catch_up(builder);

    if (err != 0)
        return err;
    builder->calls++;
    if (job->follower != NULL)
        job->follower->call_ended(job->follower, builder);
    if (builder->calls > 1 && builder->takes_long)
        let_others(builder);
    return 0;
}

static int builder_add(void *arg, const struct listing_entry *listed)
{
    struct listing_job *job = arg;
    struct snapshot_builder *builder = job->builder;
    uint8_t *at;
    int err;

    if (listed == NULL)
        return end_call(job);
    if (builder->count == 1 && fault_hits(job->fault, FAULT_READ))
        return -EIO;
    if (listed->name_len == 0 || listed->name_len > 255)
        return -EIO; /* no file system of ours has such names */
    builder->count++;
    if (newcomers_follow(&builder->newcomers, listed, builder->base))
        return 0;
    err = builder_catch_up(builder);
    if (err == 0)
        err = builder_reserve(builder,
                              (size_t)PACKED_HEADER_MAX + listed->name_len);
    if (err != 0)
        return err;
    at = builder->bytes + builder->used;
    packed_write(at, listed, builder->base);
    memcpy(at + packed_name_offset(at), listed->name, listed->name_len);
    newcomers_part(&builder->newcomers, builder, builder->used);
    builder->used += packed_bytes(at);
    return 0;
}

static bool removed(int host_fd)
{
    struct stat st;

    return fstat(host_fd, &st) == 0 && st.st_nlink == 0;
}

static bool takes_more_than(size_t bytes, const struct snapshot *before)
{
    return before != NULL && (size_t)before->count * RAW_ENTRY > bytes;
}

bool snapshot_is_large(const struct snapshot_builder *builder,
                       const struct snapshot *before)
{
    return takes_more_than(builder->raw_size, before);
}

static size_t piece(const struct snapshot_builder *builder,
                    const struct snapshot *before, bool followed)
{
    bool in_pieces = snapshot_is_large(builder, before) ||
                     (followed && takes_more_than(RAW_FOLLOWED, before));

    return in_pieces && builder->raw_size > RAW_PIECE ? RAW_PIECE
                                                      : builder->raw_size;
}

bool snapshot_may_be_torn(const struct snapshot_builder *builder,
                          const struct snapshot *before)
{
    return builder->calls > 1 && !snapshot_is_large(builder, before) &&
           !newcomers_are_all(&builder->newcomers, before, builder->count);
}

int snapshot_list(struct snapshot_builder *builder, int host_fd,
                  const struct snapshot *before,
                  struct snapshot_follower *follower,
                  const struct fault *fault)
{
    struct listing_job job = { builder, follower, fault };
    int err;

    builder->used = 0;
    builder->count = 0;
    builder->calls = 0;
    builder->takes_long =
        before == NULL || snapshot_is_large(builder, before);
    newcomers_begin(&builder->newcomers,
                    before != NULL && before->base == builder->base ? before
                                                                    : NULL);
    builder->begun_rt_ns = (int64_t)clock_ns(CLOCK_REALTIME);
    err = (builder->first ? listing_read_first : listing_read)(
        host_fd, builder->raw, piece(builder, before, follower != NULL),
        builder_add, &job);
    builder->first = false;
    /* An empty or one-entry directory can fail half way too. */
    if (err == 0 && builder->count <= 1 && fault_hits(fault, FAULT_READ))
        err = -EIO;
    builder->listed_rt_ns = (int64_t)clock_ns(CLOCK_REALTIME);
    if (err == 0 && builder->calls > 1)
        err = newcomers_drop_stale(&builder->newcomers, builder, host_fd);
    if (err != -ENOENT || !removed(host_fd))
        return err;
    snapshot_list_removed(builder);
    return 0;
}

void snapshot_list_removed(struct snapshot_builder *builder)
{
    builder->used = 0;
    builder->count = 0;
    newcomers_begin(&builder->newcomers, NULL);
    builder->listed_rt_ns = (int64_t)clock_ns(CLOCK_REALTIME);
}

bool snapshot_equal(const struct snapshot *a, const struct snapshot *b)
{
    return a->bytes == b->bytes && a->base == b->base &&
           memcmp(a->entries, b->entries, a->bytes) == 0;
}

bool snapshot_same(const struct snapshot_builder *builder,
                   const struct snapshot *snapshot)
{
    if (newcomers_are_all(&builder->newcomers, snapshot, builder->count))
        return builder->newcomers.count == 0;
    return builder->used == snapshot->bytes &&
           builder->base == snapshot->base &&
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
                           offsetof(struct snapshot, entries) + builder->used);
    if (snapshot == NULL)
        return NULL;
    atomic_init(&snapshot->refs, 1);
    snapshot->count = builder->count;
    snapshot->id = id;
    snapshot->begun_rt_ns = builder->begun_rt_ns;
    snapshot->base = builder->base;
    snapshot->bytes = (uint32_t)builder->used;
    snapshot->inserted = 0;
    memcpy(snapshot->entries, builder->bytes, builder->used);
    return snapshot;
}

/* They are at any address, and copied. */
static uint8_t *births(const struct snapshot *snapshot)
{
    return (uint8_t *)(uintptr_t)snapshot->entries + snapshot->bytes;
}

bool snapshot_birth(const struct snapshot *snapshot, uint64_t ino,
                    struct birth *birth)
{
    for (int i = 0; i < snapshot->inserted; i++) {
        memcpy(birth, births(snapshot) + (size_t)i * sizeof(*birth),
               sizeof(*birth));
        if (birth->ino == ino)
            return true;
    }
    return false;
}

/* Those that `before` has already, and the new ones. */
static void put_births(struct snapshot *after, const struct snapshot *before,
                       const struct snapshot_builder *builder,
                       const struct newcomer *new)
{
    uint8_t *to = put_bytes(births(after), births(before),
                            before->inserted * sizeof(struct birth));

    for (int i = before->inserted; i < after->inserted; i++, new++) {
        struct birth birth = { .born_rt_ns = new->born_rt_ns };
        struct entry entry;

        entry_read(builder->bytes + new->at, builder->base, &entry);
        birth.ino = entry.ino;
        to = put_bytes(to, (const uint8_t *)&birth, sizeof(birth));
    }
}

struct snapshot *snapshot_insert(const struct arenas *arenas,
                                 const struct snapshot *before,
                                 const struct snapshot_builder *builder,
                                 const struct newcomer *new, int count,
                                 uint64_t id)
{
    const size_t header = offsetof(struct snapshot, entries);
    size_t more = 0, from = 0;
    struct snapshot *after;
    uint8_t *to;

    for (int i = 0; i < count; i++)
        more += packed_bytes(builder->bytes + new[i].at);
    if (before->inserted + count > UINT8_MAX)
        return NULL; /* so often has listing it failed half way */
    after = arena_alloc(arenas, ARENA_SNAPSHOT,
                        header + before->bytes + more +
                            (size_t)(before->inserted + count) *
                                sizeof(struct birth));
    if (after == NULL)
        return NULL;
    atomic_init(&after->refs, 1);
    after->id = id;
    after->begun_rt_ns = before->begun_rt_ns;
    after->base = before->base;
    after->count = before->count + (uint32_t)count;
    after->bytes = before->bytes + (uint32_t)more;
    after->inserted = (uint8_t)(before->inserted + count);
    to = after->entries;
    for (int i = 0; i < count; i++) {
        const uint8_t *entry = builder->bytes + new[i].at;

        to = put_bytes(to, before->entries + from, new[i].before_at - from);
        from = new[i].before_at;
        to = put_bytes(to, entry, packed_bytes(entry));
    }
    put_bytes(to, before->entries + from, before->bytes - from);
    put_births(after, before, builder, new);
    return after;
}
