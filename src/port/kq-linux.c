/*
 * kq-linux.c - kqueue over one inotify descriptor: collecting and waiting
 *
 * Of a note that the host has posted, kq_pending must see one of: an event in
 * the kernel's queue, a collector that has taken it from there, a queued knote.
 *
 *     collector                             kq_pending
 *       L1 draining = true                    poll the inotify descriptor
 *       read the inotify descriptor           L3 load-acquire draining
 *       L4 store-release queued               L5 load-acquire queued
 *       L2 store-release draining = false
 *
 * The kernel's queue lock orders read and poll.  If poll finds nothing because
 * read has emptied the queue, L1 came before, so L3 reads true, or what L2
 * wrote; then L5 sees the L4 that came before L2.  Both miss only what has been
 * handed out.
 */
#include "port/kq-linux-internal.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
    EVENT_BYTES_MAX = sizeof(struct inotify_event) + 256,
    MOVE_TRIES = 32, /* some microseconds */
};

/*
 * Edges, not levels: one event wakes one of those that sleep, and only a new
 * one wakes another.  Whoever is woken has everything drained, or sees that
 * somebody will.
 */
static int sleep_on(const struct kq *kq, int op, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events};
    return epoll_ctl(kq->sleep_fd, op, fd, &event) < 0 ? -errno : 0;
}

static int open_sleep(struct kq *kq)
{
    kq->sleep_fd = epoll_create1(EPOLL_CLOEXEC);
    if (kq->sleep_fd < 0)
        return -errno;
    int rc =
        sleep_on(kq, EPOLL_CTL_ADD, kq->inotify_fd, EPOLLIN | EPOLLET);
    return rc != 0 ? rc
                   : sleep_on(kq, EPOLL_CTL_ADD, kq->wake_fd,
                              EPOLLIN | EPOLLET);
}

int kq_create(struct kq **kq_out, enum kq_notes notes)
{
    struct kq *kq = calloc(1, sizeof(*kq));
    if (!kq)
        return -ENOMEM;
    kq->notes = notes;
    kq->queue_head = kq->queue_tail = KNOTE_NONE;
    kq->wake_fd = kq->sleep_fd = -1;
    pthread_mutex_init(&kq->lock, NULL);
    keepers_init(&kq->keepers);
    kq->inotify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    int rc = kq->inotify_fd < 0 ? -errno : 0;
    if (rc == 0) {
        kq->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        rc = kq->wake_fd < 0 ? -errno : 0;
    }
    if (rc == 0)
        rc = open_sleep(kq);
    if (rc == 0)
        stand_ins_open(kq);
    if (rc == 0 && !node_reserve(kq))
        rc = -ENOMEM;
    if (rc != 0)
        kq_destroy(kq);
    else
        *kq_out = kq;
    return rc;
}

void kq_destroy(struct kq *kq)
{
    if (kq->inotify_fd >= 0)
        close(kq->inotify_fd);
    if (kq->wake_fd >= 0)
        close(kq->wake_fd);
    if (kq->sleep_fd >= 0)
        close(kq->sleep_fd);
    stand_ins_close(kq);
    for (size_t i = 0; i < kq->nknote_chunks; i++)
        free(kq->knote_chunks[i]);
    for (size_t i = 0; i < kq->nnode_chunks; i++)
        free(kq->node_chunks[i]);
    free(kq->knote_chunks);
    parked_free_all(kq);
    keepers_fini(&kq->keepers);
    free(kq->node_chunks);
    free(kq->wd_table);
    free(kq->child_table);
    pthread_mutex_destroy(&kq->lock);
    free(kq);
}

/*** Collecting ***/

/* One read: -EAGAIN, or its bytes, all translated. */
static ssize_t drain_once(struct kq *kq)
{
    ssize_t filled = read(kq->inotify_fd, kq->buf, sizeof(kq->buf));
    if (filled <= 0)
        return filled;
    pthread_mutex_lock(&kq->lock);
    kq->translated++;
    kq->filled = (size_t)filled;
    for (ssize_t at = 0; at < filled;) {
        const struct inotify_event *event = (const void *)(kq->buf + at);
        notes_of_event(kq, event);
        at += (ssize_t)(sizeof(*event) + event->len);
    }
    pthread_mutex_unlock(&kq->lock);
    return filled;
}

