/*
 * engine.c - wiring: start, stop, and the barrier that callers can wait for
 */
#include "pipeline/engine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "pipeline/hash.h"

enum { KICK_IDENT = 1 }; /* of the EVFILT_USER knote */

static void kick(void *arg)
{
    struct vnotify *engine = arg;
    struct kevent kev;

    EV_SET(&kev, KICK_IDENT, EVFILT_USER, 0, NOTE_TRIGGER, 0, NULL);
    (void)kq_event(engine->kq, &kev, 1, NULL, 0);
}

/* A cycle has ended: who waited for it looks again. */
static void cycle_ended(void *arg, unsigned phases)
{
    dispatch_look_at_holds(arg, phases);
}

static int check_config(const struct vnotify_config *config,
                        struct vnotify_config *out)
{
    static const struct vnotify_config defaults;
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);

    *out = config == NULL ? defaults : *config;
    if (out->workers == 0)
        out->workers = cpus < WORKERS_MIN   ? WORKERS_MIN
                       : cpus > WORKERS_MAX ? WORKERS_MAX
                                            : (unsigned)cpus;
    if (out->queue_events == 0)
        out->queue_events = QUEUE_EVENTS_DEFAULT;
    if (out->workers < WORKERS_MIN || out->workers > WORKERS_MAX ||
        out->queue_events < 64 || out->queue_events > 65536 ||
        (out->queue_events & (out->queue_events - 1)) != 0)
        return -EINVAL;
    return 0;
}

/* By default children get half of what the process may have and directories a
   quarter: files that are watched themselves and the program around us need
   the rest. */
static uint32_t budget_of(int configured, uint32_t share)
{
    struct rlimit limit;

    if (configured != 0)
        return configured < 0 ? 0 : (uint32_t)configured;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 0;
    return limit.rlim_cur > UINT32_MAX ? UINT32_MAX / share
                                       : (uint32_t)(limit.rlim_cur / share);
}

/* Most of the user's: who watches each file itself, as chokidar does, takes as
   many natively.  An editor's are left. */
static uint32_t watches_of(const struct vnotify *engine, int configured)
{
    uint32_t most = kq_knotes_max(engine->kq);

    if (configured < 0 || most == 0)
        return 0;
    return configured > 0 ? (uint32_t)configured : most - most / 8;
}

static int init_kq(struct vnotify *engine, enum vnotify_notes notes)
{
    struct kevent kev;
    int err = kq_create(&engine->kq, notes == VNOTIFY_NOTES_MACOS
                                         ? KQ_NOTES_MACOS
                                         : KQ_NOTES_FREEBSD);

    if (err != 0)
        return err;
    EV_SET(&kev, KICK_IDENT, EVFILT_USER, EV_ADD | EV_CLEAR, NOTE_FFNOP, 0,
           NULL);
    err = kq_event(engine->kq, &kev, 1, NULL, 0);
    return err < 0 ? err : 0;
}

static int init_workers(struct vnotify *engine)
{
    unsigned count = engine_servers(engine);

    engine->tallies =
        aligned_alloc(SYNC_CACHE_LINE, count * sizeof(struct tally));
    engine->workers = calloc(count, sizeof(struct worker));
    if (engine->tallies == NULL || engine->workers == NULL)
        return -ENOMEM;
    memset(engine->tallies, 0, count * sizeof(struct tally));
    for (unsigned i = 0; i < count; i++) {
        struct worker *worker = &engine->workers[i];

        worker->engine = engine;
        worker->index = i;
        worker->tally = &engine->tallies[i];
        ck_epoch_register(&engine->epoch, &worker->epoch, NULL);
        if (snapshot_builder_init(&worker->builder) != 0)
            return -ENOMEM;
    }
    return 0;
}

static int init_parts(struct vnotify *engine,
                      const struct vnotify_config *config)
{
    int err;

    hash_seed_init();
    engine->queue_events = config->queue_events;
    engine->ordered = config->ordered;
    engine->fd_budget = budget_of(config->fd_budget, 2);
    engine->open_budget = budget_of(config->open_budget, 4);
    engine->hold_long_ns = HOLD_LONG_NS_MAX;
    engine->crossing_wait_ns = CROSSING_NS_MAX;
    engine->close_write_after_ns =
        (config->close_write_after_ms == 0 ? CLOSE_WRITE_AFTER_MS
                                           : config->close_write_after_ms) *
        UINT64_C(1000000);
    engine->worker_count = config->workers;
    engine->trace = (struct trace){ config->trace_fd, now_ns() };
    barrier_init(&engine->barrier, cycle_ended, kick, engine);
    ck_epoch_init(&engine->epoch);
    ck_ring_init(&engine->ring, RING_NOTES);
    claim_init(&engine->turn, TURN_GENERATION, false);
    engine->notes = malloc(RING_NOTES * sizeof(*engine->notes));
    if (engine->notes == NULL)
        return -ENOMEM;
    err = registry_init(&engine->registry);
    if (err == 0)
        err = arenas_init(&engine->arenas);
    if (err == 0)
        err = fault_init(&engine->fault, config->faults);
    if (err == 0)
        err = init_kq(engine, config->notes);
    if (err == 0)
        engine->watch_budget = watches_of(engine, config->watch_budget);
    if (err == 0)
        err = init_workers(engine);
    return err;
}

static void fini_parts(struct vnotify *engine)
{
    for (unsigned i = 0;
         engine->workers != NULL && i < engine_servers(engine); i++) {
        snapshot_builder_fini(&engine->workers[i].builder);
        timer_fini(&engine->workers[i].timer);
        alarms_fini(&engine->workers[i].alarms);
    }
    if (engine->kq != NULL)
        kq_destroy(engine->kq);
    if (engine->registry.slots != 0)
        registry_fini(&engine->registry);
    radix_fini(&engine->by_index);
    builders_fini(&engine->builders);
    fault_fini(&engine->fault);
    arenas_fini(&engine->arenas);
    free(engine->workers);
    free(engine->tallies);
    free(engine->notes);
    free(engine);
}

