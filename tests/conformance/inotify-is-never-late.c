/*
 * What the program itself did is in its queue when its call returns: FIONREAD,
 * a read of exactly that many bytes and poll with a timeout of 0 say so at
 * once, 10,000 times, in one piece.  The kernel does that, and --strict does.
 */
#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <unistd.h>

#define ROUNDS 10000
#define FOREIGN_ROUNDS 2000 /* each call is slower */
#define MEMBERS (IN_CREATE | IN_DELETE | IN_MOVE)

static int rounds(void)
{
    if (guest_lags())
        guest_skip("only the kernel and --strict promise this");
    return guest_foreign() ? FOREIGN_ROUNDS : ROUNDS;
}

static int open_watching(void)
{
    int inotify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    CHECK(inotify_fd >= 0, "inotify_init1: %s", strerror(errno));
    guest_mkdir("d");
    CHECK(inotify_add_watch(inotify_fd, "d", MEMBERS) == 1, "add_watch: %s",
          strerror(errno));
    return inotify_fd;
}

/* Exactly these events, in one read of what FIONREAD says. */
static void expect_now(int inotify_fd, int round, uint32_t mask,
                       const char *name, uint32_t next_mask,
                       const char *next_name)
{
    char bytes[256];
    struct guest_event events[2];
    size_t count = next_name != NULL ? 2 : 1;
    int size = (int)count * 32;
    int pending = guest_pending(inotify_fd);
    CHECK(pending == size, "round %d: FIONREAD: expected %d, seen %d", round,
          size, pending);
    ssize_t got = read(inotify_fd, bytes, (size_t)pending);
    CHECK(got == size, "round %d: read: expected %d, seen %zd", round, size,
          got);
    CHECK(guest_parse(bytes, (size_t)got, events, 2) == count, "round %d",
          round);
    CHECK(events[0].mask == mask && strcmp(events[0].name, name) == 0,
          "round %d: expected 0x%x %s, seen 0x%x %s", round, mask, name,
          events[0].mask, events[0].name);
    if (next_name != NULL)
        CHECK(events[1].mask == next_mask &&
                  strcmp(events[1].name, next_name) == 0,
              "round %d: expected 0x%x %s, seen 0x%x %s", round, next_mask,
              next_name, events[1].mask, events[1].name);
}

static void finish(int inotify_fd)
{
    struct guest_queue q;
    guest_adopt(&q, inotify_fd);
    guest_close(&q);
}

static void fionread_then_exactly_that_many(void)
{
    int count = rounds(), inotify_fd = open_watching();
    for (int round = 0; round < count; round++) {
        guest_touch("d/a");
        expect_now(inotify_fd, round, IN_CREATE, "a", 0, NULL);
        CHECK(guest_pending(inotify_fd) == 0, "round %d: not drained", round);
        guest_unlink("d/a");
        expect_now(inotify_fd, round, IN_DELETE, "a", 0, NULL);
    }
    finish(inotify_fd);
}

static void poll_with_timeout_zero(void)
{
    int count = rounds(), inotify_fd = open_watching();
    struct pollfd wait = {.fd = inotify_fd, .events = POLLIN};
    char bytes[64];
    for (int round = 0; round < count; round++) {
        CHECK(poll(&wait, 1, 0) == 0, "round %d: expected not ready", round);
        if (round % 2 == 0)
            guest_touch("d/a");
        else
            guest_unlink("d/a");
        CHECK(poll(&wait, 1, 0) == 1 && wait.revents == POLLIN,
              "round %d: expected POLLIN, seen 0x%x", round,
              (unsigned)wait.revents);
        CHECK(read(inotify_fd, bytes, sizeof bytes) == 32, "round %d: read",
              round);
    }
    finish(inotify_fd);
}

static void read_at_once(void)
{
    int count = rounds(), inotify_fd = open_watching();
    static char bytes[65536];
    for (int round = 0; round < count; round++) {
        guest_touch("d/a");
        CHECK(read(inotify_fd, bytes, sizeof bytes) == 32,
              "round %d: expected the event, seen %s", round, strerror(errno));
        guest_unlink("d/a");
        CHECK(read(inotify_fd, bytes, sizeof bytes) == 32,
              "round %d: expected the event, seen %s", round, strerror(errno));
        CHECK_FAILS(read(inotify_fd, bytes, sizeof bytes), EAGAIN);
    }
    finish(inotify_fd);
}

