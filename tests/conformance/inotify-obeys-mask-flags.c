/*
 * What a mask asks for, and nothing else; flags change how a watch is made and
 * never show in an event.
 */
#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MEMBERS (IN_CREATE | IN_DELETE | IN_MOVE)

static void adding_again_replaces_the_mask(void)
{
    struct guest_queue q;
    guest_mkdir("d");
    guest_open(&q);
    int wd = guest_watch(&q, "d", IN_CREATE);
    CHECK(guest_watch(&q, "d", IN_DELETE) == wd, "expected the same wd");
    guest_touch("d/a");
    guest_expect_quiet(&q);
    guest_unlink("d/a");
    guest_expect(&q, wd, IN_DELETE, "a");
    guest_expect_quiet(&q);
    guest_close(&q);
}

static void mask_add_adds(void)
{
    struct guest_queue q;
    guest_mkdir("d");
    guest_mkdir("e");
    guest_open(&q);
    int wd = guest_watch(&q, "d", IN_CREATE);
    CHECK(guest_watch(&q, "d", IN_DELETE | IN_MASK_ADD) == wd, "same wd");
    guest_touch("d/a");
    guest_expect(&q, wd, IN_CREATE, "a");
    guest_unlink("d/a");
    guest_expect(&q, wd, IN_DELETE, "a");
    int fresh = guest_watch(&q, "e", IN_CREATE | IN_MASK_ADD);
    CHECK(fresh == wd + 1, "expected a new watch, seen wd %d", fresh);
    guest_touch("e/b");
    guest_expect(&q, fresh, IN_CREATE, "b");
    guest_close(&q);
}

static void mask_decides_what_is_told(void)
{
    static const uint32_t bits[] = {IN_CREATE, IN_DELETE, IN_MOVED_FROM,
                                    IN_MOVED_TO, IN_MOVE_SELF};
    struct guest_queue q;
    char dir[16], from[32], to[32], moved[32];
    guest_open(&q);
    for (size_t i = 0; i < GUEST_COUNT(bits); i++) {
        snprintf(dir, sizeof dir, "d%zu", i);
        snprintf(from, sizeof from, "d%zu/a", i);
        snprintf(to, sizeof to, "d%zu/b", i);
        snprintf(moved, sizeof moved, "moved-%zu", i);
        guest_mkdir(dir);
        int wd = guest_watch(&q, dir, bits[i]);
        guest_touch(from);
        if (bits[i] == IN_CREATE)
            guest_expect(&q, wd, IN_CREATE, "a");
        else
            guest_expect_quiet(&q);
        guest_rename(from, to);
        if (bits[i] == IN_MOVED_FROM)
            guest_expect(&q, wd, IN_MOVED_FROM, "a");
        if (bits[i] == IN_MOVED_TO)
            guest_expect(&q, wd, IN_MOVED_TO, "b");
        guest_expect_quiet(&q);
        guest_unlink(to);
        if (bits[i] == IN_DELETE)
            guest_expect(&q, wd, IN_DELETE, "b");
        guest_rename(dir, moved);
        if (bits[i] == IN_MOVE_SELF)
            guest_expect(&q, wd, IN_MOVE_SELF, NULL);
        guest_expect_quiet(&q);
    }
    guest_close(&q);
}

static void oneshot_tells_one_event(void)
{
    struct guest_queue q;
    guest_mkdir("d");
    guest_open(&q);
    int wd = guest_watch(&q, "d", IN_DELETE | IN_ONESHOT);
    guest_touch("d/a");
    guest_touch("d/b");
    guest_expect_quiet(&q);
    guest_unlink("d/a");
    guest_expect(&q, wd, IN_DELETE, "a");
    guest_expect(&q, wd, IN_IGNORED, NULL);
    CHECK_FAILS(inotify_rm_watch(q.fd, wd), EINVAL);
    guest_unlink("d/b");
    guest_expect_quiet(&q);
    CHECK(guest_watch(&q, "d", IN_DELETE) > wd, "expected a new wd");
    guest_close(&q);
}

/* Nothing is waited for: several names may meet one listing. */
static void oneshot_tells_one_of_many(void)
{
    struct guest_queue q;
    guest_mkdir("d");
    guest_open(&q);
    int wd = guest_watch(&q, "d", IN_CREATE | IN_ONESHOT);
    guest_touch("d/a");
    guest_touch("d/b");
    guest_touch("d/c");
    struct guest_event event;
    CHECK(guest_next(&q, &event) && event.mask == IN_CREATE,
          "expected one IN_CREATE");
    CHECK(!guest_native() || strcmp(event.name, "a") == 0, "expected a");
    guest_expect(&q, wd, IN_IGNORED, NULL);
    guest_expect_quiet(&q);
    guest_close(&q);
}

static void oneshot_sees_half_a_rename(void)
{
    struct guest_queue q;
    guest_mkdir("d");
    guest_touch("d/a");
    guest_open(&q);
    int wd = guest_watch(&q, "d", MEMBERS | IN_ONESHOT);
    guest_rename("d/a", "d/b");
    guest_expect(&q, wd, IN_MOVED_FROM, "a");
    guest_expect(&q, wd, IN_IGNORED, NULL);
    guest_expect_quiet(&q);
    guest_close(&q);
}

