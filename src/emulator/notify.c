/*
 * notify.c - the handlers: threads that receive the guest's trapped calls
 *
 * Who takes a call and leaves nobody behind that waits for one starts another
 * handler before it serves: then as many calls may be stuck as there may be
 * handlers before one has to wait for them.  Who answers counts as waiting from
 * just before that: the guest may run in its place from then on, and make many
 * calls before it gets to wait.  Handlers stay once started; there is one more
 * of them, at most, than the guests have had calls at a time.
 */
#include "emulator/notify.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "emulator/filter.h"
#include "emulator/guest-task.h"

enum {
    HANDLERS = 4,      /* from the start */
    HANDLERS_MAX = 64, /* calls that are stuck before others have to wait */
    STOP_SIGNAL = SIGUSR1, /* in the supervisor, which blocks all others */
    STOP_RETRY_NS = 100000,
};

struct handler {
    struct notify *notify;
    struct seccomp_notif *notification; /* freed by the handler */
    pthread_t thread;
    int pidfd; /* of ourselves, to start with (guest_task_keep) */
    _Atomic bool done; /* N2: set by the handler, last */
};

struct notify {
    struct service *service;
    size_t notification_bytes;
    _Atomic bool stopping; /* N1: set by notify_stop */
    /* relaxed: a count of handlers that have no call to answer; nothing hangs
     * on it but whether there shall be another */
    _Atomic unsigned waiting;
    pthread_mutex_t growing; /* holds `count`; none is started once stopping */
    unsigned count;
    struct handler handlers[HANDLERS_MAX];
};

/* No task has the filter any more: nothing will ever come. */
static bool hung_up(int listener)
{
    struct pollfd from = { .fd = listener };

    return poll(&from, 1, 0) > 0 && (from.revents & POLLHUP) != 0;
}

/* False if there will be none any more. */
static bool receive(struct notify *notify, struct seccomp_notif *from,
                    struct trapped *to)
{
    memset(from, 0, notify->notification_bytes);
    while (ioctl(notify->service->listener, SECCOMP_IOCTL_NOTIF_RECV, from) <
           0) {
        /* N1, pairs with N1 in notify_stop. */
        if (atomic_load_explicit(&notify->stopping, memory_order_acquire))
            return false;
        /*
         * ENOENT: the caller was interrupted meanwhile, or, since Linux 6.11,
         * the last one is gone; then the next call would say so at once.
         */
        if (errno != EINTR && errno != ENOENT)
            return false;
        if (errno == ENOENT && hung_up(notify->service->listener))
            return false;
        memset(from, 0, notify->notification_bytes);
    }
    *to = (struct trapped){
        .id = from->id,
        .tid = (pid_t)from->pid,
        .audit_arch = from->data.arch,
        .number = from->data.nr,
    };
    for (unsigned i = 0; i < sizeof(to->args) / sizeof(to->args[0]); i++)
        to->args[i] = from->data.args[i];
    return true;
}

static void notify_grow(struct notify *);

/* Where the calling thread counts as waiting once it answers; else NULL. */
static _Thread_local struct notify *answers_to;

/* This handler has a call: another one shall wait for the next. */
static void handler_leave(struct notify *notify)
{
    answers_to = notify;
    /* relaxed: see the field */
    if (atomic_fetch_sub_explicit(&notify->waiting, 1, memory_order_relaxed) ==
        1)
        notify_grow(notify);
}

void notify_answering(void)
{
    if (!answers_to)
        return;
    /* relaxed: see the field */
    atomic_fetch_add_explicit(&answers_to->waiting, 1, memory_order_relaxed);
    answers_to = NULL;
}

static void *handler_run(void *arg)
{
    struct handler *handler = arg;
    struct notify *notify = handler->notify;
    struct trapped call;
    sigset_t stop;

    sigemptyset(&stop);
    sigaddset(&stop, STOP_SIGNAL);
    pthread_sigmask(SIG_UNBLOCK, &stop, NULL);
    guest_task_keep(getpid(), handler->pidfd);
    while (receive(notify, handler->notification, &call)) {
        handler_leave(notify);
        serve(notify->service, &call);
        notify_answering(); /* if nobody wanted an answer */
    }
    free(handler->notification);
    guest_task_forget();
    /* N2, pairs with N2 in notify_stop. */
    atomic_store_explicit(&handler->done, true, memory_order_release);
    return NULL;
}

