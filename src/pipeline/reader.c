/*
 * reader.c - stage 1: the only thread that collects from the kqueue
 *
 * It enqueues raw notes and does nothing else: no listing, no allocation, no
 * lock.  When the ring is full it waits for the workers; meanwhile the kqueue
 * coalesces, knote by knote, so nothing is lost and nothing grows.
 *
 * Waiting and collecting are apart, so that there is no moment at which a note
 * has left the kqueue and is not counted yet: the reader counts itself as an
 * item before it collects (barrier.h).
 */
#include <errno.h>
#include <limits.h>
#include <sched.h>

#include "pipeline/engine.h"

enum { BATCH = 256 };

static void enqueue(struct vnotify *engine, struct tally *tally,
                    struct note *note)
{
    unsigned size;

    barrier_add(&engine->barrier, note->phases);
    for (;;) {
        SYNC_RELEASE(&engine->ring); /* N1 */
        if (ck_ring_enqueue_spmc_size_note(&engine->ring, engine->notes, note,
                                           &size))
            break;
        tally_add(tally, TALLY_RING_FULL, 1);
        lot_wake(&engine->lot, LOT_ANYBODY);
        sched_yield(); /* workers are busy: there is nothing to sleep on */
    }
    tally_high(tally, TALLY_RING_HIGH, size + 1);
    lot_wake(&engine->lot, LOT_ANYBODY);
}

static void enqueue_kevent(struct vnotify *engine, struct tally *tally,
                           const struct kevent *kev, unsigned phases)
{
    uintptr_t udata = (uintptr_t)kev->udata;
    struct note note = {
        .vnode = (uint32_t)udata & INT32_MAX,
        .dir = (udata >> 31 & 1) != 0,
        .generation = (uint32_t)(udata >> 32),
        .fflags = kev->fflags,
        .phases = (uint8_t)phases,
        .read_ns = now_ns(),
    };

    if (kev->filter != EVFILT_VNODE)
        return; /* EVFILT_USER: somebody woke us, nothing more */
    if ((kev->flags & EV_EOF) != 0)
        note.fflags |= NOTE_REVOKE;
    tally_add(tally, TALLY_NOTES, 1);
    TRACE(&engine->trace, "note vnode=%u fflags=%#x", note.vnode,
          note.fflags);
    enqueue(engine, tally, &note);
}

/* Has what failed tried again, as an item of these phases. */
static void order_retries(struct vnotify *engine, struct tally *tally,
                          unsigned phases)
{
    struct note note = { .vnode = 0, .phases = (uint8_t)phases };

    /* E1: relaxed: vnotify_sync counted itself before it woke us */
    if (atomic_load_explicit(&engine->syncs, memory_order_relaxed) == 0 ||
        atomic_load_explicit(&engine->failing, memory_order_relaxed) == 0)
        return;
    enqueue(engine, tally, &note);
}

/*
 * E6.  The count of turns is odd while one is on.  A note that the host has
 * posted is in the kqueue or was collected by a turn.  If the kqueue is seen to
 * be empty, and then the count to be even, that turn has ended; and in any case
 * when one has ended that began after the call.
 *
 *     reader                              add_watch
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

static void pass_turn(struct vnotify *engine)
{
    atomic_fetch_add_explicit(&engine->turns, 1, /* E6 */
                              memory_order_seq_cst);
    if (atomic_load_explicit(&engine->turn_waiters, /* E6 */
                             memory_order_seq_cst) != 0)
        park_wake(&engine->turns, INT_MAX);
}

void reader_await_turn(struct vnotify *engine)
{
    uint32_t first = turns_of(engine), now;
    uint32_t enough = 2 + (first & 1);

    if (!kq_pending(engine->kq) && (turns_of(engine) & 1) == 0)
        return;
    atomic_fetch_add_explicit(&engine->turn_waiters, 1, /* E6 */
                              memory_order_seq_cst);
    for (;;) {
        now = turns_of(engine);
        if (now - first >= enough ||
            (!kq_pending(engine->kq) && (turns_of(engine) & 1) == 0))
            break;
        /* Not all that the kernel tells makes a note, and then a turn. */
        engine->barrier.kick(engine->barrier.arg);
        park_wait(&engine->turns, now, NULL);
    }
    atomic_fetch_sub_explicit(&engine->turn_waiters, 1, /* E6 */
                              memory_order_seq_cst);
}

static void turn(struct vnotify *engine, struct tally *tally)
{
    unsigned phases = barrier_join(&engine->barrier);
    uint64_t ticket = barrier_wanted(&engine->barrier);
    struct kevent events[BATCH];
    int count;

    atomic_fetch_add_explicit(&engine->turns, 1, /* E6 */
                              memory_order_seq_cst);
    do {
        count = kq_event(engine->kq, NULL, 0, events, BATCH);
        for (int i = 0; i < count; i++)
            enqueue_kevent(engine, tally, &events[i], phases);
    } while (count == BATCH || (count > 0 && ticket != 0));
    if (ticket != 0) {
        order_retries(engine, tally, phases);
        barrier_flip(&engine->barrier, ticket);
    }
    barrier_done(&engine->barrier, phases);
    pass_turn(engine);
}

void *reader_main(void *arg)
{
    struct vnotify *engine = arg;
    struct tally *tally = &engine->tallies[engine->worker_count];

    for (;;) {
        turn(engine, tally);
        /* E4: pairs with the store in vnotify_destroy, which then wakes us */
        if (atomic_load_explicit(&engine->stop, memory_order_seq_cst) != 0)
            return NULL;
        /* Who asked for a cycle after the turn had looked may have woken us
           already: the turn collected that, so look again before waiting. */
        if (barrier_wanted(&engine->barrier) == 0)
            (void)kq_wait(engine->kq, NULL);
    }
}
