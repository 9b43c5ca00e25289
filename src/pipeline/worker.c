/*
 * worker.c - stage 2: from a vnode's pending hints to offers for its watches
 *
 * A worker posts each note to its vnode.  If it gets the claim it serves the
 * vnode: lists it, compares, offers what is new to every watch, posts to their
 * instances, and dispatches those whose claim it got.  A vnode that must wait
 * (resting after a long listing, or to be tried again after one that failed)
 * stays held and goes to worker 0's timer; one whose listing takes long goes
 * to a worker other than 0.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "abi/linux-inotify.h"
#include "pipeline/engine.h"

/* Instances whose claim this worker got and has yet to dispatch. */
struct serving {
    struct worker *worker;
    struct handoff_link *taken;
    struct offer *offer;
    uint32_t self;
    uint64_t noted_ns;
    unsigned phases;
};

void worker_defer(struct vnotify *engine, struct vnode *vnode, uint64_t due_ns)
{
    vnode->due_ns = due_ns;
    handoff_give(&engine->again, &vnode->link);
    lot_wake(&engine->lot, 1);
}

static void hand_to_bulk(struct vnotify *engine, struct vnode *vnode)
{
    handoff_give(&engine->bulk, &vnode->link);
    lot_wake(&engine->lot, LOT_ANYBODY - 1);
}

/* Listing. */

static struct offer *offer_create(struct vnotify *engine, struct tally *tally,
                                  struct snapshot *before,
                                  struct snapshot *after, uint64_t begun)
{
    struct offer *offer = calloc(1, sizeof(*offer));
    uint64_t start = now_ns();

    if (offer == NULL)
        return NULL;
    atomic_init(&offer->refs, 1);
    offer->begun = begun;
    if (before != NULL && before != after) {
        offer->delta = delta_create(&engine->arenas, before, after);
        if (offer->delta == NULL) {
            free(offer);
            return NULL;
        }
        tally_add(tally, TALLY_DELTAS, 1);
        tally_stage(tally, STAGE_DIFF, now_ns() - start);
    }
    snapshot_acquire(after);
    offer->after = after;
    return offer;
}

static int take_listing(struct worker *worker, struct vnode *vnode,
                        uint64_t *begun)
{
    struct vnotify *engine = worker->engine;
    uint64_t start = now_ns(), end;
    int err;

    /* V3: "about to begin", then the ticket: an add_watch that still sees the
       one before has looked before the ticket was drawn. */
    atomic_store_explicit(&vnode->begun, UINT64_MAX, memory_order_seq_cst);
    *begun = engine_tick(engine);
    atomic_store_explicit(&vnode->begun, *begun, memory_order_seq_cst); /* V3 */
    if (fault_hits(&engine->fault, FAULT_OPEN))
        err = -EMFILE;
    else
        err = snapshot_list(&worker->builder, vnode->host_fd, &engine->fault);
    end = now_ns();
    vnode->least_cost_ns =
        vnode->cost_ns < end - start ? vnode->cost_ns : end - start;
    vnode->cost_ns = end - start;
    vnode->rest_until_ns = end + vnode->cost_ns;
    tally_stage(worker->tally, STAGE_LISTING, vnode->cost_ns);
    TRACE(&engine->trace, "listing vnode=%u entries=%u ns=%llu result=%d",
          vnode->slot, worker->builder.count,
          (unsigned long long)vnode->cost_ns, err);
    if (err != 0)
        return err;
    tally_add(worker->tally, TALLY_LISTINGS, 1);
    tally_add(worker->tally, TALLY_ENTRIES, worker->builder.count);
    return 0;
}

/* Told late, a rename of so many names is still a rename; past it, deletes and
   creates, which say the same. */
enum { LEARN_MAX = 16384 };

/* Lists the directory; *offer is what to tell its watches, or NULL. */
static int list(struct worker *worker, struct vnode *vnode,
                struct offer **offer)
{
    struct vnotify *engine = worker->engine;
    struct snapshot *after = vnode->current;
    uint64_t begun;
    int err = take_listing(worker, vnode, &begun);
    bool joined;

