/*
 * Entries of every kind that come and go: named, with IN_ISDIR for directories
 * alone, and without a self event on the directory.
 */
#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define MEMBERS (IN_CREATE | IN_DELETE | IN_MOVE)
#define SELF (IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF)

static void open_watching(struct guest_queue *q, uint32_t mask)
{
    guest_mkdir("d");
    guest_open(q);
    CHECK(guest_watch(q, "d", mask) == 1, "expected wd 1");
}

static void every_kind_is_created(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX,
                                  .sun_path = "d/socket"};
    struct guest_queue q;
    open_watching(&q, MEMBERS);
    guest_touch("d/file");
    guest_expect(&q, 1, IN_CREATE, "file");
    guest_mkdir("d/dir");
    guest_expect(&q, 1, IN_CREATE | IN_ISDIR, "dir");
    CHECK(mkfifo("d/fifo", 0644) == 0, "mkfifo: %s", strerror(errno));
    guest_expect(&q, 1, IN_CREATE, "fifo");
    CHECK(symlink("nowhere", "d/dangling") == 0, "symlink");
    guest_expect(&q, 1, IN_CREATE, "dangling");
    CHECK(symlink("dir", "d/to-dir") == 0, "symlink");
    guest_expect(&q, 1, IN_CREATE, "to-dir");
    CHECK(link("d/file", "d/link") == 0, "link: %s", strerror(errno));
    guest_expect(&q, 1, IN_CREATE, "link");
    int bound = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(bind(bound, (void *)&address, sizeof address) == 0, "bind: %s",
          strerror(errno));
    close(bound);
    guest_expect(&q, 1, IN_CREATE, "socket");
    guest_expect_quiet_in(&q, 1, "d");
    guest_close(&q);
}

static void every_kind_is_deleted(void)
{
    struct guest_queue q;
    guest_mkdir("d");
    guest_touch("d/file");
    guest_mkdir("d/dir");
    CHECK(mkfifo("d/fifo", 0644) == 0 && symlink("x", "d/dangling") == 0 &&
              link("d/file", "d/link") == 0,
          "set-up: %s", strerror(errno));
    guest_open(&q);
    int wd = guest_watch(&q, "d", MEMBERS | IN_DELETE_SELF);
    guest_rmdir("d/dir");
    guest_expect(&q, wd, IN_DELETE | IN_ISDIR, "dir");
    guest_unlink("d/fifo");
    guest_expect(&q, wd, IN_DELETE, "fifo");
    guest_unlink("d/dangling");
    guest_expect(&q, wd, IN_DELETE, "dangling");
    guest_unlink("d/link");
    guest_expect(&q, wd, IN_DELETE, "link");
    guest_unlink("d/file"); /* the last entry */
    guest_expect(&q, wd, IN_DELETE, "file");
    guest_expect_quiet_in(&q, wd, "d");
    guest_close(&q);
}

static void no_self_event_for_changes_of_entries(void)
{
    struct guest_queue q;
    open_watching(&q, SELF);
    guest_touch("d/file");
    guest_mkdir("d/dir");
    guest_rename("d/file", "d/moved");
    guest_unlink("d/moved");
    guest_rmdir("d/dir");
    guest_expect_quiet(&q);
    guest_chmod("d", 0700);
    guest_expect(&q, 1, IN_ATTRIB | IN_ISDIR, NULL);
    guest_expect_quiet(&q);
    guest_close(&q);
}

static void failures_tell_nothing(void)
{
    struct guest_queue q;
    guest_mkdir("d");
    guest_touch("d/file");
    guest_mkdir("d/dir");
    guest_touch("d/dir/inside");
    guest_open(&q);
    int wd = guest_watch(&q, "d", MEMBERS);
    CHECK_FAILS(mkdir("d/dir", 0755), EEXIST);
    CHECK_FAILS(mknod("d/file", S_IFREG | 0644, 0), EEXIST);
    CHECK_FAILS(symlink("x", "d/file"), EEXIST);
    CHECK_FAILS(link("d/file", "d/dir"), EEXIST);
    CHECK_FAILS(rename("d/file", "d/dir"), EISDIR);
    CHECK_FAILS(rename("d/missing", "d/other"), ENOENT);
    CHECK_FAILS(unlink("d/missing"), ENOENT);
    CHECK_FAILS(rmdir("d/dir"), ENOTEMPTY);
    guest_expect_quiet_in(&q, wd, "d");
    guest_close(&q);
}

static void grandchildren_are_not_told(void)
{
    struct guest_queue q;
    guest_mkdir("d");
    guest_mkdir("d/dir");
    guest_open(&q);
    int wd = guest_watch(&q, "d", MEMBERS);
    guest_touch("d/dir/a");
    guest_mkdir("d/dir/b");
    guest_rename("d/dir/a", "d/dir/c");
    guest_expect_quiet_in(&q, wd, "d");
    guest_await_age("d/dir/c");
    guest_touch("d/x"); /* d is listed: c is older than that */
    guest_expect(&q, wd, IN_CREATE, "x");
    guest_rename("d/dir/c", "d/c");
    guest_expect(&q, wd, IN_MOVED_TO, "c");
    guest_expect_quiet_in(&q, wd, "d");
    guest_close(&q);
}

