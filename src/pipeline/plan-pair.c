/*
 * plan-pair.c - which changes are two halves of one rename, and who waits
 *
 * Each change of each source is a *part*.  A gone part and a come part of one
 * inode are a pair.
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "abi/linux-inotify.h"
#include "pipeline/hash.h"
#include "pipeline/plan-internal.h"

static uint64_t object_hash(uint64_t dev, uint64_t ino)
{
    return hash_u64(ino ^ hash_u64(dev));
}

static int make_parts(struct plan *plan, struct plan_source *sources,
                      uint32_t count)
{
    size_t total = 0;
    struct part *part;

    for (uint32_t i = 0; i < count; i++) {
        sources[i].first_part = (uint32_t)total;
        if (sources[i].delta != NULL)
            total += sources[i].delta->gone + sources[i].delta->come;
    }
    if (total >= NO_PART)
        return -ENOMEM;
    plan->parts = part = malloc((total + 1) * sizeof(*part));
    if (part == NULL)
        return -ENOMEM;
    plan->part_count = (uint32_t)total;
    for (uint32_t i = 0; i < count; i++) {
        const struct delta *delta = sources[i].delta;
        uint32_t first = sources[i].first_part;

        for (uint32_t k = 0;
             delta != NULL && k < delta->gone + delta->come; k++) {
            uint32_t twin = delta->changes[k].twin;
            *part++ = (struct part){
                .change = &delta->changes[k],
                .source = i,
                .pair = NO_PART,
                .twin = twin == DELTA_NO_TWIN ? NO_PART : first + twin,
                .next = NO_PART,
                .gone = k < delta->gone,
            };
        }
    }
    return 0;
}

static bool same_object(const struct plan_source *sources,
                        const struct part *gone, const struct part *come)
{
    const struct plan_source *from = &sources[gone->source];

    return from->dev == sources[come->source].dev &&
           delta_same_inode(from->delta, gone->change, come->change);
}

static void pair_within(struct plan *plan, const struct plan_source *sources,
                        uint32_t *buckets, size_t mask, bool across)
{
    for (uint32_t i = 0; i < plan->part_count; i++) {
        struct part *gone = &plan->parts[i];
        uint32_t *link;

        if (!gone->gone || gone->pair != NO_PART)
            continue;
        link = &buckets[object_hash(sources[gone->source].dev,
                                    gone->change->ino) &
                        mask];
        for (; *link != NO_PART; link = &plan->parts[*link].next) {
            struct part *come = &plan->parts[*link];
            if ((come->source != gone->source) != across ||
                !same_object(sources, gone, come))
                continue;
            come->pair = i;
            gone->pair = *link;
            *link = come->next; /* paired: nobody need look at it again */
            break;
        }
    }
}

static int pair_parts(struct plan *plan, const struct plan_source *sources)
{
    size_t slots = 8;
    uint32_t *buckets;

    while (slots < plan->part_count)
        slots *= 2;
    buckets = malloc(slots * sizeof(*buckets));
    if (buckets == NULL)
        return -ENOMEM;
    memset(buckets, 0xff, slots * sizeof(*buckets)); /* NO_PART */
    for (uint32_t i = plan->part_count; i-- > 0;) {
        struct part *part = &plan->parts[i];
        size_t slot;

        if (part->gone)
            continue;
        slot = object_hash(sources[part->source].dev, part->change->ino) &
               (slots - 1);
        part->next = buckets[slot];
        buckets[slot] = i;
    }
    /* One directory's own renames first: a link elsewhere is not meant. */
    pair_within(plan, sources, buckets, slots - 1, false);
    pair_within(plan, sources, buckets, slots - 1, true);
    free(buckets);
    return 0;
}

/*
 * Which source watches which object.  Watches of one object that were removed
 * have nothing but IGNORED to tell; there is at most one other.
 */
static bool only_ignored(const struct plan_source *source)
{
    return source->ends && source->self == 0 && source->delta == NULL;
}

static uint32_t *object_slot(const struct plan *plan,
                             const struct plan_source *sources, uint64_t dev,
                             uint64_t ino)
{
    uint32_t mask = plan->object_slots - 1;
    uint32_t slot = (uint32_t)object_hash(dev, ino) & mask;

    while (plan->objects[slot] != 0) {
        const struct plan_source *here = &sources[plan->objects[slot] - 1];

        if (here->dev == dev && here->ino == ino)
            break;
        slot = (slot + 1) & mask;
    }
    return &plan->objects[slot];
}