    *offer = NULL;
    if (err != 0)
        return err;
    /* V3: a watch may have joined with a listing of its own; until it has
       been offered a later one, it is offered what we have. */
    joined = atomic_load_explicit(&vnode->joined, memory_order_seq_cst) >=
             vnode->offered;
    if (after == NULL || !snapshot_same(&worker->builder, after)) {
        /* relaxed: unique is enough */
        uint64_t id = 1 + atomic_fetch_add_explicit(&engine->snapshot_id, 1,
                                                    memory_order_relaxed);
        after = snapshot_create(&engine->arenas, &worker->builder,
                                &engine->fault, id);
        if (after == NULL)
            return -ENOMEM;
    } else {
        tally_add(worker->tally, TALLY_LISTINGS_UNCHANGED, 1);
        if (!joined)
            return 0;
        snapshot_acquire(after);
    }
    *offer = offer_create(engine, worker->tally, vnode->current, after, begun);
    if (*offer == NULL) {
        snapshot_release(&engine->arenas, after);
        return -ENOMEM;
    }
    /* Looking at what has come does one thing more: it makes a kernel with
       multigrain timestamps (Linux 6.13) stamp the next change, a rename say,
       distinctly. */
    if ((*offer)->delta != NULL)
        delta_learn((*offer)->delta, vnode->host_fd, LEARN_MAX);
    if ((*offer)->delta != NULL)
        TRACE(&engine->trace, "delta vnode=%u gone=%u come=%u", vnode->slot,
              (*offer)->delta->gone, (*offer)->delta->come);
    snapshot_release(&engine->arenas, vnode->current);
    vnode->current = after;
    vnode->offered = begun;
    return 0;
}

/* Offering. */

static void offer_to(struct serving *s, struct watch *watch)
{
    struct vnotify *engine = s->worker->engine;
    struct vnotify_instance *instance = watch->instance;
    uint64_t none = 0;

    /* W3: the oldest counts, until dispatch has taken it */
    (void)atomic_compare_exchange_strong_explicit(&watch->noted, &none,
                                                  s->noted_ns,
                                                  memory_order_acq_rel,
                                                  memory_order_relaxed);
    if (s->offer != NULL) {
        /* relaxed: our own reference keeps it alive (W1) */
        atomic_fetch_add_explicit(&s->offer->refs, 1, memory_order_relaxed);
        offer_release(engine,
                      atomic_exchange_explicit(&watch->offer, s->offer,
                                               memory_order_acq_rel)); /* W3 */
    }
    if (s->self != 0)
        atomic_fetch_or_explicit(&watch->self, s->self,
                                 memory_order_acq_rel); /* W3 */
    dispatch_enlist(watch);
    barrier_add(&engine->barrier, s->phases);
    if (claim_post(&instance->claim, &engine->barrier, INSTANCE_OPEN,
                   INSTANCE_DIRTY, s->phases) == CLAIM_TAKEN) {
        instance->link.next = s->taken;
        s->taken = &instance->link;
    }
}

/* Offers to all watches, then dispatches what this worker has claimed. */
static void offer_to_all(struct serving *s, struct vnode *vnode)
{
    struct worker *worker = s->worker;
    ck_epoch_section_t section;
    struct watch *watch;

    ck_epoch_begin(&worker->epoch, &section);
    SYNC_ACQUIRE(&worker->engine->epoch);
    /* V2: acquire pairs with the store that put it there */
    watch = atomic_load_explicit(&vnode->watches, memory_order_seq_cst);
    while (watch != NULL) {
        offer_to(s, watch);
        watch = atomic_load_explicit(&watch->next, memory_order_acquire);
    }
    SYNC_RELEASE(&worker->engine->epoch);
    ck_epoch_end(&worker->epoch, &section);
}

static void dispatch_taken(struct serving *s)
{
    while (s->taken != NULL) {
        struct vnotify_instance *instance =
            HANDOFF_OBJECT(struct vnotify_instance, link, s->taken);

        s->taken = s->taken->next;
        dispatch_run(s->worker->engine, s->worker->tally, instance);
    }
}

/* Serving. */

static bool same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

/*
 * Hosts post a truncation as an attribute change.  It is one of content if the
 * size is another, or if the content's time moved as a write moves it: to the
 * time of the change, and not together with the access time, as touch(1) does.
 */
static uint32_t tell_truncation(const struct vnode *vnode, uint32_t events,
                                const struct stat *st)
{
    const struct stat *old = &vnode->seen;

    if ((events & VN_IN_ATTRIB) == 0 || (events & VN_IN_MODIFY) != 0 ||
        st->st_mode != old->st_mode || st->st_uid != old->st_uid ||
        st->st_gid != old->st_gid || st->st_nlink != old->st_nlink)
        return events;
    if (st->st_size == old->st_size &&
        (same_time(st->st_mtim, old->st_mtim) ||
         !same_time(st->st_mtim, st->st_ctim) ||
         same_time(st->st_mtim, st->st_atim)))
        return events;
    return (events & ~(uint32_t)VN_IN_ATTRIB) | VN_IN_MODIFY;
}

