/*
 * plan-order.c - a round's events in a legal order
 *
 * A pair's destination name may be occupied; whether the occupant (the come
 * part's twin) leaves by a rename of its own, which then must be told first, or
 * is renamed over, its own pairing says.  So each pair depends on at most one
 * other, and an order is found by following that one link: an end is reached,
 * or a cycle.
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>

#include "abi/linux-inotify.h"
#include "pipeline/note.h"
#include "pipeline/plan-put.h"

enum { TELL_DEPTH_MAX = 256 };

static void tell_source(struct round *round, uint32_t source);

static uint32_t next_cookie(struct round *round)
{
    uint32_t cookie;

    do /* relaxed: only its being unique matters; 0 is no cookie */
        cookie = 1 + atomic_fetch_add_explicit(round->last_cookie, 1,
                                               memory_order_relaxed);
    while (cookie == 0);
    return cookie;
}

/* The end of an object that lost this name, if it is watched and has ended. */
static void tell_end_of(struct round *round, const struct part *gone)
{
    int64_t object = plan_object_of(round, gone);

    if (object >= 0 && round->sources[object].ends)
        tell_source(round, (uint32_t)object);
}

/*
 * What had the name that has now been taken by a rename, or NULL.  Its object
 * lost a link: if that was watched and has ended, its ATTRIB comes first.
 */
static struct part *renamed_over(struct round *round, const struct part *come)
{
    struct part *over =
        come->twin == NO_PART ? NULL : &round->plan->parts[come->twin];
    int64_t object;

    if (over == NULL || over->done)
        return NULL;
    over->done = true;
    object = plan_object_of(round, over);
    if (object >= 0 && round->sources[object].ends &&
        !round->sources[object].waits) {
        round->sources[object].self |= VN_IN_ATTRIB; /* a directory too */
        plan_put_self(round, (uint32_t)object, VN_IN_ATTRIB);
    }
    return over;
}

static void tell_move_self(struct round *round, const struct part *moved)
{
    int64_t object = plan_object_of(round, moved);

    if (object >= 0 && !round->sources[object].waits)
        plan_put_self(round, (uint32_t)object, VN_IN_MOVE_SELF);
}

static void tell_move(struct round *round, struct part *gone)
{
    struct part *come = &round->plan->parts[gone->pair], *over;
    uint32_t cookie = next_cookie(round);

    plan_put_content_of_gone(round, gone);
    plan_put_part(round, gone, VN_IN_MOVED_FROM, cookie);
    plan_put_part(round, come, VN_IN_MOVED_TO, cookie);
    gone->done = come->done = true;
    over = renamed_over(round, come);
    tell_move_self(round, come);
    if (over != NULL) { /* its end is told when the whole chain is */
        over->next = round->over;
        round->over = (uint32_t)(over - round->plan->parts);
    }
}

/*
 * Is this the only part left without a pair (or with any sign of it), in a
 * directory that the host says a rename went into or out of?  Then it is taken
 * for that rename's.  (It may be another's that was undone before we looked.
 * So not for who is told of moves by no other event: a wrong guess would be a
 * loss then.)
 */
static bool crossed_alone(const struct round *round, const struct part *part)
{
    const struct plan_source *from = &round->sources[part->source];

    if (!from->crossed || !from->wants_moves)
        return false;
    return from->unpaired == 1 ? part_could_have_crossed(round->plan, part)
                               : from->likely == 1 &&
                                     part_has_likely_crossed(round->plan,
                                                             part);
}

/* Did this come by a rename whose other half is nowhere in this round? */
static bool moved_in(const struct round *round, const struct part *come)
{
    return come->pair == NO_PART && !come->is_new &&
           (delta_moved_in(round->sources[come->source].delta,
                           come->change) ||
            crossed_alone(round, come));
}

/* Did it leave by a rename whose other half is not told beside it? */
static bool moved_out(const struct round *round, const struct part *gone)
{
    return gone->change->lives || crossed_alone(round, gone);
}

static void tell_delete(struct round *round, struct part *gone)
{
    gone->done = true;
    plan_put_content_of_gone(round, gone);
    if (moved_out(round, gone)) {
        plan_put_part(round, gone, VN_IN_MOVED_FROM, next_cookie(round));
        return;
    }
    tell_end_of(round, gone);
    plan_put_part(round, gone, VN_IN_DELETE, 0);
}

/* A pair falls apart into a delete now and a create later: what is said to be
   gone for good is said to be new. */
static void break_pair(struct round *round, struct part *gone)
{
    struct part *come = &round->plan->parts[gone->pair];

    come->pair = gone->pair = NO_PART;
    come->is_new = !moved_out(round, gone);
    tell_delete(round, gone);
}

/* The pair that must be told before this one, since it frees its name. */
static struct part *blocker(const struct round *round, const struct part *gone)
{
    struct part *parts = round->plan->parts;
    uint32_t occupant = parts[gone->pair].twin;

    if (occupant == NO_PART || parts[occupant].done ||
        parts[occupant].pair == NO_PART)
        return NULL;
    return &parts[occupant];
}

/* Tells a rename, after all those that its name waits for. */
static void tell_chain(struct round *round, struct part *first)
{
    struct part *parts = round->plan->parts;
    struct part *gone = first;
    uint32_t behind = NO_PART; /* the chain back, through `next` */

    for (;;) {
        struct part *before = blocker(round, gone);

        if (before == NULL || before->following) {
            if (before != NULL) /* a cycle closes */
                break_pair(round, gone);
            else
                tell_move(round, gone);
            gone->following = false;
            if (behind == NO_PART)
                return;
            gone = &parts[behind];
            behind = gone->next;
            continue;
        }
        gone->following = true;
        gone->next = behind;
        behind = (uint32_t)(gone - parts);
        gone = before;
    }
}

