/*
 * engine.h - the whole: what the stages share, and how they reach each other
 *
 *     kqueue -> reader -> notes (ck_ring) -> workers: claim, list, diff
 *            -> offers to watches, posts to instances
 *            -> dispatch (by claim): pair, order, mask -> queue -> guest
 *
 * Threads (docs/architecture.md has the table):
 *   readers      two: wait on the kqueue, post its notes to the vnodes; one
 *                at a time may serve a vnode itself
 *   worker 0..   serve vnodes and instances; worker 0 keeps the timer and
 *                never takes bulk directories
 *   housekeeper  unlinks, waits for epochs, frees, closes descriptors
 *   callers      control calls and reads of queues
 */
#pragma once

#include <ck_epoch.h>
#include <ck_ring.h>
#include <pthread.h>

#include "pipeline/alarm.h"
#include "pipeline/barrier.h"
#include "pipeline/builders.h"
#include "pipeline/fault.h"
#include "pipeline/handoff.h"
#include "pipeline/instance.h"
#include "pipeline/lot.h"
#include "pipeline/note.h"
#include "pipeline/park-turns.h"
#include "pipeline/registry.h"
#include "pipeline/relay.h"
#include "pipeline/stats.h"
#include "pipeline/timer.h"
#include "pipeline/trace.h"
#include "pipeline/watch.h"
#include "port/kq.h"

enum {
    WORKERS_MIN = 2, /* one never takes bulk, another does */
    WORKERS_MAX = LOT_SLEEPERS_MAX,
    READERS = 2, /* one serves, the other is there to collect */
    /* Removed watches whose IN_IGNORED is unread, per instance: beyond, no
       watch can be added.  Linux queues as many events by default. */
    ENDED_UNTOLD_MAX = 16384,
    RING_NOTES = 16384,
    QUEUE_EVENTS_DEFAULT = 4096,
    /* A directory whose last listing took longer is bulk. */
    BULK_NS = 500 * 1000,
    /* Shorter rests cost more to arrange than they save. */
    REST_NS_MIN = 30 * 1000,
    /* All listings together may take one part in so many of a CPU's time for
       long, and as much at once as the share of STORM_SLACK_NS.  Who has more
       to list waits for it, so long at most. */
    STORM_SHARE = 8,
    STORM_SLACK_NS = 40 * 1000 * 1000,
    STORM_REST_NS_MAX = 200 * 1000 * 1000,
    /* A storm is over when nothing was noted for so long: two turns. */
    CALM_NS = 500 * 1000,
    /* A rename's second half is waited for so long at most while something is
       pending for a directory that takes longer to list: that must not hold
       others up.  Else it is CPUs alone that are waited for. */
    HOLD_NS_MAX = 5 * 1000 * 1000,
    HOLD_IDLE_NS_MAX = 100 * 1000 * 1000,
    SLOW_ENTRIES = 1024,
    /* What decides on the order of events is waited for longer: the end of a
       watched directory that is gone, the name of an object that moved.  Some
       guests lose what is told in another order. */
    HOLD_LONG_NS_MAX = 100 * 1000 * 1000,
    /* A turn of a reader takes microseconds once it has a CPU. */
    CROSSING_NS_MAX = HOLD_NS_MAX,
    CLOSE_WRITE_AFTER_MS = 50,
    RETRY_ORDERED = 1 << 2,
    RETRY_US_FIRST = 1000,
    RETRY_US_MAX = 1000 * 1000,
};

/* engine.turn: it has one generation and one bit, "collect once more". */
enum { TURN_GENERATION = 0, TURN_AGAIN = 1 };

CK_RING_PROTOTYPE(note, note)

enum house_state {
    HOUSE_BUSY,   /* the housekeeper is about to look for work */
    HOUSE_CALLED, /* there is some that it may not have seen */
    HOUSE_ASLEEP,
};

struct child;
struct serving;

/* A thread that serves vnodes: workers, and behind them the readers. */
struct worker {
    struct vnotify *engine;
    unsigned index; /* worker_count and up: a reader */
    pthread_t thread;
    struct tally *tally;
    ck_epoch_record_t epoch;
    struct snapshot_builder builder;
    struct timer timer; /* worker 0's alone */
    struct alarms alarms; /* worker 0's */
    uint64_t hold_due_ns; /* worker 0's: when to look at holds, 0: never */
    uint64_t hurry_due_ns; /* worker 0's: when to look who rests, 0: never */
    uint64_t hurried_ns;   /* worker 0's: no sooner than that again */
    uint64_t calmed_ns;    /* worker 0's: the end of the last storm that it has
                              seen to */
};