/* The object's own fate and events, as self bits of its watches. */
static uint32_t self_events(struct vnode *vnode, uint32_t hints)
{
    uint32_t events = note_self_events(hints, vnode->is_dir);
    struct stat st;

    if ((hints & HINT_REVOKE) != 0)
        return events | VN_IN_UNMOUNT | SELF_IGNORED;
    if ((hints & (HINT_LINKS | HINT_ATTRIB | HINT_MODIFY)) == 0 ||
        fstat(vnode->host_fd, &st) != 0)
        return events;
    if (!vnode->is_dir && (hints & HINT_LINKS) == 0)
        events = tell_truncation(vnode, events, &st);
    vnode->seen = st;
    return st.st_nlink == 0 && (hints & HINT_LINKS) != 0 ? events | SELF_GONE
                                                         : events;
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
    vnode->owed = hints & ~(uint32_t)HINT_RETRY;
    count_failing(worker->engine, vnode, true);
    vnode->backoff_us = vnode->backoff_us == 0 ? RETRY_US_FIRST
                                               : vnode->backoff_us * 2;
    if (vnode->backoff_us > RETRY_US_MAX)
        vnode->backoff_us = RETRY_US_MAX;
}

/*
 * One listing at most, and all that follows from it.  False: it failed, and
 * the item is still the caller's to end.
 */
static bool serve_once(struct worker *worker, struct vnode *vnode,
                       uint32_t hints, unsigned phases)
{
    struct vnotify *engine = worker->engine;
    struct serving s = { .worker = worker, .phases = phases };
    /* relaxed, here and in next_note: an order among vnodes, no more */
    uint64_t noted_ns =
        atomic_exchange_explicit(&vnode->noted_ns, 0, memory_order_relaxed);

    s.noted_ns = noted_ns != 0 ? noted_ns : now_ns();
    if (vnode->is_dir && (hints & (HINT_LIST | HINT_LINKS)) != 0 &&
        (hints & HINT_REVOKE) == 0 && list(worker, vnode, &s.offer) != 0) {
        owe(worker, vnode, hints);
        return false;
    }
    vnode->owed = 0;
    vnode->backoff_us = 0;
    count_failing(engine, vnode, false);
    if (s.offer != NULL)
        s.offer->crossed = (hints & HINT_CROSSED) != 0;
    s.self = self_events(vnode, hints);
    if (s.offer != NULL || s.self != 0)
        offer_to_all(&s, vnode);
    offer_release(engine, s.offer);
    barrier_done(&engine->barrier, phases);
    dispatch_taken(&s);
    if (noted_ns != 0)
        tally_stage(worker->tally, STAGE_TOTAL, now_ns() - noted_ns);
    return true;
}

/* The claim is held; it is released, or goes elsewhere with the vnode. */
static void serve(struct worker *worker, struct vnode *vnode)
{
    struct vnotify *engine = worker->engine;

    do {
        uint64_t now = now_ns();
        unsigned phases;
        uint32_t hints;

        if (now + REST_NS_MIN < vnode->rest_until_ns) {
            tally_add(worker->tally, TALLY_RESTS, 1);
            worker_defer(engine, vnode, vnode->rest_until_ns);
            return;
        }
        if (worker->index == 0 && vnode->least_cost_ns > BULK_NS) {
            hand_to_bulk(engine, vnode);
            return;
        }
        hints = claim_take(&vnode->claim, &phases);
        if ((hints & HINT_RELEASE) != 0) {
            barrier_done(&engine->barrier, phases);
            count_failing(engine, vnode, false);
            housekeeper_release(engine, vnode);
            return;
        }
        if (!serve_once(worker, vnode, hints | vnode->owed, phases)) {
            /* First where a retry finds it, then done: see retry_all. */
            worker_defer(engine, vnode,
                         now_ns() + vnode->backoff_us * UINT64_C(1000));
            barrier_done(&engine->barrier, phases);
            return;
        }
    } while (!claim_release(&vnode->claim));
}

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
    uint32_t hints;
    uint64_t none = 0;

    if (!CK_RING_DEQUEUE_SPMC(note, &engine->ring, engine->notes, &note))
        return false;
    SYNC_ACQUIRE(&engine->ring); /* N1 */
    if (note.vnode == 0) {
        order_retries(worker, note.phases);
        return true;
    }
    vnode = registry_slot(&engine->registry, note.vnode);
    tally_stage(worker->tally, STAGE_WAIT, now_ns() - note.read_ns);
    hints = note_hints(note.fflags, note.dir);
    if (hints == 0) {
        barrier_done(&engine->barrier, note.phases);
        return true;
    }
    /* relaxed: an order among vnodes, no more */
    (void)atomic_compare_exchange_strong_explicit(
        &vnode->noted_ns, &none, note.read_ns, memory_order_relaxed,
        memory_order_relaxed);
    switch (claim_post(&vnode->claim, &engine->barrier, note.generation, hints,
                       note.phases)) {
    case CLAIM_TAKEN:
        serve(worker, vnode);
        break;
    case CLAIM_LEFT:
        tally_add(worker->tally, TALLY_NOTES_COALESCED, 1);
        break;
    case CLAIM_STALE:
        tally_add(worker->tally, TALLY_NOTES_STALE, 1);
        break;
    }
    return true;
}

