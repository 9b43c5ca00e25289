/*
 * serve.c - stage 2, one vnode: list it, compare, offer what is new
 *
 * The holder of a vnode's claim lists it (serve-list.c), offers what is new to
 * every watch, posts to their instances, and dispatches those whose claim it
 * got.  A vnode that must wait (resting, or to be tried again after a failure)
 * stays held and goes to worker 0's timer; one that takes long goes to a worker
 * other than 0.
 */
#include <errno.h>
#include <stdlib.h>

#include "abi/linux-inotify.h"
#include "pipeline/descriptor.h"
#include "pipeline/engine.h"
#include "pipeline/fate.h"
#include "pipeline/keep.h"
#include "pipeline/offer.h"
#include "pipeline/rest.h"

void worker_defer(struct vnotify *engine, struct vnode *vnode, uint64_t due_ns)
{
    /* 0 is "never" to a sleeper */
    more(vnode)->due_ns = due_ns == 0 ? 1 : due_ns;
    handoff_give(&engine->again, &vnode->link);
    lot_wake(&engine->lot, 1);
}

void worker_hand_over(struct vnotify *engine, struct vnode *vnode)
{
    relay_give(&engine->bulk, &vnode->link);
    lot_wake(&engine->lot, LOT_ANYBODY - 1);
}

static void count_failing(struct vnotify *engine, struct vnode *vnode,
                          bool failing)
{
    if (vnode->failing == failing)
        return;
    vnode->failing = failing;
    /* E1: relaxed: sync reads it after a barrier that orders us */
    atomic_fetch_add_explicit(&engine->failing, failing ? 1 : UINT32_MAX,
                              memory_order_relaxed);
}

/* A listing failed: nothing changes, it is owed and tried again. */
static void owe(struct worker *worker, struct vnode *vnode, uint32_t hints)
{
    tally_add(worker->tally, TALLY_LISTINGS_FAILED, 1);
    more(vnode)->owed = hints & ~(uint32_t)HINT_RETRY;
    count_failing(worker->engine, vnode, true);
    more(vnode)->backoff_us = more(vnode)->backoff_us == 0 ? RETRY_US_FIRST
                                               : more(vnode)->backoff_us * 2;
    if (more(vnode)->backoff_us > RETRY_US_MAX)
        more(vnode)->backoff_us = RETRY_US_MAX;
}

/* The children follow the listing that was told.  0, or -ENOMEM or -EAGAIN: so
   that vnotify_sync waits for it, it is owed as a listing is. */
static int keep(struct serving *s, struct vnode *vnode,
                const struct offer *offer)
{
    struct vnotify *engine = s->worker->engine;
    int err;

    if (!vnode_has_children(vnode))
        return 0;
    err = keep_children(engine, vnode, offer);
    if (err == 0 && offer_findings(s, vnode) != 0)
        keep_owe(engine, vnode);
    offer_dispatch(s);
    return err == 0 && keep_misses(vnode) ? -EAGAIN : err;
}

static bool must_list(const struct vnode *vnode, uint32_t hints)
{
    if (!vnode->is_dir || (hints & HINT_REVOKE) != 0)
        return false;
    if ((hints & HINT_KEEP) != 0 && vnode->current == NULL)
        return true; /* an add_watch is about to watch it */
    /* Not by its watches: one that is joining counts on this listing (V3).
       relaxed: published by armed (V1), before the first note */
    return (hints & (HINT_LIST | HINT_LINKS)) != 0 &&
           (atomic_load_explicit(&vnode->wanted, memory_order_relaxed) &
            NOTE_WANT_SELF) != 0;
}

/* Offers a listing and what else the hints say.  0 or -ENOMEM. */
static int tell_watches(struct serving *s, struct vnode *vnode,
                        uint32_t hints, struct offer *offer)
{
    bool entries_changed = offer != NULL && offer->delta != NULL;
    struct fate fate =
        fate_of(s->worker->engine, vnode, hints, entries_changed);
    int err = 0;

    /* The parent's named event comes before the object's own. */
    if (fate.named != 0)
        err = offer_to_parents(s, vnode, &fate);
    if (offer != NULL || fate.self != 0)
        offer_to_watches(s, vnode, offer, &fate);
    if ((fate.self & SELF_GONE) != 0 && vnode_is_parked(vnode))
        offer_end_to_parents(s, vnode);
    offer_dispatch(s);
    return err;
}

/*
 * Whatever needs a parked vnode's descriptor does so after this: if none is to
 * be had now, all of it is owed.
 */
