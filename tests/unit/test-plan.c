/*
 * plan.h: the events of a round, in a legal order.
 */
#include "plan-fixture.h"

static void test_plan_of_no_change_is_empty(void **state)
{
    (void)state;
    add_dir("a1", "a1");
    assert_false(run());
    assert_string_equal(told, "");
}

static void test_plan_deletes_and_creates(void **state)
{
    (void)state;
    add_dir("a1 D2", "a1 b3 E4");
    run();
    assert_string_equal(told, "0 delete/ D, 0 create b, 0 create/ E");
}

static void test_plan_frees_a_name_before_it_is_taken(void **state)
{
    (void)state;
    add_dir("a1", "a2"); /* rm a; create a */
    run();
    assert_string_equal(told, "0 delete a, 0 create a");
}

static void test_plan_renames_within_a_directory(void **state)
{
    (void)state;
    add_dir("a1 D2", "b1 E2");
    run();
    assert_string_equal(told, "0 from a, 0 to b, 0 from/ D, 0 to/ E");
    assert_int_not_equal(plan.events[0].cookie, plan.events[2].cookie);
}

static void test_plan_renames_across_directories(void **state)
{
    (void)state;
    add_dir("a1 c3", "c3");
    add_dir("", "b1");
    run();
    assert_string_equal(told, "0 from a, 1 to b");
}

static void test_plan_renames_over_a_name_without_deleting_it(void **state)
{
    (void)state;
    add_dir("a1 b2", "b1");
    run();
    assert_string_equal(told, "0 from a, 0 to b");
}

static void test_plan_renames_over_a_name_across_directories(void **state)
{
    (void)state;
    add_dir("b2", "b1");
    add_dir("a1", "");
    run();
    assert_string_equal(told, "1 from a, 0 to b");
}

static void test_plan_tells_a_chain_from_its_end(void **state)
{
    (void)state;
    add_dir("a1 b2 c3", "b1 c2 d3"); /* mv c d; mv b c; mv a b */
    run();
    assert_string_equal(told, "0 from c, 0 to d, 0 from b, 0 to c, "
                              "0 from a, 0 to b");
}

static void test_plan_tells_a_chain_whose_end_is_replaced(void **state)
{
    (void)state;
    add_dir("a1 b2 c3", "b1 c2");
    run();
    assert_string_equal(told, "0 from b, 0 to c, 0 from a, 0 to b");
}

static void test_plan_reuses_the_first_name_of_a_chain(void **state)
{
    (void)state;
    add_dir("a1 b2", "a9 b1 c2");
    run();
    assert_string_equal(told, "0 from b, 0 to c, 0 from a, 0 to b, "
                              "0 create a");
}

static void test_plan_breaks_a_swap_into_delete_and_create(void **state)
{
    (void)state;
    add_dir("a1 b2", "a2 b1");
    run();
    assert_string_equal(told, "0 delete b, 0 from a, 0 to b, 0 create a");
}

/* What was deleted to break it is not moved in, whatever its times say. */
static void test_plan_breaks_a_swap_of_old_files_likewise(void **state)
{
    (void)state;
    add_dir("a1 b2", "a2 b1");
    for (uint32_t i = 2; i < 4; i++)
        deltas[0]->changes[i].only_name = true;
    deltas[0]->before_rt_ns = INT64_MAX;
    run();
    assert_string_equal(told, "0 delete b, 0 from a, 0 to b, 0 create a");
}

static void test_plan_breaks_a_swap_across_directories(void **state)
{
    (void)state;
    add_dir("a1", "a2");
    add_dir("b2", "b1");
    run();
    assert_string_equal(told, "1 delete b, 0 from a, 1 to b, 0 create a");
}

static void test_plan_breaks_a_longer_cycle_once(void **state)
{
    (void)state;
    add_dir("a1 b2 c3", "a3 b1 c2");
    run();
    assert_string_equal(told, "0 delete c, 0 from b, 0 to c, 0 from a, "
                              "0 to b, 0 create a");
}

static void test_plan_prefers_renames_within_one_directory(void **state)
{
    (void)state;
    add_dir("", "x1"); /* a link elsewhere */
    add_dir("a1", "b1");
    run();
    assert_string_equal(told, "0 create x, 1 from a, 1 to b");
}

static void test_plan_does_not_take_a_link_for_a_move(void **state)
{
    (void)state;
    add_dir("a1", "a1 b1");
    add_dir("", "c1");
    run();
    assert_string_equal(told, "0 create b, 1 create c");
}

