/*
 * reader.c - stage 1: collects from the kqueue
 *
 * A reader posts each note to its vnode's claim, and puts a vnode whose claim
 * it got by that on the ring, for a worker to serve (bulk: into the relay of
 * those that take it, which never is full).  A vnode that is held already
 * (being served, or resting) costs no more than that.  No listing, no
 * allocation, no lock.  When the ring is full it waits for the workers;
 * meanwhile the kqueue coalesces, knote by knote, so nothing is lost and
 * nothing grows.
 *
 * Waiting and collecting are apart, so that there is no moment at which a note
 * has left the kqueue and is not counted yet: the reader counts itself as an
 * item before it collects (barrier.h).
 *
 * Two readers.  To wake a worker for a lone note takes longer than to serve it.
 * So a reader that has collected just one, with nothing on the ring, serves it
 * itself, as any worker would, with all that may block in it.  Notes must not
 * wait for that.  So there are two readers, that sleep in the kqueue both:
 *
 *   - collecting is a claim's, the `turn`.  Who is woken posts to it; who does
 *     not get it has left another turn to the one that has.  So all that a
 *     turn owns (barrier phases, the port's collecting side) has one owner.
 *   - E7: one reader at a time serves, and takes the flag before.  The other
 *     finds it set and does nothing but collect; nothing that it does blocks.
 *     A reader gives the turn back before it serves.  So at any time a reader
 *     is in a turn or free to take one, and a note that comes is collected,
 *     whatever the first one waits for.
 *
 * No note stays behind.  Its edge wakes a reader that sleeps, or is there for
 * the next that goes to sleep.  That one posts to the turn's claim: a turn that
 * begins after the post takes the note in, since it takes the bits first and
 * drains second, and a holder that has taken the bits before cannot give the
 * claim back.  Who is to serve gives the claim back first; if it cannot, the
 * note goes to the ring and another turn follows.  A rest is the holder's, and
 * what has come meanwhile makes an edge at its end.  tests/model/turn.pml has
 * it all, with the host's edges.
 *
 * In a storm it lets notes gather for a moment between turns: a host that finds
 * nobody waiting has nobody to wake, and one turn takes in many notes.
 */
#include <errno.h>
#include <limits.h>
#include <sched.h>

#include "pipeline/engine.h"
#include "pipeline/rest.h"

enum {
    BATCH = 256,
    /* A storm: turns that take in notes come faster than one in so long, for
       longer than the slack. */
    TURN_NS = 250 * 1000,
    TURNS_SLACK_NS = 4 * 1000 * 1000,
    /* What takes longer to list is not for a reader: beside it, each lone note
       would wait for a worker to be woken. */
    READER_NS = 2 * 1000 * 1000,
};

/*
 * E6.  The count of turns is odd while one is on.  A note that the host has
 * posted is in the kqueue or was collected by a turn.  If the kqueue is seen to
 * be empty, and then the count to be even, that turn has ended; and in any case
 * when one has ended that began after the call.
 *
 *     reader                              add_watch, worker
 *       turns to even                       turn_waiters up
 *       look at turn_waiters; wake          look at turns; sleep
 *
 * All are seq_cst: each side writes one word and reads the other's.  Nobody
 * sleeps for a turn that does not come: it is asked for after the count was
 * read, and who comes to the end of one wakes all.
 */
static uint32_t turns_of(struct vnotify *engine)
{
    return atomic_load_explicit(&engine->turns, memory_order_seq_cst); /* E6 */
}

static void wake_turn_waiters(struct vnotify *engine)
{
    if (atomic_load_explicit(&engine->turn_waiters, /* E6 */
                             memory_order_seq_cst) != 0)
        park_wake(&engine->turns, INT_MAX);
}

static void pass_turn(struct vnotify *engine)
{
    atomic_fetch_add_explicit(&engine->turns, 1, /* E6 */
                              memory_order_seq_cst);
    wake_turn_waiters(engine);
}

static void enqueue(struct vnotify *engine, struct tally *tally,
                    struct note *note)
{
    unsigned size;

    for (;;) {
        SYNC_RELEASE(&engine->ring); /* N1 */
        if (ck_ring_enqueue_spmc_size_note(&engine->ring, engine->notes, note,
                                           &size))
            break;
        tally_add(tally, TALLY_RING_FULL, 1);
        lot_wake(&engine->lot, LOT_ANYBODY);
        wake_turn_waiters(engine); /* a worker may be one of them */
        sched_yield(); /* workers are busy: there is nothing to sleep on */
    }
    tally_high(tally, TALLY_RING_HIGH, size + 1);
    lot_wake(&engine->lot, LOT_ANYBODY);
}

/* What one holder of the turn has at hand. */
struct reading {
    struct vnotify *engine;
    struct tally *tally;
    unsigned collected; /* notes */
    struct note lone;   /* .vnode != 0: what the only one of them got, not on
                           the ring yet */
};

/* To a worker.  Bulk goes straight to those that take it: the ring might wake
   another. */