static bool can_open(struct vnotify *engine, struct vnode *vnode,
                     uint32_t hints)
{
    const uint32_t looks = HINT_LINKS | HINT_ATTRIB | HINT_MODIFY | HINT_LOOK;
    int fd;

    if (!vnode_is_parked(vnode) || (hints & HINT_REVOKE) != 0 ||
        !(must_list(vnode, hints) || (hints & looks) != 0 ||
          vnode_has_children(vnode)))
        return true;
    fd = vnode_fd(engine, vnode);
    return fd >= 0 || fd == -ESTALE;
}

/*
 * One listing at most, and all that follows from it.  False: something failed
 * that is owed now, and the item is still the caller's to end.
 */
static bool serve_once(struct worker *worker, struct vnode *vnode,
                       uint32_t hints, unsigned phases)
{
    struct serving s = { .worker = worker, .phases = phases };
    struct offer *offer = NULL;
    uint32_t owed = 0;
    /* relaxed, here and in next_note: an order among vnodes, no more */
    uint64_t noted_ns = atomic_exchange_explicit(&more(vnode)->noted_ns, 0,
                                                 memory_order_relaxed);

    s.noted_ns = noted_ns != 0 ? noted_ns : now_ns();
    if ((hints & HINT_ALARM) != 0)
        /* relaxed: holders alone write it (A1) */
        atomic_store_explicit(&more(vnode)->alarm_ns, 0, memory_order_relaxed);
    if (offer_wake(worker, vnode) != 0 ||
        !can_open(worker->engine, vnode, hints) ||
        (must_list(vnode, hints) && serve_list(&s, vnode, &offer) != 0)) {
        owe(worker, vnode, hints);
        return false;
    }
    if (offer != NULL)
        offer->noted_ns = s.noted_ns;
    if (tell_watches(&s, vnode, hints, offer) != 0)
        owed = hints & ~(uint32_t)HINT_LIST;
    if (keep(&s, vnode, offer) != 0)
        owed |= HINT_KEEP;
    offer_release(worker->engine, offer);
    if (owed != 0) {
        owe(worker, vnode, owed);
        return false;
    }
    more(vnode)->owed = 0;
    more(vnode)->backoff_us = 0;
    count_failing(worker->engine, vnode, false);
    barrier_done(&worker->engine->barrier, phases);
    if (noted_ns != 0)
        tally_stage(worker->tally, STAGE_TOTAL, now_ns() - noted_ns);
    return true;
}

/* Worker 0 is nobody's who may have to wait: for a long listing, or for a look
   at children. */
static bool is_for_others(const struct worker *worker,
                          const struct vnode *vnode)
{
    return worker->index == 0 &&
           (vnode_is_bulk(vnode) || vnode_has_children(vnode));
}

void worker_give_back(struct vnotify *engine, struct vnode *vnode)
{
    vnode_fd_done(vnode);
    if (!claim_release(&vnode->claim))
        worker_defer(engine, vnode, 0);
}

void worker_serve(struct worker *worker, struct vnode *vnode)
{
    struct vnotify *engine = worker->engine;

    do {
        uint64_t now = now_ns();
        unsigned phases;
        uint32_t hints;
        bool served;

        rest_count_slow(engine, vnode, true);
        if (now + REST_NS_MIN < rest_until(engine, vnode)) {
            tally_add(worker->tally, TALLY_RESTS, 1);
            worker_defer(engine, vnode, rest_until(engine, vnode));
            return;
        }
        if (is_for_others(worker, vnode)) {
            worker_hand_over(engine, vnode);
            return;
        }
        hints = claim_take(&vnode->claim, &phases);
        if ((hints & HINT_RELEASE) != 0) {
            /* E1: who waits for the barrier reads the count behind it. */
            count_failing(engine, vnode, false);
            barrier_done(&engine->barrier, phases);
            rest_count_slow(engine, vnode, false);
            housekeeper_release(engine, vnode);
            return;
        }
        served = serve_once(worker, vnode, hints | more(vnode)->owed, phases);
        if (vnode->is_dir)
            rest_begin(engine, vnode, now);
        vnode_fd_done(vnode);
        rest_count_slow(engine, vnode, false);
        if (!served) {
            /* First where a retry finds it, then done: see retry_all. */
            worker_defer(engine, vnode,
                         now_ns() + more(vnode)->backoff_us * UINT64_C(1000));
            barrier_done(&engine->barrier, phases);
            return;
        }
    } while (!claim_release(&vnode->claim));
}