static void test_plan_does_not_pair_a_number_used_again(void **state)
{
    (void)state;
    add_dir("a1", "b1");
    deltas[0]->before_rt_ns = 100;
    deltas[0]->changes[1].born_rt_ns = 101;
    run();
    assert_string_equal(told, "0 delete a, 0 create b");
}

static void test_plan_pairs_what_was_born_before_the_listing(void **state)
{
    (void)state;
    add_dir("a1", "b1");
    deltas[0]->before_rt_ns = 100;
    deltas[0]->changes[1].born_rt_ns = 100;
    run();
    assert_string_equal(told, "0 from a, 0 to b");
}

static void test_plan_does_not_pair_what_was_not_learned(void **state)
{
    (void)state;
    add_dir("a1", "b1");
    deltas[0]->changes[1].learned = false;
    run();
    assert_string_equal(told, "0 delete a, 0 create b");
}

/* The clock of births may have stood still since: only a touch can tell. */
static void test_plan_pairs_the_lately_born_only_if_touched(void **state)
{
    const int64_t s = 1000000000;

    (void)state;
    for (int touched = 0; touched < 2; touched++) {
        setup(NULL);
        add_dir("a1", "b1");
        deltas[0]->before_rt_ns = 100 * s;
        deltas[0]->changes[1].born_rt_ns = 100 * s - 1000;
        deltas[0]->changes[1].untouched = !touched;
        run();
        assert_string_equal(told, touched ? "0 from a, 0 to b"
                                          : "0 delete a, 0 create b");
        teardown(NULL);
    }
    setup(NULL);
    add_dir("a1", "b1"); /* a file system that does not touch it */
    deltas[0]->before_rt_ns = 100 * s;
    deltas[0]->changes[1].born_rt_ns = 99 * s;
    deltas[0]->changes[1].untouched = true;
    run();
    assert_string_equal(told, "0 from a, 0 to b");
}

static void test_plan_tells_what_was_moved_in_from_elsewhere(void **state)
{
    (void)state;
    singles = true;
    add_dir("", "a1 b2");
    deltas[0]->before_rt_ns = INT64_C(100000000000);
    deltas[0]->changes[0].only_name = true;
    run();
    assert_string_equal(told, "0 to a, 0 create b");
}

static void test_plan_tells_the_one_change_that_crossed_as_a_move(void **state)
{
    (void)state;
    singles = true;
    add_dir("a1", "")->crossed = true;
    add_dir("", "b2")->crossed = true;
    add_dir("c3 d4", "")->crossed = true; /* which of them, is not known */
    add_dir("e5 f6", "g6")->crossed = true;
    run();
    assert_string_equal(told, "0 from a, 1 to b, 2 delete c, 2 delete d, "
                              "3 from e, 3 from f, 3 to g");
    assert_int_not_equal(plan.events[0].cookie, plan.events[1].cookie);
}

/* What else has come or gone since is not the host's rename. */
static void test_plan_tells_a_crossing_once(void **state)
{
    (void)state;
    add_dir("a1", "c3")->crossed = true;
    add_dir("d4", "b1")->crossed = true;
    run();
    assert_string_equal(told, "0 from a, 1 to b, 0 create c, 1 delete d");
}

static void test_plan_does_not_pair_across_devices_or_kinds(void **state)
{
    (void)state;
    add_dir("a1 b2", "");
    add_dir("", "c1 D2");
    sources[1].dev = 2;
    run();
    assert_string_equal(told, "0 delete a, 0 delete b, 1 create c, "
                              "1 create/ D");
    teardown(NULL);
    setup(NULL);
    add_dir("a1", "B1");
    run();
    assert_string_equal(told, "0 delete a, 0 create/ B");
}

static void test_plan_waits_for_a_half_that_may_come(void **state)
{
    (void)state;
    add_dir("a1", "")->may_wait = true;
    add_dir("", "c3");
    assert_true(run());
    assert_true(sources[0].waits);
    assert_false(sources[1].waits);
    assert_string_equal(told, "1 create c");
}

static void test_plan_does_not_wait_where_nothing_is_lacking(void **state)
{
    (void)state;
    add_dir("a1", "b1")->may_wait = true;
    add_dir("", "c3")->may_wait = true;
    deltas[1]->changes[0].untouched = true;
    add_dir("d4 e5", "d5")->may_wait = true; /* renamed over */
    assert_false(run());
    assert_string_equal(told, "0 from a, 0 to b, 1 create c, "
                              "2 from e, 2 to d");
}

