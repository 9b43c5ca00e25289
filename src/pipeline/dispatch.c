/*
 * dispatch.c - stage 3: what an instance's watches have untold becomes events
 *
 * A role, not a thread: whoever posts to an instance and gets its claim runs
 * its rounds; who does not get it has left the work to the one that has.  So
 * the holder is the only producer of the instance's queue, and nobody waits.
 *
 * A round (round.c) takes every watch with something untold, finds each one's
 * delta (shared when the watch was told exactly the listing before, computed
 * for it when it lags), and pairs and orders them (plan-order.c).  What it has
 * planned is pushed through the mask.
 * A queue that is full stops the round at the plan's cursor; it goes on when
 * the guest has made room.  Meanwhile only the newest offer of each watch is
 * kept: that is the whole backlog.
 */
#include <limits.h>
#include <stdlib.h>

#include "abi/linux-inotify.h"
#include "pipeline/backlog.h"
#include "pipeline/engine.h"
#include "pipeline/hold.h"
#include "pipeline/round.h"

/* Telling. */

static void end_telling(struct vnotify *engine,
                        struct vnotify_instance *instance)
{
    for (uint32_t i = 0; i < instance->telling_count; i++) {
        struct telling *telling = &instance->tellings[i];

        offer_release(engine, telling->offer);
        arena_free(&engine->arenas, telling->own);
        if (telling->watch != NULL)
            watch_release(engine, telling->watch);
    }
    plan_fini(&instance->plan);
    free(instance->tellings);
    instance->tellings = NULL;
    instance->telling_count = 0;
}

/* Pushes one event; false: no room (or memory) now. */
static bool push(struct dispatch *d, const struct watch *watch,
                 const struct planned *event)
{
    struct vnotify_instance *instance = d->instance;
    struct queue *queue = &instance->queue;
    enum queue_outcome outcome;

    for (;;) {
        outcome = queue_push(queue, watch->wd, event->mask, event->cookie,
                             event->name, event->name_len);
        if (outcome == QUEUE_PUSHED || outcome == QUEUE_MERGED)
            break;
        /* I3: said first, looked at again after: see instance_made_room */
        atomic_store_explicit(&instance->behind, 1, memory_order_seq_cst);
        d->starved = outcome == QUEUE_NO_MEMORY;
        if (queue_bytes(queue) != 0 || d->starved) {
            tally_add(d->tally, TALLY_QUEUE_FULL, 1);
            return false;
        }
    }
    if (outcome == QUEUE_MERGED) {
        tally_add(d->tally, TALLY_EVENTS_MERGED, 1);
        return true;
    }
    d->pushed = true;
    tally_add(d->tally, TALLY_EVENTS, 1);
    tally_high(d->tally, TALLY_QUEUE_HIGH, queue_events(queue));
    TRACE(&d->engine->trace, "event wd=%d mask=%#x cookie=%u name=%.*s",
          watch->wd, event->mask, event->cookie, (int)event->name_len,
          event->name == NULL ? "" : event->name);
    return true;
}

static void retire(struct dispatch *d, struct watch *watch)
{
    watch->retired = true;
    housekeeper_retire(d->engine, watch);
}

/* Tells one planned event; false: it stays planned. */
static bool tell(struct dispatch *d, struct planned *event)
{
    struct watch *watch = d->instance->tellings[event->source].watch;
    /* relaxed: a new mask takes effect soon */
    uint32_t mask =
        atomic_load_explicit(&watch->mask, memory_order_relaxed);

    if (watch->retired)
        return true;
    if (event->mask == VN_IN_IGNORED) {
        if (!push(d, watch, event))
            return false;
        (void)watch_end(watch);
        retire(d, watch);
        return true;
    }
    if (!watch_live(watch) ||
        ((mask & event->mask & VN_IN_ALL_EVENTS) == 0 &&
         (event->mask & VN_IN_UNMOUNT) == 0))
        return true;
    if (!push(d, watch, event))
        return false;
    if ((mask & VN_IN_ONESHOT) == 0 || !watch_end(watch))
        return true;
    /* The first event was the last: IGNORED takes its place in the plan. */
    *event = (struct planned){
        .source = event->source,
        .mask = VN_IN_IGNORED,
    };
    return tell(d, event);
}

/* True when the whole plan is told. */
static bool tell_plan(struct dispatch *d)
{
    struct plan *plan = &d->instance->plan;

    while (plan->next < plan->count) {
        if (!tell(d, &plan->events[plan->next]))
            return false;
        plan->next++;
    }
    end_telling(d->engine, d->instance);
    return true;
}

