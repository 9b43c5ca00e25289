/*
 * A watch follows its inode, whatever the inode is called and whoever takes
 * its old name.
 */
#include "guest.h"

#define MEMBERS (IN_CREATE | IN_DELETE | IN_MOVE)

static void create_after_rename_is_named(void)
{
    struct guest_queue q;
    guest_mkdir("old");
    guest_open(&q);
    int wd = guest_watch(&q, "old", MEMBERS);
    guest_rename("old", "new");
    guest_touch("new/child");
    guest_expect(&q, wd, IN_CREATE, "child");
    guest_expect_quiet_in(&q, wd, "new");
    guest_close(&q);
}

static void move_self_comes_first_if_asked(void)
{
    struct guest_queue q;
    guest_mkdir("old");
    guest_open(&q);
    int wd = guest_watch(&q, "old", MEMBERS | IN_MOVE_SELF);
    guest_rename("old", "new");
    guest_expect(&q, wd, IN_MOVE_SELF, NULL);
    guest_touch("new/child");
    guest_expect(&q, wd, IN_CREATE, "child");
    guest_expect_quiet_in(&q, wd, "new");
    guest_close(&q);
}

/* Nothing is waited for: the rename and what follows may meet one listing. */
static void decoy_at_the_old_path_is_never_told(void)
{
    struct guest_queue q;
    guest_mkdir("old");
    guest_open(&q);
    int wd = guest_watch(&q, "old", MEMBERS);
    for (int round = 0; round < 20; round++) {
        char child[64], decoy[64], name[32];
        guest_rename("old", "new");
        guest_mkdir("old");
        snprintf(decoy, sizeof decoy, "old/decoy-%d", round);
        guest_touch(decoy);
        snprintf(name, sizeof name, "child-%d", round);
        snprintf(child, sizeof child, "new/%s", name);
        guest_touch(child);
        guest_expect(&q, wd, IN_CREATE, name);
        guest_expect_quiet_in(&q, wd, "new");
        guest_remove_tree("old");
        guest_rename("new", "old");
    }
    guest_expect_quiet_in(&q, wd, "old");
    guest_close(&q);
}

static void both_names_watched_tell_their_own(void)
{
    struct guest_queue q;
    guest_mkdir("old");
    guest_open(&q);
    int first = guest_watch(&q, "old", MEMBERS);
    guest_rename("old", "new");
    guest_mkdir("old");
    int second = guest_watch(&q, "old", MEMBERS);
    CHECK(second != first, "expected another wd than %d for another inode",
          first);
    guest_touch("old/in-second");
    guest_expect(&q, second, IN_CREATE, "in-second");
    guest_touch("new/in-first");
    guest_expect(&q, first, IN_CREATE, "in-first");
    guest_expect_quiet_in(&q, first, "new");
    guest_expect_quiet_in(&q, second, "old");
    guest_close(&q);
}

static void ancestor_may_move_silently(void)
{
    struct guest_queue q;
    guest_mkdir("top");
    guest_mkdir("top/middle");
    guest_mkdir("top/middle/low");
    guest_open(&q);
    int wd = guest_watch(&q, "top/middle/low", MEMBERS | IN_MOVE_SELF);
    guest_rename("top/middle", "top/other");
    guest_rename("top", "elsewhere");
    guest_expect_quiet_in(&q, wd, "elsewhere/other/low");
    guest_touch("elsewhere/other/low/child");
    guest_expect(&q, wd, IN_CREATE, "child");
    guest_unlink("elsewhere/other/low/child");
    guest_expect(&q, wd, IN_DELETE, "child");
    guest_expect_quiet_in(&q, wd, "elsewhere/other/low");
    guest_close(&q);
}

static void file_keeps_its_watch_through_renames(void)
{
    struct guest_queue q;
    guest_touch("one");
    guest_open(&q);
    int wd = guest_watch(&q, "one", IN_ATTRIB | IN_MOVE_SELF);
    guest_rename("one", "two");
    guest_expect(&q, wd, IN_MOVE_SELF, NULL);
    guest_touch("one");
    guest_chmod("one", 0600);
    guest_expect_quiet(&q);
    guest_chmod("two", 0600);
    guest_expect(&q, wd, IN_ATTRIB, NULL);
    CHECK(guest_watch(&q, "two", IN_ATTRIB) == wd,
          "expected the same wd under the new name");
    guest_close(&q);
}

static void moved_under_another_parent_still_tells(void)
{
    struct guest_queue q;
    guest_mkdir("a");
    guest_mkdir("b");
    guest_mkdir("a/moving");
    guest_open(&q);
    int wd = guest_watch(&q, "a/moving", MEMBERS | IN_MOVE_SELF);
    guest_rename("a/moving", "b/moved");
    guest_expect(&q, wd, IN_MOVE_SELF, NULL);
    guest_mkdir("b/moved/sub");
    guest_expect(&q, wd, IN_CREATE | IN_ISDIR, "sub");
    guest_rmdir("b/moved/sub");
    guest_expect(&q, wd, IN_DELETE | IN_ISDIR, "sub");
    guest_expect_quiet_in(&q, wd, "b/moved");
    guest_close(&q);
}

int main(int argc, char **argv)
{
    static const struct guest_case cases[] = {
        GUEST_CASE(create_after_rename_is_named),
        GUEST_CASE(move_self_comes_first_if_asked),
        GUEST_CASE(decoy_at_the_old_path_is_never_told),
        GUEST_CASE(both_names_watched_tell_their_own),
        GUEST_CASE(ancestor_may_move_silently),
        GUEST_CASE(file_keeps_its_watch_through_renames),
        GUEST_CASE(moved_under_another_parent_still_tells),
    };
    return guest_main(argc, argv, cases, GUEST_COUNT(cases));
}
