/*
 * An event equal to the last unread one is dropped; only the last one is
 * looked at, its cookie is not, and what was read merges with nothing.
 */
#include "guest.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

/* What is expected here is that nothing is queued; where events lag, a second
   instance with the same watch, read at once, says that it had its chance. */
struct pair {
    struct guest_queue unread, witness;
};

static void pair_open(struct pair *pair, const char *path, uint32_t mask)
{
    guest_open(&pair->unread);
    guest_open(&pair->witness);
    CHECK(guest_watch(&pair->unread, path, mask) == 1, "expected wd 1");
    CHECK(guest_watch(&pair->witness, path, mask) == 1, "expected wd 1");
}

/* One event has happened; `bytes` must be queued. */
static void pair_expect(struct pair *pair, uint32_t mask, const char *name,
                        int bytes)
{
    guest_expect(&pair->witness, 1, mask, name);
    guest_await_pending(pair->unread.fd, bytes);
}

static void pair_close(struct pair *pair, uint32_t mask, const char *name)
{
    guest_settle(&pair->witness);
    guest_expect(&pair->unread, 1, mask, name);
    guest_close(&pair->unread);
    guest_close(&pair->witness);
}

static void open_file_watch(struct guest_queue *q, uint32_t mask)
{
    guest_touch("file");
    guest_open(q);
    CHECK(guest_watch(q, "file", mask) == 1, "expected wd 1");
}

static void equal_to_the_last_is_dropped(void)
{
    struct pair pair;
    guest_touch("file");
    pair_open(&pair, "file", IN_ATTRIB);
    for (int i = 0; i < 10; i++) {
        guest_chmod("file", i % 2 == 0 ? 0600 : 0640);
        pair_expect(&pair, IN_ATTRIB, NULL, 16);
    }
    pair_close(&pair, IN_ATTRIB, NULL);
}

static void what_is_dropped_is_no_edge(void)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLET};
    struct pair pair;
    guest_touch("file");
    pair_open(&pair, "file", IN_ATTRIB);
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    CHECK(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, pair.unread.fd, &event) == 0,
          "epoll_ctl");
    guest_chmod("file", 0600);
    pair_expect(&pair, IN_ATTRIB, NULL, 16);
    CHECK(epoll_wait(epoll_fd, &event, 1, pair.unread.patience_ms) == 1,
          "expected an edge");
    for (int i = 0; i < 10; i++) {
        guest_chmod("file", i % 2 == 0 ? 0640 : 0600);
        pair_expect(&pair, IN_ATTRIB, NULL, 16);
        CHECK(epoll_wait(epoll_fd, &event, 1, 0) == 0,
              "expected no second edge");
    }
    close(epoll_fd);
    pair_close(&pair, IN_ATTRIB, NULL);
}

static void what_was_read_merges_with_nothing(void)
{
    struct guest_queue q;
    open_file_watch(&q, IN_ATTRIB);
    for (int i = 0; i < 10; i++) {
        guest_chmod("file", i % 2 == 0 ? 0600 : 0640);
        guest_expect(&q, 1, IN_ATTRIB, NULL);
    }
    guest_expect_quiet(&q);
    guest_close(&q);
}

static void a_b_a_stays_three(void)
{
    struct guest_queue q;
    guest_touch("a");
    guest_touch("b");
    guest_open(&q);
    int a = guest_watch(&q, "a", IN_ATTRIB),
        b = guest_watch(&q, "b", IN_ATTRIB);
    guest_chmod("a", 0600);
    guest_await_pending(q.fd, 16);
    guest_chmod("b", 0600);
    guest_await_pending(q.fd, 32);
    guest_chmod("a", 0640);
    guest_await_pending(q.fd, 48);
    guest_expect(&q, a, IN_ATTRIB, NULL);
    guest_expect(&q, b, IN_ATTRIB, NULL);
    guest_expect(&q, a, IN_ATTRIB, NULL);
    guest_expect_quiet(&q);
    guest_close(&q);
}

static void repeated_move_self_merges(void)
{
    struct pair pair;
    guest_touch("file-0");
    pair_open(&pair, "file-0", IN_MOVE_SELF);
    for (int i = 0; i < 5; i++) {
        char from[16], to[16];
        snprintf(from, sizeof from, "file-%d", i);
        snprintf(to, sizeof to, "file-%d", i + 1);
        guest_rename(from, to);
        pair_expect(&pair, IN_MOVE_SELF, NULL, 16);
    }
    pair_close(&pair, IN_MOVE_SELF, NULL);
}

/* Moves of one name out of the directory; each has another cookie. */
static void cookies_are_not_compared(void)
{
    struct pair pair;
    guest_mkdir("d");
    guest_mkdir("outside");
    guest_touch("d/a");
    pair_open(&pair, "d", IN_MOVED_FROM);
    guest_watch(&pair.witness, "d", IN_MOVE);
    for (int i = 0; i < 5; i++) {
        guest_rename("d/a", "outside/a");
        pair_expect(&pair, IN_MOVED_FROM, "a", 32);
        guest_rename("outside/a", "d/a");
        guest_expect(&pair.witness, 1, IN_MOVED_TO, "a");
    }
    pair_close(&pair, IN_MOVED_FROM, "a");
}

static void two_watches_do_not_merge(void)
{
    struct guest_queue first, second;
    guest_touch("file");
    guest_open(&first);
    guest_open(&second);
    int wd_first = guest_watch(&first, "file", IN_ATTRIB);
    int wd_second = guest_watch(&second, "file", IN_ATTRIB);
    guest_chmod("file", 0600);
    guest_expect(&first, wd_first, IN_ATTRIB, NULL);
    guest_await_pending(second.fd, 16);
    guest_chmod("file", 0640);
    guest_expect(&first, wd_first, IN_ATTRIB, NULL);
    guest_settle(&second);
    guest_expect(&second, wd_second, IN_ATTRIB, NULL);
    guest_expect_quiet(&second);
    guest_close(&first);
    guest_close(&second);
}

int main(int argc, char **argv)
{
    static const struct guest_case cases[] = {
        GUEST_CASE(equal_to_the_last_is_dropped),
        GUEST_CASE(what_is_dropped_is_no_edge),
        GUEST_CASE(what_was_read_merges_with_nothing),
        GUEST_CASE(a_b_a_stays_three),
        GUEST_CASE(repeated_move_self_merges),
        GUEST_CASE(cookies_are_not_compared),
        GUEST_CASE(two_watches_do_not_merge),
    };
    return guest_main(argc, argv, cases, GUEST_COUNT(cases));
}
