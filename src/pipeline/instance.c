#include "pipeline/instance.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "pipeline/engine.h"

bool instance_of_entry(struct vnotify *engine, uint64_t entry,
                       struct vnotify_instance **instance,
                       _Atomic uint64_t **seat)
{
    radix_word *by_index =
        radix_find(&engine->by_index, entry_instance(entry));
    /* I5: acquire: the instance is complete */
    uint64_t found = by_index == NULL ? 0 : atomic_load_explicit(
                                                by_index, memory_order_acquire);

    if (found == 0)
        return false;
    *instance = (struct vnotify_instance *)(uintptr_t)found;
    *seat = radix_find(&(*instance)->seats, (uint32_t)entry_wd(entry));
    return *seat != NULL;
}

/* Readiness by descriptor: an eventfd whose count follows the queue. */
static void ready_by_descriptor(void *arg)
{
    struct vnotify_instance *instance = arg;
    uint64_t one = 1;

    (void)!write(instance->event_fd, &one, sizeof(one));
    /* The reader may have taken everything before we said so; nobody but us
       can have pushed since. */
    if (queue_bytes(&instance->queue) == 0)
        (void)!read(instance->event_fd, &one, sizeof(one));
}

/* I5: where rosters' entries find it. */
static int enter(struct vnotify *engine, struct vnotify_instance *instance)
{
    radix_word *word = NULL;

    pthread_mutex_lock(&engine->registry.lock);
    if (engine->last_index < UINT32_MAX)
        word = radix_make(&engine->by_index, engine->last_index + 1);
    if (word != NULL) {
        instance->index = ++engine->last_index;
        atomic_store_explicit(word, (uint64_t)(uintptr_t)instance,
                              memory_order_release); /* I5 */
    }
    pthread_mutex_unlock(&engine->registry.lock);
    return word == NULL ? -ENOMEM : 0;
}

static int init_parts(struct vnotify *engine, struct vnotify_instance *instance)
{
    int err = queue_init(&instance->queue, &engine->arenas,
                         engine->queue_events);

    if (err != 0)
        return err;
    err = enter(engine, instance);
    if (err != 0)
        queue_fini(&instance->queue);
    return err;
}

int vnotify_instance_create(struct vnotify *engine, vnotify_ready_fn *ready,
                            void *arg, struct vnotify_instance **created)
{
    struct vnotify_instance *instance = calloc(1, sizeof(*instance));
    int err;

    if (instance == NULL)
        return -ENOMEM;
    instance->engine = engine;
    claim_init(&instance->claim, INSTANCE_OPEN, false);
    atomic_init(&instance->refs, 1);
    handoff_init(&instance->inbox);
    instance->pending_end = &instance->pending;
    instance->ready = ready == NULL ? ready_by_descriptor : ready;
    instance->ready_arg = ready == NULL ? instance : arg;
    instance->event_fd = -1;
    if (ready == NULL) {
        instance->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (instance->event_fd < 0) {
            err = -errno;
            free(instance);
            return err;
        }
    }
    err = init_parts(engine, instance);
    if (err != 0) {
        if (instance->event_fd >= 0)
            close(instance->event_fd);
        free(instance);
        return err;
    }
    pthread_mutex_init(&instance->lock, NULL);
    /* relaxed: a statistic */
    atomic_fetch_add_explicit(&engine->instances, 1, memory_order_relaxed);
    *created = instance;
    return 0;
}

int vnotify_instance_fd(struct vnotify_instance *instance)
{
    return instance->event_fd >= 0 ? instance->event_fd : -EINVAL;
}

void instance_acquire(struct vnotify_instance *instance)
{
    /* relaxed: the caller's own reference keeps it alive (I1) */
    atomic_fetch_add_explicit(&instance->refs, 1, memory_order_relaxed);
}

void instance_release(struct vnotify_instance *instance)
{
    if (atomic_fetch_sub_explicit(&instance->refs, 1, memory_order_acq_rel) !=
        1) /* I1 */
        return;
    assert(handoff_empty(&instance->inbox));
    queue_fini(&instance->queue);
    radix_fini(&instance->seats);
    pthread_mutex_destroy(&instance->lock);
    if (instance->event_fd >= 0)
        close(instance->event_fd);
    free(instance);
}

/* Takes the claim for good: no dispatch runs any more, none will start. */
static void seize(struct vnotify_instance *instance)
{
    struct barrier *barrier = &instance->engine->barrier;

    if (claim_post(&instance->claim, barrier, INSTANCE_OPEN, INSTANCE_CLOSE,
                   BARRIER_UNCOUNTED) == CLAIM_LEFT) {
        /* I4: the holder stores it with release when it sees the bit */
        while (atomic_load_explicit(&instance->yielded,
                                    memory_order_acquire) == 0)
            park_wait(&instance->yielded, 0, NULL);
    }
    claim_close(&instance->claim, barrier);
}

