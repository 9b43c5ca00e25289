#include "pipeline/backlog.h"

#include <errno.h>
#include <stdlib.h>

void backlog_enlist(struct watch *watch)
{
    /* W4: who sets it puts the watch in; acq_rel: an offer made before is
       seen by whoever clears it later */
    if (atomic_exchange_explicit(&watch->queued, 1, memory_order_acq_rel) != 0)
        return;
    watch_acquire(watch);
    handoff_give(&watch->instance->inbox, &watch->inbox_link);
}

void backlog_append(struct vnotify_instance *instance, struct watch *watch)
{
    watch->untold->next = NULL;
    *instance->pending_end = watch;
    instance->pending_end = &watch->untold->next;
    instance->pending_count++;
    watch->listed = true;
}

struct watch *backlog_take(struct vnotify_instance *instance)
{
    struct watch *first = instance->pending;

    instance->pending = NULL;
    instance->pending_end = &instance->pending;
    instance->pending_count = 0;
    return first;
}

/*
 * A watch that lags gets one delta over all that it was offered since it was
 * told.  What workers had learned of its parts goes into it: to ask the file
 * system here would hold up the instance's other watches.  Without memory the
 * delta is made later, and knows less.
 */
static void span_offers(struct vnotify *engine, struct watch *watch,
                        const struct offer *newer)
{
    struct untold *untold = watch->untold;
    const struct delta *older =
        untold->own != NULL ? untold->own : untold->latest->delta;
    struct delta *own =
        delta_create(&engine->arenas, watch->told, newer->after);

    if (own != NULL && older != NULL)
        delta_inherit(own, older);
    if (own != NULL && newer->delta != NULL)
        delta_inherit(own, newer->delta);
    arena_free(&engine->arenas, untold->own);
    untold->own = own;
}

/*
 * Did its listing begin after `told` had ended?  (Or is it the whole of that
 * which a partial one was told of.)  One that is partial says nothing of what
 * has changed between any other listing and its own.
 */
static bool is_for(const struct watch *watch, const struct offer *offer)
{
    if (offer->begun < watch->told_ended || /* control.c ordered another */
        !watch_live(watch)) /* it may never have been told one: watch.c */
        return false;
    return !offer->partial ||
           (watch->untold->latest == NULL &&
            watch->told->id == offer->delta->before_id);
}

/* Takes the newest offer, if it is one for this watch. */
static void accept_offer(struct vnotify *engine, struct watch *watch)
{
    struct untold *untold = watch->untold;
    struct offer *offer = atomic_exchange_explicit(&watch->offer, NULL,
                                                   memory_order_acq_rel); /* W3 */

    if (offer == NULL)
        return;
    if (!is_for(watch, offer)) {
        offer_release(engine, offer);
        return;
    }
    if (untold->latest != NULL)
        span_offers(engine, watch, offer);
    offer_release(engine, untold->latest);
    untold->latest = offer;
    untold->grown = true;
    if (untold->crossed_ns < offer->crossed_ns)
        untold->crossed_ns = offer->crossed_ns;
}

static void take_noted(struct watch *watch)
{
    uint64_t noted = atomic_exchange_explicit(&watch->noted, 0,
                                              memory_order_acq_rel); /* W3 */

    if (watch->untold->noted == 0 ||
        (noted != 0 && noted < watch->untold->noted))
        watch->untold->noted = noted;
}

/*
 * W5.  An item is put in after the listing that its name is in was offered; so
 * it is taken before the offer is, and the name is never missing.  For that, no
 * row is made of a name that only a partial offer has, which a watch may refuse.
 * (But a row may be older than the watch: then its content waits, plan-pair.c.)
 */
static bool take_contents(struct watch *watch)
{
    struct handoff_link *link = handoff_take(&watch->contents);
    bool all = true;

    while (link != NULL) {
        struct content_item *item =
            HANDOFF_OBJECT(struct content_item, link, link);

        link = link->next;
        if (!content_set_merge(&watch->untold->content, item)) {
            handoff_give(&watch->contents, &item->link); /* W5 */
            all = false;
        }
    }
    return all;
}

