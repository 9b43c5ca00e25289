/*
 * vnotify.h: what a watched directory is told at its end comes before what its
 * parent says of it, and what that says of a rename before MOVE_SELF, also when
 * a listing takes long.
 *
 * "Takes long": the test holds the claim of the directory, as a worker does
 * that lists it, and gives it back when it has seen what it wanted to see.
 */
#include "engine-inside.h"

#include <poll.h>
#include <sched.h>

enum {
    MASK = VN_IN_CREATE | VN_IN_DELETE | VN_IN_MOVED_FROM | VN_IN_MOVED_TO |
           VN_IN_DELETE_SELF | VN_IN_MOVE_SELF,
    DEADLINE_MS = 10000,
    LONG_MS = 60, /* much more than HOLD_NS_MAX */
};

static struct vnode *begin_listing(int wd)
{
    sync_now();
    return take(wd);
}

static uint64_t listings(void)
{
    struct vnotify_stats stats;

    vnotify_stats(engine, &stats);
    return stats.listings;
}

static bool readable_within(int ms)
{
    struct pollfd fd = { .fd = vnotify_instance_fd(instance),
                         .events = POLLIN };

    return poll(&fd, 1, ms) == 1;
}

/* Reads until there is as much as these words are. */
static const char *read_as_much_as(const char *words)
{
    static char all[1024];

    all[0] = '\0';
    while (strlen(all) < strlen(words)) {
        assert_true(readable_within(DEADLINE_MS));
        if (all[0] != '\0')
            strcat(all, ", ");
        strcat(all, read_words(instance));
    }
    return all;
}

static void wait_for_events_to(const char *words)
{
    assert_string_equal(read_as_much_as(words), words);
}

static void await_for(uint64_t ms)
{
    engine->hold_long_ns = ms * 1000000;
}

static void make_watched(const char *const *names)
{
    await_for(60 * 1000);
    assert_int_equal(add("", MASK), 1);
    for (int i = 0; names[i] != NULL; i++) {
        make_dir(names[i]);
        assert_int_equal(add(names[i], MASK), 2 + i);
    }
    sync_now();
    read_words(instance);
}

static void test_engine_tells_an_end_before_the_parent_does(void **state)
{
    struct vnode *vnode;

    (void)state;
    make_watched((const char *const[]){ "d", NULL });
    make_file("d/x");
    vnode = begin_listing(2);
    assert_string_equal(read_words(instance), "2 create x");
    remove_file("d/x");
    remove_dir("d");
    assert_false(readable_within(LONG_MS));
    worker_give_back(engine, vnode);
    wait_for_events_to("2 delete x, 2 delete-self, 2 ignored, 1 delete/ d");
}

/* The barrier that the parent waits for is reached when the first end is here,
   and says nothing of what went after it was asked for. */
static void test_engine_waits_on_for_an_end_that_is_younger(void **state)
{
    struct vnode *first, *second;
    uint64_t before;

    (void)state;
    make_watched((const char *const[]){ "d", "e", NULL });
    first = begin_listing(2);
    second = begin_listing(3);
    remove_dir("d");
    while (atomic_load(&engine->barrier.draining) == 0)
        sched_yield();
    before = listings();
    remove_dir("e");
    while (listings() == before)
        sched_yield();
    worker_give_back(engine, take(1)); /* the parent was listed without e */
    worker_give_back(engine, first);
    wait_for_events_to("2 delete-self, 2 ignored");
    assert_false(readable_within(LONG_MS));
    worker_give_back(engine, second);
    wait_for_events_to("3 delete-self, 3 ignored, 1 delete/ e, 1 delete/ d");
}

static void test_engine_tells_nested_ends_from_within(void **state)
{
    struct vnode *vnode;

    (void)state;
    make_watched((const char *const[]){ "d", "d/e", NULL });
    make_file("d/e/x");
    sync_now();
    read_words(instance);
    vnode = begin_listing(3);
    remove_file("d/e/x");
    remove_dir("d/e");
    remove_dir("d");
    assert_false(readable_within(LONG_MS));
    worker_give_back(engine, vnode);
    wait_for_events_to("3 delete x, 3 delete-self, 3 ignored, 2 delete/ e, "
                       "2 delete-self, 2 ignored, 1 delete/ d");
}

static void test_engine_holds_up_no_other_watch_for_an_end(void **state)
{
    struct vnode *vnode;

    (void)state;
    make_watched((const char *const[]){ "d", "other", NULL });
    make_dir("other/b"); /* now: later it may get d's inode number */
    vnode = begin_listing(2);
    assert_string_equal(read_words(instance), "3 create/ b");
    remove_dir("d");
    remove_dir("other/b"); /* nobody watches it */
    make_file("other/c");
    wait_for_events_to("3 delete/ b, 3 create c");
    worker_give_back(engine, vnode);
    wait_for_events_to("2 delete-self, 2 ignored, 1 delete/ d");
}

static void test_engine_waits_for_an_end_no_longer_than_it_may(void **state)
{
    struct vnode *vnode;

    (void)state;
    make_watched((const char *const[]){ "d", NULL });
    await_for(100);
    make_file("d/x");
    sync_now();
    read_words(instance);
    vnode = begin_listing(2);
    remove_file("d/x");
    remove_dir("d");
    wait_for_events_to("1 delete/ d");
    worker_give_back(engine, vnode);
    wait_for_events_to("2 delete x, 2 delete-self, 2 ignored");
}

static void test_engine_tells_a_move_before_move_self(void **state)
{
    struct vnode *vnode;

    (void)state;
    make_watched((const char *const[]){ "d", NULL });
    vnode = begin_listing(1);
    move("d", "e");
    assert_false(readable_within(LONG_MS));
    worker_give_back(engine, vnode);
    wait_for_events_to("1 from/ d, 1 to/ e, 2 move-self");
}

static void test_engine_waits_for_a_name_no_longer_than_it_may(void **state)
{
    struct vnode *vnode;

    (void)state;
    make_watched((const char *const[]){ "d", NULL });
    await_for(100);
    vnode = begin_listing(1);
    move("d", "e");
    wait_for_events_to("2 move-self");
    worker_give_back(engine, vnode);
    wait_for_events_to("1 from/ d, 1 to/ e");
}

/* Of what was moved out and is not known to be, there is no end to wait for:
   the barrier says so. */
static void test_engine_tells_a_move_out_when_all_is_here(void **state)
{
    char outside[80];

    (void)state;
    make_watched((const char *const[]){ "d", NULL });
    snprintf(outside, sizeof(outside), "%s-moved", root);
    let_clock_pass("d");
    assert_return_code(rename(path("d"), outside), errno);
    wait_for_events_to("1 from/ d, 2 move-self");
    assert_return_code(rmdir(outside), errno);
    wait_for_events_to("2 delete-self, 2 ignored");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ENGINE_TEST(test_engine_tells_an_end_before_the_parent_does),
        ENGINE_TEST(test_engine_waits_on_for_an_end_that_is_younger),
        ENGINE_TEST(test_engine_tells_nested_ends_from_within),
        ENGINE_TEST(test_engine_holds_up_no_other_watch_for_an_end),
        ENGINE_TEST(test_engine_waits_for_an_end_no_longer_than_it_may),
        ENGINE_TEST(test_engine_tells_a_move_before_move_self),
        ENGINE_TEST(test_engine_waits_for_a_name_no_longer_than_it_may),
        ENGINE_TEST(test_engine_tells_a_move_out_when_all_is_here),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
