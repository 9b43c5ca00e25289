/*
 * With a limit of unread events (the kernel's, or vnotify run --queue-limit) the
 * next one is dropped, and one IN_Q_OVERFLOW tells of it (CONFORMANCE.md
 * 140-142).
 */
#include "guest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int limit;

enum { MARKERS = 64, CHUNK = 2048 };

/* What overflows is not read meanwhile; where events lag, others that watch the
   same directory, one told before it and one after, say when it was told. */
struct crowd {
    struct guest_queue before, unread, after;
    int wd, next_marker;
};

static void marker_path(char *path, size_t size, int number)
{
    snprintf(path, size, "dir/marker%d", number);
}

static void crowd_open(struct crowd *crowd, uint32_t mask)
{
    char path[64];

    guest_mkdir("dir");
    for (int i = 0; i < MARKERS; i++) {
        marker_path(path, sizeof(path), i);
        guest_touch(path);
    }
    crowd->next_marker = 0;
    guest_open(&crowd->before);
    guest_open(&crowd->unread);
    guest_open(&crowd->after);
    guest_watch(&crowd->before, "dir", IN_DELETE);
    crowd->wd = guest_watch(&crowd->unread, "dir", mask);
    guest_watch(&crowd->after, "dir", IN_DELETE);
}

static void crowd_await(struct crowd *crowd)
{
    char path[64];

    CHECK(crowd->next_marker < MARKERS, "too few markers");
    marker_path(path, sizeof(path), crowd->next_marker++);
    guest_unlink(path);
    guest_expect(&crowd->before, 1, IN_DELETE, strchr(path, '/') + 1);
    guest_expect(&crowd->after, 1, IN_DELETE, strchr(path, '/') + 1);
}

/* A few at a time: vnotify's own queue is not to be full before the outlet's. */
static void create(struct crowd *crowd, char first, int count)
{
    char path[64];

    for (int i = 0; i < count; i++) {
        snprintf(path, sizeof(path), "dir/%c%07d", first, i);
        CHECK(mknod(path, S_IFIFO | 0600, 0) == 0, "cannot make %s", path);
        if (i % CHUNK == CHUNK - 1)
            crowd_await(crowd);
    }
    crowd_await(crowd);
}

static void expect_some_created(struct crowd *crowd, int count)
{
    struct guest_event event;

    for (int i = 0; i < count; i++) {
        CHECK(guest_next(&crowd->unread, &event), "event %d: nothing", i);
        CHECK(event.mask == IN_CREATE && event.wd == crowd->wd,
              "event %d: expected a creation, got mask %#x", i, event.mask);
    }
}

static void expect_overflow(struct crowd *crowd)
{
    struct guest_event event =
        guest_expect(&crowd->unread, -1, IN_Q_OVERFLOW, NULL);

    CHECK(event.cookie == 0 && event.len == 0, "expected a bare record");
}

static void crowd_close(struct crowd *crowd)
{
    crowd_await(crowd);
    CHECK(crowd->unread.head == crowd->unread.count, "more was read");
    CHECK(!guest_readable(crowd->unread.fd, 0), "expected nothing more");
    guest_close(&crowd->before);
    guest_close(&crowd->unread);
    guest_close(&crowd->after);
}

static void the_next_is_one_record(void)
{
    struct crowd crowd;

    crowd_open(&crowd, IN_CREATE);
    create(&crowd, 'f', limit + 10);
    expect_some_created(&crowd, limit);
    expect_overflow(&crowd);
    crowd_close(&crowd);
}

/* One that is read makes room: new ones follow the record, which is one. */
static void new_ones_follow_the_record(void)
{
    char events[2 * 32];
    struct crowd crowd;

    crowd_open(&crowd, IN_CREATE);
    create(&crowd, 'f', limit + 10);
    /* The record is one of those unread: two that are read make room for one.
       A packet is a read where events lag. */
    if (guest_lags()) {
        expect_some_created(&crowd, 1);
        create(&crowd, 'g', 2);
        expect_some_created(&crowd, limit - 1);
    } else {
        CHECK(read(crowd.unread.fd, events, sizeof(events)) == sizeof(events),
              "expected two events");
        create(&crowd, 'g', 2);
        expect_some_created(&crowd, limit - 2);
    }
    expect_overflow(&crowd);
    guest_expect(&crowd.unread, crowd.wd, IN_CREATE, "g0000000");
    if (guest_lags())
        guest_expect(&crowd.unread, crowd.wd, IN_CREATE, "g0000001");
    crowd_close(&crowd);
}

static void the_record_is_told_again_once_read(void)
{
    struct crowd crowd;

    crowd_open(&crowd, IN_CREATE);
    for (char first = 'f'; first < 'h'; first++) {
        create(&crowd, first, limit + 1);
        expect_some_created(&crowd, limit);
        expect_overflow(&crowd);
    }
    crowd_close(&crowd);
}

static void a_full_queue_loses_ignored(void)
{
    struct crowd crowd;

    crowd_open(&crowd, IN_CREATE);
    create(&crowd, 'f', limit);
    CHECK(inotify_rm_watch(crowd.unread.fd, crowd.wd) == 0, "rm_watch");
    CHECK_FAILS(inotify_rm_watch(crowd.unread.fd, crowd.wd), EINVAL);
    crowd_await(&crowd);
    expect_some_created(&crowd, limit);
    expect_overflow(&crowd);
    crowd_close(&crowd);
}

/* The limit is looked at before the last event is. */
static void an_equal_one_overflows(void)
{
    struct crowd crowd;

    crowd_open(&crowd, IN_CREATE | IN_ATTRIB);
    create(&crowd, 'f', limit - 1);
    for (int i = 0; i < 2; i++) {
        guest_chmod("dir", i == 0 ? 0700 : 0750);
        crowd_await(&crowd);
    }
    expect_some_created(&crowd, limit - 1);
    guest_expect(&crowd.unread, crowd.wd, IN_ATTRIB | IN_ISDIR, NULL);
    expect_overflow(&crowd);
    crowd_close(&crowd);
}

int main(int argc, char **argv)
{
    static const struct guest_case cases[] = {
        GUEST_CASE(the_next_is_one_record),
        GUEST_CASE(new_ones_follow_the_record),
        GUEST_CASE(the_record_is_told_again_once_read),
        GUEST_CASE(a_full_queue_loses_ignored),
        GUEST_CASE(an_equal_one_overflows),
    };
    const char *told = getenv("VNOTIFY_TEST_QUEUE_LIMIT");

    limit = told ? atoi(told) : 0;
    return guest_main(argc, argv, cases, GUEST_COUNT(cases));
}
