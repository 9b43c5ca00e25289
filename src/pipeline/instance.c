#include "pipeline/instance.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "pipeline/engine.h"
#include "pipeline/hash.h"
#include "pipeline/table.h"

static unsigned long wd_hash(const void *object, unsigned long seed)
{
    const struct watch *watch = object;

    (void)seed;
    return (unsigned long)hash_u64((uint64_t)watch->wd);
}

static bool wd_equal(const void *a, const void *b)
{
    const struct watch *x = a, *y = b;

    return x->wd == y->wd;
}

struct watch *instance_find(struct vnotify_instance *instance, int wd)
{
    struct watch key = { .wd = wd };

    return ck_hs_get(&instance->by_wd, wd_hash(&key, 0), &key);
}

int instance_insert(struct vnotify_instance *instance, struct watch *watch)
{
    return ck_hs_put(&instance->by_wd, wd_hash(watch, 0), watch) ? 0
                                                                 : -ENOMEM;
}

void instance_remove(struct vnotify_instance *instance, struct watch *watch)
{
    (void)ck_hs_remove(&instance->by_wd, wd_hash(watch, 0), watch);
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

static int init_parts(struct vnotify *engine, struct vnotify_instance *instance)
{
    if (!table_init(&instance->by_wd, wd_hash, wd_equal))
        return -ENOMEM;
    if (queue_init(&instance->queue, &engine->arenas, engine->queue_events) !=
        0) {
        ck_hs_destroy(&instance->by_wd);
        return -ENOMEM;
    }
    return 0;
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
    ck_hs_destroy(&instance->by_wd);
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

static void end_watches(struct vnotify_instance *instance)
{
    ck_hs_iterator_t iterator = CK_HS_ITERATOR_INITIALIZER;
    void *object;

    while (ck_hs_next(&instance->by_wd, &iterator, &object)) {
        struct watch *watch = object;

        (void)watch_end(watch);
        if (!watch->retired) {
            watch->retired = true;
            housekeeper_retire(instance->engine, watch);
        }
    }
}

void vnotify_instance_destroy(struct vnotify_instance *instance)
{
    struct vnotify *engine = instance->engine;

    seize(instance);
    pthread_mutex_lock(&instance->lock);
    end_watches(instance);
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
