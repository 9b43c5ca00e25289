/*
 * What two listings do not have in common (delta-walk.h) is matched by name
 * through a hash table: what only moved within the listing cancels out, the rest
 * is the delta.
 */
#include "pipeline/delta.h"

#include <assert.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/delta-walk.h"
#include "pipeline/hash.h"

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
        enum fate fate = entry_is_same(&b, &a) ? FATE_SAME : FATE_REPLACED;
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

static void put_birth(struct change *gone, const struct snapshot *before)
{
    struct birth birth;

    gone->was_early = snapshot_birth(before, gone->ino, &birth);
    if (gone->was_early)
        gone->born_rt_ns = birth.born_rt_ns;
}

static int by_number(const void *a, const void *b)
{
    const struct change *x = a, *y = b;

    if (x->ino != y->ino)
        return x->ino < y->ino ? -1 : 1;
    return x->name < y->name ? -1 : x->name > y->name; /* as listed */
}

/* What has come, in the order of inode numbers: delta.h says why. */
static void order_come(struct delta *delta)
{
    struct change *changes = delta->changes;

    if (delta->come > 1)
        qsort(changes + delta->gone, delta->come, sizeof(*changes), by_number);
    for (uint32_t i = delta->gone; i < delta->gone + delta->come; i++)
        if (changes[i].twin != DELTA_NO_TWIN)
            changes[changes[i].twin].twin = i;
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
        put_change(delta, next, &names, before, i);
        put_birth(&delta->changes[next++], before->snapshot);
    }
    for (uint32_t i = 0; i < after->count; i++) {
        if (match->fate_after[i] == FATE_SAME)
            continue;
        put_change(delta, next, &names, after, i);
        if (match->fate_after[i] == FATE_REPLACED &&
            match->fate_before[match->twin_after[i]] == FATE_REPLACED)
            delta->changes[next].twin = index_of[match->twin_after[i]];
        next++;
    }
    assert(next == gone + come);
    order_come(delta);
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

    if (delta_walk(&before, &after) &&
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
    if (delta != NULL)
        order_come(delta);
    return delta;
}