struct vnotify {
    struct kq *kq;
    struct registry registry;
    struct radix by_index; /* I5, registry lock: instances */
    uint32_t last_index;   /* registry lock: never used again */
    struct arenas arenas;
    struct builders builders; /* callers' */
    struct fault fault;
    struct trace trace;
    struct barrier barrier;
    unsigned queue_events;
    bool ordered;        /* vnotify_config, these four */
    uint32_t fd_budget, open_budget;
    _Atomic uint32_t watch_budget; /* vnotify_config; 0 once it was found that
                                      nothing can be parked; relaxed: a bound */
    _Atomic uint32_t no_room; /* times that the host had none for a knote;
                                 relaxed: who reads it has just been refused */
    _Atomic uint32_t give_back_at; /* slot: whose rows give theirs back next;
                                      relaxed: of cost alone */
    struct park_turns park_turns;  /* of those that park rows: sweep.c */
    uint64_t close_write_after_ns;
    uint64_t hold_long_ns; /* HOLD_LONG_NS_MAX */
    uint64_t crossing_wait_ns; /* CROSSING_NS_MAX */

    ck_ring_t ring; /* reader to workers; N1: ck_ring SPMC */
    struct note *notes;

    struct handoff again;    /* vnodes to be served later: worker 0 */
    struct relay bulk;       /* bulk vnodes: workers 1.. */
    struct handoff deliver;  /* instances to be dispatched: any worker */
    struct handoff held;     /* instances that wait for a barrier */
    struct handoff alarms;   /* vnodes that asked for one: worker 0 (A1) */
    struct handoff retired;  /* watches: housekeeper */
    struct handoff retired_children; /* housekeeper */
    struct handoff closed;   /* instances: housekeeper */
    struct handoff released; /* vnodes: housekeeper */

    _Atomic uint64_t ticks;       /* listing tickets: V3 */
    _Atomic uint64_t snapshot_id; /* relaxed: unique is enough */
    _Atomic uint32_t last_cookie; /* relaxed: unique is enough */
    _Atomic uint32_t failing;     /* vnodes whose listing failed: E1 */
    _Atomic uint32_t retry_now;   /* E2: 0, or RETRY_ORDERED | its phases */
    _Atomic uint64_t hold_asked;  /* E3: a hold began then, or notes came while
                                     one lasted: worker 0 arms, and looks who
                                     rests */
    _Atomic uint32_t holds;       /* watches that wait now: E1 */
    _Atomic uint64_t held_ever;   /* watches that ever did: E1 */
    _Atomic uint64_t held_by_ns;  /* what was held by then, vnotify_sync waits
                                     for: E1 */
    _Atomic uint32_t syncs;       /* calls of vnotify_sync in progress: E1 */
    _Atomic uint32_t stop;        /* E4: threads end */
    struct claim turn;            /* of collecting: a reader's; C1, C2 */
    uint64_t turns_paced_ns;      /* its holder's: see breathe in reader.c */
    _Atomic uint32_t reader_serves; /* E7: one of them does */
    _Atomic uint32_t turns;       /* E6: the holder's; odd while it is in one */
    _Atomic uint32_t turn_waiters; /* E6: calls that sleep on `turns` */
    _Atomic uint32_t house;       /* E5: enum house_state */
    _Atomic uint32_t opens_asked; /* somebody was told of opens; relaxed: an
                                     add_watch beside it may be told (opened.c) */
    _Atomic uint32_t child_fds;   /* relaxed: a bound, kept about right */
    _Atomic uint32_t open_fds;    /* relaxed: the same, of watched directories */
    _Atomic uint64_t sweep_cost_ns; /* of one pass over all that is swept;
                                       relaxed: of cost alone */
    _Atomic uint64_t paced_ns;    /* when their share of the time will have
                                     covered all small listings; relaxed: of
                                     cost alone */
    _Atomic uint64_t bulk_paced_ns; /* and all bulk ones; relaxed: the same */
    _Atomic uint64_t last_note_ns; /* relaxed: of cost alone */
    _Atomic uint32_t last_small;  /* slot of the small directory that was listed
                                     last; relaxed: of cost alone */
    _Atomic uint32_t last_bulk;   /* and of the bulk one; relaxed: the same */
    _Atomic uint32_t slow_busy;   /* directories, slower to list than a hold
                                     lasts, with something pending; relaxed: of
                                     how long to wait alone */
    _Atomic uint32_t instances;   /* relaxed: a statistic */
    _Atomic uint32_t watches;     /* relaxed: a statistic */

    ck_epoch_t epoch;
    struct lot lot;
    pthread_t housekeeper;
    struct tally *tallies; /* one for each of workers */
    struct worker *workers; /* and READERS readers behind them */
    unsigned worker_count;
};

/*
 * What a knote carries to its notes: slot, kind and generation of the vnode.
 * A slot has 24 bits: VNODE_CHUNK * VNODE_CHUNKS_MAX.
 */
