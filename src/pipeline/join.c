#include "pipeline/join.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <time.h>

#include "abi/linux-inotify.h"
#include "pipeline/arm.h"
#include "pipeline/engine.h"

/*
 * Instance lock held: the seat of its live watch on this vnode, or NULL.  Its
 * own entries leave the roster before they leave their seats, under the lock
 * that we hold; others' are only walked over, under the registry's.
 */
static _Atomic uint64_t *find_seat(struct joining *j, int *wd)
{
    struct registry *registry = &j->engine->registry;
    _Atomic uint64_t *seat = NULL;
    struct roster_walk walk;
    uint64_t entry;

    pthread_mutex_lock(&registry->lock);
    walk = roster_begin(&j->vnode->watches);
    while ((entry = roster_next(&walk)) != 0) {
        struct watch *watch;
        uint64_t found;

        if (entry_instance(entry) != j->instance->index)
            continue;
        *wd = entry_wd(entry);
        seat = radix_find(&j->instance->seats, (uint32_t)*wd);
        found = atomic_load_explicit(seat, memory_order_acquire); /* W6 */
        watch = seat_watch(found);
        if (seat_is_dormant(found) || (watch != NULL && watch_live(watch)))
            break;
    }
    pthread_mutex_unlock(&registry->lock);
    return entry == 0 ? NULL : seat;
}

static uint32_t new_mask(const struct joining *j, uint32_t mask)
{
    uint32_t kept = j->mask & (uint32_t)ABI_KEPT_BITS;

    return (j->mask & VN_IN_MASK_ADD) != 0 ? mask | kept : kept;
}

/* A directory's watch with such a mask is never dormant: what happens in its
   children comes from who does not hold its claim. */
bool join_may_sleep(const struct joining *j, uint32_t mask)
{
    return !j->vnode->is_dir || (mask & NOTE_CONTENT) == 0;
}

/* Instance lock held: a watch that is there gets its new mask.  Its descriptor;
   -EAGAIN: it must be woken first. */
static int update_watch(struct joining *j, _Atomic uint64_t *seat, int wd)
{
    uint64_t found = atomic_load_explicit(seat, memory_order_acquire); /* W6 */
    struct watch *watch;

    if ((j->mask & VN_IN_MASK_CREATE) != 0)
        return -EEXIST;
    while (seat_is_dormant(found)) {
        uint32_t mask = new_mask(j, seat_mask(found));

        if (!join_may_sleep(j, mask))
            return -EAGAIN;
        if (atomic_compare_exchange_weak_explicit(
                seat, &found, seat_of_dormant(seat_slot(found), mask),
                memory_order_acq_rel, memory_order_acquire)) /* W6 */
            return wd;
    }
    watch = seat_watch(found);
    /* relaxed: control calls alone write it, with the instance's lock; dispatch
       may use the old mask for what it is at */
    atomic_store_explicit(
        &watch->mask,
        new_mask(j, atomic_load_explicit(&watch->mask, memory_order_relaxed)),
        memory_order_relaxed);
    return wd;
}

static void raise_joined(struct vnode *vnode, uint64_t tick)
{
    uint64_t joined = atomic_load_explicit(&vnode->joined, /* V3 */
                                           memory_order_seq_cst);

    while (joined < tick &&
           !atomic_compare_exchange_weak_explicit(&vnode->joined, &joined, tick,
                                                  memory_order_seq_cst, /* V3 */
                                                  memory_order_seq_cst))
        continue;
}

/* Instance lock held.  Is there room for another watch?  0 or -ENOSPC. */
static int check_room(const struct vnotify_instance *instance)
{
    /* relaxed: a bound, kept about right */
    return instance->last_wd == INT_MAX ||
                   atomic_load_explicit(&instance->ended,
                                        memory_order_relaxed) >=
                       ENDED_UNTOLD_MAX
               ? -ENOSPC
               : 0;
}

/* Instance lock held: publishes the watch, or if it is NULL a dormant one.  Its
   descriptor, or -errno. */