/*
 * Has somebody looked at again what waits for a barrier, or for memory: the
 * completer of the next cycle, or worker 0 when it takes too long.
 */
static void list_as_waiting(struct dispatch *d)
{
    struct vnotify_instance *instance = d->instance;

    /* I2: set by whoever puts it in, cleared by whoever takes it out */
    if (atomic_exchange_explicit(&instance->held_listed, 1,
                                 memory_order_acq_rel) == 0) {
        instance_acquire(instance);
        handoff_give(&d->engine->held, &instance->held_link);
    }
    /* E3: worker 0 takes it and sets its alarm; release: after the handoff */
    atomic_store_explicit(&d->engine->hold_asked, now_ns(),
                          memory_order_release);
    lot_wake(&d->engine->lot, 1);
}

/* True if something is left that must be looked at again. */
static bool run_rounds(struct dispatch *d)
{
    struct vnotify_instance *instance = d->instance;
    /* Taken in even if the queue is full: what piles up is one backlog. */
    bool all = backlog_collect(d->engine, instance);
    bool told = instance->tellings == NULL || tell_plan(d);

    while (told) {
        all = backlog_collect(d->engine, instance) && all;
        round_sift(d);
        tally_add(d->tally, TALLY_ROUNDS, 1);
        if (round_plan(d) <= 0)
            break;
        told = tell_plan(d);
        if (handoff_empty(&instance->inbox) || !all)
            break;
    }
    d->starved = d->starved || !all;
    /* A full queue is resumed by its reader, whatever else waits. */
    return (told && instance->pending != NULL) || d->starved;
}

/*
 * If a cycle has ended since we looked at the barriers, its completer may have
 * looked at what waits before we were listed: so once more.  What we are counted
 * in cannot end meanwhile, so that is hardly ever more than twice.
 */
static void rounds(struct dispatch *d)
{
    struct barrier *barrier = &d->engine->barrier;
    uint64_t completed;

    do {
        completed = barrier_completed(barrier);
        if (!run_rounds(d))
            break;
        list_as_waiting(d);
    } while (barrier_completed(barrier) != completed);
}

void dispatch_run(struct worker *worker, struct vnotify_instance *instance,
                  unsigned phases)
{
    struct vnotify *engine = worker->engine;
    struct tally *tally = worker->tally;
    struct dispatch d = {
        .worker = worker,
        .engine = engine,
        .tally = tally,
        .instance = instance,
        .held_phases = phases,
    };

    do {
        uint64_t start = now_ns();
        uint32_t bits = claim_take(&instance->claim, &d.phases);

        if ((bits & INSTANCE_CLOSE) != 0) {
            barrier_done(&engine->barrier, d.phases);
            /* I4: the claim is the destroyer's from here */
            atomic_store_explicit(&instance->yielded, 1,
                                  memory_order_release);
            park_wake(&instance->yielded, INT_MAX);
            return;
        }
        d.pushed = d.starved = false;
        rounds(&d);
        if (d.pushed)
            instance_signal(instance);
        tally_stage(tally, STAGE_DISPATCH, now_ns() - start);
        barrier_done(&engine->barrier, d.phases);
    } while (!claim_release(&instance->claim));
}

void dispatch_order(struct vnotify *engine, struct vnotify_instance *instance,
                    uint32_t bits, unsigned phases)
{
    if (claim_post(&instance->claim, &engine->barrier, INSTANCE_OPEN, bits,
                   phases) !=
        CLAIM_TAKEN)
        return;
    handoff_give(&engine->deliver, &instance->link);
    lot_wake(&engine->lot, LOT_ANYBODY);
}

void dispatch_look_at_holds(struct vnotify *engine, unsigned phases)
{
    struct handoff_link *link = handoff_take(&engine->held);

    while (link != NULL) {
        struct vnotify_instance *instance =
            HANDOFF_OBJECT(struct vnotify_instance, held_link, link);

        link = link->next;
        /* I2: cleared before the post, so its next hold lists it again */
        atomic_store_explicit(&instance->held_listed, 0,
                              memory_order_release);
        barrier_add(&engine->barrier, phases);
        dispatch_order(engine, instance, INSTANCE_HOLDS, phases);
        instance_release(instance);
    }
}

void dispatch_abandon(struct vnotify_instance *instance)
{
    struct dispatch d = {
        .engine = instance->engine,
        .instance = instance,
    };
    struct watch *watch, *next;

    if (instance->tellings != NULL)
        end_telling(instance->engine, instance);
    for (watch = backlog_take(instance); watch != NULL; watch = next) {
        next = watch->untold->next;
        hold_end(&d, watch);
        backlog_drop(instance->engine, watch);
    }
}
