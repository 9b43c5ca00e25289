/*
 * Watch descriptors count up from 1, are not used again, and belong to the
 * inode, by whatever name it is reached.
 */
#include "guest.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static void they_count_from_one(void)
{
    struct guest_queue q;
    char dir[16];
    guest_open(&q);
    for (int i = 1; i <= 50; i++) {
        snprintf(dir, sizeof dir, "d%d", i);
        guest_mkdir(dir);
        int wd = guest_watch(&q, dir, IN_CREATE);
        CHECK(wd == i, "expected wd %d, seen %d", i, wd);
    }
    guest_close(&q);
}

static void they_are_not_used_again(void)
{
    struct guest_queue q;
    guest_mkdir("d");
    guest_open(&q);
    for (int i = 1; i <= 20; i++) {
        int wd = guest_watch(&q, "d", IN_CREATE);
        CHECK(wd == i, "expected wd %d, seen %d", i, wd);
        guest_unwatch(&q, wd);
    }
    guest_close(&q);
}

static void a_failure_takes_none(void)
{
    struct guest_queue q;
    guest_mkdir("d");
    guest_mkdir("e");
    guest_open(&q);
    CHECK(guest_watch(&q, "d", IN_CREATE) == 1, "expected wd 1");
    CHECK_FAILS(inotify_add_watch(q.fd, "missing", IN_CREATE), ENOENT);
    CHECK_FAILS(inotify_add_watch(q.fd, "d", IN_CREATE | IN_MASK_CREATE),
                EEXIST);
    CHECK(guest_watch(&q, "e", IN_CREATE) == 2, "expected wd 2");
    guest_close(&q);
}

static void hard_links_share_one(void)
{
    struct guest_queue q;
    guest_touch("file");
    guest_mkdir("d");
    CHECK(link("file", "d/link") == 0, "link: %s", strerror(errno));
    guest_open(&q);
    int wd = guest_watch(&q, "file", IN_ATTRIB);
    CHECK(guest_watch(&q, "d/link", IN_ATTRIB) == wd, "expected the same wd");
    guest_chmod("d/link", 0600);
    guest_expect(&q, wd, IN_ATTRIB, NULL);
    guest_close(&q);
}

static void followed_links_share_it_and_others_do_not(void)
{
    struct guest_queue q;
    guest_touch("file");
    CHECK(symlink("file", "link") == 0, "symlink: %s", strerror(errno));
    guest_open(&q);
    int file = guest_watch(&q, "file", IN_ATTRIB);
    CHECK(guest_watch(&q, "link", IN_ATTRIB) == file, "expected the same wd");
    int link = guest_watch(&q, "link", IN_ATTRIB | IN_DONT_FOLLOW);
    CHECK(link == file + 1, "expected a new wd, seen %d", link);
    guest_close(&q);
}

static void a_new_inode_at_an_old_path_gets_a_new_one(void)
{
    struct guest_queue q;
    guest_touch("file");
    guest_open(&q);
    int first = guest_watch(&q, "file", IN_ATTRIB);
    guest_rename("file", "old");
    guest_touch("file");
    int second = guest_watch(&q, "file", IN_ATTRIB);
    CHECK(second == first + 1, "expected wd %d, seen %d", first + 1, second);
    guest_chmod("file", 0600);
    guest_expect(&q, second, IN_ATTRIB, NULL);
    guest_chmod("old", 0600);
    guest_expect(&q, first, IN_ATTRIB, NULL);
    guest_close(&q);
}

/* The inode number may be reused; the watch is not. */
static void a_deleted_and_remade_file_gets_a_new_one(void)
{
    struct guest_queue q;
    guest_open(&q);
    for (int i = 1; i <= 10; i++) {
        guest_touch("file");
        int wd = guest_watch(&q, "file", IN_DELETE_SELF);
        CHECK(wd == i, "expected wd %d, seen %d", i, wd);
        guest_unlink("file");
        guest_expect(&q, wd, IN_DELETE_SELF, NULL);
        guest_expect(&q, wd, IN_IGNORED, NULL);
    }
    guest_expect_quiet(&q);
    guest_close(&q);
}

/* ino and mask of every watch, newest first. */
static void fdinfo_lists_them(void)
{
    struct guest_queue q;
    char path[64], line[256];
    int next = 3;
    unsigned wd, mask;
    guest_mkdir("d");
    guest_touch("file");
    guest_touch("other");
    guest_open(&q);
    guest_watch(&q, "d", IN_CREATE | IN_ONLYDIR);
    guest_watch(&q, "file", IN_ATTRIB | IN_DONT_FOLLOW);
    guest_watch(&q, "other", IN_MODIFY | IN_ONESHOT | IN_EXCL_UNLINK);
    static const uint32_t masks[] = {IN_CREATE, IN_ATTRIB,
                                     IN_MODIFY | IN_ONESHOT | IN_EXCL_UNLINK};
    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", q.fd);
    FILE *info = fopen(path, "re");
    CHECK(info != NULL, "%s: %s", path, strerror(errno));
    while (fgets(line, sizeof line, info) != NULL) {
        if (sscanf(line, "inotify wd:%x ino:%*x sdev:%*x mask:%x", &wd,
                   &mask) != 2)
            continue;
        CHECK((int)wd == next, "expected wd %d, seen %u", next, wd);
        CHECK(mask == masks[wd - 1], "wd %u: expected mask 0x%x, seen 0x%x", wd,
              masks[wd - 1], mask);
        next--;
    }
    fclose(info);
    CHECK(next == 0, "expected 3 lines, seen %d", 3 - next);
    guest_close(&q);
}

int main(int argc, char **argv)
{
    static const struct guest_case cases[] = {
        GUEST_CASE(they_count_from_one),
        GUEST_CASE(they_are_not_used_again),
        GUEST_CASE(a_failure_takes_none),
        GUEST_CASE(hard_links_share_one),
        GUEST_CASE(followed_links_share_it_and_others_do_not),
        GUEST_CASE(a_new_inode_at_an_old_path_gets_a_new_one),
        GUEST_CASE(a_deleted_and_remade_file_gets_a_new_one),
        GUEST_CASE(fdinfo_lists_them),
    };
    return guest_main(argc, argv, cases, GUEST_COUNT(cases));
}