static int index_objects(struct plan *plan, const struct plan_source *sources,
                         uint32_t count)
{
    plan->object_slots = 8;
    while (plan->object_slots < count * 2)
        plan->object_slots *= 2;
    plan->objects = calloc(plan->object_slots, sizeof(*plan->objects));
    if (plan->objects == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t *slot =
            object_slot(plan, sources, sources[i].dev, sources[i].ino);

        if (*slot == 0 || !only_ignored(&sources[i]))
            *slot = i + 1;
    }
    return 0;
}

int64_t plan_source_of(const struct plan *plan,
                       const struct plan_source *sources, uint64_t dev,
                       uint64_t ino)
{
    return (int64_t)*object_slot(plan, sources, dev, ino) - 1;
}

/*
 * A directory that is gone and that the guest watches has an end of its own,
 * with the last that is told of its entries.  That comes first, as on Linux: a
 * guest that has been told that the directory is gone may look there no more.
 */
static bool is_watched_and_gone(const struct plan *plan,
                                const struct plan_source *sources,
                                const struct part *part)
{
    const struct plan_source *from = &sources[part->source];
    int64_t object;

    if (!part->gone || part->pair != NO_PART ||
        part->change->type != DT_DIR || part->change->lives)
        return false;
    object = plan_source_of(plan, sources, from->dev, part->change->ino);
    if (object >= 0) /* unless it was moved, or is watched no more */
        return sources[object].ends
                   ? (sources[object].self & VN_IN_DELETE_SELF) != 0
                   : (sources[object].self & VN_IN_MOVE_SELF) == 0;
    return from->may_wait_long && plan->is_watched != NULL &&
           plan->is_watched(plan->arg, from->dev, part->change->ino);
}

/* The source with the end of such a directory, or -1: it is yet to come. */
static int64_t end_of(const struct plan *plan,
                      const struct plan_source *sources,
                      const struct part *part)
{
    int64_t object = plan_source_of(plan, sources, sources[part->source].dev,
                                    part->change->ino);

    return object >= 0 && sources[object].ends ? object : -1;
}

/*
 * Would this part read better if something else came?  A rename's other half;
 * or the end of a directory that is watched itself.
 */
static bool part_lacks(const struct plan *plan,
                       const struct plan_source *sources,
                       const struct part *part)
{
    const struct plan_source *source = &sources[part->source];

    if (part->pair != NO_PART)
        return false;
    if (!part->gone)
        return source->wants_moves &&
               (!part->change->untouched || source->crossed);
    if (part->is_watched ? end_of(plan, sources, part) >= 0
                         : !source->wants_moves)
        return false;
    /* Renamed over: nothing is told of it here, but a directory that was
       watched has an end of its own, whose ATTRIB comes of this. */
    return part->twin == NO_PART ||
           plan->parts[part->twin].pair == NO_PART ||
           part->change->type == DT_DIR;
}

/* True if it did not wait as long as that before. */
static bool have_wait(struct plan_source *source, bool waits_long)
{
    if (source->waits && (source->waits_long || !waits_long))
        return false;
    source->waits = true;
    source->waits_long = source->waits_long || waits_long;
    return true;
}

static bool spread_waiting(struct plan *plan, struct plan_source *sources)
{
    bool spread = false;

    for (uint32_t i = 0; i < plan->part_count; i++) {
        const struct part *part = &plan->parts[i];
        struct plan_source *here = &sources[part->source], *there;

        if (part->pair == NO_PART)
            continue;
        there = &sources[plan->parts[part->pair].source];
        if (here->waits)
            spread = have_wait(there, here->waits_long) || spread;
    }
    return spread;
}

/* Where the end of a directory is yet to come, or waits itself: which it does
   not do for longer than it may. */
static bool wait_for_ends(struct plan *plan, struct plan_source *sources)
{
    bool any = false;

    for (uint32_t i = 0; i < plan->part_count; i++) {
        const struct part *part = &plan->parts[i];
        struct plan_source *source = &sources[part->source];
        int64_t end;

        if (!part->is_watched || source->waits_long)
            continue;
        end = end_of(plan, sources, part);
        if (end < 0 ? !source->may_wait_long : !sources[end].waits)
            continue;
        any = have_wait(source, true) || any;
    }
    return any;
}