static void oneshot_ends_a_deleted_file_once(void)
{
    struct guest_queue q;
    guest_touch("first");
    guest_touch("second");
    guest_open(&q);
    int first =
        guest_watch(&q, "first", IN_ATTRIB | IN_DELETE_SELF | IN_ONESHOT);
    int second = guest_watch(&q, "second", IN_DELETE_SELF | IN_ONESHOT);
    guest_unlink("first");
    guest_expect(&q, first, IN_ATTRIB, NULL);
    guest_expect(&q, first, IN_IGNORED, NULL);
    guest_expect_quiet(&q);
    guest_unlink("second");
    guest_expect(&q, second, IN_DELETE_SELF, NULL);
    guest_expect(&q, second, IN_IGNORED, NULL);
    guest_expect_quiet(&q);
    guest_close(&q);
}

static void oneshot_can_be_added_and_replaced(void)
{
    struct guest_queue q;
    guest_mkdir("d");
    guest_open(&q);
    int wd = guest_watch(&q, "d", IN_CREATE | IN_ONESHOT);
    CHECK(guest_watch(&q, "d", IN_CREATE) == wd, "same wd");
    guest_touch("d/a");
    guest_expect(&q, wd, IN_CREATE, "a");
    guest_touch("d/b");
    guest_expect(&q, wd, IN_CREATE, "b");
    CHECK(guest_watch(&q, "d", IN_DELETE | IN_ONESHOT | IN_MASK_ADD) == wd,
          "same wd");
    guest_touch("d/c");
    guest_expect(&q, wd, IN_CREATE, "c");
    guest_expect(&q, wd, IN_IGNORED, NULL);
    guest_expect_quiet(&q);
    guest_close(&q);
}

static void flags_alone_make_a_silent_watch(void)
{
    struct guest_queue q;
    guest_mkdir("d");
    guest_open(&q);
    int wd = guest_watch(&q, "d", IN_ONLYDIR);
    guest_touch("d/a");
    guest_unlink("d/a");
    guest_rename("d", "e");
    guest_expect_quiet(&q);
    guest_rmdir("e");
    guest_expect(&q, wd, IN_IGNORED, NULL);
    guest_expect_quiet(&q);
    guest_close(&q);
}

static void onlydir_and_dont_follow(void)
{
    struct guest_queue q;
    guest_mkdir("d");
    CHECK(symlink("d", "link") == 0, "symlink: %s", strerror(errno));
    guest_open(&q);
    CHECK_FAILS(inotify_add_watch(q.fd, "link",
                                  IN_CREATE | IN_ONLYDIR | IN_DONT_FOLLOW),
                ENOTDIR);
    int wd = guest_watch(&q, "link", IN_CREATE | IN_ONLYDIR);
    CHECK(guest_watch(&q, "link/", IN_CREATE | IN_DONT_FOLLOW) == wd,
          "expected a trailing slash to follow");
    guest_touch("d/a");
    guest_expect(&q, wd, IN_CREATE, "a");
    guest_close(&q);
}

static void a_link_itself_can_be_watched(void)
{
    struct guest_queue q;
    struct timespec times[2] = {{1, 0}, {1, 0}};
    CHECK(symlink("nowhere", "link") == 0, "symlink: %s", strerror(errno));
    CHECK(symlink("loop", "loop") == 0, "symlink: %s", strerror(errno));
    guest_open(&q);
    int wd = guest_watch(
        &q, "link", IN_DONT_FOLLOW | IN_ATTRIB | IN_MOVE_SELF | IN_DELETE_SELF);
    int loop = guest_watch(&q, "loop", IN_DONT_FOLLOW | IN_DELETE_SELF);
    CHECK(utimensat(AT_FDCWD, "link", times, AT_SYMLINK_NOFOLLOW) == 0,
          "utimensat: %s", strerror(errno));
    guest_expect(&q, wd, IN_ATTRIB, NULL);
    guest_rename("link", "moved");
    guest_expect(&q, wd, IN_MOVE_SELF, NULL);
    guest_unlink("moved");
    guest_expect(&q, wd, IN_ATTRIB, NULL);
    guest_expect(&q, wd, IN_DELETE_SELF, NULL);
    guest_expect(&q, wd, IN_IGNORED, NULL);
    guest_unlink("loop");
    guest_expect(&q, loop, IN_DELETE_SELF, NULL);
    guest_expect(&q, loop, IN_IGNORED, NULL);
    guest_close(&q);
}

/* A link to a watched file may go; the file is what is watched. */
static void a_followed_link_may_go(void)
{
    struct guest_queue q;
    guest_touch("file");
    CHECK(symlink("file", "link") == 0, "symlink: %s", strerror(errno));
    guest_open(&q);
    int wd = guest_watch(&q, "link", IN_ATTRIB | IN_DELETE_SELF);
    guest_unlink("link");
    guest_expect_quiet(&q);
    guest_chmod("file", 0600);
    guest_expect(&q, wd, IN_ATTRIB, NULL);
    guest_close(&q);
}

int main(int argc, char **argv)
{
    static const struct guest_case cases[] = {
        GUEST_CASE(adding_again_replaces_the_mask),
        GUEST_CASE(mask_add_adds),
        GUEST_CASE(mask_decides_what_is_told),
        GUEST_CASE(oneshot_tells_one_event),
        GUEST_CASE(oneshot_tells_one_of_many),
        GUEST_CASE(oneshot_sees_half_a_rename),
        GUEST_CASE(oneshot_ends_a_deleted_file_once),
        GUEST_CASE(oneshot_can_be_added_and_replaced),
        GUEST_CASE(flags_alone_make_a_silent_watch),
        GUEST_CASE(onlydir_and_dont_follow),
        GUEST_CASE(a_link_itself_can_be_watched),
        GUEST_CASE(a_followed_link_may_go),
    };
    return guest_main(argc, argv, cases, GUEST_COUNT(cases));
}
