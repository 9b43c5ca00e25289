/*
 * worker.c - stage 2, the threads: notes, deferred vnodes, instances
 *
 * A worker serves the vnodes that the reader got the claim of by posting a note
 * (serve.c).  Worker 0 keeps the timer: what rests, what failed and is tried
 * again, and when to look at what waits for a rename's other half.  It never
 * takes bulk directories, so it is never long in coming back to it.
 */
#include <errno.h>
#include <sys/prctl.h>

#include "pipeline/engine.h"
#include "pipeline/rest.h"

/* Notes. */

static void order_retries(struct worker *worker, unsigned phases)
{
    /* E2: one order at a time: the cycle that it belongs to waits for it */
    atomic_store_explicit(&worker->engine->retry_now, RETRY_ORDERED | phases,
                          memory_order_release);
    lot_wake(&worker->engine->lot, 1);
}

static bool next_note(struct worker *worker)
{
    struct vnotify *engine = worker->engine;
    struct note note;
    struct vnode *vnode;

    if (!CK_RING_DEQUEUE_SPMC(note, &engine->ring, engine->notes, &note))
        return false;
    SYNC_ACQUIRE(&engine->ring); /* N1 */
    if (note.vnode == 0) {
        order_retries(worker, note.phases);
        return true;
    }
    vnode = registry_slot(&engine->registry, note.vnode);
    tally_stage(worker->tally, STAGE_WAIT, now_ns() - note.read_ns);
    worker_serve(worker, vnode);
    return true;
}

/* Worker 0's timer. */

/* Has the failing vnode listed again, as an item of these phases. */
static void retry(struct worker *worker, struct vnode *vnode, unsigned phases)
{
    struct vnotify *engine = worker->engine;

    (void)claim_post(&vnode->claim, &engine->barrier,
                     claim_generation(&vnode->claim), HINT_RETRY, phases);
    more(vnode)->rest_until_ns = more(vnode)->storm_rest_us = 0;
    worker_serve(worker, vnode);
}

/* Who rests for longer than it need by now is served, here or by others: true
   if so. */
static bool hurry(struct worker *worker, struct vnode *vnode, bool by_others)
{
    if (vnode->failing ||
        more(vnode)->due_ns <= rest_until(worker->engine, vnode))
        return false;
    timer_remove(&worker->timer, vnode);
    more(vnode)->storm_rest_us = 0;
    if (by_others)
        worker_hand_over(worker->engine, vnode);
    else
        worker_serve(worker, vnode);
    return true;
}

/*
 * The heap is looked through from its end.  Removing what is at i puts there
 * something that was looked at already, or what was above it, or nothing: so
 * look at i again.  Nothing is inserted meanwhile: who is deferred goes to
 * `again`.
 */
static uint32_t next_to_look_at(const struct timer *timer, uint32_t i)
{
    return i < timer->count ? i + 1 : timer->count;
}

/*
 * vnotify_sync's order: what has failed is tried at once, and what rests for
 * the sake of others is served.  A vnode that is being listed now is not here;
 * sync's next cycle waits for it.
 */
static void retry_all(struct worker *worker)
{
    struct vnotify *engine = worker->engine;
    struct timer *timer = &worker->timer;
    uint32_t order = atomic_exchange_explicit(&engine->retry_now, 0,
                                              memory_order_acquire); /* E2 */

    if (order == 0)
        return;
    for (uint32_t i = timer->count; i-- > 0;) {
        struct vnode *vnode = timer->heap[i];

        if (vnode->failing) {
            timer_remove(timer, vnode);
            barrier_add(&engine->barrier, order & ~(uint32_t)RETRY_ORDERED);
            retry(worker, vnode, order & ~(uint32_t)RETRY_ORDERED);
        } else if (!hurry(worker, vnode, false)) {
            continue;
        }
        i = next_to_look_at(timer, i);
    }
    barrier_done(&engine->barrier, order & ~(uint32_t)RETRY_ORDERED);
}

static void take_deferred(struct worker *worker)
{
    struct handoff_link *link = handoff_take(&worker->engine->again);

    while (link != NULL) {
        struct vnode *vnode = HANDOFF_OBJECT(struct vnode, link, link);

        link = link->next;
        if (!vnode->failing && more(vnode)->due_ns > 1 &&
            more(vnode)->due_ns > rest_until(worker->engine, vnode))
            more(vnode)->due_ns = rest_until(worker->engine, vnode);
        if (timer_insert(&worker->timer, vnode) != 0)
            worker_serve(worker, vnode); /* no memory: sooner instead of later */
    }
}

static void serve_due(struct worker *worker)
{
    struct vnode *vnode = timer_first(&worker->timer);

    if (vnode == NULL || more(vnode)->due_ns > now_ns())
        return;
    timer_remove(&worker->timer, vnode);
    if (vnode->failing) {
        retry(worker, vnode, barrier_join(&worker->engine->barrier));
    } else {
        more(vnode)->rest_until_ns = more(vnode)->storm_rest_us = 0;
        worker_serve(worker, vnode);
    }
}

/* E3: somebody may rest that a held rename waits for.  A share of the time. */
static void hurry_awaited(struct worker *worker)
{
    struct timer *timer = &worker->timer;
    uint64_t start = now_ns(), end;

    if (worker->hurry_due_ns == 0 || worker->hurry_due_ns > start)
        return;
    worker->hurry_due_ns = 0;
    for (uint32_t i = timer->count; i-- > 0;)
        if (hurry(worker, timer->heap[i], false))
            i = next_to_look_at(timer, i);
    end = now_ns();
    worker->hurried_ns = end + (end - start);
}