/* Of the first `started` of workers and readers. */
static void stop_threads(struct vnotify *engine, unsigned started,
                         bool housekeeper)
{
    /* E4: release; each thread looks at it before it sleeps */
    atomic_store_explicit(&engine->stop, 1, memory_order_seq_cst);
    kick(engine);
    /* Readers first: they hand vnodes to workers. */
    for (unsigned i = started; i-- > 0;) {
        if (i < engine->worker_count)
            lot_wake(&engine->lot, UINT64_C(1) << i);
        pthread_join(engine->workers[i].thread, NULL);
    }
    housekeeper_wake(engine);
    if (housekeeper)
        pthread_join(engine->housekeeper, NULL);
}

static int start_threads(struct vnotify *engine)
{
    unsigned started = 0;
    int err =
        pthread_create(&engine->housekeeper, NULL, housekeeper_main, engine);
    bool housekeeper = err == 0;

    for (; err == 0 && started < engine_servers(engine); started++) {
        struct worker *worker = &engine->workers[started];

        err = pthread_create(&worker->thread, NULL,
                             started < engine->worker_count ? worker_main
                                                            : reader_main,
                             worker);
        if (err != 0)
            break;
    }
    if (err != 0)
        stop_threads(engine, started, housekeeper);
    return -err;
}

int vnotify_create(struct vnotify **created,
                   const struct vnotify_config *given)
{
    struct vnotify_config config;
    struct vnotify *engine;
    int err = check_config(given, &config);

    if (err != 0)
        return err;
    engine = aligned_alloc(SYNC_CACHE_LINE,
                           (sizeof(*engine) + SYNC_CACHE_LINE - 1) /
                               SYNC_CACHE_LINE * SYNC_CACHE_LINE);
    if (engine == NULL)
        return -ENOMEM;
    memset(engine, 0, sizeof(*engine));
    err = init_parts(engine, &config);
    if (err == 0)
        err = start_threads(engine);
    if (err != 0) {
        fini_parts(engine);
        return err;
    }
    *created = engine;
    return 0;
}

/* The last vnodes are closed by the housekeeper; a failing one may be resting
   for as long as a retry is put off. */
static void await_vnodes(struct vnotify *engine)
{
    /* relaxed: would do; the threads are joined before anything is freed */
    while (atomic_load_explicit(&engine->registry.in_use,
                                memory_order_acquire) != 0) {
        struct timespec pause = { .tv_nsec = 200 * 1000 };

        nanosleep(&pause, NULL);
    }
}

void vnotify_destroy(struct vnotify *engine)
{
    await_vnodes(engine);
    stop_threads(engine, engine_servers(engine), true);
    /* Instances that were closed while they waited: their last reference. */
    dispatch_look_at_holds(engine, BARRIER_UNCOUNTED);
    fini_parts(engine);
}

/* Nothing noted that is not collected, nothing under way, nothing waiting?
   What is held is looked for first: once it is not, it may be just about to be
   told, as an item. */
static bool all_quiet(struct vnotify *engine)
{
    /* E1: acquire: pairs with the release in hold_end */
    return atomic_load_explicit(&engine->holds, memory_order_acquire) == 0 &&
           engine_all_served(engine, 0) &&
           /* E1: relaxed, here and below: ordered by the items' counts */
           atomic_load_explicit(&engine->holds, memory_order_relaxed) == 0 &&
           atomic_load_explicit(&engine->failing, memory_order_relaxed) == 0;
}

static void await_cycle(struct vnotify *engine)
{
    barrier_await(&engine->barrier, barrier_request(&engine->barrier));
}

/* What is held by now is told once a barrier of its is reached, whatever has
   come to it since (hold.c). */
static void await_held(struct vnotify *engine)
{
    uint64_t now = now_ns();
    /* E1: relaxed: looked at behind the barrier that is asked for next */
    uint64_t seen =
        atomic_load_explicit(&engine->held_by_ns, memory_order_relaxed);

    while (seen < now && !atomic_compare_exchange_weak_explicit(
                             &engine->held_by_ns, &seen, now, /* E1 */
                             memory_order_relaxed, memory_order_relaxed))
        ;
    await_cycle(engine);
}

int vnotify_sync(struct vnotify *engine)
{
    uint64_t held;
    bool failing;

    if (all_quiet(engine))
        return 0;
    failing = atomic_load_explicit(&engine->failing, memory_order_relaxed) != 0;
    atomic_fetch_add_explicit(&engine->syncs, 1, memory_order_relaxed); /* E1 */
    held = atomic_load_explicit(&engine->held_ever, memory_order_relaxed);
    if (atomic_load_explicit(&engine->holds, memory_order_relaxed) != 0)
        held--; /* any number that it is not any more */
    await_cycle(engine);
    /* What waits for a rename's other half since then is let go by a second
       cycle, and told in a third. */
    if (atomic_load_explicit(&engine->held_ever, memory_order_relaxed) !=
        held) {
        await_held(engine);
        await_cycle(engine);
    }
    /* What was being listed when the retries were ordered was not found by
       them: if it failed, the next order finds it; if not, it is told now. */
    if (failing ||
        atomic_load_explicit(&engine->failing, memory_order_relaxed) != 0)
        await_cycle(engine);
    atomic_fetch_sub_explicit(&engine->syncs, 1, memory_order_relaxed); /* E1 */
    return atomic_load_explicit(&engine->failing, memory_order_relaxed) == 0
               ? 0
               : -EAGAIN;
}