static void pass_on(struct reading *r, struct note *note)
{
    struct vnode *vnode = registry_slot(&r->engine->registry, note->vnode);

    if (vnode_is_bulk(vnode))
        worker_hand_over(r->engine, vnode);
    else
        enqueue(r->engine, r->tally, note);
}

static void pass_lone(struct reading *r)
{
    if (r->lone.vnode != 0)
        pass_on(r, &r->lone);
    r->lone.vnode = 0;
}

/* A vnode is ours: it goes to the workers, unless it is the first. */
static void get(struct reading *r, struct note *note)
{
    if (r->collected == 1)
        r->lone = *note;
    else
        pass_on(r, note);
}

static void post(struct reading *r, uint32_t slot, uint32_t generation,
                 uint32_t hints, unsigned phases)
{
    struct vnotify *engine = r->engine;
    struct tally *tally = r->tally;
    struct vnode *vnode = registry_slot(&engine->registry, slot);
    struct note note = { .vnode = slot, .read_ns = now_ns() };
    uint64_t none = 0;

    /* relaxed: an order among vnodes, no more */
    (void)atomic_compare_exchange_strong_explicit(
        &more(vnode)->noted_ns, &none, note.read_ns, memory_order_relaxed,
        memory_order_relaxed);
    vnode_noted(vnode, note.read_ns);
    /* relaxed: of cost alone */
    atomic_store_explicit(&engine->last_note_ns, note.read_ns,
                          memory_order_relaxed);
    if ((hints & HINT_CROSSED) != 0)
        vnode_crossed(vnode, note.read_ns);
    barrier_add(&engine->barrier, phases);
    switch (claim_post(&vnode->claim, &engine->barrier, generation, hints,
                       phases)) {
    case CLAIM_TAKEN:
        get(r, &note);
        break;
    case CLAIM_LEFT:
        tally_add(tally, TALLY_NOTES_COALESCED, 1);
        break;
    case CLAIM_STALE:
        tally_add(tally, TALLY_NOTES_STALE, 1);
        break;
    }
}

static void take_kevent(struct reading *r, const struct kevent *kev,
                        unsigned phases)
{
    uintptr_t udata = (uintptr_t)kev->udata;
    uint32_t slot = (uint32_t)udata & INT32_MAX, fflags = kev->fflags, hints;

    if (kev->filter != EVFILT_VNODE)
        return; /* EVFILT_USER: somebody woke us, nothing more */
    if ((kev->flags & EV_EOF) != 0)
        fflags |= NOTE_REVOKE;
    if (r->collected++ == 1)
        pass_lone(r);
    tally_add(r->tally, TALLY_NOTES, 1);
    TRACE(&r->engine->trace, "note vnode=%u fflags=%#x", slot, fflags);
    hints = note_hints(fflags, (udata >> 31 & 1) != 0);
    if (hints != 0)
        post(r, slot, (uint32_t)(udata >> 32), hints, phases);
}

/* At the end of a turn, while something is held: see rest.c. */
static void hurry_awaited(struct vnotify *engine)
{
    /* E1: relaxed: who holds counted it before it woke us */
    if (atomic_load_explicit(&engine->holds, memory_order_relaxed) == 0 ||
        !rest_goes_on(engine))
        return;
    /* E3: worker 0 takes it; release: after the posts of all turns so far */
    atomic_store_explicit(&engine->hold_asked, now_ns(),
                          memory_order_release);
    lot_wake(&engine->lot, 1);
}

/* Has what failed tried again and what rests served, as an item of these
   phases. */
static void order_retries(struct vnotify *engine, struct tally *tally,
                          unsigned phases)
{
    struct note note = { .vnode = 0, .phases = (uint8_t)phases };

    /* E1: relaxed: vnotify_sync counted itself before it woke us */
    if (atomic_load_explicit(&engine->syncs, memory_order_relaxed) == 0 ||
        (atomic_load_explicit(&engine->failing, memory_order_relaxed) == 0 &&
         !rest_goes_on(engine)))
        return;
    barrier_add(&engine->barrier, phases);
    enqueue(engine, tally, &note);
}

static bool ring_is_full(const struct vnotify *engine)
{
    return ck_ring_size(&engine->ring) >= ck_ring_capacity(&engine->ring) - 1;
}

bool reader_has_collected(struct vnotify *engine)
{
    return !kq_pending(engine->kq) && (turns_of(engine) & 1) == 0;
}