static void end_watch(struct vnotify_instance *instance, struct watch *watch)
{
    (void)watch_end(watch);
    if (!watch->retired) {
        watch->retired = true;
        housekeeper_retire(instance->engine, watch);
    }
}

static void end_if_woken(void *arg, uint32_t wd, radix_word *seat)
{
    struct watch *watch =
        seat_watch(atomic_load_explicit(seat, memory_order_acquire)); /* W6 */

    (void)wd;
    if (watch != NULL)
        end_watch(arg, watch);
}

static void end_dormant(void *arg, uint32_t wd, radix_word *seat)
{
    struct vnotify_instance *instance = arg;
    struct registry *registry = &instance->engine->registry;
    uint64_t found = atomic_load_explicit(seat, memory_order_acquire); /* W6 */

    while (seat_is_dormant(found)) {
        if (!atomic_compare_exchange_weak_explicit(
                seat, &found, found | SEAT_DEAD, memory_order_acq_rel,
                memory_order_acquire)) /* W6 */
            continue;
        registry_leave(registry, registry_slot(registry, seat_slot(found)),
                       roster_entry(instance->index, (int)wd));
        /* relaxed: a statistic */
        atomic_fetch_sub_explicit(&instance->engine->watches, 1,
                                  memory_order_relaxed);
        return;
    }
    if (seat_watch(found) != NULL) /* woken since the instance was destroyed */
        end_watch(instance, seat_watch(found));
}

void instance_end_dormant(struct vnotify_instance *instance)
{
    radix_each(&instance->seats, end_dormant, instance);
}

static void bury_dead(void *arg, uint32_t wd, radix_word *seat)
{
    struct vnotify *engine = ((struct vnotify_instance *)arg)->engine;
    /* relaxed, here and below: nobody walks to it any more (W6) */
    uint64_t found = atomic_load_explicit(seat, memory_order_relaxed);

    (void)wd;
    if (!seat_is_dead(found))
        return;
    atomic_store_explicit(seat, 0, memory_order_relaxed);
    housekeeper_put_vnode(
        engine, registry_slot(&engine->registry, seat_slot(found)));
}

void instance_bury_dead(struct vnotify_instance *instance)
{
    radix_each(&instance->seats, bury_dead, instance);
}

void vnotify_instance_destroy(struct vnotify_instance *instance)
{
    struct vnotify *engine = instance->engine;

    seize(instance);
    pthread_mutex_lock(&instance->lock);
    radix_each(&instance->seats, end_if_woken, instance);
    pthread_mutex_unlock(&instance->lock);
    dispatch_abandon(instance);
    /* relaxed: a statistic */
    atomic_fetch_sub_explicit(&engine->instances, 1, memory_order_relaxed);
    housekeeper_close(engine, instance);
}

void instance_signal(struct vnotify_instance *instance)
{
    instance->ready(instance->ready_arg);
}

void instance_made_room(struct vnotify_instance *instance)
{
    uint64_t count;

    /*
     * The descriptor is reset first and set again if an event came meanwhile:
     * whoever pushed before the reset is seen by the look after it.
     */
    if (instance->event_fd >= 0 && queue_bytes(&instance->queue) == 0) {
        (void)!read(instance->event_fd, &count, sizeof(count));
        if (queue_bytes(&instance->queue) != 0)
            instance_signal(instance);
    }
    /* I3: pairs with the store in dispatch_push, which looks at the queue
       again after it; one of the two sees the other's. */
    if (atomic_load_explicit(&instance->behind, memory_order_seq_cst) != 0 &&
        queue_events(&instance->queue) <= instance->engine->queue_events / 2 &&
        atomic_exchange_explicit(&instance->behind, 0,
                                 memory_order_seq_cst) != 0) /* I3 */
        dispatch_order(instance->engine, instance, INSTANCE_ROOM,
                       barrier_join(&instance->engine->barrier));
}

ssize_t vnotify_read(struct vnotify_instance *instance, void *buf,
                     size_t bytes)
{
    struct queue *queue = &instance->queue;
    const struct vnotify_event *event;
    size_t used = 0;

    while ((event = queue_peek(queue)) != NULL) {
        size_t size = sizeof(*event) + event->len;

        if (size > bytes - used)
            break;
        memcpy((char *)buf + used, event, size);
        used += size;
        queue_pop(queue);
    }
    instance_made_room(instance);
    if (used > 0)
        return (ssize_t)used;
    return event == NULL ? -EAGAIN : -EINVAL;
}

size_t vnotify_pending(struct vnotify_instance *instance)
{
    return queue_bytes(&instance->queue);
}