/*
 * A read that leaves room for an event has emptied the kernel's queue.  One
 * that does not is followed by as much as was queued then, so that a busy host
 * cannot keep us here.
 */
static void drain(struct kq *kq)
{
    /* L1, pairs with L3 in kq_pending, through the kernel's queue lock */
    atomic_store_explicit(&kq->draining, true, memory_order_release);
    ssize_t filled = drain_once(kq);
    int left = 0;
    if (filled > (ssize_t)sizeof(kq->buf) - EVENT_BYTES_MAX)
        ioctl(kq->inotify_fd, FIONREAD, &left);
    while (left > 0 && (filled = drain_once(kq)) > 0)
        left -= (int)filled;
    /* Between the two halves of a rename?  The other one is there in a moment,
       unless it is nobody's that we watch.  The first one woke us, and where
       CPUs are scarce that took the CPU from who renames. */
    for (int i = 0; i < MOVE_TRIES && filled > 0 && kq->move_is_last; i++) {
        if (drain_once(kq) < 0)
            sched_yield();
    }
    pthread_mutex_lock(&kq->lock);
    notes_settle_moves(kq);
    if (kq->norphans > 0)
        host_adopt_owed(kq);
    pthread_mutex_unlock(&kq->lock);
    /* L2, pairs with L3 in kq_pending */
    atomic_store_explicit(&kq->draining, false, memory_order_release);
}

static bool report(const struct kq *kq, const struct kevent *change, int rc,
                   struct kevent *event)
{
    if (rc == 0 && !(change->flags & EV_RECEIPT))
        return false;
    *event = *change;
    event->flags = EV_ERROR;
    if (kq->notes == KQ_NOTES_MACOS)
        event->flags |= change->flags;
    event->data = -rc;
    return true;
}

int kq_event(struct kq *kq, const struct kevent *changes, int nchanges,
             struct kevent *events, int nevents)
{
    int nreports = 0;
    for (int i = 0; i < nchanges; i++) {
        int rc = change_apply(kq, &changes[i]);
        if (nreports < nevents)
            nreports += report(kq, &changes[i], rc, &events[nreports]);
        else if (rc != 0)
            return rc;
    }
    if (nreports > 0 || nevents == 0)
        return nreports;
    drain(kq);
    pthread_mutex_lock(&kq->lock);
    int n = knote_collect(kq, events, nevents);
    pthread_mutex_unlock(&kq->lock);
    return n;
}

/*** Waiting ***/

static struct timespec time_after(const struct timespec *delay)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    time.tv_sec += delay->tv_sec;
    time.tv_nsec += delay->tv_nsec;
    if (time.tv_nsec >= 1000000000) {
        time.tv_sec++;
        time.tv_nsec -= 1000000000;
    }
    return time;
}

static struct timespec time_left(const struct timespec *deadline)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    struct timespec left = {.tv_sec = deadline->tv_sec - now.tv_sec,
                            .tv_nsec = deadline->tv_nsec - now.tv_nsec};
    if (left.tv_nsec < 0) {
        left.tv_sec--;
        left.tv_nsec += 1000000000;
    }
    return left.tv_sec < 0 ? (struct timespec){0} : left;
}

/* ppoll until the kernel or wake_fd has something: 1, 0 in time, or -errno. */
static int sleep_once(struct kq *kq, const struct timespec *deadline)
{
    struct pollfd fds[] = {{.fd = kq->inotify_fd, .events = POLLIN},
                           {.fd = kq->wake_fd, .events = POLLIN}};
    struct timespec left;
    if (deadline)
        left = time_left(deadline);
    int ready = ppoll(fds, 2, deadline ? &left : NULL, NULL);
    int rc = ready < 0 ? -errno : ready > 0;
    uint64_t wakes;
    if (ready > 0 && fds[1].revents)
        (void)!read(kq->wake_fd, &wakes, sizeof(wakes));
    return rc;
}

/* False if something is queued already. */
static bool begin_sleep(struct kq *kq)
{
    pthread_mutex_lock(&kq->lock);
    bool is_pending = kq->nqueued > 0;
    kq->waiting += is_pending ? 0 : 1;
    pthread_mutex_unlock(&kq->lock);
    return !is_pending;
}

static void end_sleep(struct kq *kq)
{
    pthread_mutex_lock(&kq->lock);
    kq->waiting--;
    pthread_mutex_unlock(&kq->lock);
}