static int publish(struct joining *j, struct watch *watch)
{
    struct vnotify_instance *instance = j->instance;
    struct vnode *vnode = j->vnode;
    int wd = instance->last_wd + 1, err = check_room(instance);
    radix_word *seat =
        err == 0 ? radix_make(&instance->seats, (uint32_t)wd) : NULL;

    if (err != 0 || seat == NULL)
        return err != 0 ? err : -ENOMEM;
    if (watch != NULL)
        watch->wd = wd;
    atomic_store_explicit(
        seat,
        watch != NULL
            ? (uint64_t)(uintptr_t)watch
            : seat_of_dormant(vnode->slot, j->mask & (uint32_t)ABI_KEPT_BITS),
        memory_order_release); /* W6: and found through the roster (V2) */
    err = registry_enter(&j->engine->registry, vnode,
                         roster_entry(instance->index, wd));
    if (err != 0) {
        /* relaxed: nobody has found it (W6) */
        atomic_store_explicit(seat, 0, memory_order_relaxed);
        return err;
    }
    instance->last_wd = wd;
    /* relaxed: for decisions of cost, and a statistic */
    atomic_fetch_add_explicit(&instance->watches, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&j->engine->watches, 1, memory_order_relaxed);
    raise_joined(vnode, engine_tick(j->engine));
    return wd;
}

/*
 * V3: was a listing begun that this watch cannot use?  The watch is published:
 * it may have ended meanwhile, and the vnode with it.  Slots stay readable,
 * and a post to another generation is refused.
 */
static void order_listing(struct joining *j)
{
    struct vnode *vnode = j->vnode;

    if (atomic_load_explicit(&more(vnode)->begun, /* V3 */
                             memory_order_seq_cst) <= j->begin)
        return;
    if (claim_post(&vnode->claim, &j->engine->barrier, j->generation,
                   HINT_LIST, barrier_join(&j->engine->barrier)) ==
        CLAIM_TAKEN)
        worker_defer(j->engine, vnode, 0);
}

/* True: the instance watches it already, and *result is the answer. */
static bool answer_from_watch(struct joining *j, int *result)
{
    int wd;
    _Atomic uint64_t *seat = find_seat(j, &wd);

    if (seat == NULL)
        return false;
    *result = update_watch(j, seat, wd);
    return true;
}

static void take_claim(struct joining *j)
{
    const struct timespec nap = { .tv_nsec = CLAIM_NAP_NS };

    while (claim_post(&j->vnode->claim, &j->engine->barrier, j->generation, 0,
                      BARRIER_UNCOUNTED) != CLAIM_TAKEN)
        nanosleep(&nap, NULL);
}

/* The same, of a watch that must be woken first. */
static int answer_from_woken(struct joining *j)
{
    struct watch *woken;
    int result = -ENOENT, wd;
    _Atomic uint64_t *seat;

    if (!j->holds)
        take_claim(j);
    pthread_mutex_lock(&j->instance->lock);
    seat = find_seat(j, &wd);
    if (seat != NULL) {
        result = watch_wake(j->instance, wd, seat, false, &woken);
        if (result == 0)
            result = update_watch(j, seat, wd);
    }
    pthread_mutex_unlock(&j->instance->lock);
    if (!j->holds)
        worker_give_back(j->engine, j->vnode);
    return result;
}

/* The watch that is published, unless a dormant one will do. */
static int make_watch(struct joining *j, struct watch **watch)
{
    *watch = NULL;
    if (j->sleeps) {
        snapshot_release(&j->engine->arenas, j->told); /* the vnode's */
        j->told = NULL;
        return 0;
    }
    *watch = watch_create(j->instance, j->vnode,
                          j->mask & (uint32_t)ABI_KEPT_BITS, j->told, j->end);
    if (*watch == NULL)
        return -ENOMEM;
    j->told = NULL; /* the watch's now */
    (*watch)->joined_ns = j->joined_ns;
    return 0;
}

int join_publish(struct joining *j)
{
    struct vnotify_instance *instance = j->instance;
    bool is_dir = j->vnode->is_dir; /* what is published may have ended */
    struct watch *watch;
    int result = make_watch(j, &watch);

    if (result != 0)
        return result;
    do {
        pthread_mutex_lock(&instance->lock);
        if (!answer_from_watch(j, &result)) {
            result = publish(j, watch);
            j->published = result > 0;
        }
        pthread_mutex_unlock(&instance->lock);
        if (result == -EAGAIN)
            result = answer_from_woken(j);
    } while (result == -ENOENT); /* removed again meanwhile */
    if (!j->published && watch != NULL)
        watch_release(j->engine, watch);
    if (j->published && is_dir)
        order_listing(j);
    return result;
}

bool join_updates(struct joining *j, int *result)
{
    bool found;

    pthread_mutex_lock(&j->instance->lock);
    found = answer_from_watch(j, result);
    pthread_mutex_unlock(&j->instance->lock);
    if (found && *result == -EAGAIN)
        *result = answer_from_woken(j);
    return found && *result != -ENOENT;
}
