/*
 * housekeeper.c - unlinks, waits, frees: all that must not be done in a hurry
 *
 * A watch that has ended is unlinked from its vnode's list here, under the
 * registry's lock, and let go when every worker that may still walk over it
 * has left its epoch section.  A vnode without users is closed here, since
 * close(2) may wait for a file system.  This is the only file that frees what
 * another thread may be reading.
 *
 * Debian's ck 0.7.1 predates fixes to ck_epoch_poll and ck_epoch_begin for
 * weakly ordered CPUs; ck_epoch_synchronize on this thread is all we use, and
 * sections are entered with seq_cst loads behind them.
 */
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "pipeline/child.h"
#include "pipeline/descriptor.h"
#include "pipeline/engine.h"
#include "pipeline/keep.h"

/*
 * E5.  Who gives work calls after it; the housekeeper says BUSY before it looks,
 * and ASLEEP instead of that before it sleeps.  A call before BUSY gave what is
 * seen by the look; one after it keeps ASLEEP from being said; one after that
 * wakes.  All are seq_cst: each side writes one word and reads the other's.
 */
void housekeeper_wake(struct vnotify *engine)
{
    if (atomic_exchange_explicit(&engine->house, HOUSE_CALLED, /* E5 */
                                 memory_order_seq_cst) == HOUSE_ASLEEP)
        park_wake(&engine->house, INT_MAX);
}

void housekeeper_retire(struct vnotify *engine, struct watch *watch)
{
    handoff_give(&engine->retired, &watch->retire_link);
    housekeeper_wake(engine);
}

void housekeeper_retire_child(struct vnotify *engine, struct child *child)
{
    handoff_give(&engine->retired_children, &child->retire_link);
    housekeeper_wake(engine);
}

void housekeeper_free_crowd(struct vnotify *engine, struct crowd *crowd)
{
    if (crowd == NULL)
        return;
    handoff_give(&engine->outgrown, &crowd->retire_link);
    housekeeper_wake(engine);
}

void housekeeper_close(struct vnotify *engine,
                       struct vnotify_instance *instance)
{
    handoff_give(&engine->closed, &instance->link);
    housekeeper_wake(engine);
}

void housekeeper_release(struct vnotify *engine, struct vnode *vnode)
{
    handoff_give(&engine->released, &vnode->link);
    housekeeper_wake(engine);
}

void housekeeper_put_vnode(struct vnotify *engine, struct vnode *vnode)
{
    uint32_t generation = claim_generation(&vnode->claim);

    if (registry_put(&engine->registry, vnode) &&
        claim_post(&vnode->claim, &engine->barrier, generation, HINT_RELEASE,
                   BARRIER_UNCOUNTED) == CLAIM_TAKEN)
        housekeeper_release(engine, vnode);
}

/* Its seat is nobody's again: descriptors are not given out twice. */
static void clear_seat(struct vnotify_instance *instance, int wd,
                       struct radix_trimmed *trimmed)
{
    pthread_mutex_lock(&instance->lock);
    atomic_store_explicit(radix_find(&instance->seats, (uint32_t)wd), 0,
                          memory_order_release); /* W6 */
    if (wd / RADIX_FAN != instance->last_wd / RADIX_FAN)
        radix_trim(&instance->seats, (uint32_t)wd, trimmed);
    pthread_mutex_unlock(&instance->lock);
}

static void unlink_watch(struct vnotify *engine, struct watch *watch,
                         struct radix_trimmed *trimmed)
{
    struct vnotify_instance *instance = watch->instance;

    registry_leave(&engine->registry, watch->vnode,
                   roster_entry(instance->index, watch->wd));
    clear_seat(instance, watch->wd, trimmed);
    /* relaxed: for decisions of cost, and a statistic */
    atomic_fetch_sub_explicit(&instance->watches, 1, memory_order_relaxed);
    if (watch->removed)
        atomic_fetch_sub_explicit(&instance->ended, 1, memory_order_relaxed);
    atomic_fetch_sub_explicit(&engine->watches, 1, memory_order_relaxed);
}

/* Nobody posts to it any more: what is in its inbox stays untold. */
static void empty_inbox(struct vnotify *engine,
                        struct vnotify_instance *instance)
{
    struct handoff_link *link = handoff_take(&instance->inbox);

    while (link != NULL) {
        struct watch *watch = HANDOFF_OBJECT(struct watch, inbox_link, link);

        link = link->next;
        watch_release(engine, watch);
    }
}

/* The claim is ours: its last holder handed the vnode over. */
static void free_vnode(struct vnotify *engine, struct vnode *vnode)
{
    int ask_fd = vnode_ask_fd(vnode);

    if (ask_fd >= 0 && ask_fd != vnode->host_fd)
        close(ask_fd);
    vnode_close(engine, vnode);
    if (vnode->counted)
        /* relaxed: a bound, kept about right */
        atomic_fetch_sub_explicit(&engine->child_fds, 1,
                                  memory_order_relaxed);
    snapshot_release(&engine->arenas, vnode->current);
    roster_fini(&vnode->watches);
    /* A1: relaxed: before the close, whose generation whoever reads it has */
    atomic_store_explicit(&vnode->alarm_ns, 0, memory_order_relaxed);
    claim_close(&vnode->claim, &engine->barrier);
    registry_free(&engine->registry, vnode);
}