/* When to see to the end of a storm; 0: there is none. */
static uint64_t calm_due_ns(const struct worker *worker)
{
    uint64_t calm = rest_calm_ns(worker->engine);

    return worker->timer.count == 0 || calm == worker->calmed_ns ||
                   !rest_goes_on(worker->engine)
               ? 0
               : calm;
}

/* A storm is over: what rests for it is for all workers.  It is not while notes
   are there that no reader had a CPU for. */
static void end_storm(struct worker *worker)
{
    uint64_t calm = calm_due_ns(worker);
    struct timer *timer = &worker->timer;

    if (calm == 0 || calm > now_ns())
        return;
    if (kq_pending(worker->engine->kq)) {
        /* relaxed: of cost alone */
        atomic_store_explicit(&worker->engine->last_note_ns, now_ns(),
                              memory_order_relaxed);
        return;
    }
    worker->calmed_ns = calm;
    for (uint32_t i = timer->count; i-- > 0;)
        if (hurry(worker, timer->heap[i], i % 2 != 0))
            i = next_to_look_at(timer, i);
}

static void watch_holds(struct worker *worker)
{
    struct vnotify *engine = worker->engine;
    uint64_t asked = atomic_exchange_explicit(&engine->hold_asked, 0,
                                              memory_order_acquire); /* E3 */
    uint64_t skew = kq_rename_skew_ns(engine->kq);
    unsigned phases;

    if (asked != 0 && worker->hold_due_ns == 0)
        worker->hold_due_ns = asked + (skew == 0 ? HOLD_NS_MAX : skew);
    if (asked != 0 && worker->hurry_due_ns == 0)
        worker->hurry_due_ns = worker->hurried_ns + 1;
    hurry_awaited(worker);
    if (worker->hold_due_ns == 0 || worker->hold_due_ns > now_ns())
        return;
    worker->hold_due_ns = 0;
    phases = barrier_join(&engine->barrier);
    dispatch_look_at_holds(engine, phases);
    barrier_done(&engine->barrier, phases);
}

static void keep_time(struct worker *worker)
{
    take_deferred(worker);
    retry_all(worker);
    end_storm(worker);
    serve_due(worker);
    alarms_look(worker);
    watch_holds(worker);
}

/* When worker 0 must wake at the latest; 0: when it is woken. */
static uint64_t next_due_ns(const struct worker *worker)
{
    const struct vnode *vnode = timer_first(&worker->timer);
    uint64_t due = worker->hold_due_ns;

    due = sooner(due, calm_due_ns(worker));
    due = sooner(due, worker->hurry_due_ns);
    due = sooner(due, alarms_due_ns(&worker->alarms));
    return vnode == NULL ? due : sooner(due, more(vnode)->due_ns);
}

/* The loop. */

static bool next_instance(struct worker *worker)
{
    struct vnotify *engine = worker->engine;
    struct handoff_link *link = handoff_take(&engine->deliver);
    bool any = link != NULL;

    while (link != NULL) {
        struct vnotify_instance *instance =
            HANDOFF_OBJECT(struct vnotify_instance, link, link);

        link = link->next;
        dispatch_run(worker, instance, BARRIER_UNCOUNTED);
    }
    return any;
}

/* One bulk vnode; the others are for whoever comes first. */
static bool next_bulk(struct worker *worker)
{
    struct vnotify *engine = worker->engine;
    struct handoff_link *link;

    if (worker->index == 0)
        return false;
    link = relay_take(&engine->bulk);
    if (link == NULL)
        return false;
    if (!relay_empty(&engine->bulk))
        lot_wake(&engine->lot, LOT_ANYBODY - 1);
    worker_serve(worker, HANDOFF_OBJECT(struct vnode, link, link));
    return true;
}

static bool anything_to_do(struct worker *worker)
{
    struct vnotify *engine = worker->engine;

    /* PK2: after lot_prepare; each of these is published before lot_wake */
    if (ck_ring_size(&engine->ring) != 0 || !handoff_empty(&engine->deliver) ||
        atomic_load_explicit(&engine->stop, memory_order_seq_cst) != 0) /* E4 */
        return true;
    if (worker->index != 0)
        return !relay_empty(&engine->bulk);
    return !handoff_empty(&engine->again) ||
           (worker->alarms.retry_ns == 0 && !handoff_empty(&engine->alarms)) ||
           atomic_load_explicit(&engine->retry_now, /* E2 */
                                memory_order_seq_cst) != 0 ||
           atomic_load_explicit(&engine->hold_asked, /* E3 */
                                memory_order_seq_cst) != 0;
}

static void rest(struct worker *worker)
{
    struct lot *lot = &worker->engine->lot;
    uint64_t due = next_due_ns(worker);
    struct timespec deadline = timespec_of(due);

    lot_prepare(lot, worker->index, due == 0 ? LOT_FOREVER : due);
    if (anything_to_do(worker) || (due != 0 && due <= now_ns()))
        lot_cancel(lot, worker->index);
    else
        lot_sleep(lot, worker->index, due == 0 ? NULL : &deadline);
}

void *worker_main(void *arg)
{
    struct worker *worker = arg;
    struct vnotify *engine = worker->engine;

#ifdef PR_SET_TIMERSLACK
    prctl(PR_SET_TIMERSLACK, 1000UL, 0UL, 0UL, 0UL); /* rests are short */
#endif
    for (;;) {
        bool any = false;

        if (worker->index == 0)
            keep_time(worker);
        any = next_instance(worker) || any;
        any = next_note(worker) || any;
        any = next_bulk(worker) || any;
        if (any)
            continue;
        /* E4: pairs with the store in vnotify_destroy */
        if (atomic_load_explicit(&engine->stop, memory_order_acquire) != 0)
            break;
        rest(worker);
    }
    return NULL;
}