/* Not while a chain is followed: an end may have renames to tell itself. */
static void tell_ends_of_renamed_over(struct round *round)
{
    while (round->over != NO_PART) {
        struct part *over = &round->plan->parts[round->over];

        round->over = over->next;
        tell_end_of(round, over);
    }
}

static void tell_gone(struct round *round, struct part *gone)
{
    if (gone->done)
        return;
    if (gone->pair != NO_PART) {
        tell_chain(round, gone);
        tell_ends_of_renamed_over(round);
        return;
    }
    /* What is renamed over is told with that rename. */
    if (gone->twin == NO_PART || gone->change->lives ||
        (round->plan->parts[gone->twin].pair == NO_PART &&
         !moved_in(round, &round->plan->parts[gone->twin])))
        tell_delete(round, gone);
}

/* A name that has come, with no pair (any more): its old bearer, if it has not
   left by itself, was renamed over, or has been told to be gone. */
static void tell_come(struct round *round, struct part *come)
{
    struct part *over;

    come->done = true;
    if (!moved_in(round, come)) {
        plan_put_part(round, come, VN_IN_CREATE, 0);
        return;
    }
    plan_put_part(round, come, VN_IN_MOVED_TO, next_cookie(round));
    over = renamed_over(round, come);
    tell_move_self(round, come);
    if (over != NULL)
        tell_end_of(round, over);
}

/* First the directory whose content this is: what it says by name interleaves
   with what is told of the object itself (put_content). */
static void tell_namer(struct round *round, struct plan_source *object)
{
    uint32_t named_by = object->named_by;

    object->named_by = 0; /* moves may have made a circle of it */
    if (named_by != 0)
        tell_source(round, named_by - 1);
}

static void tell_source(struct round *round, uint32_t source)
{
    struct plan_source *from = &round->sources[source];
    struct part *parts = round->plan->parts + from->first_part;
    uint32_t gone = from->delta == NULL ? 0 : from->delta->gone;
    uint32_t all = from->delta == NULL ? 0 : gone + from->delta->come;

    /* Past this depth of nested directories that ended, the outer is told
       before the inner: a guest must not choose how deep our stack goes. */
    if (from->state != STATE_OPEN || from->waits ||
        round->depth == TELL_DEPTH_MAX)
        return;
    round->depth++;
    tell_namer(round, from);
    if (from->state != STATE_OPEN) { /* told with it */
        round->depth--;
        return;
    }
    from->state = STATE_TELLING;
    /* A rename and entries that changed about then are one note: which came
       first is not known.  Programs act on what moved, seldom the reverse. */
    plan_put_self(round, source, VN_IN_MOVE_SELF);
    plan_put_named(round, source, true);
    for (uint32_t i = 0; i < gone; i++)
        tell_gone(round, &parts[i]);
    for (uint32_t i = gone; i < all; i++) {
        struct part *come = &parts[i];

        if (come->pair != NO_PART)
            tell_gone(round, &round->plan->parts[come->pair]);
        else if (come->twin != NO_PART)
            tell_gone(round, &round->plan->parts[come->twin]);
        /* Telling may have broken the pair: then it is a create now. */
        if (!come->done && come->pair == NO_PART)
            tell_come(round, come);
    }
    plan_put_named(round, source, false);
    plan_put_self(round, source, UINT32_MAX);
    if (from->ends)
        plan_put(round, source, VN_IN_IGNORED, 0, NULL, 0);
    from->state = STATE_TOLD;
    round->depth--;
}

/* Names lost by what says MOVE_SELF, also where the other half is not here:
   before that object's own source. */
static void tell_names_of_moved(struct round *round)
{
    struct plan *plan = round->plan;

    for (uint32_t i = 0; i < plan->part_count && round->err == 0; i++) {
        struct part *gone = &plan->parts[i];
        int64_t object;

        if (!gone->gone || round->sources[gone->source].waits)
            continue;
        object = plan_object_of(round, gone);
        if (object >= 0 &&
            (round->sources[object].self & VN_IN_MOVE_SELF) != 0)
            tell_gone(round, gone);
    }
}

/*
 * Objects that ended wait for the directory that lost their name, if that is
 * told in this round; else they are told last.
 */
static bool ends_with_its_name(const struct plan_source *source)
{
    return source->ends && (source->self & VN_IN_DELETE_SELF) != 0;
}

/* Which objects are told of by name as well. */
static void find_namers(const struct round *round, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct plan_source *source = &round->sources[i];

        for (uint32_t k = 0; source->content != NULL && !source->waits &&
                             k < source->content->count;
             k++) {
            int64_t object =
                plan_source_of(round->plan, round->sources, source->dev,
                               source->content->entries[k].ino);

            if (object >= 0)
                round->sources[object].named_by = 1 + i;
        }
    }
}

int plan_order(struct plan *plan, struct plan_source *sources, uint32_t count,
               _Atomic uint32_t *last_cookie)
{
    struct round round = {
        .plan = plan,
        .sources = sources,
        .over = NO_PART,
        .last_cookie = last_cookie,
    };

    plan->count = plan->next = 0;
    for (uint32_t i = 0; i < count; i++) {
        sources[i].state = STATE_OPEN;
        sources[i].named_by = 0;
    }
    find_namers(&round, count);
    tell_names_of_moved(&round);
    for (uint32_t i = 0; i < count && round.err == 0; i++)
        if (!ends_with_its_name(&sources[i]))
            tell_source(&round, i);
    for (uint32_t i = 0; i < count && round.err == 0; i++)
        tell_source(&round, i);
    return round.err;
}