bool reader_await_turn(struct vnotify *engine, uint64_t deadline_ns)
{
    const struct timespec deadline = timespec_of(deadline_ns);
    uint32_t first = turns_of(engine), now;
    uint32_t enough = 2 + (first & 1);
    bool collected = reader_has_collected(engine);

    if (collected)
        return true;
    atomic_fetch_add_explicit(&engine->turn_waiters, 1, /* E6 */
                              memory_order_seq_cst);
    for (;;) {
        now = turns_of(engine);
        collected = now - first >= enough || reader_has_collected(engine);
        if (collected || (deadline_ns != 0 && (now_ns() >= deadline_ns ||
                                               ring_is_full(engine))))
            break;
        /* Not all that the kernel tells makes a note, and then a turn. */
        engine->barrier.kick(engine->barrier.arg);
        park_wait(&engine->turns, now, deadline_ns == 0 ? NULL : &deadline);
    }
    atomic_fetch_sub_explicit(&engine->turn_waiters, 1, /* E6 */
                              memory_order_seq_cst);
    return collected;
}

/* Collects once; the turn's claim is held. */
static void turn(struct reading *r)
{
    struct vnotify *engine = r->engine;
    unsigned phases = barrier_join(&engine->barrier);
    uint64_t ticket = barrier_wanted(&engine->barrier);
    struct kevent events[BATCH];
    int count;

    atomic_fetch_add_explicit(&engine->turns, 1, /* E6 */
                              memory_order_seq_cst);
    do {
        count = kq_event(engine->kq, NULL, 0, events, BATCH);
        for (int i = 0; i < count; i++)
            take_kevent(r, &events[i], phases);
    } while (count == BATCH || (count > 0 && ticket != 0));
    if (ticket != 0) {
        order_retries(engine, r->tally, phases);
        barrier_flip(&engine->barrier, ticket);
    }
    hurry_awaited(engine);
    barrier_done(&engine->barrier, phases);
    pass_turn(engine);
}

/*
 * After a turn that took in notes: lets more of them gather, if turns come too
 * fast.  The turn's claim is held, so that the other reader has none either.
 */
static void breathe(struct vnotify *engine)
{
    uint64_t now = now_ns(), paced_ns = engine->turns_paced_ns;
    /* What a trigger has cut short is not made up for. */
    uint64_t most = now + TURNS_SLACK_NS + TURN_NS;

    paced_ns = (paced_ns > now ? paced_ns : now) + TURN_NS;
    engine->turns_paced_ns = paced_ns = paced_ns < most ? paced_ns : most;
    if (paced_ns > now + TURNS_SLACK_NS)
        kq_rest(engine->kq, paced_ns - now - TURNS_SLACK_NS);
}

static bool is_for_reader(struct vnotify *engine, const struct reading *r)
{
    /* E7: acquire and release: what the last one has done is seen */
    return r->lone.vnode != 0 && ck_ring_size(&engine->ring) == 0 &&
           registry_slot(&engine->registry, r->lone.vnode)->least_cost_ns <=
               READER_NS &&
           atomic_exchange_explicit(&engine->reader_serves, 1, /* E7 */
                                    memory_order_acq_rel) == 0;
}

static void end_serving(struct vnotify *engine)
{
    atomic_store_explicit(&engine->reader_serves, 0, /* E7 */
                          memory_order_release);
}

/*
 * One round with the turn's claim.  True if it was given back; then r->lone is
 * the caller's to serve, if it is a vnode.  What is to be served here does not
 * wait for another round.
 */
static bool go_round(struct reading *r)
{
    struct vnotify *engine = r->engine;
    unsigned none;
    bool for_us;

    (void)claim_take(&engine->turn, &none);
    r->collected = 0;
    do
        turn(r);
    /* Who asked for a cycle after the turn had looked may have woken us
       already: the turn collected that, so look again. */
    while (barrier_wanted(&engine->barrier) != 0);
    for_us = is_for_reader(engine, r);
    if (!for_us) {
        pass_lone(r);
        if (r->collected > 0)
            breathe(engine);
    }
    if (claim_release(&engine->turn))
        return true;
    pass_lone(r);
    if (for_us)
        end_serving(engine);
    return false;
}

/*
 * Collects, if nobody else is at it.  What the reader is to serve itself, or
 * NULL.
 */
static struct vnode *collect(struct worker *worker)
{
    struct vnotify *engine = worker->engine;
    struct reading r = { .engine = engine, .tally = worker->tally };

    if (claim_post(&engine->turn, &engine->barrier, TURN_GENERATION,
                   TURN_AGAIN, BARRIER_UNCOUNTED) != CLAIM_TAKEN) {
        sched_yield(); /* the holder may not have taken in yet what woke us */
        return NULL;
    }
    while (!go_round(&r))
        continue;
    return r.lone.vnode == 0
               ? NULL
               : registry_slot(&engine->registry, r.lone.vnode);
}

void *reader_main(void *arg)
{
    struct worker *worker = arg;
    struct vnotify *engine = worker->engine;

    for (;;) {
        struct vnode *own = collect(worker);

        if (own != NULL) {
            worker_serve(worker, own);
            end_serving(engine);
        }
        /* E4: pairs with the store in vnotify_destroy, which then wakes us */
        if (atomic_load_explicit(&engine->stop, memory_order_seq_cst) != 0) {
            engine->barrier.kick(engine); /* and we the other */
            return NULL;
        }
        (void)kq_sleep(engine->kq);
    }
}
