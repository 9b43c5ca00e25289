/*
 * poll, select and epoll see the queue: readable exactly while it holds an
 * event, never writable, and with one edge for each event that arrives.
 */
#include "guest.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SHORT_EVENT 32

static void open_watching(struct guest_queue *q)
{
    guest_mkdir("d");
    guest_open(q);
    CHECK(guest_watch(q, "d", IN_CREATE) == 1, "expected wd 1");
}

/* A file d/NAME, and its event is there. */
static void make_event(struct guest_queue *q, const char *name)
{
    char path[64];
    int pending = guest_pending(q->fd);
    snprintf(path, sizeof path, "d/%s", name);
    guest_touch(path);
    guest_await_pending(q->fd, pending + SHORT_EVENT);
}

static void read_one(struct guest_queue *q)
{
    char bytes[SHORT_EVENT];
    CHECK(read(q->fd, bytes, sizeof bytes) == SHORT_EVENT, "read: %s",
          strerror(errno));
}

static int poll_now(int inotify_fd)
{
    struct pollfd wait = {.fd = inotify_fd,
                          .events = POLLIN | POLLOUT | POLLPRI | POLLRDNORM |
                                    POLLWRNORM | POLLRDHUP};
    CHECK(poll(&wait, 1, 0) >= 0, "poll: %s", strerror(errno));
    return wait.revents;
}

static void poll_follows_the_queue(void)
{
    struct guest_queue q;
    open_watching(&q);
    CHECK(poll_now(q.fd) == 0, "empty: seen 0x%x", poll_now(q.fd));
    make_event(&q, "a");
    make_event(&q, "b");
    CHECK(poll_now(q.fd) == (POLLIN | POLLRDNORM),
          "two events: expected POLLIN|POLLRDNORM, seen 0x%x", poll_now(q.fd));
    read_one(&q);
    CHECK(poll_now(q.fd) == (POLLIN | POLLRDNORM),
          "one left: expected POLLIN|POLLRDNORM, seen 0x%x", poll_now(q.fd));
    read_one(&q);
    CHECK(poll_now(q.fd) == 0, "drained: seen 0x%x", poll_now(q.fd));
    guest_close(&q);
}

static int select_now(int inotify_fd, bool *read_set)
{
    fd_set reads, writes, others;
    struct timeval now = {0, 0};
    FD_ZERO(&reads);
    FD_SET(inotify_fd, &reads);
    writes = others = reads;
    int ready = select(inotify_fd + 1, &reads, &writes, &others, &now);
    CHECK(ready >= 0, "select: %s", strerror(errno));
    *read_set = FD_ISSET(inotify_fd, &reads);
    return ready;
}

static void select_sees_only_reading(void)
{
    struct guest_queue q;
    bool readable;
    open_watching(&q);
    CHECK(q.fd < FD_SETSIZE, "expected a descriptor for select, seen %d", q.fd);
    CHECK(select_now(q.fd, &readable) == 0, "empty: expected none ready");
    make_event(&q, "a");
    CHECK(select_now(q.fd, &readable) == 1 && readable,
          "expected the read set alone");
    read_one(&q);
    CHECK(select_now(q.fd, &readable) == 0, "drained: expected none ready");
    guest_close(&q);
}

static int epoll_watching(int inotify_fd, uint32_t events)
{
    struct epoll_event wish = {.events = events};
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    CHECK(epoll_fd >= 0, "epoll_create1: %s", strerror(errno));
    CHECK(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, inotify_fd, &wish) == 0,
          "epoll_ctl: %s", strerror(errno));
    return epoll_fd;
}

static uint32_t epoll_within(int epoll_fd, int wait_ms)
{
    struct epoll_event seen = {0};
    int ready = epoll_wait(epoll_fd, &seen, 1, wait_ms);
    CHECK(ready >= 0, "epoll_wait: %s", strerror(errno));
    return ready == 0 ? 0 : seen.events;
}

static uint32_t epoll_now(int epoll_fd)
{
    return epoll_within(epoll_fd, 0);
}

/* The queue may be seen to hold an event a little before its waiters wake. */
static bool epoll_wakes(int epoll_fd)
{
    int wait_ms = guest_lags() ? GUEST_DEADLINE_MS : 0;
    return epoll_within(epoll_fd, wait_ms) == EPOLLIN;
}

static void level_stays_until_drained(void)
{
    struct guest_queue q;
    open_watching(&q);
    int epoll_fd = epoll_watching(q.fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP);
    CHECK(epoll_now(epoll_fd) == 0, "empty: expected none");
    make_event(&q, "a");
    make_event(&q, "b");
    for (int i = 0; i < 3; i++)
        CHECK(epoll_wakes(epoll_fd), "queued: expected EPOLLIN");
    read_one(&q);
    CHECK(epoll_wakes(epoll_fd), "one left: expected EPOLLIN");
    read_one(&q);
    CHECK(epoll_now(epoll_fd) == 0, "drained: expected none");
    close(epoll_fd);
    guest_close(&q);
}