static void take_self(struct watch *watch)
{
    const uint32_t waits_for_names =
        SELF_GONE | VN_IN_DELETE_SELF | VN_IN_MOVE_SELF;
    uint32_t self =
        atomic_exchange_explicit(&watch->self, 0, memory_order_acq_rel); /* W3 */

    watch->untold->self |= self;
    if ((self & waits_for_names) != 0)
        watch->untold->grown = true;
}

/* What the object says of itself is for the next round, and is as old as what
   is taken now, or younger. */
static void leave_self(struct watch *watch)
{
    uint64_t none = 0;

    /* W3: a hint; who sets it puts the watch in the inbox next (W4) */
    if (atomic_load_explicit(&watch->self, memory_order_relaxed) == 0)
        return;
    (void)atomic_compare_exchange_strong_explicit(
        &watch->noted, &none, watch->untold->noted, /* W3 */
        memory_order_acq_rel, memory_order_relaxed);
    backlog_enlist(watch);
}

static bool take_news(struct vnotify *engine, struct watch *watch,
                      bool with_self)
{
    bool all;

    /* W4: cleared before the offer is looked at, so none is missed */
    (void)atomic_exchange_explicit(&watch->queued, 0, memory_order_acq_rel);
    all = take_contents(watch);
    accept_offer(engine, watch);
    take_noted(watch);
    if (with_self)
        take_self(watch);
    else
        leave_self(watch);
    return all;
}

/* Room for what the watch has to tell.  False: no memory. */
static bool make_room(struct watch *watch)
{
    if (watch->untold == NULL)
        watch->untold = calloc(1, sizeof(*watch->untold));
    return watch->untold != NULL;
}

static bool collect(struct vnotify *engine, struct vnotify_instance *instance,
                    bool with_self)
{
    struct handoff_link *link = handoff_take(&instance->inbox);
    bool all = true;

    while (link != NULL) {
        struct watch *watch = HANDOFF_OBJECT(struct watch, inbox_link, link);

        link = link->next;
        if (watch->retired) { /* it stays `queued`, and is not put in again */
            watch_release(engine, watch);
            continue;
        }
        if (!make_room(watch)) {
            handoff_give(&instance->inbox, &watch->inbox_link); /* as it was */
            all = false;
            continue;
        }
        if (!take_news(engine, watch, with_self)) {
            all = false;
            backlog_enlist(watch);
        }
        if (watch->listed)
            watch_release(engine, watch);
        else
            backlog_append(instance, watch);
    }
    return all;
}

/*
 * W3.  What a note says of an object is put into its directory's watch first
 * and into its own after.  So if the first pass has found it in the object's,
 * the directory's is in the inbox by then at the latest, and the second pass
 * has it for the same round.  That one leaves alone what objects say of
 * themselves, or there would be no end of it.
 */
bool backlog_collect(struct vnotify *engine, struct vnotify_instance *instance)
{
    bool all = collect(engine, instance, true);

    return collect(engine, instance, false) && all;
}

void backlog_drop(struct vnotify *engine, struct watch *watch)
{
    untold_free(engine, watch->untold);
    watch->untold = NULL;
    watch_release(engine, watch);
}

bool backlog_is_due(const struct watch *watch)
{
    const struct untold *untold = watch->untold;

    if (watch->retired)
        return false;
    if (!watch_live(watch))
        return (untold->self & SELF_IGNORED) != 0;
    return untold->latest != NULL || untold->self != 0 ||
           untold->content.count != 0;
}

static int by_note(const void *a, const void *b)
{
    const struct untold *x = (*(struct watch *const *)a)->untold;
    const struct untold *y = (*(struct watch *const *)b)->untold;

    if (x->noted != y->noted)
        return x->noted < y->noted ? -1 : 1;
    /* One note of a child: its directory's watch comes first. */
    return (y->content.count != 0) - (x->content.count != 0);
}

int backlog_sort(struct vnotify_instance *instance)
{
    uint32_t count = instance->pending_count;
    struct watch **sorted, *watch = instance->pending;

    if (count < 2)
        return 0;
    sorted = malloc(count * sizeof(struct watch *));
    if (sorted == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < count; i++, watch = watch->untold->next)
        sorted[i] = watch;
    qsort(sorted, count, sizeof(struct watch *), by_note);
    (void)backlog_take(instance);
    for (uint32_t i = 0; i < count; i++)
        backlog_append(instance, sorted[i]);
    free(sorted);
    return 0;
}