static void a_rename_in_one_piece(void)
{
    int count = rounds() / 2, inotify_fd = open_watching();
    guest_touch("d/a");
    expect_now(inotify_fd, -1, IN_CREATE, "a", 0, NULL);
    for (int round = 0; round < count; round++) {
        bool there = round % 2 == 0;
        guest_rename(there ? "d/a" : "d/b", there ? "d/b" : "d/a");
        expect_now(inotify_fd, round, IN_MOVED_FROM, there ? "a" : "b",
                   IN_MOVED_TO, there ? "b" : "a");
    }
    finish(inotify_fd);
}

static void select_and_epoll_that_do_not_wait(void)
{
    int count = rounds() / 2, inotify_fd = open_watching();
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN};
    char bytes[64];
    CHECK(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, inotify_fd, &event) == 0, "ctl");
    CHECK(inotify_fd < FD_SETSIZE, "expected a descriptor for select");
    for (int round = 0; round < count; round++) {
        struct timeval now = {0, 0};
        fd_set reads;
        FD_ZERO(&reads);
        FD_SET(inotify_fd, &reads);
        guest_touch("d/a");
        if (round % 2 == 0)
            CHECK(select(inotify_fd + 1, &reads, NULL, NULL, &now) == 1,
                  "round %d: expected select to see it", round);
        else
            CHECK(epoll_wait(epoll_fd, &event, 1, 0) == 1,
                  "round %d: expected epoll to see it", round);
        CHECK(read(inotify_fd, bytes, sizeof bytes) == 32, "read");
        guest_unlink("d/a");
        CHECK(read(inotify_fd, bytes, sizeof bytes) == 32, "read");
    }
    close(epoll_fd);
    finish(inotify_fd);
}

/* More than one packet's worth, read in one piece. */
static void a_long_queue_in_one_read(void)
{
    static char bytes[65536];
    static struct guest_event events[2048];
    char path[32];
    int count = rounds() / 250, inotify_fd = open_watching();
    for (int round = 0; round < count; round++) {
        for (int i = 0; i < 500; i++) {
            snprintf(path, sizeof path, "d/%d", i);
            if (round % 2 == 0)
                guest_touch(path);
            else
                guest_unlink(path);
        }
        int pending = guest_pending(inotify_fd);
        CHECK(pending == 500 * 32, "round %d: FIONREAD: expected %d, seen %d",
              round, 500 * 32, pending);
        ssize_t got = read(inotify_fd, bytes, sizeof bytes);
        CHECK(got == pending, "round %d: read: expected %d, seen %zd", round,
              pending, got);
        CHECK(guest_parse(bytes, (size_t)got, events, 2048) == 500, "events");
    }
    finish(inotify_fd);
}

/* What happened before is queued before what comes of the call itself. */
static void rm_watch_comes_after_what_was_done(void)
{
    int count = rounds() / 10, inotify_fd = open_watching();
    char bytes[128];
    struct guest_event events[4];
    for (int round = 0; round < count; round++) {
        int wd = inotify_add_watch(inotify_fd, "d", MEMBERS);
        guest_touch("d/a");
        CHECK(inotify_rm_watch(inotify_fd, wd) == 0, "rm_watch");
        CHECK(read(inotify_fd, bytes, sizeof bytes) == 48, "round %d: read",
              round);
        guest_parse(bytes, 48, events, 4);
        CHECK(events[0].mask == IN_CREATE && events[1].mask == IN_IGNORED,
              "round %d: expected IN_CREATE, IN_IGNORED", round);
        guest_unlink("d/a");
    }
    finish(inotify_fd);
}

int main(int argc, char **argv)
{
    static const struct guest_case cases[] = {
        GUEST_CASE(fionread_then_exactly_that_many),
        GUEST_CASE(poll_with_timeout_zero),
        GUEST_CASE(read_at_once),
        GUEST_CASE(a_rename_in_one_piece),
        GUEST_CASE(select_and_epoll_that_do_not_wait),
        GUEST_CASE(a_long_queue_in_one_read),
        GUEST_CASE(rm_watch_comes_after_what_was_done),
    };
    return guest_main(argc, argv, cases, GUEST_COUNT(cases));
}