/* False: there may be no further one, or can be none. */
static bool handler_start(struct notify *notify)
{
    struct handler *handler = &notify->handlers[notify->count];

    if (notify->count == HANDLERS_MAX)
        return false;
    handler->notify = notify;
    handler->notification = malloc(notify->notification_bytes);
    if (!handler->notification)
        return false;
    handler->pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
    /* relaxed: see the field */
    atomic_fetch_add_explicit(&notify->waiting, 1, memory_order_relaxed);
    if (pthread_create(&handler->thread, NULL, handler_run, handler) == 0) {
        notify->count++;
        return true;
    }
    /* relaxed: see the field */
    atomic_fetch_sub_explicit(&notify->waiting, 1, memory_order_relaxed);
    close(handler->pidfd);
    free(handler->notification);
    return false;
}

/* Unless somebody has come back, or has started one, meanwhile. */
static void notify_grow(struct notify *notify)
{
    pthread_mutex_lock(&notify->growing);
    /* relaxed: see the fields; `stopping` changes under the lock alone */
    if (atomic_load_explicit(&notify->waiting, memory_order_relaxed) == 0 &&
        !atomic_load_explicit(&notify->stopping, memory_order_relaxed))
        handler_start(notify);
    pthread_mutex_unlock(&notify->growing);
}

static void on_stop(int signal)
{
    (void)signal; /* only ends the ioctl */
}

/* The kernel's struct may be larger than the headers' we were built with. */
static size_t notification_size(void)
{
    struct seccomp_notif_sizes sizes = { 0 };
    size_t known = sizeof(struct seccomp_notif);

    if (syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) != 0)
        return known;
    return sizes.seccomp_notif > known ? sizes.seccomp_notif : known;
}

int notify_start(struct service *service, struct notify **out)
{
    struct sigaction action = { .sa_handler = on_stop };
    struct notify *notify = calloc(1, sizeof(*notify));
    bool started;

    if (!notify)
        return -ENOMEM;
    sigaction(STOP_SIGNAL, &action, NULL);
    /* Linux 6.6: the guest's CPU goes straight to the handler and back. */
    ioctl(service->listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS,
          SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
    notify->service = service;
    notify->notification_bytes = notification_size();
    pthread_mutex_init(&notify->growing, NULL);
    pthread_mutex_lock(&notify->growing);
    while (notify->count < HANDLERS && handler_start(notify))
        ;
    started = notify->count > 0;
    pthread_mutex_unlock(&notify->growing);
    if (!started) {
        pthread_mutex_destroy(&notify->growing);
        free(notify);
        return -EAGAIN;
    }
    *out = notify;
    return 0;
}

void notify_stop(struct notify *notify)
{
    const struct timespec retry = { .tv_nsec = STOP_RETRY_NS };

    pthread_mutex_lock(&notify->growing);
    /* N1, pairs with N1 in receive. */
    atomic_store_explicit(&notify->stopping, true, memory_order_release);
    pthread_mutex_unlock(&notify->growing);
    for (unsigned i = 0; i < notify->count; i++) {
        struct handler *handler = &notify->handlers[i];

        /*
         * A signal that comes just before the ioctl is missed, so until it has
         * been seen it comes again.  (Linux ends the ioctl by itself from 6.11
         * on.)  N2, pairs with N2 in handler_run.
         */
        while (!atomic_load_explicit(&handler->done, memory_order_acquire)) {
            pthread_kill(handler->thread, STOP_SIGNAL);
            nanosleep(&retry, NULL);
        }
        pthread_join(handler->thread, NULL);
    }
    pthread_mutex_destroy(&notify->growing);
    free(notify);
}
