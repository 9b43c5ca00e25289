/*
 * Deletion of what is watched: what its watch is told, in which order, and
 * then no more.
 */
#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define MEMBERS (IN_CREATE | IN_DELETE | IN_MOVE)
#define SELF (IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF)

static void expect_end_of_file(struct guest_queue *q, int wd)
{
    guest_expect(q, wd, IN_ATTRIB, NULL);
    guest_expect(q, wd, IN_DELETE_SELF, NULL);
    guest_expect(q, wd, IN_IGNORED, NULL);
}

static void a_file_that_is_unlinked(void)
{
    struct guest_queue q;
    guest_touch("file");
    guest_open(&q);
    int wd = guest_watch(&q, "file", SELF);
    guest_unlink("file");
    expect_end_of_file(&q, wd);
    guest_expect_quiet(&q);
    guest_close(&q);
}

static void a_directory_that_is_removed(void)
{
    struct guest_queue q;
    guest_mkdir("d");
    guest_open(&q);
    int wd = guest_watch(&q, "d", MEMBERS | SELF);
    guest_rmdir("d");
    guest_expect(&q, wd, IN_DELETE_SELF, NULL);
    guest_expect(&q, wd, IN_IGNORED, NULL);
    guest_expect_quiet(&q);
    guest_close(&q);
}

static void the_parent_is_told_last(void)
{
    struct guest_queue q;
    guest_mkdir("d");
    guest_touch("d/file");
    guest_mkdir("d/dir");
    guest_open(&q);
    int d = guest_watch(&q, "d", MEMBERS);
    int file = guest_watch(&q, "d/file", SELF);
    int dir = guest_watch(&q, "d/dir", SELF | MEMBERS);
    guest_unlink("d/file");
    guest_expect_all(&q,
                     (struct guest_want[]){{file, IN_ATTRIB, NULL},
                                           {file, IN_DELETE_SELF, NULL},
                                           {file, IN_IGNORED, NULL},
                                           {d, IN_DELETE, "file"}},
                     4);
    guest_rmdir("d/dir");
    guest_expect_all(&q,
                     (struct guest_want[]){{dir, IN_DELETE_SELF, NULL},
                                           {dir, IN_IGNORED, NULL},
                                           {d, IN_DELETE | IN_ISDIR, "dir"}},
                     3);
    guest_expect_quiet_in(&q, d, "d");
    guest_close(&q);
}

static void one_of_several_links(void)
{
    struct guest_queue q;
    guest_mkdir("d");
    guest_touch("d/a");
    CHECK(link("d/a", "d/b") == 0, "link: %s", strerror(errno));
    guest_open(&q);
    int d = guest_watch(&q, "d", MEMBERS), file = guest_watch(&q, "d/a", SELF);
    guest_unlink("d/a");
    guest_expect_all(
        &q, (struct guest_want[]){{file, IN_ATTRIB, NULL}, {d, IN_DELETE, "a"}},
        2);
    guest_expect_quiet_in(&q, d, "d");
    guest_chmod("d/b", 0600);
    guest_expect(&q, file, IN_ATTRIB, NULL);
    guest_unlink("d/b");
    guest_expect_all(&q,
                     (struct guest_want[]){{file, IN_ATTRIB, NULL},
                                           {file, IN_DELETE_SELF, NULL},
                                           {file, IN_IGNORED, NULL},
                                           {d, IN_DELETE, "b"}},
                     4);
    guest_close(&q);
}

static void a_new_link(void)
{
    struct guest_queue q;
    guest_mkdir("d");
    guest_touch("file");
    guest_open(&q);
    int d = guest_watch(&q, "d", MEMBERS), file = guest_watch(&q, "file", SELF);
    CHECK(link("file", "d/link") == 0, "link: %s", strerror(errno));
    guest_expect_all(
        &q,
        (struct guest_want[]){{file, IN_ATTRIB, NULL}, {d, IN_CREATE, "link"}},
        2);
    guest_expect_quiet_in(&q, d, "d");
    guest_close(&q);
}