/* Worker 0's timer. */

/* Has the failing vnode listed again, as an item of these phases. */
static void retry(struct worker *worker, struct vnode *vnode, unsigned phases)
{
    struct vnotify *engine = worker->engine;

    (void)claim_post(&vnode->claim, &engine->barrier,
                     claim_generation(&vnode->claim), HINT_RETRY, phases);
    vnode->rest_until_ns = 0;
    serve(worker, vnode);
}

/*
 * vnotify_sync's order: what has failed is tried at once.  A vnode that is
 * being listed now is not here; sync's next cycle waits for it.
 */
static void retry_all(struct worker *worker)
{
    struct vnotify *engine = worker->engine;
    struct timer *timer = &worker->timer;
    uint32_t order = atomic_exchange_explicit(&engine->retry_now, 0,
                                              memory_order_acquire); /* E2 */

    if (order == 0)
        return;
    for (uint32_t i = 0; i < timer->count;) {
        struct vnode *vnode = timer->heap[i];

        if (!vnode->failing) {
            i++;
            continue;
        }
        timer_remove(timer, vnode);
        barrier_add(&engine->barrier, order & ~(uint32_t)RETRY_ORDERED);
        retry(worker, vnode, order & ~(uint32_t)RETRY_ORDERED);
        i = 0; /* the heap has changed */
    }
    barrier_done(&engine->barrier, order & ~(uint32_t)RETRY_ORDERED);
}

static void take_deferred(struct worker *worker)
{
    struct handoff_link *link = handoff_take(&worker->engine->again);

    while (link != NULL) {
        struct vnode *vnode = HANDOFF_OBJECT(struct vnode, link, link);

        link = link->next;
        if (timer_insert(&worker->timer, vnode) != 0)
            serve(worker, vnode); /* no memory: sooner instead of later */
    }
}

static void serve_due(struct worker *worker)
{
    struct vnode *vnode = timer_first(&worker->timer);

    if (vnode == NULL || vnode->due_ns > now_ns())
        return;
    timer_remove(&worker->timer, vnode);
    if (vnode->failing) {
        retry(worker, vnode, barrier_join(&worker->engine->barrier));
    } else {
        vnode->rest_until_ns = 0;
        serve(worker, vnode);
    }
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
    serve_due(worker);
    watch_holds(worker);
}

/* When worker 0 must wake at the latest; 0: when it is woken. */
static uint64_t next_due_ns(const struct worker *worker)
{
    const struct vnode *vnode = timer_first(&worker->timer);
    uint64_t due = worker->hold_due_ns;

    if (vnode != NULL && (due == 0 || vnode->due_ns < due))
        due = vnode->due_ns;
    return due;
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
        dispatch_run(engine, worker->tally, instance);
    }
    return any;
}

/* One bulk vnode; the others go back for other workers to fetch. */
static bool next_bulk(struct worker *worker)
{
    struct vnotify *engine = worker->engine;
    struct handoff_link *link, *rest;

    if (worker->index == 0)
        return false;
    link = handoff_take(&engine->bulk);
    if (link == NULL)
        return false;
    for (rest = link->next; rest != NULL;) {
        struct handoff_link *next = rest->next;

        handoff_give(&engine->bulk, rest);
        lot_wake(&engine->lot, LOT_ANYBODY - 1);
        rest = next;
    }
    serve(worker, HANDOFF_OBJECT(struct vnode, link, link));
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
        return !handoff_empty(&engine->bulk);
    return !handoff_empty(&engine->again) ||
           atomic_load_explicit(&engine->retry_now, /* E2 */
                                memory_order_seq_cst) != 0 ||
           atomic_load_explicit(&engine->hold_asked, /* E3 */
                                memory_order_seq_cst) != 0;
}

static void rest(struct worker *worker)
{
    struct lot *lot = &worker->engine->lot;
    uint64_t due = next_due_ns(worker);
    struct timespec deadline = {
        .tv_sec = (time_t)(due / 1000000000),
        .tv_nsec = (long)(due % 1000000000),
    };

    lot_prepare(lot, worker->index);
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
