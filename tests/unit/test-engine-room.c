/*
 * Where the host has room for so many knotes and no more: rows that have taken
 * it give it back to watches, and tell as before, a little later.
 */
#include "pipeline/engine.h"

#include "engine-fixture.h"

enum {
    FILES = 20,
    DIRS = 40,
    ROOM = 50, /* of the user's, for the rows or the directories but not both */
    CONTENT = VN_IN_MODIFY | VN_IN_ATTRIB | VN_IN_DELETE,
};

static char *file(int i)
{
    static char name[16];

    snprintf(name, sizeof(name), "d/f%d", i);
    return name;
}

static int setup_room(int fd_budget)
{
    const struct vnotify_config config = {
        .fd_budget = fd_budget,
        .watch_budget = ROOM,
    };

    if (setup_with(&config, "/tmp") != 0)
        return -1;
    make_dir("d");
    for (int i = 0; i < FILES; i++)
        make_file(file(i));
    return 0;
}

static int setup_parked(void **state)
{
    (void)state;
    return setup_room(-1);
}

static int setup_open(void **state)
{
    (void)state;
    return setup_room(10 * FILES);
}

/* How many of the directories could be watched. */
static int add_dirs(int from, int count)
{
    int added = 0;

    for (int i = from; i < from + count; i++) {
        char name[16];
        int wd;

        snprintf(name, sizeof(name), "e%d", i);
        make_dir(name);
        wd = add(name, VN_IN_CREATE);
        if (wd < 0)
            assert_int_equal(wd, -ENOSPC);
        else
            added++;
    }
    return added;
}

static void expect_modify(int i)
{
    char words[32];

    append_to(file(i));
    snprintf(words, sizeof(words), "1 modify f%d", i);
    expect_at_last(words);
}

static void test_rows_give_their_knotes_to_watches(void **state)
{
    (void)state;
    assert_int_equal(add("d", CONTENT), 1);
    AWAIT(atomic_load(&engine->registry.in_use) == 1 + FILES);
    for (int i = 0; i < FILES; i += 2)
        expect_modify(i);
    assert_int_equal(add_dirs(0, DIRS), DIRS);
    for (int i = 0; i < FILES; i++)
        expect_modify(i);
    expect("");
    for (int i = 0; i < FILES; i++) {
        char words[32];

        remove_file(file(i));
        snprintf(words, sizeof(words), "1 delete f%d", i);
        expect(words);
    }
    /* Rows that are gone have left nothing behind. */
    AWAIT(atomic_load(&engine->registry.in_use) == 1 + DIRS);
}

/* Each change is told once, whether it comes before, between or after. */
static void test_rows_lose_nothing_meanwhile(void **state)
{
    (void)state;
    assert_int_equal(add("d", CONTENT), 1);
    AWAIT(atomic_load(&engine->registry.in_use) == 1 + FILES);
    for (int i = 0; i < DIRS; i++) {
        expect_modify(i % FILES);
        assert_int_equal(add_dirs(i, 1), 1);
    }
    expect("");
}

/* What has a watch of its own keeps its knote, and so does what others have. */
static void test_watches_give_nothing_back(void **state)
{
    int added;

    (void)state;
    assert_int_equal(add("d", CONTENT), 1);
    AWAIT(atomic_load(&engine->registry.in_use) == 1 + FILES);
    for (int i = 0; i < FILES; i++)
        assert_int_equal(add(file(i), VN_IN_ATTRIB), 2 + i);
    added = add_dirs(0, DIRS);
    assert_in_range(added, ROOM - FILES - 5, DIRS - 1);
    for (int i = 0; i < FILES; i++) {
        char words[32];

        change_mode(file(i), 0644);
        snprintf(words, sizeof(words), "1 attrib f%d, %d attrib", i, 2 + i);
        expect(words);
    }
    /* And a watch that goes makes room for one. */
    assert_int_equal(vnotify_rm_watch(instance, 2 + FILES), 0);
    sync_now();
    (void)read_words(instance);
    AWAIT(atomic_load(&engine->registry.in_use) ==
          1 + FILES + (uint32_t)added - 1);
    assert_int_equal(add_dirs(DIRS, 2), 1);
}

static bool write_to(const char *file_name, const char *text)
{
    int fd = open(file_name, O_WRONLY | O_CLOEXEC);
    bool written = fd >= 0 && write(fd, text, strlen(text)) > 0;

    if (fd >= 0)
        close(fd);
    return written;
}

/* A user namespace has limits of its own. */
static bool limit_room(void)
{
    char map[64], room[16];

    snprintf(map, sizeof(map), "0 %d 1", (int)geteuid());
    snprintf(room, sizeof(room), "%d", ROOM);
    return unshare(CLONE_NEWUSER) == 0 &&
           write_to("/proc/self/uid_map", map) &&
           write_to("/proc/sys/user/max_inotify_watches", room);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_rows_give_their_knotes_to_watches, setup_parked, teardown),
        cmocka_unit_test_setup_teardown(
            test_rows_give_their_knotes_to_watches, setup_open, teardown),
        cmocka_unit_test_setup_teardown(test_rows_lose_nothing_meanwhile,
                                        setup_parked, teardown),
        cmocka_unit_test_setup_teardown(test_rows_lose_nothing_meanwhile,
                                        setup_open, teardown),
        cmocka_unit_test_setup_teardown(test_watches_give_nothing_back,
                                        setup_parked, teardown),
        cmocka_unit_test_setup_teardown(test_watches_give_nothing_back,
                                        setup_open, teardown),
    };

    if (!limit_room()) {
        fprintf(stderr, "no user namespace with limits here: skipped\n");
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
