/*
 * inotify_rm_watch and IN_IGNORED: exactly one, the last event of its watch,
 * however the watch ends.
 */
#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define MEMBERS (IN_CREATE | IN_DELETE | IN_MOVE)

static void removal_queues_ignored_alone(void)
{
    struct guest_queue q;
    guest_mkdir("d");
    guest_open(&q);
    int wd = guest_watch(&q, "d", MEMBERS);
    CHECK(!guest_readable(q.fd, 0), "expected an empty queue");
    CHECK(inotify_rm_watch(q.fd, wd) == 0, "rm_watch: %s", strerror(errno));
    CHECK(guest_readable(q.fd, q.patience_ms), "expected it to be readable");
    struct guest_event event = guest_expect(&q, wd, IN_IGNORED, NULL);
    CHECK(event.len == 0 && event.cookie == 0, "seen len %u, cookie %u",
          event.len, event.cookie);
    guest_touch("d/after");
    guest_expect_quiet(&q);
    guest_close(&q);
}

static void wrong_numbers_are_refused(void)
{
    struct guest_queue q;
    guest_mkdir("d");
    guest_open(&q);
    int wd = guest_watch(&q, "d", MEMBERS);
    CHECK_FAILS(inotify_rm_watch(q.fd, 0), EINVAL);
    CHECK_FAILS(inotify_rm_watch(q.fd, -1), EINVAL);
    CHECK_FAILS(inotify_rm_watch(q.fd, wd + 1), EINVAL);
    CHECK_FAILS(inotify_rm_watch(q.fd, 0x7fffffff), EINVAL);
    guest_unwatch(&q, wd);
    CHECK_FAILS(inotify_rm_watch(q.fd, wd), EINVAL);
    guest_close(&q);
}

static void wrong_descriptors_are_refused(void)
{
    int file = open("file", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    CHECK_FAILS(inotify_rm_watch(-1, 1), EBADF);
    CHECK_FAILS(inotify_rm_watch(9999, 1), EBADF);
    CHECK_FAILS(inotify_rm_watch(file, 1), EINVAL);
    close(file);
}

static void events_before_it_stay_readable(void)
{
    struct guest_queue q;
    guest_mkdir("d");
    guest_open(&q);
    int wd = guest_watch(&q, "d", MEMBERS);
    guest_touch("d/a");
    guest_await_pending(q.fd, 32);
    guest_touch("d/b");
    guest_await_pending(q.fd, 64);
    CHECK(inotify_rm_watch(q.fd, wd) == 0, "rm_watch: %s", strerror(errno));
    int again = guest_watch(&q, "d", MEMBERS);
    CHECK(again == wd + 1, "expected wd %d, seen %d", wd + 1, again);
    guest_expect(&q, wd, IN_CREATE, "a");
    guest_expect(&q, wd, IN_CREATE, "b");
    guest_expect(&q, wd, IN_IGNORED, NULL);
    guest_touch("d/c");
    guest_expect(&q, again, IN_CREATE, "c");
    guest_close(&q);
}

/* Nothing is waited for: what happened before may still be on its way. */
static void ignored_is_the_last_of_its_watch(void)
{
    struct guest_queue q;
    struct guest_event event;
    char path[32];
    guest_mkdir("d");
    guest_open(&q);
    for (int round = 0; round < 200; round++) {
        int wd = guest_watch(&q, "d", MEMBERS);
        snprintf(path, sizeof path, "d/file-%d", round);
        guest_touch(path);
        CHECK(inotify_rm_watch(q.fd, wd) == 0, "rm_watch: %s", strerror(errno));
        do {
            CHECK(guest_next(&q, &event), "expected IN_IGNORED of wd %d", wd);
            CHECK(event.wd == wd, "expected wd %d, seen %d", wd, event.wd);
        } while (event.mask != IN_IGNORED);
    }
    guest_expect_quiet(&q);
    guest_close(&q);
}

static void other_watches_of_the_inode_live_on(void)
{
    struct guest_queue first, second;
    guest_mkdir("d");
    guest_open(&first);
    guest_open(&second);
    int wd_first = guest_watch(&first, "d", MEMBERS);
    int wd_second = guest_watch(&second, "d", MEMBERS);
    guest_unwatch(&first, wd_first);
    guest_touch("d/a");
    guest_expect(&second, wd_second, IN_CREATE, "a");
    guest_expect_quiet(&first);
    guest_close(&first);
    guest_unlink("d/a");
    guest_expect(&second, wd_second, IN_DELETE, "a");
    guest_close(&second);
}

static void deletion_removes_whatever_the_mask(void)
{
    struct guest_queue q;
    guest_touch("file");
    guest_mkdir("d");
    guest_open(&q);
    int file = guest_watch(&q, "file", IN_OPEN);
    int dir = guest_watch(&q, "d", IN_OPEN);
    guest_unlink("file");
    guest_expect(&q, file, IN_IGNORED, NULL);
    guest_rmdir("d");
    guest_expect(&q, dir, IN_IGNORED, NULL);
    CHECK_FAILS(inotify_rm_watch(q.fd, file), EINVAL);
    CHECK_FAILS(inotify_rm_watch(q.fd, dir), EINVAL);
    guest_touch("file");
    guest_mkdir("d");
    guest_touch("d/new");
    guest_expect_quiet(&q);
    guest_close(&q);
}

static void an_unlinked_open_file_can_be_let_go(void)
{
    struct guest_queue q;
    guest_touch("file");
    guest_open(&q);
    int wd = guest_watch(&q, "file", IN_DELETE_SELF);
    int file = open("file", O_RDONLY | O_CLOEXEC);
    guest_unlink("file");
    guest_expect_quiet(&q);
    guest_unwatch(&q, wd);
    close(file);
    guest_expect_quiet(&q);
    guest_close(&q);
}

static void closing_with_watches_tells_nobody(void)
{
    struct guest_queue kept, closed;
    char dir[16];
    guest_open(&kept);
    guest_open(&closed);
    for (int i = 0; i < 50; i++) {
        snprintf(dir, sizeof dir, "d%d", i);
        guest_mkdir(dir);
        guest_watch(&kept, dir, IN_ALL_EVENTS & ~IN_CLOSE & ~IN_OPEN);
        guest_watch(&closed, dir, MEMBERS);
    }
    guest_close(&closed);
    guest_expect_quiet(&kept);
    guest_touch("d7/a");
    guest_expect(&kept, 8, IN_CREATE, "a");
    guest_close(&kept);
}

int main(int argc, char **argv)
{
    static const struct guest_case cases[] = {
        GUEST_CASE(removal_queues_ignored_alone),
        GUEST_CASE(wrong_numbers_are_refused),
        GUEST_CASE(wrong_descriptors_are_refused),
        GUEST_CASE(events_before_it_stay_readable),
        GUEST_CASE(ignored_is_the_last_of_its_watch),
        GUEST_CASE(other_watches_of_the_inode_live_on),
        GUEST_CASE(deletion_removes_whatever_the_mask),
        GUEST_CASE(an_unlinked_open_file_can_be_let_go),
        GUEST_CASE(closing_with_watches_tells_nobody),
    };
    return guest_main(argc, argv, cases, GUEST_COUNT(cases));
}
