/*
 * Two listings of a directory mostly agree, in order too.  So both are walked
 * in step, over what is the same to the byte as such; where they part, a short
 * look ahead on either side finds the next entry in common, and what was passed over becomes a candidate.  Candidates
 * of both sides are then matched by name through a hash table: those that only
 * moved within the listing cancel out, the rest is the delta.  The look ahead
 * is bounded and each entry passed once, so the whole is linear however the
 * host orders its entries; a host that lists in a new order each time costs
 * hashing, not correctness.
 */
#include "pipeline/delta.h"

#include <assert.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/hash.h"
#include "pipeline/packed.h"

enum { LOOK_AHEAD = 8 };

/* Candidates of one side. */
struct side {
    const struct snapshot *snapshot;
    size_t at; /* offset of the next entry to walk */
    size_t *offsets;
    uint32_t count, size;
};

static bool side_add(struct side *side, size_t offset)
{
    if (side->count == side->size) {
        uint32_t size = side->size == 0 ? 64 : side->size * 2;
        size_t *offsets = realloc(side->offsets, size * sizeof(*offsets));

        if (offsets == NULL)
            return false;
        side->offsets = offsets;
        side->size = size;
    }
    side->offsets[side->count++] = offset;
    return true;
}

static bool at_end(const struct side *side)
{
    return side->at == side->snapshot->bytes;
}

/* A file system may tell an entry's type at one time and not at another. */
static bool same_type(const struct entry *a, const struct entry *b)
{
    return a->type == b->type || a->type == DT_UNKNOWN ||
           b->type == DT_UNKNOWN;
}

static bool same_entry(const struct entry *a, const struct entry *b)
{
    return a->ino == b->ino && same_type(a, b) && entry_same_name(a, b);
}

/*
 * Is `wanted` among the next entries of `side`?  Then those before it become
 * candidates: 1.  0 if not, -1 when memory is out.
 */
static int resume_at(struct side *side, const struct entry *wanted)
{
    size_t offset = side->at;
    struct entry entry;

    for (int i = 0; i <= LOOK_AHEAD && offset < side->snapshot->bytes; i++) {
        size_t next = snapshot_entry(side->snapshot, offset, &entry);

        if (same_entry(&entry, wanted)) {
            while (side->at < offset) {
                if (!side_add(side, side->at))
                    return -1;
                side->at = snapshot_entry(side->snapshot, side->at, &entry);
            }
            return 1;
        }
        offset = next;
    }
    return 0;
}

/* Where the two part: finds where they meet again.  False: out of memory. */
static bool step_apart(struct side *before, struct side *after)
{
    struct entry b, a;
    size_t next_b = snapshot_entry(before->snapshot, before->at, &b);
    size_t next_a = snapshot_entry(after->snapshot, after->at, &a);
    int met = resume_at(after, &b);

    if (met == 0)
        met = resume_at(before, &a);
    if (met != 0)
        return met > 0;
    if (!side_add(before, before->at) || !side_add(after, after->at))
        return false;
    before->at = next_b;
    after->at = next_a;
    return true;
}

static bool add_rest(struct side *side)
{
    struct entry entry;

    while (!at_end(side)) {
        if (!side_add(side, side->at))
            return false;
        side->at = snapshot_entry(side->snapshot, side->at, &entry);
    }
    return true;
}

static size_t common_bytes(const uint8_t *a, const uint8_t *b, size_t bytes)
{
    size_t at = 0;
    uint64_t x, y;

    for (; at + sizeof(x) <= bytes; at += sizeof(x)) {
        memcpy(&x, a + at, sizeof(x));
        memcpy(&y, b + at, sizeof(y));
        if (x != y)
            break;
    }
    while (at < bytes && a[at] == b[at])
        at++;
    return at;
}

static size_t bytes_left(const struct side *side)
{
    return side->snapshot->bytes - side->at;
}