#define EDGE (EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET)

/* As the Go runtime asks: everything, edge-triggered. */
static void each_arrival_is_an_edge(void)
{
    struct guest_queue q;
    char name[16];
    open_watching(&q);
    int epoll_fd = epoll_watching(q.fd, EDGE);
    CHECK(epoll_now(epoll_fd) == 0, "empty: expected no edge");
    for (int i = 0; i < 10; i++) { /* not read in between */
        snprintf(name, sizeof name, "file-%d", i);
        make_event(&q, name);
        CHECK(epoll_wakes(epoll_fd), "arrival %d: no edge", i);
        CHECK(epoll_now(epoll_fd) == 0, "arrival %d: a second edge", i);
    }
    for (int i = 0; i < 10; i++)
        read_one(&q);
    CHECK(epoll_now(epoll_fd) == 0, "drained: expected no edge");
    make_event(&q, "last");
    CHECK(epoll_wakes(epoll_fd), "after draining: no edge");
    read_one(&q);
    close(epoll_fd);
    guest_close(&q);
}

static void partial_read_is_no_edge(void)
{
    struct guest_queue q;
    open_watching(&q);
    int epoll_fd = epoll_watching(q.fd, EDGE);
    make_event(&q, "a");
    make_event(&q, "b");
    make_event(&q, "c");
    CHECK(epoll_wakes(epoll_fd), "expected an edge");
    read_one(&q);
    CHECK(epoll_now(epoll_fd) == 0, "after one of three: an edge");
    char small[16];
    CHECK_FAILS(read(q.fd, small, sizeof small), EINVAL);
    CHECK(epoll_now(epoll_fd) == 0, "after a refused read: an edge");
    read_one(&q);
    read_one(&q);
    close(epoll_fd);
    guest_close(&q);
}

static void edge_is_there_for_what_was_queued_before(void)
{
    struct guest_queue q;
    open_watching(&q);
    make_event(&q, "a");
    int epoll_fd = epoll_watching(q.fd, EDGE);
    CHECK(epoll_wakes(epoll_fd), "expected an edge at once");
    CHECK(epoll_now(epoll_fd) == 0, "expected only one");
    read_one(&q);
    close(epoll_fd);
    guest_close(&q);
}

/* A thread that waits without end, in one of four ways. */
struct waiter {
    pthread_t thread;
    int inotify_fd, epoll_fd, way, ready;
    _Atomic pid_t id;
};

static void *waiter_run(void *argument)
{
    struct waiter *w = argument;
    struct pollfd wait = {.fd = w->inotify_fd, .events = POLLIN};
    struct epoll_event event;
    fd_set reads;
    FD_ZERO(&reads);
    FD_SET(w->inotify_fd, &reads);
    w->id = (pid_t)syscall(SYS_gettid);
    switch (w->way) {
    case 0:
        w->ready = poll(&wait, 1, -1);
        break;
    case 1:
        w->ready = select(w->inotify_fd + 1, &reads, NULL, NULL, NULL);
        break;
    case 2:
        w->ready = pselect(w->inotify_fd + 1, &reads, NULL, NULL, NULL, NULL);
        break;
    default:
        w->ready = epoll_wait(w->epoll_fd, &event, 1, -1);
    }
    return NULL;
}

static void arrival_wakes_who_waits(void)
{
    struct guest_queue q;
    char name[16];
    open_watching(&q);
    CHECK(q.fd < FD_SETSIZE, "expected a descriptor for select, seen %d", q.fd);
    for (int way = 0; way < 5; way++) {
        struct waiter w = {.inotify_fd = q.fd, .way = way};
        w.epoll_fd = epoll_watching(q.fd, way == 4 ? EDGE : EPOLLIN);
        CHECK(pthread_create(&w.thread, NULL, waiter_run, &w) == 0, "thread");
        while (w.id == 0)
            usleep(200);
        guest_await_asleep(w.id);
        snprintf(name, sizeof name, "file-%d", way);
        make_event(&q, name);
        CHECK(pthread_join(w.thread, NULL) == 0, "join");
        CHECK(w.ready == 1, "way %d: expected 1 ready, seen %d", way, w.ready);
        close(w.epoll_fd);
        read_one(&q);
    }
    guest_close(&q);
}

int main(int argc, char **argv)
{
    static const struct guest_case cases[] = {
        GUEST_CASE(poll_follows_the_queue),
        GUEST_CASE(select_sees_only_reading),
        GUEST_CASE(level_stays_until_drained),
        GUEST_CASE(each_arrival_is_an_edge),
        GUEST_CASE(partial_read_is_no_edge),
        GUEST_CASE(edge_is_there_for_what_was_queued_before),
        GUEST_CASE(arrival_wakes_who_waits),
    };
    return guest_main(argc, argv, cases, GUEST_COUNT(cases));
}
