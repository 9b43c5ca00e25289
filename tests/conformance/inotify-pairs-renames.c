/*
 * A rename is IN_MOVED_FROM and IN_MOVED_TO with one cookie, then IN_MOVE_SELF
 * on a watch of what moved.
 */
#include "guest.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MEMBERS (IN_CREATE | IN_DELETE | IN_MOVE)

static void in_one_directory(void)
{
    struct guest_queue q;
    uint32_t last = 0;
    char from[16], to[16], from_path[32], to_path[32];
    guest_mkdir("d");
    guest_touch("d/file-0");
    guest_open(&q);
    int wd = guest_watch(&q, "d", MEMBERS);
    for (int i = 0; i < 20; i++) {
        snprintf(from, sizeof from, "file-%d", i);
        snprintf(to, sizeof to, "file-%d", i + 1);
        snprintf(from_path, sizeof from_path, "d/%s", from);
        snprintf(to_path, sizeof to_path, "d/%s", to);
        guest_rename(from_path, to_path);
        uint32_t cookie = guest_expect_move(&q, wd, from, wd, to, 0);
        CHECK(cookie != last, "expected a new cookie, seen %u again", cookie);
        CHECK(!guest_native() || last == 0 || cookie > last,
              "expected a higher cookie than %u, seen %u", last, cookie);
        last = cookie;
    }
    guest_expect_quiet_in(&q, wd, "d");
    guest_close(&q);
}

static void something_newborn(void)
{
    struct guest_queue q;
    guest_mkdir("d");
    guest_open(&q);
    int wd = guest_watch(&q, "d", MEMBERS);
    for (int i = 0; i < 50; i++) {
        guest_touch("d/new");
        CHECK(rename("d/new", "d/name") == 0, "rename: %s", strerror(errno));
        guest_expect(&q, wd, IN_CREATE, "new");
        guest_expect_move(&q, wd, "new", wd, "name", 0);
        guest_unlink("d/name");
        guest_expect(&q, wd, IN_DELETE, "name");
    }
    guest_close(&q);
}

static void between_two_directories(void)
{
    struct guest_queue q;
    guest_mkdir("a");
    guest_mkdir("b");
    guest_touch("a/file");
    guest_mkdir("a/dir");
    guest_open(&q);
    int a = guest_watch(&q, "a", MEMBERS), b = guest_watch(&q, "b", MEMBERS);
    for (int i = 0; i < 20; i++) {
        guest_rename("a/file", "b/moved");
        guest_expect_move(&q, a, "file", b, "moved", 0);
        guest_rename("a/dir", "b/dir");
        guest_expect_move(&q, a, "dir", b, "dir", IN_ISDIR);
        guest_rename("b/moved", "a/file");
        guest_expect_move(&q, b, "moved", a, "file", 0);
        guest_rename("b/dir", "a/dir");
        guest_expect_move(&q, b, "dir", a, "dir", IN_ISDIR);
    }
    guest_expect_quiet_in(&q, a, "a");
    guest_expect_quiet_in(&q, b, "b");
    guest_close(&q);
}

static void between_two_instances(void)
{
    struct guest_queue from, to;
    guest_mkdir("a");
    guest_mkdir("b");
    guest_touch("a/file");
    guest_open(&from);
    guest_open(&to);
    int a = guest_watch(&from, "a", MEMBERS),
        b = guest_watch(&to, "b", MEMBERS);
    guest_rename("a/file", "b/file");
    struct guest_event gone = guest_expect(&from, a, IN_MOVED_FROM, "file");
    struct guest_event come = guest_expect(&to, b, IN_MOVED_TO, "file");
    CHECK(gone.cookie == come.cookie, "expected one cookie, seen %u and %u",
          gone.cookie, come.cookie);
    guest_close(&from);
    guest_close(&to);
}

