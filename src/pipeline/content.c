#include "pipeline/content.h"

#include <stdlib.h>

#include "pipeline/hash.h"

struct content_item *content_item_create(uint64_t ino, uint32_t bits,
                                         bool is_dir, uint64_t noted_ns)
{
    struct content_item *item = malloc(sizeof(*item));

    if (item != NULL)
        *item = (struct content_item){
            .ino = ino,
            .noted_ns = noted_ns,
            .bits = bits,
            .is_dir = is_dir,
        };
    return item;
}

static bool is_of(const struct content *content, uint64_t ino, bool is_dir)
{
    return content->ino == ino && content->is_dir == is_dir;
}

static uint32_t *slot_of(const struct content_set *set, uint64_t ino,
                         bool is_dir)
{
    uint32_t mask = set->slots - 1;
    uint32_t slot = (uint32_t)hash_u64(ino) & mask;

    while (set->table[slot] != 0 &&
           !is_of(&set->entries[set->table[slot] - 1], ino, is_dir))
        slot = (slot + 1) & mask;
    return &set->table[slot];
}

static bool grow(struct content_set *set)
{
    uint32_t size = set->size == 0 ? 4 : set->size * 2;
    struct content *entries = realloc(set->entries, size * sizeof(*entries));
    uint32_t *table;

    if (entries == NULL)
        return false;
    set->entries = entries;
    table = calloc((size_t)size * 2, sizeof(*table));
    if (table == NULL)
        return false;
    free(set->table);
    set->table = table;
    set->slots = size * 2;
    set->size = size;
    for (uint32_t i = 0; i < set->count; i++)
        *slot_of(set, entries[i].ino, entries[i].is_dir) = i + 1;
    return true;
}

struct content *content_set_find(const struct content_set *set, uint64_t ino,
                                 bool is_dir)
{
    uint32_t index = set->slots == 0 ? 0 : *slot_of(set, ino, is_dir);

    return index == 0 ? NULL : &set->entries[index - 1];
}

bool content_set_merge(struct content_set *set, struct content_item *item)
{
    struct content *known = content_set_find(set, item->ino, item->is_dir);

    if (known == NULL) {
        if (set->count == set->size && !grow(set))
            return false;
        set->entries[set->count] = (struct content){
            .ino = item->ino,
            .noted_ns = item->noted_ns,
            .is_dir = item->is_dir,
        };
        known = &set->entries[set->count];
        *slot_of(set, item->ino, item->is_dir) = ++set->count;
    }
    known->bits |= item->bits;
    free(item);
    return true;
}

void content_set_fini(struct content_set *set)
{
    free(set->entries);
    free(set->table);
    *set = (struct content_set){ 0 };
}
