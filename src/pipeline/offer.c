#include "pipeline/offer.h"

#include <errno.h>
#include <stdlib.h>

#include "pipeline/backlog.h"
#include "pipeline/child.h"
#include "pipeline/engine.h"
#include "pipeline/fate.h"

/* Something was put into the watch: says so. */
static void post(struct serving *s, struct watch *watch)
{
    struct vnotify *engine = s->worker->engine;
    struct vnotify_instance *instance = watch->instance;
    uint64_t none = 0;

    /* W3: the oldest counts, until dispatch has taken it */
    (void)atomic_compare_exchange_strong_explicit(&watch->noted, &none,
                                                  s->noted_ns,
                                                  memory_order_acq_rel,
                                                  memory_order_relaxed);
    backlog_enlist(watch);
    barrier_add(&engine->barrier, s->phases);
    if (claim_post(&instance->claim, &engine->barrier, INSTANCE_OPEN,
                   INSTANCE_DIRTY, s->phases) == CLAIM_TAKEN) {
        instance->link.next = s->taken;
        s->taken = &instance->link;
    }
}

/*
 * The newest offer counts.  But a partial one that the watch may not take does
 * not put out another, untaken: content may be there already under the names of
 * that (W5).
 */
static void put_offer(struct vnotify *engine, struct watch *watch,
                      struct offer *offer)
{
    struct offer *other = NULL;

    /* relaxed: our own reference keeps it alive (W1) */
    atomic_fetch_add_explicit(&offer->refs, 1, memory_order_relaxed);
    if (!offer->partial)
        other = atomic_exchange_explicit(&watch->offer, offer,
                                         memory_order_acq_rel); /* W3 */
    else if (!atomic_compare_exchange_strong_explicit(
                 &watch->offer, &other, offer, memory_order_acq_rel, /* W3 */
                 memory_order_relaxed))
        other = offer;
    offer_release(engine, other);
}

static void offer_to(struct serving *s, struct watch *watch,
                     struct offer *offer, uint32_t self)
{
    if (offer != NULL)
        put_offer(s->worker->engine, watch, offer);
    if (self != 0)
        atomic_fetch_or_explicit(&watch->self, self,
                                 memory_order_acq_rel); /* W3 */
    post(s, watch);
}

/* Of what is told of the vnode, that which is this watch's to tell: if all of
   it was noted before the watch was made, no more than what lasts. */
static uint32_t since_joined(const struct vnode *vnode,
                             const struct watch *watch, uint32_t events,
                             uint32_t lasting)
{
    return vnode_is_older(vnode, watch->joined_ns) ? events & lasting
                                                   : events;
}

/* Walking a roster, inside an epoch section: the next watch that is awake. */
static struct watch *next_watch(struct vnotify *engine,
                                struct roster_walk *walk)
{
    struct vnotify_instance *instance;
    _Atomic uint64_t *seat;
    struct watch *watch = NULL;
    uint64_t entry;

    while (watch == NULL && (entry = roster_next(walk)) != 0)
        if (instance_of_entry(engine, entry, &instance, &seat))
            watch = seat_watch(
                atomic_load_explicit(seat, memory_order_acquire)); /* W6 */
    return watch;
}

int offer_wake(struct worker *worker, struct vnode *vnode)
{
    struct vnotify *engine = worker->engine;
    ck_epoch_section_t section;
    struct roster_walk walk;
    uint64_t entry;
    int err = 0;

    worker_begin_walk(worker, &section);
    walk = roster_begin(&vnode->watches);
    while (err == 0 && (entry = roster_next(&walk)) != 0) {
        struct vnotify_instance *instance;
        _Atomic uint64_t *seat;
        struct watch *woken;

        if (instance_of_entry(engine, entry, &instance, &seat))
            err = watch_wake(instance, entry_wd(entry), seat, false, &woken);
    }
    worker_end_walk(worker, &section);
    return err;
}

void offer_to_watches(struct serving *s, struct vnode *vnode,
                      struct offer *offer, const struct fate *fate)
{
    ck_epoch_section_t section;
    struct roster_walk walk;
    struct watch *watch;