/* A listing is on its way to who has joined, for who may wait. */
static void test_plan_waits_for_names_of_content(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 3; i++) {
        struct plan_source *source = add_dir("a1", "a1");

        source->may_lack_names = i != 1;
        add_content(i, 1, VN_IN_MODIFY);
        if (i != 2)
            add_content(i, 2, VN_IN_MODIFY);
    }
    assert_true(run());
    assert_true(sources[0].waits);
    assert_string_equal(told, "1 modify a, 2 modify a");
}

static void test_plan_waits_for_moves_only_if_they_are_wanted(void **state)
{
    (void)state;
    add_dir("a1", "")->may_wait = true;
    add_dir("", "b2")->may_wait = true;
    add_dir("D3", "")->may_wait = true; /* nobody watches it */
    for (int i = 0; i < 3; i++)
        sources[i].wants_moves = false;
    assert_false(run());
    assert_string_equal(told, "0 delete a, 1 create b, 2 delete/ D");
}

/* plan_watched_fn: arg is the one inode. */
static bool is_this(void *arg, uint64_t dev, uint64_t ino)
{
    return dev == 1 && ino == *(uint64_t *)arg;
}

/* Two directories lose D and E, and the guest watches D. */
static void lose_two(uint64_t *watched)
{
    add_dir("D3", "");
    add_dir("E4", "");
    for (int i = 0; i < 2; i++) {
        sources[i].may_wait_long = true;
        sources[i].wants_moves = false;
    }
    plan.is_watched = is_this;
    plan.arg = watched;
}

static void test_plan_waits_for_the_end_of_what_is_watched(void **state)
{
    uint64_t watched = 3;

    (void)state;
    lose_two(&watched);
    assert_true(run());
    assert_true(sources[0].waits_long);
    assert_false(sources[1].waits_long);
    assert_string_equal(told, "1 delete/ E");
}

static void test_plan_waits_no_longer_than_for_the_end(void **state)
{
    uint64_t watched = 3;

    (void)state;
    lose_two(&watched);
    sources[0].may_wait_long = false; /* too long */
    assert_false(run());
    assert_string_equal(told, "0 delete/ D, 1 delete/ E");
}

static void test_plan_tells_an_end_at_once_that_is_here(void **state)
{
    uint64_t watched = 3;

    (void)state;
    lose_two(&watched);
    sources[0].may_wait = sources[0].wants_moves = true; /* it is no move */
    add_object(3, true, VN_IN_DELETE_SELF)->ends = true;
    assert_false(run());
    assert_string_equal(told, "2 delete-self, 2 ignored, 0 delete/ D, "
                              "1 delete/ E");
}

/* An end that waits itself, for the end of E, has the outer one wait. */
static void test_plan_waits_for_an_end_that_waits(void **state)
{
    uint64_t watched = 4;

    (void)state;
    lose_two(&watched);
    sources[1].ino = 3;
    sources[1].self = VN_IN_DELETE_SELF;
    sources[1].ends = true;
    assert_true(run());
    assert_true(sources[0].waits_long);
    assert_true(sources[1].waits_long);
    assert_string_equal(told, "");
}

/* The inner one's patience counts: it is told next, whatever was noted. */
static void test_plan_waits_for_an_end_however_long_that_waits(void **state)
{
    uint64_t watched = 3;

    (void)state;
    lose_two(&watched);
    sources[0].may_wait_long = false;
    add_dir("a7", ""); /* perhaps to elsewhere */
    sources[2].may_wait = true;
    sources[2].ino = 3;
    sources[2].self = VN_IN_DELETE_SELF;
    sources[2].ends = true;
    assert_true(run());
    assert_string_equal(told, "1 delete/ E");
}

/* Half a rename is told in no other round than the other half. */
static void test_plan_has_pairs_wait_for_an_end_together(void **state)
{
    uint64_t watched = 3;

    (void)state;
    lose_two(&watched);
    add_dir("", "a1");
    add_dir("D3 a1", "");
    sources[3].may_wait_long = true;
    assert_true(run());
    assert_true(sources[2].waits_long);
    assert_string_equal(told, "1 delete/ E");
}

/* What has lived on has no end. */
static void test_plan_awaits_no_end_of_what_lives_on(void **state)
{
    uint64_t watched = 3;

    (void)state;
    singles = true;
    lose_two(&watched);
    deltas[0]->changes[0].lives = true;
    assert_false(run());
    assert_string_equal(told, "0 from/ D, 1 delete/ E");
}

static void test_plan_waits_with_all_that_share_a_pair(void **state)
{
    (void)state;
    add_dir("a1", "");
    add_dir("b2", "a1");
    add_dir("c3", "b2")->may_wait = true; /* c is lacking */
    assert_true(run());
    assert_string_equal(told, "");
    for (int i = 0; i < 3; i++)
        assert_true(sources[i].waits);
}