/*
 * What was moved or has ended is told beside the change of its name: it waits
 * for that, unless a source that is about to be told has it.  MOVE_SELF comes
 * after that change: some guests that read it first, and do not find the object
 * under its old name, take it for gone.  So where the name is here and waits,
 * MOVE_SELF waits as long.
 */
static bool wait_for_names(struct plan *plan, struct plan_source *sources,
                           uint32_t count)
{
    bool any = false;

    for (uint32_t i = 0; i < count; i++)
        sources[i].name_is_here = false;
    for (uint32_t i = 0; i < plan->part_count; i++) {
        const struct part *part = &plan->parts[i];
        const struct plan_source *from = &sources[part->source];
        int64_t object =
            part->gone
                ? plan_source_of(plan, sources, from->dev, part->change->ino)
                : -1;

        if (object < 0)
            continue;
        if (!from->waits)
            sources[object].name_is_here = true;
        else if ((sources[object].self & VN_IN_MOVE_SELF) != 0)
            any = have_wait(&sources[object], from->waits_long) || any;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct plan_source *source = &sources[i];

        if (source->name_is_here)
            continue;
        if (source->may_wait && (source->self & VN_IN_DELETE_SELF) != 0)
            any = have_wait(source, false) || any;
        if (source->may_wait_long && (source->self & VN_IN_MOVE_SELF) != 0)
            any = have_wait(source, true) || any;
    }
    return any;
}

/* Of content, after plan_name_content. */
static bool lacks_names(const struct plan_source *source)
{
    const struct content_set *set = source->content;

    for (uint32_t i = 0; set != NULL && i < set->count; i++)
        if (!set->entries[i].is_listed)
            return true;
    return false;
}

/* The listing that add_watch ordered is on its way, and has the names that are
   lacking, unless they have gone again. */
static void wait_for_listings(struct plan_source *sources, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (sources[i].may_lack_names && lacks_names(&sources[i]))
            sources[i].waits = true;
}

/* A rename out of or into a directory whose both halves are here: it is the one
   that the host spoke of, and nothing else need be. */
static void explain_crossings(const struct plan *plan,
                              struct plan_source *sources, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        sources[i].crossings = 0;
    for (uint32_t i = 0; i < plan->part_count; i++) {
        const struct part *part = &plan->parts[i];

        if (part->pair == NO_PART ||
            plan->parts[part->pair].source == part->source)
            continue;
        sources[part->source].crossings++;
        sources[part->source].crossed = false;
    }
}

/* What one part says of its source; the ends that it waits for are another
   matter, since what has ended may wait itself. */
static void look_at_part(const struct plan *plan, struct plan_source *sources,
                         struct part *part)
{
    struct plan_source *source = &sources[part->source];

    if (part_could_have_crossed(plan, part))
        source->unpaired++;
    if (part_has_likely_crossed(plan, part))
        source->likely++;
    part->is_watched = is_watched_and_gone(plan, sources, part);
    if (source->may_wait && part_lacks(plan, sources, part))
        source->waits = true;
}

int plan_pair(struct plan *plan, struct plan_source *sources, uint32_t count)
{
    bool any = false, more;
    int err = make_parts(plan, sources, count);

    if (err == 0)
        err = pair_parts(plan, sources);
    if (err == 0)
        err = index_objects(plan, sources, count);
    if (err == 0)
        err = plan_name_content(plan, sources, count);
    if (err != 0)
        return err;
    explain_crossings(plan, sources, count);
    for (uint32_t i = 0; i < count; i++) {
        sources[i].unpaired = sources[i].likely = 0;
        sources[i].waits = sources[i].waits_long = false;
    }
    for (uint32_t i = 0; i < plan->part_count; i++)
        look_at_part(plan, sources, &plan->parts[i]);
    wait_for_listings(sources, count);
    do { /* each turn more of them wait, so it ends */
        more = wait_for_names(plan, sources, count);
        more = spread_waiting(plan, sources) || more;
        more = wait_for_ends(plan, sources) || more;
    } while (more);
    for (uint32_t i = 0; i < count; i++)
        any = any || sources[i].waits;
    return any;
}

void plan_fini(struct plan *plan)
{
    free(plan->events);
    free(plan->parts);
    free(plan->objects);
    free(plan->named);
    *plan = (struct plan){ 0 };
}