int kq_wait(struct kq *kq, const struct timespec *timeout)
{
    struct timespec deadline;
    if (timeout)
        deadline = time_after(timeout);
    for (;;) {
        if (!begin_sleep(kq))
            return 0;
        int rc = sleep_once(kq, timeout ? &deadline : NULL);
        end_sleep(kq);
        if (rc < 0)
            return rc;
        if (rc == 0)
            return -ETIMEDOUT;
        /* Much that the kernel tells makes no note: look before returning. */
        drain(kq);
    }
}

int kq_sleep(struct kq *kq)
{
    struct epoll_event event;
    if (!begin_sleep(kq))
        return 0;
    int rc = epoll_wait(kq->sleep_fd, &event, 1, -1) < 0 ? -errno : 0;
    end_sleep(kq);
    return rc;
}

/*
 * Meanwhile the inotify descriptor wakes nobody, so whoever changes a file has
 * nobody to wake.  It has to be taken out for that: inotify wakes who waits
 * with no word of what for, and such a wake passes any EPOLL_CTL_MOD but that
 * of a one-shot.  Put in again, it says what has come since.
 */
void kq_rest(struct kq *kq, uint64_t ns)
{
    struct pollfd wake = {.fd = kq->wake_fd, .events = POLLIN};
    struct timespec limit = {.tv_nsec = (long)ns};
    const struct timespec ms = {.tv_nsec = 1000 * 1000};
    uint64_t wakes;
    (void)!read(kq->wake_fd, &wakes, sizeof(wakes)); /* of before */
    if (!begin_sleep(kq))
        return;
    (void)sleep_on(kq, EPOLL_CTL_DEL, kq->inotify_fd, 0);
    (void)ppoll(&wake, 1, &limit, NULL);
    /* Without memory for it: nobody else collects meanwhile, and all is kept. */
    while (sleep_on(kq, EPOLL_CTL_ADD, kq->inotify_fd, EPOLLIN | EPOLLET) != 0)
        (void)nanosleep(&ms, NULL);
    end_sleep(kq);
}

bool kq_pending(struct kq *kq)
{
    struct pollfd host = {.fd = kq->inotify_fd, .events = POLLIN};
    if (poll(&host, 1, 0) != 0)
        return true;
    /* L3, pairs with L1 and L2 in drain */
    if (atomic_load_explicit(&kq->draining, memory_order_acquire))
        return true;
    /* L5, pairs with L4 in count_queued */
    return atomic_load_explicit(&kq->queued, memory_order_acquire) > 0;
}

void kq_close(struct kq *kq, int host_fd)
{
    if (host_fd >= KQ_PARKED_FIRST) {
        parked_end(kq, host_fd);
        return;
    }
    pthread_mutex_lock(&kq->lock);
    if (knote_find(kq, host_fd))
        knote_destroy(kq, host_fd);
    pthread_mutex_unlock(&kq->lock);
    close(host_fd);
}

/*** What this host can tell ***/

uint32_t kq_notes_dir(const struct kq *kq)
{
    uint32_t notes = NOTE_DELETE | NOTE_WRITE | NOTE_ATTRIB | NOTE_LINK |
                     NOTE_RENAME | NOTE_REVOKE;
    if (kq->notes == KQ_NOTES_FREEBSD)
        notes |= NOTE_EXTEND | NOTE_OPEN | NOTE_CLOSE | NOTE_READ;
    return notes;
}

uint32_t kq_notes_file(const struct kq *kq)
{
    uint32_t notes = NOTE_DELETE | NOTE_WRITE | NOTE_EXTEND | NOTE_ATTRIB |
                     NOTE_LINK | NOTE_RENAME | NOTE_REVOKE;
    if (kq->notes == KQ_NOTES_FREEBSD)
        notes |= NOTE_OPEN | NOTE_CLOSE | NOTE_CLOSE_WRITE | NOTE_READ;
    return notes;
}

uint64_t kq_rename_skew_ns(const struct kq *kq)
{
    (void)kq;
    return 0;
}

uint64_t kq_overflows(const struct kq *kq)
{
    /* relaxed: a counter, see notes_of_overflow */
    return atomic_load_explicit(&kq->overflows, memory_order_relaxed);
}
