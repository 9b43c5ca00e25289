/*
 * Events come in the order of what happened.  Where events lag that holds for
 * each watch, if every change is waited for; otherwise for all of them.
 */
#include "guest.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MEMBERS (IN_CREATE | IN_DELETE | IN_MOVE)

static void one_directory(void)
{
    struct guest_queue q;
    char path[32];
    guest_mkdir("d");
    guest_open(&q);
    int wd = guest_watch(&q, "d", MEMBERS);
    int bytes = 0;
    for (int i = 0; i < 100; i++) {
        snprintf(path, sizeof path, "d/%d", i * 7919 % 100);
        guest_touch(path);
        bytes += 32;
        guest_await_pending(q.fd, bytes);
    }
    for (int i = 0; i < 100; i++)
        guest_expect(&q, wd, IN_CREATE,
                     (snprintf(path, sizeof path, "%d", i * 7919 % 100), path));
    guest_expect_quiet_in(&q, wd, "d");
    guest_close(&q);
}

static void many_directories(void)
{
    struct guest_queue q;
    char path[32];
    int wds[10], bytes = 0;
    guest_open(&q);
    for (int i = 0; i < 10; i++) {
        snprintf(path, sizeof path, "d%d", i);
        guest_mkdir(path);
        wds[i] = guest_watch(&q, path, MEMBERS);
    }
    for (int i = 0; i < 100; i++) {
        snprintf(path, sizeof path, "d%d/%d", i * 7 % 10, i);
        guest_touch(path);
        bytes += 32;
        guest_await_pending(q.fd, bytes);
    }
    for (int i = 0; i < 100; i++) {
        snprintf(path, sizeof path, "%d", i);
        guest_expect(&q, wds[i * 7 % 10], IN_CREATE, path);
    }
    guest_expect_quiet(&q);
    guest_close(&q);
}

/* Nothing is waited for: a pair that comes and goes is the kernel's alone. */
static void a_burst_keeps_its_order_or_its_sense(void)
{
    struct guest_queue q;
    struct guest_event event;
    bool there[50] = {false};
    char path[32];
    guest_mkdir("d");
    guest_open(&q);
    int wd = guest_watch(&q, "d", MEMBERS);
    for (int i = 0; i < 400; i++) {
        int name = i * 31 % 50;
        snprintf(path, sizeof path, "d/%d", name);
        if (i / 50 % 2 == 0)
            guest_touch(path);
        else
            guest_unlink(path);
    }
    guest_settle_in(&q, wd, "d");
    q.patience_ms = 0;
    int seen = 0;
    for (; guest_next(&q, &event); seen++) {
        int name =
            event.name[0] != '\0' ? (int)strtol(event.name, NULL, 10) : 0;
        bool comes = event.mask == IN_CREATE;
        CHECK(comes || event.mask == IN_DELETE, "seen mask 0x%x", event.mask);
        CHECK(there[name] != comes, "not legal: 0x%x of %s", event.mask,
              event.name);
        there[name] = comes;
        CHECK(!guest_native() || name == seen * 31 % 50, "expected %d, seen %s",
              seen * 31 % 50, event.name);
    }
    CHECK(!guest_native() || seen == 400, "expected 400 events, seen %d", seen);
    for (int i = 0; i < 50; i++)
        CHECK(!there[i], "expected %d to be told as gone", i);
    guest_close(&q);
}

/* One instance watches the parent, one the child; each by its own mask. */
static void parent_and_child_each_have_their_own(void)
{
    struct guest_queue parent, child;
    guest_mkdir("d");
    guest_touch("d/file");
    guest_open(&parent);
    guest_open(&child);
    int d = guest_watch(&parent, "d", MEMBERS);
    int file = guest_watch(&child, "d/file", IN_DELETE_SELF | IN_MOVE_SELF);
    guest_rename("d/file", "d/moved");
    guest_expect_move(&parent, d, "file", d, "moved", 0);
    guest_expect(&child, file, IN_MOVE_SELF, NULL);
    guest_unlink("d/moved");
    guest_expect(&parent, d, IN_DELETE, "moved");
    guest_expect(&child, file, IN_DELETE_SELF, NULL);
    guest_expect(&child, file, IN_IGNORED, NULL);
    guest_close(&parent);
    guest_close(&child);
}

static void many_instances_are_all_told(void)
{
    struct guest_queue q[16];
    guest_mkdir("d");
    for (size_t i = 0; i < GUEST_COUNT(q); i++) {
        guest_open(&q[i]);
        CHECK(guest_watch(&q[i], "d", MEMBERS) == 1, "expected wd 1");
    }
    guest_touch("d/a");
    guest_mkdir("d/b");
    for (size_t i = 0; i < GUEST_COUNT(q); i++) {
        struct guest_event first, second;
        CHECK(guest_next(&q[i], &first) && guest_next(&q[i], &second),
              "instance %zu: expected two events", i);
        bool swapped = guest_lags() && first.name[0] == 'b';
        const struct guest_event *a = swapped ? &second : &first;
        const struct guest_event *b = swapped ? &first : &second;
        CHECK(a->mask == IN_CREATE && strcmp(a->name, "a") == 0,
              "instance %zu: expected a, seen %s", i, a->name);
        CHECK(b->mask == (IN_CREATE | IN_ISDIR) && strcmp(b->name, "b") == 0,
              "instance %zu: expected b, seen %s", i, b->name);
    }
    for (size_t i = 0; i < GUEST_COUNT(q); i++)
        guest_close(&q[i]);
}

static void nothing_from_before_the_watch(void)
{
    struct guest_queue q;
    guest_mkdir("d");
    guest_open(&q);
    for (int round = 0; round < 50; round++) {
        guest_touch("d/before");
        guest_unlink("d/before");
        guest_touch("d/there");
        int wd = guest_watch(&q, "d", MEMBERS);
        guest_expect_quiet(&q);
        guest_unlink("d/there");
        guest_expect(&q, wd, IN_DELETE, "there");
        guest_unwatch(&q, wd);
    }
    guest_close(&q);
}

int main(int argc, char **argv)
{
    static const struct guest_case cases[] = {
        GUEST_CASE(one_directory),
        GUEST_CASE(many_directories),
        GUEST_CASE(a_burst_keeps_its_order_or_its_sense),
        GUEST_CASE(parent_and_child_each_have_their_own),
        GUEST_CASE(many_instances_are_all_told),
        GUEST_CASE(nothing_from_before_the_watch),
    };
    return guest_main(argc, argv, cases, GUEST_COUNT(cases));
}