static void test_plan_waits_for_the_move_of_move_self(void **state)
{
    (void)state;
    add_object(7, false, VN_IN_MOVE_SELF)->may_wait_long = true;
    assert_true(run());
    assert_string_equal(told, "");
}

/* Its own wait is over, but not that of the directory with its old name. */
static void test_plan_waits_with_the_name_of_move_self(void **state)
{
    (void)state;
    add_object(1, false, VN_IN_MOVE_SELF);
    add_dir("a1", "")->may_wait = true;
    assert_true(run());
    assert_string_equal(told, "");
}

/* Two in a chain: D was moved too, and the name that it had is not here. */
static void test_plan_waits_with_the_name_of_a_move_that_waits(void **state)
{
    (void)state;
    add_object(1, false, VN_IN_MOVE_SELF);
    add_dir("a1", "")->may_wait_long = true;
    sources[1].self = VN_IN_MOVE_SELF;
    assert_true(run());
    assert_string_equal(told, "");
}

static void test_plan_tells_a_move_out_before_move_self(void **state)
{
    (void)state;
    singles = true;
    add_object(1, false, VN_IN_MOVE_SELF);
    add_dir("a1", "");
    deltas[1]->changes[0].lives = true;
    assert_false(run());
    assert_string_equal(told, "1 from a, 0 move-self");
}

static void test_plan_never_gives_the_cookie_0(void **state)
{
    (void)state;
    atomic_store(&last_cookie, UINT32_MAX);
    add_dir("a1", "b1");
    run();
    assert_int_equal(plan.events[0].cookie, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_plan_of_no_change_is_empty),
        CASE(test_plan_deletes_and_creates),
        CASE(test_plan_frees_a_name_before_it_is_taken),
        CASE(test_plan_renames_within_a_directory),
        CASE(test_plan_renames_across_directories),
        CASE(test_plan_renames_over_a_name_without_deleting_it),
        CASE(test_plan_renames_over_a_name_across_directories),
        CASE(test_plan_tells_a_chain_from_its_end),
        CASE(test_plan_tells_a_chain_whose_end_is_replaced),
        CASE(test_plan_reuses_the_first_name_of_a_chain),
        CASE(test_plan_breaks_a_swap_into_delete_and_create),
        CASE(test_plan_breaks_a_swap_of_old_files_likewise),
        CASE(test_plan_breaks_a_swap_across_directories),
        CASE(test_plan_breaks_a_longer_cycle_once),
        CASE(test_plan_prefers_renames_within_one_directory),
        CASE(test_plan_does_not_take_a_link_for_a_move),
        CASE(test_plan_does_not_pair_a_number_used_again),
        CASE(test_plan_pairs_what_was_born_before_the_listing),
        CASE(test_plan_does_not_pair_what_was_not_learned),
        CASE(test_plan_pairs_the_lately_born_only_if_touched),
        CASE(test_plan_tells_what_was_moved_in_from_elsewhere),
        CASE(test_plan_tells_the_one_change_that_crossed_as_a_move),
        CASE(test_plan_tells_a_crossing_once),
        CASE(test_plan_does_not_pair_across_devices_or_kinds),
        CASE(test_plan_waits_for_a_half_that_may_come),
        CASE(test_plan_does_not_wait_where_nothing_is_lacking),
        CASE(test_plan_waits_for_names_of_content),
        CASE(test_plan_waits_for_moves_only_if_they_are_wanted),
        CASE(test_plan_waits_for_the_end_of_what_is_watched),
        CASE(test_plan_waits_no_longer_than_for_the_end),
        CASE(test_plan_tells_an_end_at_once_that_is_here),
        CASE(test_plan_waits_for_an_end_that_waits),
        CASE(test_plan_waits_for_an_end_however_long_that_waits),
        CASE(test_plan_has_pairs_wait_for_an_end_together),
        CASE(test_plan_awaits_no_end_of_what_lives_on),
        CASE(test_plan_waits_with_all_that_share_a_pair),
        CASE(test_plan_waits_for_the_move_of_move_self),
        CASE(test_plan_waits_with_the_name_of_move_self),
        CASE(test_plan_waits_with_the_name_of_a_move_that_waits),
        CASE(test_plan_tells_a_move_out_before_move_self),
        CASE(test_plan_never_gives_the_cookie_0),
    };
    return cmocka_run_group_tests(tests, arenas_setup, arenas_teardown);
}
