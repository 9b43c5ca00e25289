/*
 * outlets.c - every outlet, and the two threads that look after them
 *
 * O4 the list of retired outlets: a releaser pushes, the clerk takes the whole
 *    list at once; so no element is popped under another's feet.
 * O5 attention: outlets that need a look now and then.  A counter read by the
 *    clerk alone; whoever raises it wakes the clerk through its eventfd, which
 *    orders the two.
 */
#include "emulator/outlets.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "emulator/outlet-read.h"

enum {
    BUCKETS = 256,
    BATCH = 64,
    LOOK_MS = 20, /* between two looks at an outlet that needs attention */
};

struct outlets {
    struct vnotify *engine;
    bool single;
    unsigned limit;
    int epoll_fd;
    int stop_fd;  /* in the plumber's epoll, without an outlet */
    int clerk_fd; /* eventfd */
    pthread_t plumber, clerk;
    _Atomic(struct outlet *) retired; /* O4 */
    _Atomic int attention;            /* O5 */
    _Atomic bool stopping;            /* O5 */

    pthread_mutex_t lock; /* the registry: */
    struct outlet *buckets[BUCKETS];
    size_t count;
};

struct vnotify *outlets_engine(const struct outlets *all)
{
    return all->engine;
}

bool outlets_single(const struct outlets *all)
{
    return all->single;
}

unsigned outlets_limit(const struct outlets *all)
{
    return all->limit;
}

/* The registry */

static struct outlet **bucket_of(struct outlets *all, ino_t ino)
{
    return &all->buckets[ino % BUCKETS];
}

size_t outlets_count(struct outlets *all)
{
    size_t count;

    pthread_mutex_lock(&all->lock);
    count = all->count;
    pthread_mutex_unlock(&all->lock);
    return count;
}

/* True for the one who took it out. */
static bool registry_remove(struct outlets *all, struct outlet *outlet)
{
    struct outlet **at = bucket_of(all, outlet->ino);

    pthread_mutex_lock(&all->lock);
    while (*at && *at != outlet)
        at = &(*at)->next;
    if (*at) {
        *at = outlet->next;
        all->count--;
    } else {
        outlet = NULL;
    }
    pthread_mutex_unlock(&all->lock);
    return outlet;
}

int outlets_insert(struct outlets *all, struct outlet *outlet)
{
    struct epoll_event event = {
        .events = EPOLLOUT | EPOLLET, /* an edge each time it was full */
        .data = { .ptr = outlet },
    };
    struct outlet **bucket = bucket_of(all, outlet->ino);
    int error;

    pthread_mutex_lock(&all->lock);
    outlet->next = *bucket;
    *bucket = outlet;
    all->count++;
    pthread_mutex_unlock(&all->lock);
    if (epoll_ctl(all->epoll_fd, EPOLL_CTL_ADD, outlet->write_fd, &event) == 0)
        return 0;
    error = -errno;
    registry_remove(all, outlet);
    return error;
}

struct outlet *outlets_find(struct outlets *all, dev_t dev, ino_t ino)
{
    struct outlet *outlet;

    pthread_mutex_lock(&all->lock);
    outlet = *bucket_of(all, ino);
    while (outlet && (outlet->ino != ino || outlet->dev != dev))
        outlet = outlet->next;
    if (outlet)
        outlet_acquire(outlet);
    pthread_mutex_unlock(&all->lock);
    return outlet;
}

/* Acquires all outlets; *count of them.  NULL if memory lacks, or none. */
static struct outlet **registry_snapshot(struct outlets *all, size_t *count)
{
    struct outlet **list;
    size_t used = 0;

    pthread_mutex_lock(&all->lock);
    list = malloc((all->count + 1) * sizeof(struct outlet *));
    for (unsigned i = 0; list && i < BUCKETS; i++) {
        for (struct outlet *o = all->buckets[i]; o; o = o->next) {
            outlet_acquire(o);
            list[used++] = o;
        }
    }
    pthread_mutex_unlock(&all->lock);
    *count = used;
    return list;
}

void outlets_settle(struct outlets *all)
{
    size_t count;
    struct outlet **list = registry_snapshot(all, &count);

    for (size_t i = 0; i < count; i++) {
        outlet_claim(list[i]);
        outlet_unclaim(list[i]);
        outlet_release(list[i]);
    }
    free(list);
}

/* The plumber */

static void *plumber_run(void *arg)
{
    struct outlets *all = arg;
    struct epoll_event events[BATCH];

    for (;;) {
        int count = epoll_wait(all->epoll_fd, events, BATCH, -1);

        for (int i = 0; i < count; i++) {
            struct outlet *outlet = events[i].data.ptr;

            if (!outlet)
                return NULL;
            if (!(events[i].events & EPOLLERR)) {
                outlet_kick(outlet);
                continue;
            }
            /* The descriptor stays open, and so in the epoll set, until the
             * last call that uses the outlet is over. */
            epoll_ctl(all->epoll_fd, EPOLL_CTL_DEL, outlet->write_fd, NULL);
            if (registry_remove(all, outlet))
                outlet_release(outlet);
        }
    }
}