static void an_open_file_ends_at_its_last_close(void)
{
    struct guest_queue q;
    guest_mkdir("d");
    guest_touch("d/file");
    guest_open(&q);
    int d = guest_watch(&q, "d", MEMBERS);
    int wd = guest_watch(&q, "d/file", SELF);
    int file = open("d/file", O_RDONLY | O_CLOEXEC);
    guest_unlink("d/file");
    guest_expect_all(
        &q,
        (struct guest_want[]){{wd, IN_ATTRIB, NULL}, {d, IN_DELETE, "file"}},
        2);
    guest_expect_quiet_in(&q, d, "d");
    CHECK(close(file) == 0, "close: %s", strerror(errno));
    guest_expect(&q, wd, IN_DELETE_SELF, NULL);
    guest_expect(&q, wd, IN_IGNORED, NULL);
    guest_close(&q);
}

static void an_open_directory_ends_at_its_last_close(void)
{
    struct guest_queue q;
    guest_mkdir("d");
    guest_mkdir("d/dir");
    guest_open(&q);
    int d = guest_watch(&q, "d", MEMBERS);
    int wd = guest_watch(&q, "d/dir", SELF | MEMBERS);
    int dir = open("d/dir", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    guest_rmdir("d/dir");
    guest_expect(&q, d, IN_DELETE | IN_ISDIR, "dir");
    guest_expect_quiet_in(&q, d, "d");
    CHECK(close(dir) == 0, "close: %s", strerror(errno));
    guest_expect(&q, wd, IN_DELETE_SELF, NULL);
    guest_expect(&q, wd, IN_IGNORED, NULL);
    guest_close(&q);
}

/* Watched all over, removed bottom-up, nothing waited for. */
static void a_whole_tree(void)
{
    struct guest_queue q;
    guest_mkdir("t");
    guest_mkdir("t/a");
    guest_mkdir("t/a/b");
    guest_touch("t/a/b/file");
    guest_open(&q);
    int t = guest_watch(&q, "t", MEMBERS | SELF);
    int a = guest_watch(&q, "t/a", MEMBERS | SELF);
    int b = guest_watch(&q, "t/a/b", MEMBERS | SELF);
    guest_remove_tree("t");
    guest_expect_all(&q,
                     (struct guest_want[]){{b, IN_DELETE, "file"},
                                           {b, IN_DELETE_SELF, NULL},
                                           {b, IN_IGNORED, NULL},
                                           {a, IN_DELETE | IN_ISDIR, "b"},
                                           {a, IN_DELETE_SELF, NULL},
                                           {a, IN_IGNORED, NULL},
                                           {t, IN_DELETE | IN_ISDIR, "a"},
                                           {t, IN_DELETE_SELF, NULL},
                                           {t, IN_IGNORED, NULL}},
                     9);
    guest_expect_quiet(&q);
    guest_close(&q);
}

/* Entries that came after the last listing, and went with the directory. */
static void names_and_directory_go_together(void)
{
    struct guest_queue q;
    struct guest_event event;
    guest_open(&q);
    for (int round = 0; round < 50; round++) {
        guest_mkdir("d");
        guest_touch("d/told");
        int wd = guest_watch(&q, "d", MEMBERS | IN_DELETE_SELF);
        guest_unlink("d/told");
        guest_rmdir("d");
        guest_expect(&q, wd, IN_DELETE, "told");
        guest_expect(&q, wd, IN_DELETE_SELF, NULL);
        guest_expect(&q, wd, IN_IGNORED, NULL);
        q.patience_ms = 0;
        CHECK(!guest_next(&q, &event), "expected IN_IGNORED to be the last");
        q.patience_ms = guest_lags() ? GUEST_DEADLINE_MS : 0;
    }
    guest_close(&q);
}

static void a_stopped_watch_tells_nothing(void)
{
    struct guest_queue q;
    guest_touch("file");
    guest_open(&q);
    int wd = guest_watch(&q, "file", SELF);
    guest_unwatch(&q, wd);
    guest_chmod("file", 0600);
    guest_unlink("file");
    guest_expect_quiet(&q);
    guest_close(&q);
}

int main(int argc, char **argv)
{
    static const struct guest_case cases[] = {
        GUEST_CASE(a_file_that_is_unlinked),
        GUEST_CASE(a_directory_that_is_removed),
        GUEST_CASE(the_parent_is_told_last),
        GUEST_CASE(one_of_several_links),
        GUEST_CASE(a_new_link),
        GUEST_CASE(an_open_file_ends_at_its_last_close),
        GUEST_CASE(an_open_directory_ends_at_its_last_close),
        GUEST_CASE(a_whole_tree),
        GUEST_CASE(names_and_directory_go_together),
        GUEST_CASE(a_stopped_watch_tells_nothing),
    };
    return guest_main(argc, argv, cases, GUEST_COUNT(cases));
}