static void in_and_out(void)
{
    struct guest_queue q;
    guest_mkdir("d");
    guest_mkdir("outside");
    guest_touch("outside/file");
    guest_mkdir("outside/dir");
    guest_await_age("outside/dir"); /* the file is older still */
    guest_open(&q);
    int wd = guest_watch(&q, "d", MEMBERS);
    guest_rename("outside/file", "d/file");
    guest_expect(&q, wd, IN_MOVED_TO, "file");
    guest_rename("outside/dir", "d/dir");
    guest_expect(&q, wd, IN_MOVED_TO | IN_ISDIR, "dir");
    guest_rename("d/file", "outside/file");
    guest_expect(&q, wd, IN_MOVED_FROM, "file");
    guest_rename("d/dir", "outside/dir");
    guest_expect(&q, wd, IN_MOVED_FROM | IN_ISDIR, "dir");
    guest_expect_quiet_in(&q, wd, "d");
    guest_close(&q);
}

static void in_comes_what_is_younger_than_the_watch(void)
{
    struct guest_queue q;
    guest_mkdir("d");
    guest_mkdir("outside");
    guest_open(&q);
    int wd = guest_watch(&q, "d", MEMBERS);
    guest_touch("outside/file");
    guest_rename("outside/file", "d/file");
    guest_expect(&q, wd, IN_MOVED_TO, "file");
    guest_rename("d/file", "outside/file");
    guest_expect(&q, wd, IN_MOVED_FROM, "file");
    guest_expect_quiet_in(&q, wd, "d");
    guest_close(&q);
}

static void only_half_is_asked(void)
{
    struct guest_queue q;
    guest_mkdir("d");
    guest_touch("d/a");
    guest_open(&q);
    int wd = guest_watch(&q, "d", IN_MOVED_TO);
    guest_rename("d/a", "d/b");
    guest_expect(&q, wd, IN_MOVED_TO, "b");
    guest_expect_quiet(&q);
    guest_watch(&q, "d", IN_MOVED_FROM);
    guest_rename("d/b", "d/a");
    guest_expect(&q, wd, IN_MOVED_FROM, "b");
    guest_expect_quiet(&q);
    guest_watch(&q, "d", IN_CREATE | IN_DELETE);
    guest_rename("d/a", "d/b");
    guest_expect_quiet_in(&q, wd, "d");
    guest_close(&q);
}

static void the_moved_one_is_told_after_the_pair(void)
{
    struct guest_queue q;
    guest_mkdir("d");
    guest_mkdir("e");
    guest_touch("d/file");
    guest_mkdir("d/dir");
    guest_open(&q);
    int d = guest_watch(&q, "d", MEMBERS), e = guest_watch(&q, "e", MEMBERS);
    int file = guest_watch(&q, "d/file", IN_MOVE_SELF);
    int dir = guest_watch(&q, "d/dir", MEMBERS | IN_MOVE_SELF);
    guest_rename("d/file", "d/moved");
    guest_expect_all(&q,
                     (struct guest_want[]){{d, IN_MOVED_FROM, "file"},
                                           {d, IN_MOVED_TO, "moved"},
                                           {file, IN_MOVE_SELF, NULL}},
                     3);
    guest_rename("d/dir", "e/dir");
    guest_expect_all(&q,
                     (struct guest_want[]){{d, IN_MOVED_FROM | IN_ISDIR, "dir"},
                                           {e, IN_MOVED_TO | IN_ISDIR, "dir"},
                                           {dir, IN_MOVE_SELF, NULL}},
                     3);
    guest_touch("e/dir/inside");
    guest_expect(&q, dir, IN_CREATE, "inside");
    guest_close(&q);
}

static void over_an_existing_name_there_is_no_delete(void)
{
    struct guest_queue q;
    guest_mkdir("d");
    guest_touch("d/a");
    guest_touch("d/b");
    guest_mkdir("d/x");
    guest_mkdir("d/y");
    guest_open(&q);
    int wd = guest_watch(&q, "d", MEMBERS);
    guest_rename("d/a", "d/b");
    guest_expect_move(&q, wd, "a", wd, "b", 0);
    guest_expect_quiet_in(&q, wd, "d");
    guest_rename("d/x", "d/y");
    guest_expect_move(&q, wd, "x", wd, "y", IN_ISDIR);
    guest_expect_quiet_in(&q, wd, "d");
    guest_close(&q);
}

