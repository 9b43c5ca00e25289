/*
 * notify.c - the handlers: threads that receive the guest's trapped calls
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
    HANDLERS = 4,
    STOP_SIGNAL = SIGUSR1, /* in the supervisor, which blocks all others */
    STOP_RETRY_NS = 100000,
};

struct handler {
    struct service *service;
    size_t notification_bytes;
    pthread_t thread;
    int pidfd; /* of ourselves, to start with (guest_task_keep) */
    _Atomic bool *stopping; /* N1 */
    _Atomic bool done;      /* N2: set by the handler, last */
};

struct notify {
    _Atomic bool stopping; /* N1: set by notify_stop */
    unsigned count;
    struct handler handlers[HANDLERS];
};

/* No task has the filter any more: nothing will ever come. */
static bool hung_up(int listener)
{
    struct pollfd from = { .fd = listener };

    return poll(&from, 1, 0) > 0 && (from.revents & POLLHUP) != 0;
}

/* False if there will be none any more. */
static bool receive(const struct handler *handler, struct seccomp_notif *from,
                    struct trapped *to)
{
    memset(from, 0, handler->notification_bytes);
    while (ioctl(handler->service->listener, SECCOMP_IOCTL_NOTIF_RECV, from) <
           0) {
        /* N1, pairs with N1 in notify_stop. */
        if (atomic_load_explicit(handler->stopping, memory_order_acquire))
            return false;
        /*
         * ENOENT: the caller was interrupted meanwhile, or, since Linux 6.11,
         * the last one is gone; then the next call would say so at once.
         */
        if (errno != EINTR && errno != ENOENT)
            return false;
        if (errno == ENOENT && hung_up(handler->service->listener))
            return false;
        memset(from, 0, handler->notification_bytes);
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

static void *handler_run(void *arg)
{
    struct handler *handler = arg;
    struct seccomp_notif *notification = malloc(handler->notification_bytes);
    struct trapped call;
    sigset_t stop;

    sigemptyset(&stop);
    sigaddset(&stop, STOP_SIGNAL);
    pthread_sigmask(SIG_UNBLOCK, &stop, NULL);
    guest_task_keep(getpid(), handler->pidfd);
    while (notification && receive(handler, notification, &call))
        serve(handler->service, &call);
    free(notification);
    guest_task_forget();
    /* N2, pairs with N2 in notify_stop. */
    atomic_store_explicit(&handler->done, true, memory_order_release);
    return NULL;
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

    if (!notify)
        return -ENOMEM;
    sigaction(STOP_SIGNAL, &action, NULL);
    /* Linux 6.6: the guest's CPU goes straight to the handler and back. */
    ioctl(service->listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS,
          SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
    for (unsigned i = 0; i < HANDLERS; i++) {
        struct handler *handler = &notify->handlers[i];

        handler->service = service;
        handler->notification_bytes = notification_size();
        handler->pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
        handler->stopping = &notify->stopping;
    }
    while (notify->count < HANDLERS &&
           pthread_create(&notify->handlers[notify->count].thread, NULL,
                          handler_run,
                          &notify->handlers[notify->count]) == 0)
        notify->count++;
    for (unsigned i = notify->count; i < HANDLERS; i++)
        close(notify->handlers[i].pidfd);
    if (!notify->count) {
        free(notify);
        return -EAGAIN;
    }
    *out = notify;
    return 0;
}

void notify_stop(struct notify *notify)
{
    const struct timespec retry = { .tv_nsec = STOP_RETRY_NS };

    /* N1, pairs with N1 in receive. */
    atomic_store_explicit(&notify->stopping, true, memory_order_release);
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
    free(notify);
}