/* Walks over what is the same in both to the byte: nearly all, mostly. */
static void skip_common(struct side *before, struct side *after)
{
    const uint8_t *at = before->snapshot->entries + before->at, *from = at;
    size_t most = bytes_left(before) < bytes_left(after) ? bytes_left(before)
                                                         : bytes_left(after);
    size_t same;

    if (before->snapshot->base != after->snapshot->base)
        return;
    same = common_bytes(at, after->snapshot->entries + after->at, most);
    if (same == bytes_left(before)) /* and that is an entry's end */
        at += same;
    else
        while (same >= PACKED_HEADER &&
               (size_t)(at - from) <= same - PACKED_HEADER &&
               packed_bytes(at) <= same - (size_t)(at - from))
            at += packed_bytes(at);
    before->at += (size_t)(at - from);
    after->at += (size_t)(at - from);
}

static bool find_candidates(struct side *before, struct side *after)
{
    for (;;) {
        struct entry b, a;
        size_t next_b, next_a;

        skip_common(before, after);
        if (at_end(before) || at_end(after))
            break;
        next_b = snapshot_entry(before->snapshot, before->at, &b);
        next_a = snapshot_entry(after->snapshot, after->at, &a);

        if (same_entry(&b, &a)) {
            before->at = next_b;
            after->at = next_a;
        } else if (!step_apart(before, after)) {
            return false;
        }
    }
    return add_rest(before) && add_rest(after);
}

/* What became of each candidate. */
enum fate { FATE_OPEN, FATE_SAME, FATE_REPLACED };

struct match {
    uint32_t *table; /* 1 + index of a `before` candidate, by name; 0: free */
    uint32_t slots;  /* a power of two */
    uint8_t *fate_before, *fate_after;
    uint32_t *twin_after; /* for FATE_REPLACED: index on the other side */
};

static uint32_t *table_slot(const struct match *match,
                            const struct side *before,
                            const struct entry *wanted)
{
    uint32_t mask = match->slots - 1;
    uint32_t slot =
        (uint32_t)hash_bytes(wanted->name, wanted->name_len) & mask;
    struct entry entry;

    for (;; slot = (slot + 1) & mask) {
        if (match->table[slot] == 0)
            return &match->table[slot];
        snapshot_entry(before->snapshot,
                       before->offsets[match->table[slot] - 1], &entry);
        if (entry_same_name(&entry, wanted))
            return &match->table[slot];
    }
}

static bool match_init(struct match *match, const struct side *before,
                       const struct side *after)
{
    match->slots = 16;
    while (match->slots < before->count * 2)
        match->slots *= 2;
    match->table = calloc(match->slots, sizeof(*match->table));
    match->fate_before = calloc(before->count + 1, 1);
    match->fate_after = calloc(after->count + 1, 1);
    match->twin_after = calloc(after->count + 1, sizeof(uint32_t));
    return match->table != NULL && match->fate_before != NULL &&
           match->fate_after != NULL && match->twin_after != NULL;
}

static void match_fini(struct match *match)
{
    free(match->table);
    free(match->fate_before);
    free(match->fate_after);
    free(match->twin_after);
}

static void match_names(struct match *match, const struct side *before,
                        const struct side *after)
{
    struct entry b, a;

    for (uint32_t i = 0; i < before->count; i++) {
        snapshot_entry(before->snapshot, before->offsets[i], &b);
        /* A name listed twice (a listing torn by changes): the last counts. */
        uint32_t *slot = table_slot(match, before, &b);
        if (*slot != 0)
            match->fate_before[*slot - 1] = FATE_SAME;
        *slot = i + 1;
    }
    for (uint32_t i = 0; i < after->count; i++) {
        snapshot_entry(after->snapshot, after->offsets[i], &a);
        uint32_t index = *table_slot(match, before, &a);
        if (index == 0)
            continue;
        snapshot_entry(before->snapshot, before->offsets[index - 1], &b);
        enum fate fate = same_entry(&b, &a) ? FATE_SAME : FATE_REPLACED;
        match->fate_before[index - 1] = (uint8_t)fate;
        match->fate_after[i] = (uint8_t)fate;
        match->twin_after[i] = index - 1;
    }
}

static uint32_t count_changes(const struct side *side, const uint8_t *fates,
                              size_t *name_bytes)
{
    uint32_t count = 0;
    struct entry entry;

    for (uint32_t i = 0; i < side->count; i++) {
        if (fates[i] == FATE_SAME)
            continue;
        snapshot_entry(side->snapshot, side->offsets[i], &entry);
        *name_bytes += (size_t)entry.name_len + 1;
        count++;
    }
    return count;
}

