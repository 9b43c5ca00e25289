/*
 * What comes while a directory rests costs one listing, however much it is.  It
 * rests as long as it took to list and to tell.  But where many directories
 * change at once, each of them listed half of the time is all of the time of
 * any number of CPUs, and nothing is left for who changes them.  So all
 * listings have a share of the time together: each puts off the moment at which
 * that share has covered them, and who is served when it is further off than
 * STORM_SLACK_NS rests for the difference.  Bulk directories have another
 * share: what is small shall not wait for them.  And one directory that changes
 * alone needs none: its own rests leave enough.  (But who makes one file after
 * the other in a bulk one would wait in half of its calls.)
 *
 * A storm over, all that rests for it is served at once: worker 0 looks when
 * the last note is CALM_NS old.
 *
 * Nobody rests for a share while vnotify_sync waits; and while a rename's first
 * half is held, nobody that may have the second: whose pending notes say that
 * an entry crossed directories, or that it was moved or removed itself; or
 * anybody, where the host does not say so much.  Rests are longer than a hold.
 * (E3: who holds counts it, then asks for a barrier.  The turn of a reader that
 * this leads to has posted all notes there were; at its end it sees the count,
 * and has worker 0 look through those that rest, after the posts.)
 */
#include "pipeline/rest.h"

#include "pipeline/engine.h"

static uint64_t storm_rest_ns(_Atomic uint64_t *paced, uint64_t now,
                              uint64_t took)
{
    /* relaxed: here and below, of cost alone */
    uint64_t before = atomic_load_explicit(paced, memory_order_relaxed), after;
    /* What could not be put off is not made up for. */
    uint64_t most = now + STORM_SLACK_NS + STORM_REST_NS_MAX;

    do {
        after = (before > now ? before : now) + STORM_SHARE * took;
        after = after < most ? after : most;
    } while (!atomic_compare_exchange_weak_explicit(
        paced, &before, after, memory_order_relaxed, memory_order_relaxed));
    return after - now <= STORM_SLACK_NS ? 0 : after - now - STORM_SLACK_NS;
}

/* Is nothing else of its kind changing, and of a bulk one nothing so fast that
   it did while it was listed? */
static bool changes_alone(struct vnotify *engine, const struct vnode *vnode,
                          uint64_t begun_ns, bool bulk)
{
    _Atomic uint32_t *last = bulk ? &engine->last_bulk : &engine->last_small;

    /* relaxed: of cost alone */
    return atomic_exchange_explicit(last, vnode->slot, memory_order_relaxed) ==
               vnode->slot &&
           (!bulk || vnode_is_older(vnode, begun_ns));
}

static uint64_t rest_for_share(struct vnotify *engine,
                               const struct vnode *vnode, uint64_t begun_ns,
                               uint64_t now, uint64_t took)
{
    bool bulk = vnode_is_bulk(vnode);

    if (changes_alone(engine, vnode, begun_ns, bulk))
        took = 0;
    return storm_rest_ns(bulk ? &engine->bulk_paced_ns : &engine->paced_ns,
                         now, took);
}

void rest_begin(struct vnotify *engine, struct vnode *vnode,
                uint64_t begun_ns)
{
    uint64_t now = now_ns(), took = now - begun_ns;
    /* Whoever was preempted took longer: the last two listings tell. */
    uint64_t most = 2 * vnode->least_cost_ns;
    uint64_t share_ns =
        rest_for_share(engine, vnode, begun_ns, now,
                       vnode->cost_ns < most ? vnode->cost_ns : most);

    more(vnode)->rest_until_ns = now + (took < most ? took : most);
    more(vnode)->storm_rest_us = (uint32_t)(share_ns / 1000);
}

static bool is_awaited(const struct vnotify *engine, const struct vnode *vnode)
{
    const uint32_t telling = HINT_CROSSED | HINT_LINKS | HINT_RENAME;

    /* E1: relaxed: E3 says who looks again */
    return atomic_load_explicit(&engine->holds, memory_order_relaxed) != 0 &&
           ((kq_notes_dir(engine->kq) & NOTE_EXTEND) == 0 ||
            (claim_pending(&vnode->claim) & telling) != 0);
}

uint64_t rest_calm_ns(const struct vnotify *engine)
{
    /* relaxed: of cost alone */
    return atomic_load_explicit(&engine->last_note_ns, memory_order_relaxed) +
           CALM_NS;
}

uint64_t rest_until(const struct vnotify *engine, const struct vnode *vnode)
{
    /* E1: relaxed: who rests after sync has counted itself is found by its
       order (hurry, in worker.c), or rests too long for once */
    bool hurry =
        more(vnode)->storm_rest_us == 0 ||
        atomic_load_explicit(&engine->syncs, memory_order_relaxed) != 0 ||
        is_awaited(engine, vnode) || rest_calm_ns(engine) <= now_ns();

    return more(vnode)->rest_until_ns +
           (hurry ? 0 : more(vnode)->storm_rest_us * UINT64_C(1000));
}

bool rest_goes_on(const struct vnotify *engine)
{
    uint64_t now = now_ns();

    /* relaxed: of cost alone */
    return atomic_load_explicit(&engine->paced_ns, memory_order_relaxed) >
               now ||
           atomic_load_explicit(&engine->bulk_paced_ns,
                                memory_order_relaxed) > now;
}

/*
 * Few entries that took long were waited for: for a CPU, or for who is renaming
 * there, who waits for one.  So they count from much longer on.
 */
static bool is_slow(const struct vnode *vnode)
{
    return vnode->least_cost_ns > HOLD_NS_MAX &&
           (vnode->least_cost_ns > HOLD_IDLE_NS_MAX / 2 ||
            (vnode->current != NULL && vnode->current->count > SLOW_ENTRIES));
}

void rest_count_slow(struct vnotify *engine, struct vnode *vnode, bool pending)
{
    bool slow = pending && is_slow(vnode);

    if (vnode->slow_counted == slow)
        return;
    vnode->slow_counted = slow;
    /* relaxed: of how long to wait alone */
    atomic_fetch_add_explicit(&engine->slow_busy, slow ? 1 : UINT32_MAX,
                              memory_order_relaxed);
}
