/*
 * Two listings of a directory mostly agree, in order too.  So both are walked
 * in step; where they part, a short look ahead on either side finds the next
 * entry in common, and what was passed over becomes a candidate.  Candidates
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
#include <sys/stat.h>

#include "pipeline/hash.h"
#include "port/look.h"

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

static bool same_name(const struct entry *a, const struct entry *b)
{
    return a->name_len == b->name_len &&
           memcmp(a->name, b->name, a->name_len) == 0;
}

/* A file system may tell an entry's type at one time and not at another. */
static bool same_type(const struct entry *a, const struct entry *b)
{
    return a->type == b->type || a->type == DT_UNKNOWN ||
           b->type == DT_UNKNOWN;
}

static bool same_entry(const struct entry *a, const struct entry *b)
{
    return a->ino == b->ino && same_type(a, b) && same_name(a, b);
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

static bool find_candidates(struct side *before, struct side *after)
{
    while (!at_end(before) && !at_end(after)) {
        struct entry b, a;
        size_t next_b = snapshot_entry(before->snapshot, before->at, &b);
        size_t next_a = snapshot_entry(after->snapshot, after->at, &a);

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
        if (same_name(&entry, wanted))
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

static void put_change(struct delta *delta, uint32_t index, uint32_t *names,
                       const struct side *side, uint32_t candidate)
{
    struct entry entry;
    struct change *change = &delta->changes[index];

    snapshot_entry(side->snapshot, side->offsets[candidate], &entry);
    *change = (struct change){
        .ino = entry.ino,
        .name = *names,
        .twin = DELTA_NO_TWIN,
        .name_len = entry.name_len,
        .type = entry.type,
    };
    memcpy(delta->names + *names, entry.name, entry.name_len);
    delta->names[*names + entry.name_len] = '\0';
    *names += (uint32_t)entry.name_len + 1;
}

static struct delta *build(const struct arenas *arenas, struct match *match,
                           const struct side *before, const struct side *after)
{
    size_t name_bytes = 0;
    uint32_t gone = count_changes(before, match->fate_before, &name_bytes);
    uint32_t come = count_changes(after, match->fate_after, &name_bytes);
    size_t fixed = sizeof(struct delta) +
                   ((size_t)gone + come) * sizeof(struct change);
    struct delta *delta = arena_alloc(arenas, ARENA_DELTA, fixed + name_bytes);
    uint32_t *index_of = match->table; /* reused: candidate -> change */
    uint32_t next = 0, names = 0;

    if (delta == NULL)
        return NULL;
    *delta = (struct delta){
        .before_id = before->snapshot->id,
        .after_id = after->snapshot->id,
        .before_rt_ns = before->snapshot->begun_rt_ns,
        .gone = gone,
        .come = come,
        .names = (char *)delta + fixed,
    };
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

bool delta_same_inode(const struct delta *of_gone, const struct change *gone,
                      const struct change *come)
{
    if (gone->ino != come->ino || gone->type != come->type)
        return false;
    if (gone->lives)
        return true; /* so its number is not another's */
    if (!come->learned)
        return false;
    if (come->born_rt_ns > of_gone->before_rt_ns)
        return false;
    return !come->untouched ||
           come->born_rt_ns < of_gone->before_rt_ns - BIRTH_TICK_NS;
}

bool delta_moved_in(const struct delta *delta, const struct change *come)
{
    return come->learned && come->only_name && !come->untouched &&
           come->born_rt_ns < delta->before_rt_ns - BIRTH_TICK_NS;
}

static void learn_one(struct change *change, int host_fd, const char *name)
{
    struct look look;

    if (look_at(host_fd, name, &look) != 0 || look.ino != change->ino)
        return; /* changed again since: another note is on its way */
    if (change->type == DT_UNKNOWN)
        change->type = IFTODT(look.mode);
    change->born_rt_ns = look.born;
    change->modified_rt_ns = look.modified;
    change->untouched = look.born == look.changed;
    change->only_name = change->type == DT_DIR || look.links == 1;
    change->learned = true;
}

void delta_look_at_newborn(const struct snapshot *snapshot, int host_fd,
                           int64_t modified, uint32_t limit)
{
    struct entry entry;
    struct look look;

    if (modified < snapshot->listed_rt_ns - 2 * BIRTH_TICK_NS)
        return; /* no entry is as young as that */
    for (size_t at = 0; at < snapshot->bytes && limit > 0; limit--) {
        char name[UINT8_MAX + 1];

        at = snapshot_entry(snapshot, at, &entry);
        memcpy(name, entry.name, entry.name_len);
        name[entry.name_len] = '\0';
        (void)look_at(host_fd, name, &look);
    }
}

void delta_learn(struct delta *delta, int host_fd, uint32_t limit)
{
    for (uint32_t i = 0; i < delta->come && i < limit; i++) {
        struct change *change = &delta->changes[delta->gone + i];

        learn_one(change, host_fd, change_name(delta, change));
    }
}

void delta_take_for_new(struct delta *delta)
{
    for (uint32_t i = delta->gone; i < delta->gone + delta->come; i++)
        delta->changes[i].untouched = true;
}

/* Open addressing by inode; names and types decide: a number may be another
   inode's by now. */
static struct change *find_change(struct delta *delta, const uint32_t *table,
                                  uint32_t mask, const struct delta *of,
                                  const struct change *wanted)
{
    uint32_t slot = (uint32_t)hash_u64(wanted->ino) & mask;

    for (; table[slot] != 0; slot = (slot + 1) & mask) {
        struct change *here = &delta->changes[table[slot] - 1];

        if (here->ino == wanted->ino && here->type == wanted->type &&
            here->name_len == wanted->name_len &&
            memcmp(change_name(delta, here), change_name(of, wanted),
                   here->name_len) == 0)
            return here;
    }
    return NULL;
}

static void inherit_one(struct change *change, const struct change *known)
{
    change->born_rt_ns = known->born_rt_ns;
    change->modified_rt_ns = known->modified_rt_ns;
    change->untouched = known->untouched;
    change->only_name = known->only_name;
    change->learned = known->learned;
}

/* The changes [from, to) of both. */
static void inherit_side(struct delta *delta, uint32_t from, uint32_t to,
                         const struct delta *other, uint32_t other_from,
                         uint32_t other_to, bool gone)
{
    uint32_t slots = 16, *table;

    while (slots < (to - from) * 2)
        slots *= 2;
    table = calloc(slots, sizeof(*table));
    if (table == NULL)
        return; /* what is not learned is told more plainly */
    for (uint32_t i = from; i < to; i++) {
        uint32_t slot =
            (uint32_t)hash_u64(delta->changes[i].ino) & (slots - 1);

        while (table[slot] != 0)
            slot = (slot + 1) & (slots - 1);
        table[slot] = i + 1;
    }
    for (uint32_t i = other_from; i < other_to; i++) {
        const struct change *known = &other->changes[i];
        struct change *change =
            find_change(delta, table, slots - 1, other, known);

        if (change != NULL && gone)
            change->lives = known->lives;
        else if (change != NULL && (known->learned || known->untouched))
            inherit_one(change, known);
    }
    free(table);
}

void delta_inherit(struct delta *delta, const struct delta *other)
{
    inherit_side(delta, delta->gone, delta->gone + delta->come, other,
                 other->gone, other->gone + other->come, false);
    if (delta->after_id == other->after_id)
        inherit_side(delta, 0, delta->gone, other, 0, other->gone, true);
}