/* Room for changes that the caller puts in, and their names. */
static struct delta *allocate(const struct arenas *arenas,
                              const struct snapshot *before,
                              const struct snapshot *after, uint32_t gone,
                              uint32_t come, size_t name_bytes)
{
    size_t fixed = sizeof(struct delta) +
                   ((size_t)gone + come) * sizeof(struct change);
    struct delta *delta = arena_alloc(arenas, ARENA_DELTA, fixed + name_bytes);

    if (delta == NULL)
        return NULL;
    *delta = (struct delta){
        .before_id = before->id,
        .after_id = after->id,
        .before_rt_ns = before->begun_rt_ns,
        .gone = gone,
        .come = come,
        .names = (char *)delta + fixed,
    };
    return delta;
}

static void put_name(struct delta *delta, struct change *change,
                     uint32_t *names, const struct entry *entry)
{
    change->name = *names;
    memcpy(delta->names + *names, entry->name, entry->name_len);
    delta->names[*names + entry->name_len] = '\0';
    *names += (uint32_t)entry->name_len + 1;
}

static void put_change(struct delta *delta, uint32_t index, uint32_t *names,
                       const struct side *side, uint32_t candidate)
{
    struct entry entry;

    snapshot_entry(side->snapshot, side->offsets[candidate], &entry);
    delta->changes[index] = change_of(&entry);
    put_name(delta, &delta->changes[index], names, &entry);
}

static struct delta *build(const struct arenas *arenas, struct match *match,
                           const struct side *before, const struct side *after)
{
    size_t name_bytes = 0;
    uint32_t gone = count_changes(before, match->fate_before, &name_bytes);
    uint32_t come = count_changes(after, match->fate_after, &name_bytes);
    struct delta *delta = allocate(arenas, before->snapshot, after->snapshot,
                                   gone, come, name_bytes);
    uint32_t *index_of = match->table; /* reused: candidate -> change */
    uint32_t next = 0, names = 0;

    if (delta == NULL)
        return NULL;
    for (uint32_t i = 0; i < before->count; i++) {
        if (match->fate_before[i] == FATE_SAME)
            continue;
        index_of[i] = next;
        put_change(delta, next++, &names, before, i);
    }
    for (uint32_t i = 0; i < after->count; i++) {
        if (match->fate_after[i] == FATE_SAME)
            continue;
        put_change(delta, next, &names, after, i);
        if (match->fate_after[i] == FATE_REPLACED &&
            match->fate_before[match->twin_after[i]] == FATE_REPLACED) {
            uint32_t twin = index_of[match->twin_after[i]];
            delta->changes[next].twin = twin;
            delta->changes[twin].twin = next;
        }
        next++;
    }
    assert(next == gone + come);
    return delta;
}

struct delta *delta_create(const struct arenas *arenas,
                           const struct snapshot *old_one,
                           const struct snapshot *new_one)
{
    struct side before = { .snapshot = old_one };
    struct side after = { .snapshot = new_one };
    struct match match = { 0 };
    struct delta *delta = NULL;

    if (find_candidates(&before, &after) &&
        match_init(&match, &before, &after)) {
        match_names(&match, &before, &after);
        delta = build(arenas, &match, &before, &after);
    }
    match_fini(&match);
    free(before.offsets);
    free(after.offsets);
    return delta;
}

struct delta *delta_create_come(const struct arenas *arenas,
                                const struct snapshot *before,
                                const struct snapshot *after,
                                const struct entry *entries,
                                const struct change *changes, uint32_t count)
{
    uint32_t names = 0;
    size_t name_bytes = 0;
    struct delta *delta;

    for (uint32_t i = 0; i < count; i++)
        name_bytes += (size_t)entries[i].name_len + 1;
    delta = allocate(arenas, before, after, 0, count, name_bytes);
    for (uint32_t i = 0; delta != NULL && i < count; i++) {
        delta->changes[i] = changes[i];
        put_name(delta, &delta->changes[i], &names, &entries[i]);
    }
    return delta;
}
