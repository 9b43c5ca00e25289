/*
 * plan-content.c - under which names a source's content can be told
 *
 * Content is known by inode.  Its names are those of the listing that the round
 * leads to, found in one walk over it; what is not listed there may have gone in
 * this round, and is then told under the name that goes (plan-order.c).  What
 * is in neither came and went unseen.
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>

#include "pipeline/plan-internal.h"

struct content *plan_content_of(const struct plan_source *source, uint64_t ino,
                                uint8_t type)
{
    struct content *content;

    if (source->content == NULL)
        return NULL;
    content = content_set_find(source->content, ino, type == DT_DIR);
    if (content == NULL && type == DT_UNKNOWN)
        content = content_set_find(source->content, ino, true);
    return content;
}

static int add_named(struct plan *plan, struct content *content,
                     const struct entry *entry)
{
    if (plan->named_count == plan->named_size) {
        uint32_t size = plan->named_size == 0 ? 8 : plan->named_size * 2;
        struct named *named = realloc(plan->named, size * sizeof(*named));

        if (named == NULL)
            return -ENOMEM;
        plan->named = named;
        plan->named_size = size;
    }
    plan->named[plan->named_count++] = (struct named){
        .content = content,
        .name = entry->name,
        .name_len = entry->name_len,
    };
    return 0;
}

/* In the order of their notes. */
static int by_note(const void *a, const void *b)
{
    const struct content *x = ((const struct named *)a)->content;
    const struct content *y = ((const struct named *)b)->content;

    if (x->noted_ns != y->noted_ns)
        return x->noted_ns < y->noted_ns ? -1 : 1;
    return (x > y) - (x < y); /* as they were merged */
}

static int name_source(struct plan *plan, struct plan_source *source)
{
    struct content_set *set = source->content;
    const struct delta *delta = source->delta;
    struct entry entry;
    int err = 0;

    for (uint32_t i = 0; i < set->count; i++) {
        set->entries[i].is_listed = set->entries[i].has_come = false;
        set->entries[i].told = false;
    }
    for (size_t at = 0; at < source->now->bytes && err == 0;) {
        struct content *content;

        at = snapshot_entry(source->now, at, &entry);
        content = plan_content_of(source, entry.ino, entry.type);
        if (content == NULL)
            continue;
        content->is_listed = true;
        err = add_named(plan, content, &entry);
    }
    for (uint32_t i = 0; delta != NULL && i < delta->come; i++) {
        const struct change *come = &delta->changes[delta->gone + i];
        struct content *content =
            plan_content_of(source, come->ino, come->type);

        if (content != NULL)
            content->has_come = true;
    }
    return err;
}

int plan_name_content(struct plan *plan, struct plan_source *sources,
                      uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct plan_source *source = &sources[i];
        int err;

        source->first_named = plan->named_count;
        source->named_count = 0;
        if (source->content == NULL || source->content->count == 0 ||
            source->now == NULL)
            continue;
        err = name_source(plan, source);
        if (err != 0)
            return err;
        source->named_count = plan->named_count - source->first_named;
        if (source->named_count > 1)
            qsort(plan->named + source->first_named, source->named_count,
                  sizeof(struct named), by_note);
    }
    return 0;
}