static inline void *engine_udata(const struct vnode *vnode)
{
    return (void *)((uintptr_t)claim_generation(&vnode->claim) << 32 |
                    (uintptr_t)vnode->is_dir << 31 | vnode->slot);
}

/* Holder: does it take long to list? */
static inline bool vnode_is_bulk(const struct vnode *vnode)
{
    return vnode->least_cost_ns > BULK_NS;
}

/* Every vnode's tickets come from one counter: V3. */
static inline uint64_t engine_tick(struct vnotify *engine)
{
    return 1 + atomic_fetch_add_explicit(&engine->ticks, 1, /* V3 */
                                         memory_order_seq_cst);
}

static inline uint64_t engine_snapshot_id(struct vnotify *engine)
{
    /* relaxed: unique is enough */
    return 1 + atomic_fetch_add_explicit(&engine->snapshot_id, 1,
                                         memory_order_relaxed);
}

/*
 * Is nothing under way but `mine` items?  Then what the host had noted before
 * the call has been served.  The order matters: first the port, then the items,
 * which a note is before it has left the port.
 */
static inline bool engine_all_served(struct vnotify *engine, unsigned mine)
{
    return !kq_pending(engine->kq) && barrier_quiet(&engine->barrier, mine);
}

/* Workers and readers. */
static inline unsigned engine_servers(const struct vnotify *engine)
{
    return engine->worker_count + READERS;
}

/* Do the host's notes tell who opened and closed a file? */
static inline bool engine_sees_closes(const struct vnotify *engine)
{
    uint32_t notes = kq_notes_file(engine->kq);

    return note_wanted(notes, false, NOTE_WANT_SELF | VN_IN_CLOSE_WRITE) !=
           note_wanted(notes, false, NOTE_WANT_SELF);
}

/* reader.c */
void *reader_main(void *worker);
/* Any thread, outside of a turn: returns when all that the host had noted before
   the call has been collected.  Waits for one or two turns, not for workers
   (unless the ring is full), and not at all if nothing is there.  A worker has
   a deadline, of now_ns(), or else 0; false: not until then, nor while the
   reader waits for workers. */
bool reader_await_turn(struct vnotify *, uint64_t deadline_ns);
/* Has it been collected already? */
bool reader_has_collected(struct vnotify *);

/* What an epoch protects is looked at between these two. */
static inline void worker_begin_walk(struct worker *worker,
                                     ck_epoch_section_t *section)
{
    ck_epoch_begin(&worker->epoch, section);
    SYNC_ACQUIRE(&worker->engine->epoch);
}

static inline void worker_end_walk(struct worker *worker,
                                   ck_epoch_section_t *section)
{
    SYNC_RELEASE(&worker->engine->epoch);
    ck_epoch_end(&worker->epoch, section);
}

/* worker.c */
void *worker_main(void *worker);

/* serve.c */
/* The claim is held; it is released, or goes elsewhere with the vnode. */
void worker_serve(struct worker *, struct vnode *);
/* Gives the claim back, or, if something is pending, to a worker. */
void worker_give_back(struct vnotify *, struct vnode *);
/* Any thread that holds the vnode's claim: worker 0 serves it when due. */
void worker_defer(struct vnotify *, struct vnode *, uint64_t due_ns);

/* The holder of the vnode's claim leaves it to a worker other than 0. */
void worker_hand_over(struct vnotify *, struct vnode *);

/* serve-list.c */
/* Lists the directory; *offer is what to tell its watches, or NULL.  0 or
   -errno. */
int serve_list(struct serving *, struct vnode *, struct offer **offer);
/* When the host noted a rename across directories that the listing under way
   may be the first to show, or 0. */
uint64_t vnode_has_crossed(const struct vnode *);

/* dispatch.c: the caller holds the instance's claim and loses it; `phases` are
   of an item that it holds beside. */
void dispatch_run(struct worker *, struct vnotify_instance *,
                  unsigned phases);
/* Posts; a worker runs it. */
void dispatch_order(struct vnotify *, struct vnotify_instance *,
                    uint32_t bits, unsigned phases);
/* Closing, with the claim: lets go of what was to be told. */
void dispatch_abandon(struct vnotify_instance *);
/* Posts to every instance that waits for a barrier. */
void dispatch_look_at_holds(struct vnotify *, unsigned phases);

/* housekeeper.c */
void *housekeeper_main(void *engine);
void housekeeper_wake(struct vnotify *);
void housekeeper_retire(struct vnotify *, struct watch *);
void housekeeper_retire_child(struct vnotify *, struct child *);
void housekeeper_close(struct vnotify *, struct vnotify_instance *);
/* The caller gave up the last user of the vnode. */
void housekeeper_put_vnode(struct vnotify *, struct vnode *);
void housekeeper_release(struct vnotify *, struct vnode *);
