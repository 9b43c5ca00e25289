/*
 * kq-system.c - kq.h over the system's kqueue(2), or a library's
 *
 * Notes that a system lacks are left out of what it is asked for: an upper bit
 * means something else on each (0x80 is NOTE_OPEN on FreeBSD, NOTE_TRUNCATE on
 * OpenBSD, and every lseek on macOS).
 */
#include "port/kq.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

enum { RENAME_SKEW_NS = 1000000 };

struct kq {
    int host_fd;
};

/* Not every kqueue(2) has kqueuex(2) or kqueue1(2); fork drops it anyway. */
int kq_create(struct kq **kq_out, enum kq_notes notes)
{
    (void)notes; /* the system's are the system's */
    struct kq *kq = malloc(sizeof(*kq));
    if (!kq)
        return -ENOMEM;
    kq->host_fd = kqueue();
    if (kq->host_fd < 0) {
        int host_errno = errno;
        free(kq);
        return -host_errno;
    }
    *kq_out = kq;
    return 0;
}

void kq_destroy(struct kq *kq)
{
    close(kq->host_fd);
    free(kq);
}

int kq_event(struct kq *kq, const struct kevent *changes, int nchanges,
             struct kevent *events, int nevents)
{
    const struct timespec no_wait = {0};
    int n = kevent(kq->host_fd, changes, nchanges, events, nevents, &no_wait);
    return n < 0 ? -errno : n;
}

int kq_add(struct kq *kq, const struct kevent *change,
           const struct kq_known *known)
{
    (void)known; /* the system knows best */
    return kq_event(kq, change, 1, NULL, 0);
}

/* Rounded up: a sleep of nothing would make a caller's loop spin. */
static int poll_ms(const struct timespec *timeout)
{
    const time_t seconds_max = 1000000;
    if (!timeout)
        return -1;
    if (timeout->tv_sec >= seconds_max)
        return (int)seconds_max * 1000;
    return (int)timeout->tv_sec * 1000 +
           (int)((timeout->tv_nsec + 999999) / 1000000);
}

int kq_wait(struct kq *kq, const struct timespec *timeout)
{
    struct pollfd host = {.fd = kq->host_fd, .events = POLLIN};
    int ready = poll(&host, 1, poll_ms(timeout));
    if (ready < 0)
        return -errno;
    return ready == 0 ? -ETIMEDOUT : 0;
}

int kq_sleep(struct kq *kq)
{
    return kq_wait(kq, NULL);
}

bool kq_pending(struct kq *kq)
{
    struct pollfd host = {.fd = kq->host_fd, .events = POLLIN};
    return poll(&host, 1, 0) != 0;
}

/* It keeps one note per knote, and whoever posts wakes nobody else's reader. */
void kq_rest(struct kq *kq, uint64_t ns)
{
    (void)kq;
    (void)ns;
}

void kq_close(struct kq *kq, int host_fd)
{
#ifdef __linux__ /* a library that never hears of our close(2) */
    struct kevent change;
    EV_SET(&change, (uintptr_t)host_fd, EVFILT_VNODE, EV_DELETE, 0, 0, NULL);
    (void)kq_event(kq, &change, 1, NULL, 0); /* ENOENT: it had no knote */
#else
    (void)kq;
#endif
    close(host_fd);
}

/* A knote of kqueue(2) goes with its descriptor. */
uint32_t kq_knotes_max(const struct kq *kq)
{
    (void)kq;
    return 0;
}

int kq_park(struct kq *kq, int host_fd, const struct look *look)
{
    (void)kq;
    (void)host_fd;
    (void)look;
    return -EOPNOTSUPP;
}

bool kq_is_parked_one(struct kq *kq, int parked, int host_fd)
{
    (void)kq;
    (void)parked;
    (void)host_fd;
    return true; /* nothing is parked */
}

int kq_reopen(struct kq *kq, int parked, enum kq_reopen what_for)
{
    (void)kq;
    (void)parked;
    (void)what_for;
    return -EOPNOTSUPP;
}

/* Those that every kqueue has, and what systems add for directories too. */
static uint32_t notes_of_any(void)
{
    uint32_t notes =
        NOTE_DELETE | NOTE_WRITE | NOTE_ATTRIB | NOTE_LINK | NOTE_RENAME;
#ifdef NOTE_REVOKE
    notes |= NOTE_REVOKE;
#endif
#ifdef NOTE_OPEN
    notes |= NOTE_OPEN;
#endif
#ifdef NOTE_CLOSE
    notes |= NOTE_CLOSE;
#endif
#ifdef NOTE_READ
    notes |= NOTE_READ;
#endif
    return notes;
}

uint32_t kq_notes_dir(const struct kq *kq)
{
    (void)kq;
    uint32_t notes = notes_of_any();
#ifdef NOTE_OPEN /* where also a directory's EXTEND means something */
    notes |= NOTE_EXTEND;
#endif
    return notes;
}

uint32_t kq_notes_file(const struct kq *kq)
{
    (void)kq;
    uint32_t notes = notes_of_any() | NOTE_EXTEND;
#ifdef NOTE_CLOSE_WRITE
    notes |= NOTE_CLOSE_WRITE;
#endif
#ifdef NOTE_TRUNCATE
    notes |= NOTE_TRUNCATE;
#endif
    return notes;
}

/*
 * Notes are posted after the name cache and the directory have changed; macOS
 * also posts to one directory at a time.
 */
uint64_t kq_rename_skew_ns(const struct kq *kq)
{
    (void)kq;
    return RENAME_SKEW_NS;
}

/* A kqueue keeps one note per knote and has no queue that could overflow. */
uint64_t kq_overflows(const struct kq *kq)
{
    (void)kq;
    return 0;
}