static void only_the_top_of_mkdir_p(void)
{
    struct guest_queue q;
    open_watching(&q, MEMBERS);
    guest_mkdir("d/a");
    guest_mkdir("d/a/b");
    guest_mkdir("d/a/b/c");
    guest_expect(&q, 1, IN_CREATE | IN_ISDIR, "a");
    guest_expect_quiet_in(&q, 1, "d");
    guest_close(&q);
}

/* A name told as deleted is gone, one told as created is there. */
static void what_is_told_is_true(void)
{
    struct guest_queue q;
    open_watching(&q, MEMBERS);
    for (int i = 0; i < 300; i++) {
        guest_touch("d/file");
        guest_expect(&q, 1, IN_CREATE, "file");
        CHECK(access("d/file", F_OK) == 0, "told as created, not there");
        guest_unlink("d/file");
        guest_expect(&q, 1, IN_DELETE, "file");
        CHECK_FAILS(access("d/file", F_OK), ENOENT);
    }
    guest_expect_quiet_in(&q, 1, "d");
    guest_close(&q);
}

static void odd_entries_harm_nothing(void)
{
    struct guest_queue q;
    guest_mkdir("d");
    CHECK(symlink("cycle", "d/cycle") == 0 && symlink("x", "d/dangling") == 0,
          "symlink: %s", strerror(errno));
    guest_touch("d/unreadable");
    guest_chmod("d/unreadable", 0);
    guest_open(&q);
    int wd = guest_watch(&q, "d", MEMBERS);
    guest_touch("d/a");
    guest_expect(&q, wd, IN_CREATE, "a");
    guest_unlink("d/cycle");
    guest_expect(&q, wd, IN_DELETE, "cycle");
    guest_expect_quiet_in(&q, wd, "d");
    guest_close(&q);
}

/* Gone and made anew as another kind: both must be told. */
static void a_name_can_change_its_kind(void)
{
    struct guest_queue q;
    guest_mkdir("d");
    guest_touch("d/name");
    guest_open(&q);
    int wd = guest_watch(&q, "d", MEMBERS);
    guest_unlink("d/name");
    guest_mkdir("d/name");
    guest_expect(&q, wd, IN_DELETE, "name");
    guest_expect(&q, wd, IN_CREATE | IN_ISDIR, "name");
    guest_expect_quiet_in(&q, wd, "d");
    guest_close(&q);
}

/* The file system likes to give the freed inode number to the new file. */
static void a_reused_inode_number_is_no_rename(void)
{
    struct guest_queue q;
    struct guest_want wants[2] = {{1, IN_DELETE, "old"}, {1, IN_CREATE, "new"}};
    guest_mkdir("d");
    guest_open(&q);
    for (int i = 0; i < 60; i++) {
        guest_touch("d/old");
        wants[0].wd = wants[1].wd = guest_watch(&q, "d", MEMBERS);
        usleep((useconds_t)(i % 8) * 700); /* time stamps have a tick */
        guest_unlink("d/old");
        guest_touch("d/new");
        guest_expect_all(&q, wants, 2);
        guest_expect_quiet_in(&q, wants[0].wd, "d");
        guest_unwatch(&q, wants[0].wd);
        guest_unlink("d/new");
    }
    guest_close(&q);
}

/* The same between two directories, and with nobody who asked for moves. */
static void nor_a_move_from_another_directory(void)
{
    struct guest_queue q;
    char name[16], path[32];
    guest_mkdir("a");
    guest_mkdir("b");
    guest_open(&q);
    int a = guest_watch(&q, "a", MEMBERS), b = guest_watch(&q, "b", IN_CREATE);
    for (int i = 0; i < 200; i++) {
        snprintf(name, sizeof name, "new-%d", i);
        snprintf(path, sizeof path, "b/%s", name);
        guest_touch("a/old");
        guest_expect(&q, a, IN_CREATE, "old");
        usleep((useconds_t)(i % 8) * 700);
        guest_unlink("a/old");
        guest_touch(path);
        guest_expect_all(
            &q,
            (struct guest_want[]){{a, IN_DELETE, "old"}, {b, IN_CREATE, name}},
            2);
    }
    guest_expect_quiet(&q);
    guest_close(&q);
}

int main(int argc, char **argv)
{
    static const struct guest_case cases[] = {
        GUEST_CASE(every_kind_is_created),
        GUEST_CASE(every_kind_is_deleted),
        GUEST_CASE(no_self_event_for_changes_of_entries),
        GUEST_CASE(failures_tell_nothing),
        GUEST_CASE(grandchildren_are_not_told),
        GUEST_CASE(only_the_top_of_mkdir_p),
        GUEST_CASE(what_is_told_is_true),
        GUEST_CASE(odd_entries_harm_nothing),
        GUEST_CASE(a_name_can_change_its_kind),
        GUEST_CASE(a_reused_inode_number_is_no_rename),
        GUEST_CASE(nor_a_move_from_another_directory),
    };
    return guest_main(argc, argv, cases, GUEST_COUNT(cases));
}
