/*
 * serve.c - stage 2, one vnode: list it, compare, offer what is new
 *
 * The holder of a vnode's claim lists it by the vnode's own descriptor,
 * compares with the listing before, offers what is new to every watch, posts
 * to their instances, and dispatches those whose claim it got.  A vnode that
 * must wait (resting after a long listing, or to be tried again after one that
 * failed) stays held and goes to worker 0's timer; one whose listing takes
 * long goes to a worker other than 0.
 */
#include <errno.h>
#include <stdlib.h>
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

void worker_serve(struct worker *worker, struct vnode *vnode)
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
