/*
 * plan-internal.h - what plan-pair.c and plan-order.c share
 */
#pragma once

#include "pipeline/plan.h"

enum { NO_PART = UINT32_MAX };

struct part {
    const struct change *change;
    uint32_t source;
    uint32_t pair; /* index of the other half, or NO_PART */
    uint32_t twin; /* same name, other side, or NO_PART */
    uint32_t next; /* in its bucket while pairing; the chain in plan_order */
    bool gone;
    bool done;
    bool following; /* in the chain that is being followed */
    bool is_watched; /* a directory that is gone, and that the guest watches:
                        its end is told first */
    bool is_new;    /* come: told as such, whatever its times say */
};

/* A listed name of a child with content. */
struct named {
    struct content *content;
    const char *name;
    uint8_t name_len;
};

/* plan-content.c: finds the names of all sources' content.  -ENOMEM. */
int plan_name_content(struct plan *, struct plan_source *, uint32_t count);

/* What happened in the entry of this inode and type (DT_*), or NULL. */
struct content *plan_content_of(const struct plan_source *, uint64_t ino,
                                uint8_t type);

/* Is it to be told before the directory's own changes? */
static inline bool named_is_early(const struct plan_source *source,
                                  const struct content *content)
{
    return !content->has_come && content->noted_ns < source->listed_ns;
}

/* Could a rename from or to elsewhere be what this is half of?  Not what lost
   its name to what has come. */
static inline bool part_could_have_crossed(const struct plan *plan,
                                           const struct part *part)
{
    if (part->pair != NO_PART)
        return false;
    return !part->gone || part->twin == NO_PART || part->change->lives ||
           plan->parts[part->twin].pair != NO_PART;
}

/* Likely: what is untouched since its birth was hardly renamed. */
static inline bool part_has_likely_crossed(const struct plan *plan,
                                           const struct part *part)
{
    return part_could_have_crossed(plan, part) &&
           (part->gone || !part->change->untouched);
}

/* The source that watches this inode itself, or -1. */
int64_t plan_source_of(const struct plan *, const struct plan_source *,
                       uint64_t dev, uint64_t ino);
