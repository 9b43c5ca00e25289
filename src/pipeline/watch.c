#include "pipeline/watch.h"

#include <errno.h>
#include <stdlib.h>

#include "pipeline/engine.h"

struct offer *offer_create(struct snapshot *after, struct delta *delta,
                           uint64_t begun)
{
    struct offer *offer = calloc(1, sizeof(*offer));

    if (offer == NULL)
        return NULL;
    atomic_init(&offer->refs, 1);
    offer->begun = begun;
    offer->delta = delta;
    offer->after = after;
    snapshot_acquire(after);
    return offer;
}

void offer_release(struct vnotify *engine, struct offer *offer)
{
    if (offer == NULL ||
        atomic_fetch_sub_explicit(&offer->refs, 1, memory_order_acq_rel) !=
            1) /* W1 */
        return;
    snapshot_release(&engine->arenas, offer->after);
    arena_free(&engine->arenas, offer->delta);
    arena_free(&engine->arenas, offer->for_rows);
    free(offer);
}

void untold_free(struct vnotify *engine, struct untold *untold)
{
    if (untold == NULL)
        return;
    offer_release(engine, untold->latest);
    arena_free(&engine->arenas, untold->own);
    content_set_fini(&untold->content);
    free(untold);
}

struct watch *watch_create(struct vnotify_instance *instance,
                           struct vnode *vnode, uint32_t mask,
                           struct snapshot *told, uint64_t told_ended)
{
    struct watch *watch = calloc(1, sizeof(*watch));

    if (watch == NULL)
        return NULL;
    watch->instance = instance;
    instance_acquire(instance);
    watch->vnode = vnode;
    atomic_init(&watch->refs, 1);
    atomic_init(&watch->mask, mask);
    watch->told = told;
    watch->told_ended = told_ended;
    watch->is_fresh = true;
    return watch;
}

static struct watch *create_woken(struct vnotify_instance *instance, int wd,
                                  uint64_t seat, bool ending)
{
    struct vnode *vnode =
        registry_slot(&instance->engine->registry, seat_slot(seat));
    struct watch *watch = NULL;

    if (!fault_hits(&instance->engine->fault, FAULT_ALLOC))
        watch = watch_create(instance, vnode, seat_mask(seat), NULL, 0);
    if (watch == NULL)
        return NULL;
    watch->wd = wd;
    if (ending) { /* it is told nothing more, so what it was told is no matter */
        atomic_init(&watch->state, WATCH_ENDED);
    } else if (vnode->current != NULL) {
        snapshot_acquire(vnode->current);
        watch->told = vnode->current;
    }
    return watch;
}

int watch_wake(struct vnotify_instance *instance, int wd,
               _Atomic uint64_t *seat, bool ending, struct watch **woken)
{
    uint64_t found = atomic_load_explicit(seat, memory_order_acquire); /* W6 */

    while (seat_is_dormant(found)) {
        struct watch *watch = create_woken(instance, wd, found, ending);

        if (watch == NULL)
            return -ENOMEM;
        /* W6: the watch is complete; or somebody else has woken it, or changed
           its mask */
        if (atomic_compare_exchange_strong_explicit(
                seat, &found, (uint64_t)(uintptr_t)watch, memory_order_acq_rel,
                memory_order_acquire)) {
            *woken = watch;
            return 0;
        }
        watch_release(instance->engine, watch);
    }
    *woken = seat_watch(found);
    return 0;
}

void watch_acquire(struct watch *watch)
{
    /* relaxed: the caller's own reference keeps it alive (W1) */
    atomic_fetch_add_explicit(&watch->refs, 1, memory_order_relaxed);
}

static void drop_contents(struct watch *watch)
{
    struct handoff_link *link = handoff_take(&watch->contents);

    while (link != NULL) {
        struct content_item *item =
            HANDOFF_OBJECT(struct content_item, link, link);

        link = link->next;
        free(item);
    }
}

void watch_release(struct vnotify *engine, struct watch *watch)
{
    if (atomic_fetch_sub_explicit(&watch->refs, 1, memory_order_acq_rel) !=
        1) /* W1 */
        return;
    /* relaxed: nobody else has it any more */
    offer_release(engine,
                  atomic_load_explicit(&watch->offer, memory_order_relaxed));
    untold_free(engine, watch->untold);
    snapshot_release(&engine->arenas, watch->told);
    drop_contents(watch);
    instance_release(watch->instance);
    free(watch);
}

bool watch_end(struct watch *watch)
{
    return atomic_exchange_explicit(&watch->state, WATCH_ENDED,
                                    memory_order_acq_rel) == /* W2 */
           WATCH_LIVE;
}

bool watch_live(const struct watch *watch)
{
    return atomic_load_explicit(&watch->state, memory_order_acquire) == /* W2 */
           WATCH_LIVE;
}