    worker_begin_walk(s->worker, &section);
    walk = roster_begin(&vnode->watches);
    while ((watch = next_watch(s->worker->engine, &walk)) != NULL) {
        uint32_t self = since_joined(vnode, watch, fate->self,
                                     fate->lasting);

        /* relaxed: a new mask takes effect soon */
        if ((atomic_load_explicit(&watch->mask, memory_order_relaxed) &
             VN_IN_EXCL_UNLINK) != 0)
            self &= ~fate->unnamed;
        if (offer != NULL || self != 0)
            offer_to(s, watch, offer, self);
    }
    worker_end_walk(s->worker, &section);
}

/*
 * Inside an epoch section: to each watch of the directory that wants it.  With
 * `vnode`, the child whose notes say so, no more than what lasts to those who
 * have joined since.
 */
static int offer_content(struct serving *s, const struct vnode *dir,
                         const struct vnode *vnode,
                         const struct finding *finding, uint32_t lasting)
{
    struct roster_walk walk = roster_begin(&dir->watches);
    struct watch *watch;

    while ((watch = next_watch(s->worker->engine, &walk)) != NULL) {
        /* relaxed: a new mask takes effect soon */
        uint32_t bits = finding->bits &
                        atomic_load_explicit(&watch->mask,
                                             memory_order_relaxed);
        struct content_item *item;

        if (vnode != NULL)
            bits = since_joined(vnode, watch, bits, lasting);
        if (bits == 0)
            continue;
        bits |= finding->bits & NOTE_TOGETHER;
        item = content_item_create(finding->ino, bits, finding->is_dir,
                                   s->noted_ns);
        if (item == NULL)
            return -ENOMEM;
        handoff_give(&watch->contents, &item->link); /* W5 */
        post(s, watch);
    }
    return 0;
}

int offer_to_parents(struct serving *s, struct vnode *vnode,
                     const struct fate *fate)
{
    ck_epoch_section_t section;
    struct chain_link *at;
    int err = 0;

    worker_begin_walk(s->worker, &section);
    for (at = chain_first(&vnode->parents); at != NULL && err == 0;
         at = chain_next(at)) {
        const struct child *child = CHAIN_OBJECT(struct child, chain, at);
        struct finding finding = { child->ino, fate->named, vnode->is_dir };

        err = offer_content(s, child->dir, vnode, &finding, fate->lasting);
    }
    worker_end_walk(s->worker, &section);
    return err;
}

void offer_end_to_parents(struct serving *s, struct vnode *vnode)
{
    struct vnotify *engine = s->worker->engine;
    ck_epoch_section_t section;
    struct chain_link *at;

    worker_begin_walk(s->worker, &section);
    for (at = chain_first(&vnode->parents); at != NULL; at = chain_next(at)) {
        struct child *child = CHAIN_OBJECT(struct child, chain, at);
        struct vnode *dir = child->dir;

        atomic_store_explicit(&child->ended, 1, /* V9 */
                              memory_order_release);
        atomic_store_explicit(&more(dir)->rows_ended, 1, /* V9 */
                              memory_order_release);
        barrier_add(&engine->barrier, s->phases);
        if (claim_post(&dir->claim, &engine->barrier,
                       claim_generation(&dir->claim), HINT_KEEP,
                       s->phases) == CLAIM_TAKEN)
            worker_defer(engine, dir, 0);
    }
    worker_end_walk(s->worker, &section);
}

int offer_findings(struct serving *s, struct vnode *dir)
{
    struct children *children = more(dir)->children;
    ck_epoch_section_t section;
    int err = 0;

    if (children == NULL || children->finding_count == 0)
        return 0;
    worker_begin_walk(s->worker, &section);
    for (uint32_t i = 0; i < children->finding_count && err == 0; i++)
        err = offer_content(s, dir, NULL, &children->findings[i], 0);
    worker_end_walk(s->worker, &section);
    if (err == 0)
        children->finding_count = 0;
    return err;
}

void offer_dispatch(struct serving *s)
{
    while (s->taken != NULL) {
        struct vnotify_instance *instance =
            HANDOFF_OBJECT(struct vnotify_instance, link, s->taken);

        s->taken = s->taken->next;
        dispatch_run(s->worker, instance, s->phases);
    }
}