static void saving_by_rename_is_told(void)
{
    struct guest_queue q;
    guest_mkdir("d");
    guest_touch("d/document");
    guest_open(&q);
    int wd = guest_watch(&q, "d", MEMBERS);
    for (int i = 0; i < 20; i++) {
        guest_touch("d/temporary");
        guest_expect(&q, wd, IN_CREATE, "temporary");
        guest_rename("d/temporary", "d/document");
        guest_expect_move(&q, wd, "temporary", wd, "document", 0);
    }
    guest_expect_quiet_in(&q, wd, "d");
    guest_close(&q);
}

/* b to c, then a to b; nothing is waited for in between. */
static void a_chain_is_told_in_a_legal_order(void)
{
    struct guest_queue q;
    guest_mkdir("d");
    guest_touch("d/a");
    guest_touch("d/b");
    guest_open(&q);
    int wd = guest_watch(&q, "d", MEMBERS);
    guest_rename("d/b", "d/c");
    guest_rename("d/a", "d/b");
    uint32_t first = guest_expect_move(&q, wd, "b", wd, "c", 0);
    uint32_t second = guest_expect_move(&q, wd, "a", wd, "b", 0);
    CHECK(first != second, "expected two cookies, seen %u twice", first);
    guest_expect_quiet_in(&q, wd, "d");
    guest_close(&q);
}

static void failing_and_empty_renames_tell_nothing(void)
{
    struct guest_queue q;
    guest_mkdir("d");
    guest_touch("d/a");
    guest_touch("d/b");
    CHECK(link("d/a", "d/link") == 0, "link: %s", strerror(errno));
    guest_open(&q);
    int wd = guest_watch(&q, "d", MEMBERS);
    int file = guest_watch(&q, "d/a", IN_MOVE_SELF | IN_ATTRIB);
    guest_rename("d/a", "d/a");
    guest_rename("d/a", "d/link");
    CHECK_FAILS(rename("d/missing", "d/other"), ENOENT);
    CHECK_FAILS(renameat2(-100, "d/a", -100, "d/b", RENAME_NOREPLACE), EEXIST);
    CHECK_FAILS(rename("d/a", "/proc/a"), EXDEV);
    guest_expect_quiet_in(&q, wd, "d");
    guest_unwatch(&q, file);
    guest_close(&q);
}

static void exchange_is_two_pairs(void)
{
    struct guest_queue q;
    guest_mkdir("d");
    guest_touch("d/a");
    guest_touch("d/b");
    guest_open(&q);
    int wd = guest_watch(&q, "d", MEMBERS);
    CHECK(renameat2(-100, "d/a", -100, "d/b", RENAME_EXCHANGE) == 0,
          "exchange: %s", strerror(errno));
    uint32_t first = guest_expect_move(&q, wd, "a", wd, "b", 0);
    uint32_t second = guest_expect_move(&q, wd, "b", wd, "a", 0);
    CHECK(first != second, "expected two cookies, seen %u twice", first);
    guest_expect_quiet_in(&q, wd, "d");
    guest_close(&q);
}

int main(int argc, char **argv)
{
    static const struct guest_case cases[] = {
        GUEST_CASE(in_one_directory),
        GUEST_CASE(something_newborn),
        GUEST_CASE(between_two_directories),
        GUEST_CASE(between_two_instances),
        GUEST_CASE(in_and_out),
        GUEST_CASE(in_comes_what_is_younger_than_the_watch),
        GUEST_CASE(only_half_is_asked),
        GUEST_CASE(the_moved_one_is_told_after_the_pair),
        GUEST_CASE(over_an_existing_name_there_is_no_delete),
        GUEST_CASE(saving_by_rename_is_told),
        GUEST_CASE(a_chain_is_told_in_a_legal_order),
        GUEST_CASE(failing_and_empty_renames_tell_nothing),
        GUEST_CASE(exchange_is_two_pairs),
    };
    return guest_main(argc, argv, cases, GUEST_COUNT(cases));
}
