#include "pipeline/hold.h"

#include "pipeline/backlog.h"
#include "pipeline/engine.h"
#include "pipeline/plan.h"
#include "pipeline/round.h"

static bool is_reached(struct dispatch *d, const struct untold *untold)
{
    return now_ns() - untold->ticket_ns >= kq_rename_skew_ns(d->engine->kq) &&
           barrier_reached(&d->engine->barrier, untold->hold_ticket);
}

/* Does vnotify_sync count on it?  What its first barrier says has to do then. */
static bool is_counted_on(struct dispatch *d, const struct untold *untold)
{
    /* E1: relaxed: sync asked for the barrier after it had stored this */
    return untold->hold_since_ns <=
           atomic_load_explicit(&d->engine->held_by_ns, memory_order_relaxed);
}

void hold_end(struct dispatch *d, struct watch *watch)
{
    if (watch->untold->hold_ticket == 0)
        return;
    watch->untold->hold_ticket = 0;
    /* E1: release: who sees it sees that we are counted as an item */
    atomic_fetch_sub_explicit(&d->engine->holds, 1, memory_order_release);
}

void hold_look(struct dispatch *d, const struct watch *watch,
               struct plan_source *source)
{
    const struct untold *untold = watch->untold;
    /* relaxed, here and below: of how long to wait, and of cost */
    bool alone = atomic_load_explicit(&d->instance->watches,
                                      memory_order_relaxed) <= 1;
    uint32_t mask = atomic_load_explicit(&watch->mask, memory_order_relaxed);
    bool has_children = watch->vnode->is_dir && (mask & NOTE_CONTENT) != 0;
    bool slow = atomic_load_explicit(&d->engine->slow_busy,
                                     memory_order_relaxed) != 0;
    uint64_t skew = kq_rename_skew_ns(d->engine->kq), waited;
    bool reached, counted, awaited, due, late, overdue, all_here;

    source->may_wait = source->may_wait_long = !alone;
    source->may_precede = !alone || has_children;
    if (untold->hold_ticket == 0)
        return;
    waited = now_ns() - untold->hold_since_ns;
    reached = is_reached(d, untold);
    counted = is_counted_on(d, untold);
    awaited = counted &&
              (untold->prolonged ||
               barrier_reached(&d->engine->barrier, untold->hold_ticket));
    due = untold->prolonged || reached;
    late = waited >= (slow ? HOLD_NS_MAX : HOLD_IDLE_NS_MAX) + skew;
    overdue = late || awaited || (due && waited >= HOLD_NS_MAX + skew);
    all_here = awaited || (reached && !untold->grown);
    source->may_wait = !alone && !all_here && !overdue;
    source->may_wait_long =
        !alone && !all_here && waited < d->engine->hold_long_ns + skew;
    source->may_lack_names = source->may_lack_names && !overdue;
    source->may_precede = source->may_precede && !late;
    source->is_due = due;
    source->is_awaited = awaited;
    source->is_awaited_soon = counted && !awaited;
}

/*
 * Is nothing else under way that could bring a rename's other half?  Then
 * there is none.  The order matters: first the port and the items, then our
 * inbox, each looking at what the one before may have turned into.
 */
static bool nothing_under_way(struct dispatch *d)
{
    return kq_rename_skew_ns(d->engine->kq) == 0 &&
           engine_all_served(d->engine,
                             (unsigned)(__builtin_popcount(d->phases) +
                                        __builtin_popcount(d->held_phases))) &&
           handoff_empty(&d->instance->inbox);
}

/*
 * With `ordered`: may everything wait?  Not for the order alone once something
 * is due, nor with what lacks something once something is late.  What
 * vnotify_sync waits for may wait with what it waits for as well: the barrier
 * that the one still waits for comes before sync returns.
 */
static bool all_may_wait(const struct plan_source *sources, uint32_t count)
{
    bool any_due = false, any_lacks = false;
    bool any_awaited = false, lacks_for_sync = false;

    for (uint32_t i = 0; i < count; i++) {
        if (!sources[i].may_precede)
            return false;
        any_due = any_due || sources[i].is_due;
        any_lacks = any_lacks || sources[i].waits;
        any_awaited = any_awaited || sources[i].is_awaited;
        lacks_for_sync = lacks_for_sync ||
                         (sources[i].waits && sources[i].is_awaited_soon);
    }
    return any_awaited ? lacks_for_sync : any_lacks || !any_due;
}

void hold_settle(struct dispatch *d, struct plan_source *sources,
                 uint32_t count, bool any)
{
    bool wait, all;

    if (!any && !d->engine->ordered)
        return;
    wait = !nothing_under_way(d);
    all = d->engine->ordered && all_may_wait(sources, count);
    for (uint32_t i = 0; i < count; i++)
        sources[i].waits = wait && (all || sources[i].waits);
}

void hold_begin(struct dispatch *d, struct watch *watch,
                const struct plan_source *source, uint64_t *ticket)
{
    struct vnotify *engine = d->engine;
    struct untold *untold = watch->untold;
    bool is_first = untold->hold_ticket == 0;
    bool may_lack = source->may_wait || source->may_wait_long;

    backlog_append(d->instance, watch);
    if (!is_first) {
        bool reached = is_reached(d, untold);

        untold->prolonged = untold->prolonged || reached;
        if (!reached || !untold->grown || !may_lack)
            return; /* the barrier is to come, or what others lack */
    }
    if (*ticket == 0) {
        *ticket = barrier_request(&engine->barrier);
        tally_add(d->tally, TALLY_HOLDS, 1);
    }
    untold->hold_ticket = *ticket;
    untold->ticket_ns = now_ns();
    untold->grown = false;
    if (!is_first)
        return;
    untold->hold_since_ns = untold->ticket_ns;
    untold->prolonged = false;
    /* E1: relaxed: sync reads them after a barrier that orders us, a reader in
       the turn that our request leads to */
    atomic_fetch_add_explicit(&engine->holds, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&engine->held_ever, 1, memory_order_relaxed);
}
