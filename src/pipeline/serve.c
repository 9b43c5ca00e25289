/*
 * serve.c - stage 2, one vnode: list it, compare, offer what is new
 *
 * The holder of a vnode's claim lists it by the vnode's own descriptor,
 * compares with the listing before, offers what is new to every watch, posts
 * to their instances, and dispatches those whose claim it got.  A vnode that
 * must wait (resting, or to be tried again after a failure) stays held and goes
 * to worker 0's timer; one that takes long goes to a worker other than 0.
 */
#include <errno.h>
#include <stdlib.h>

#include "abi/linux-inotify.h"
#include "pipeline/descriptor.h"
#include "pipeline/engine.h"
#include "pipeline/fate.h"
#include "pipeline/keep.h"
#include "pipeline/learn.h"
#include "pipeline/offer.h"
#include "pipeline/rest.h"
#include "pipeline/stream.h"

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

/* Listing. */

/* Of a whole listing. */
static struct offer *make_offer(struct worker *worker, struct snapshot *before,
                                struct snapshot *after, uint64_t begun)
{
    struct arenas *arenas = &worker->engine->arenas;
    uint64_t start = now_ns();
    struct delta *delta = NULL;
    struct offer *offer;

    if (before != NULL && before != after) {
        delta = delta_create(arenas, before, after);
        if (delta == NULL)
            return NULL;
        tally_add(worker->tally, TALLY_DELTAS, 1);
        tally_stage(worker->tally, STAGE_DIFF, now_ns() - start);
    }
    offer = offer_create(after, delta, begun);
    if (offer == NULL)
        arena_free(arenas, delta);
    return offer;
}

/* By the vnode's own descriptor; one that is gone for good has no entries. */
static int list_by_own(struct worker *worker, struct vnode *vnode,
                       struct stream *stream)
{
    struct vnotify *engine = worker->engine;
    struct snapshot *before = vnode->current;
    int fd = vnode_fd(engine, vnode), err;

    worker->builder.base = vnode->ino;
    if (fd == -ESTALE) {
        snapshot_list_removed(&worker->builder);
        return 0;
    }
    if (fd < 0)
        return fd;
    if (fault_hits(&engine->fault, FAULT_OPEN))
        return -EMFILE;
    if (before == NULL)
        return snapshot_list(&worker->builder, fd, NULL, NULL, &engine->fault);
    snapshot_acquire(before); /* the stream may replace it meanwhile */
    err = snapshot_list(&worker->builder, fd, before, &stream->follower,
                        &engine->fault);
    snapshot_release(&engine->arenas, before);
    return err;
}

/*
 * When the host noted a rename across directories that this listing, ended now,
 * may be the first to show: since the one before began.  0: it did not.
 */
uint64_t vnode_has_crossed(const struct vnode *vnode)
{
    /* relaxed: a note that is not posted yet is the next listing's */
    uint64_t crossed_ns = atomic_load_explicit(&more(vnode)->crossed_ns,
                                               memory_order_relaxed);

    return crossed_ns > more(vnode)->listed_ns ? crossed_ns : 0;
}

static int take_listing(struct serving *s, struct vnode *vnode,
                        struct stream *stream, uint64_t *crossed_ns)
{
    struct worker *worker = s->worker;
    struct vnotify *engine = worker->engine;
    uint64_t start = now_ns(), begun, end;
    int err;

    /* V3: "about to begin", then the ticket: an add_watch that still sees the
       one before has looked before the ticket was drawn. */
    atomic_store_explicit(&more(vnode)->begun, UINT64_MAX,
                          memory_order_seq_cst);
    begun = engine_tick(engine);
    atomic_store_explicit(&more(vnode)->begun, begun, /* V3 */
                          memory_order_seq_cst);
    stream_begin(stream, s, vnode, begun);
    worker->builder.yielded_ns = 0;
    err = list_by_own(worker, vnode, stream);
    end = now_ns() - worker->builder.yielded_ns;
    vnode->least_cost_ns =
        vnode->cost_ns < end - start ? vnode->cost_ns : end - start;
    vnode->cost_ns = end - start;
    tally_stage(worker->tally, STAGE_LISTING, vnode->cost_ns);
    TRACE(&engine->trace, "listing vnode=%u entries=%u ns=%llu result=%d",
          vnode->slot, worker->builder.count,
          (unsigned long long)vnode->cost_ns, err);
    if (err != 0)
        return err;
    *crossed_ns = vnode_has_crossed(vnode);
    more(vnode)->listed_ns = start;
    tally_add(worker->tally, TALLY_LISTINGS, 1);
    tally_add(worker->tally, TALLY_ENTRIES, worker->builder.count);
    return 0;
}

/* Lists the directory; *offer is what to tell its watches, or NULL. */
static int list(struct serving *s, struct vnode *vnode, struct offer **offer)
{
    struct worker *worker = s->worker;
    struct vnotify *engine = worker->engine;
    struct snapshot *after;
    struct stream stream;
    uint64_t crossed_ns;
    int err = take_listing(s, vnode, &stream, &crossed_ns);
    bool joined;

    *offer = NULL;
    if (err != 0)
        return err;
    after = vnode->current;
    /* V3: a watch may have joined with a listing of its own; until it has
       been offered a later one, it is offered what we have. */
    joined = atomic_load_explicit(&vnode->joined, memory_order_seq_cst) >=
             more(vnode)->offered;
    if (after == NULL || stream_has_told(&stream) ||
        !snapshot_same(&worker->builder, after)) {
        after = snapshot_create(&engine->arenas, &worker->builder,
                                &engine->fault, engine_snapshot_id(engine));
        if (after == NULL)
            return -ENOMEM;
    } else {
        tally_add(worker->tally, TALLY_LISTINGS_UNCHANGED, 1);
        if (!joined)
            return 0;
        snapshot_acquire(after);
    }
    *offer = make_offer(worker, vnode->current, after, stream.begun);
    if (*offer == NULL) {
        snapshot_release(&engine->arenas, after);
        return -ENOMEM;
    }
    (*offer)->crossed_ns = crossed_ns;
    if ((*offer)->delta != NULL) {
        learn_newcomers(engine, vnode, (*offer)->delta, crossed_ns != 0);
        keep_ask_gone(engine, vnode, (*offer)->delta);
        TRACE(&engine->trace, "delta vnode=%u gone=%u come=%u", vnode->slot,
              (*offer)->delta->gone, (*offer)->delta->come);
    }
    snapshot_release(&engine->arenas, vnode->current);
    vnode->current = after;
    more(vnode)->offered = stream.begun;
    return 0;
}

/* Serving. */

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

void serve_offer(struct serving *s, struct vnode *vnode, struct offer *offer)
{
    static const struct fate none;

    offer_to_watches(s, vnode, offer, &none);
    offer_dispatch(s);
    /* What fails here is owed by the children, or made good with the whole
       listing. */
    (void)keep(s, vnode, offer);
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
        (must_list(vnode, hints) && list(&s, vnode, &offer) != 0)) {
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
