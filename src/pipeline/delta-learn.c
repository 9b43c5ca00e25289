/*
 * delta-learn.c - what the host and other deltas say of what has come and gone
 */
#include "pipeline/delta.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "pipeline/hash.h"
#include "port/look.h"

bool delta_same_inode(const struct delta *of_gone, const struct change *gone,
                      const struct change *come)
{
    if (gone->ino != come->ino || gone->type != come->type)
        return false;
    if (gone->lives)
        return true; /* so its number is not another's */
    if (!come->learned)
        return false;
    if (gone->was_early)
        return !come->untouched && come->born_rt_ns == gone->born_rt_ns;
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

void change_learn(struct change *change, int host_fd, const char *name)
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
                           uint32_t limit)
{
    struct entry entry;
    struct look look;

    for (size_t at = 0; at < snapshot->bytes && limit > 0; limit--) {
        char name[UINT8_MAX + 1];

        at = snapshot_entry(snapshot, at, &entry);
        entry_name(&entry, name);
        (void)look_at(host_fd, name, &look);
    }
}

void delta_learn(struct delta *delta, int host_fd, uint32_t limit)
{
    for (uint32_t i = 0; i < delta->come && i < limit; i++) {
        struct change *change = &delta->changes[delta->gone + i];

        change_learn(change, host_fd, change_name(delta, change));
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