/* The clerk */

void outlets_wake_clerk(struct outlets *all)
{
    uint64_t one = 1;
    ssize_t ignored = write(all->clerk_fd, &one, sizeof(one));

    (void)ignored; /* full: it is awake */
}

void outlets_attend(struct outlets *all, bool *flag)
{
    *flag = true;
    /* O5, pairs with O5 in clerk_run. */
    atomic_fetch_add_explicit(&all->attention, 1, memory_order_release);
    outlets_wake_clerk(all);
}

void outlets_attended(struct outlets *all, bool *flag)
{
    if (!*flag)
        return;
    *flag = false;
    /* O5, pairs with O5 in clerk_run. */
    atomic_fetch_sub_explicit(&all->attention, 1, memory_order_release);
}

void outlets_retire(struct outlets *all, struct outlet *outlet)
{
    /* O4, pairs with O4 in retired_destroy. */
    outlet->retired_next =
        atomic_load_explicit(&all->retired, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(
        &all->retired, &outlet->retired_next, outlet, memory_order_release,
        memory_order_relaxed))
        ;
    outlets_wake_clerk(all);
}

static void retired_destroy(struct outlets *all)
{
    /* O4, pairs with O4 in outlets_retire. */
    struct outlet *outlet = atomic_exchange_explicit(&all->retired, NULL,
                                                     memory_order_acquire);

    while (outlet) {
        struct outlet *next = outlet->retired_next;

        read_calls_drop(outlet);
        outlets_attended(all, &outlet->stalled);
        outlet_destroy(outlet);
        outlet = next;
    }
}

static void attention_give(struct outlets *all)
{
    size_t count;
    struct outlet **list = registry_snapshot(all, &count);

    for (size_t i = 0; i < count; i++) {
        outlet_claim(list[i]);
        outlets_attended(all, &list[i]->stalled);
        read_calls_serve(list[i]);
        outlet_unclaim(list[i]);
        outlet_release(list[i]);
    }
    free(list);
}

static void *clerk_run(void *arg)
{
    struct outlets *all = arg;
    struct pollfd wake = { .fd = all->clerk_fd, .events = POLLIN };

    for (;;) {
        uint64_t count;
        /* O5, pairs with O5 in outlets_attend. */
        int attention =
            atomic_load_explicit(&all->attention, memory_order_acquire);

        poll(&wake, 1, attention > 0 ? LOOK_MS : -1);
        if (read(all->clerk_fd, &count, sizeof(count)) < 0 && attention == 0)
            continue;
        if (attention > 0 ||
            /* O5: raised just now. */
            atomic_load_explicit(&all->attention, memory_order_acquire) > 0)
            attention_give(all);
        retired_destroy(all);
        /* O5, pairs with O5 in outlets_destroy. */
        if (atomic_load_explicit(&all->stopping, memory_order_acquire))
            return NULL;
    }
}

/* All of it */

static int threads_start(struct outlets *all)
{
    int error = -pthread_create(&all->plumber, NULL, plumber_run, all);

    if (error == 0)
        error = -pthread_create(&all->clerk, NULL, clerk_run, all);
    return error;
}

int outlets_create(struct vnotify *engine, bool single, unsigned limit,
                   struct outlets **out)
{
    struct outlets *all = calloc(1, sizeof(*all));
    struct epoll_event stop = { .events = EPOLLIN };
    int error;

    if (!all)
        return -ENOMEM;
    all->engine = engine;
    all->single = single;
    all->limit = limit;
    pthread_mutex_init(&all->lock, NULL);
    all->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    all->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    all->clerk_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    *out = all;
    if (all->epoll_fd < 0 || all->stop_fd < 0 || all->clerk_fd < 0 ||
        epoll_ctl(all->epoll_fd, EPOLL_CTL_ADD, all->stop_fd, &stop) < 0)
        return -errno; /* the caller gives up altogether */
    error = threads_start(all);
    return error;
}

void outlets_destroy(struct outlets *all)
{
    uint64_t one = 1;
    size_t count;
    struct outlet **list;
    ssize_t ignored = write(all->stop_fd, &one, sizeof(one));

    (void)ignored;
    pthread_join(all->plumber, NULL);
    list = registry_snapshot(all, &count);
    for (size_t i = 0; i < count; i++) {
        if (registry_remove(all, list[i]))
            outlet_release(list[i]);
        outlet_release(list[i]);
    }
    free(list);
    /* O5, pairs with O5 in clerk_run. */
    atomic_store_explicit(&all->stopping, true, memory_order_release);
    outlets_wake_clerk(all);
    pthread_join(all->clerk, NULL);
    retired_destroy(all);
    close(all->epoll_fd);
    close(all->stop_fd);
    close(all->clerk_fd);
    pthread_mutex_destroy(&all->lock);
    free(all);
}