static void free_vnodes(struct vnotify *engine, struct handoff_link *released)
{
    while (released != NULL) {
        struct vnode *vnode = HANDOFF_OBJECT(struct vnode, link, released);

        released = released->next;
        free_vnode(engine, vnode);
    }
}

static void free_watches(struct vnotify *engine, struct handoff_link *retired)
{
    while (retired != NULL) {
        struct watch *watch =
            HANDOFF_OBJECT(struct watch, retire_link, retired);

        retired = retired->next;
        housekeeper_put_vnode(engine, watch->vnode);
        watch_release(engine, watch);
    }
}

static void free_children(struct vnotify *engine, struct handoff_link *retired)
{
    while (retired != NULL) {
        struct child *child =
            HANDOFF_OBJECT(struct child, retire_link, retired);

        retired = retired->next;
        housekeeper_put_vnode(engine, child->vnode);
        free(child);
    }
}

static void free_instances(struct vnotify *engine, struct handoff_link *closed)
{
    while (closed != NULL) {
        struct vnotify_instance *instance =
            HANDOFF_OBJECT(struct vnotify_instance, link, closed);

        closed = closed->next;
        instance_bury_dead(instance);
        empty_inbox(engine, instance);
        instance_release(instance);
    }
}

static void free_crowds(struct handoff_link *outgrown)
{
    while (outgrown != NULL) {
        struct crowd *crowd =
            HANDOFF_OBJECT(struct crowd, retire_link, outgrown);

        outgrown = outgrown->next;
        free(crowd);
    }
}

/* No roster's entry leads to it any more, or to a watch of its that sleeps. */
static void unlink_instance(struct vnotify *engine,
                            struct vnotify_instance *instance,
                            struct radix_trimmed *trimmed)
{
    instance_end_dormant(instance);
    pthread_mutex_lock(&engine->registry.lock);
    atomic_store_explicit(radix_find(&engine->by_index, instance->index), 0,
                          memory_order_release); /* I5 */
    radix_trim(&engine->by_index, instance->index, trimmed);
    pthread_mutex_unlock(&engine->registry.lock);
}

/*
 * All that may still be walked over is unlinked first; after the epoch nobody
 * walks over it any more.  A child refers to its directory: the children of
 * directories that go are taken after those directories, so that they go in
 * the same turn.
 */
static void tidy(struct vnotify *engine, ck_epoch_record_t *record)
{
    struct radix_trimmed trimmed = { 0 };
    struct handoff_link *outgrown = handoff_take(&engine->outgrown);
    struct handoff_link *closed = handoff_take(&engine->closed);
    struct handoff_link *watches, *vnodes, *children;

    /* Instances first: all watches of these are in `retired` by now. */
    for (struct handoff_link *at = closed; at != NULL; at = at->next)
        unlink_instance(engine,
                        HANDOFF_OBJECT(struct vnotify_instance, link, at),
                        &trimmed);
    watches = handoff_take(&engine->retired);
    vnodes = handoff_take(&engine->released);
    for (struct handoff_link *at = watches; at != NULL; at = at->next)
        unlink_watch(engine, HANDOFF_OBJECT(struct watch, retire_link, at),
                     &trimmed);
    for (struct handoff_link *at = vnodes; at != NULL; at = at->next)
        keep_end(engine, HANDOFF_OBJECT(struct vnode, link, at));
    children = handoff_take(&engine->retired_children);
    if (watches != NULL || closed != NULL || children != NULL ||
        outgrown != NULL || vnodes != NULL) { /* V8: slots are used again */
        ck_epoch_synchronize(record);
        SYNC_ACQUIRE(&engine->epoch);
    }
    free_watches(engine, watches);
    free_children(engine, children);
    free_instances(engine, closed);
    free_vnodes(engine, vnodes);
    free_crowds(outgrown);
    radix_free_trimmed(&trimmed);
}

static bool idle(struct vnotify *engine)
{
    return handoff_empty(&engine->closed) && handoff_empty(&engine->retired) &&
           handoff_empty(&engine->released) &&
           handoff_empty(&engine->outgrown) &&
           handoff_empty(&engine->retired_children);
}

void *housekeeper_main(void *arg)
{
    struct vnotify *engine = arg;
    ck_epoch_record_t record;

    ck_epoch_register(&engine->epoch, &record, NULL);
    for (;;) {
        uint32_t busy = HOUSE_BUSY;

        atomic_store_explicit(&engine->house, HOUSE_BUSY, /* E5 */
                              memory_order_seq_cst);
        if (!idle(engine)) {
            tidy(engine, &record);
            continue;
        }
        /* E4: pairs with the store in vnotify_destroy, which then calls */
        if (atomic_load_explicit(&engine->stop, memory_order_seq_cst) != 0)
            break;
        if (atomic_compare_exchange_strong_explicit(
                &engine->house, &busy, HOUSE_ASLEEP, memory_order_seq_cst,
                memory_order_seq_cst)) /* E5 */
            park_wait(&engine->house, HOUSE_ASLEEP, NULL);
    }
    ck_epoch_unregister(&record);
    return NULL;
}
