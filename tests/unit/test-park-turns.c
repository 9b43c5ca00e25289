/*
 * park-turns.h: turns follow each other, at a share of one CPU.
 */
#include "pipeline/park-turns.h"

#include "unit.h"

enum { NOW = 1000 * 1000 * 1000, ROWS = 10, COST = 30 * 1000 };

static void learn(struct park_turns *turns, uint64_t each_ns)
{
    for (int i = 0; i < 100; i++)
        park_turns_parked(turns, ROWS, ROWS * each_ns);
}

static void test_turns_follow_each_other_at_their_share(void **state)
{
    struct park_turns turns = { 0 };
    uint64_t first, second;

    (void)state;
    learn(&turns, COST);
    first = park_turns_book(&turns, ROWS, NOW);
    second = park_turns_book(&turns, 2 * ROWS, NOW);
    assert_int_equal(first, NOW);
    assert_in_range(second - first, PARK_TURNS_SHARE * ROWS * (COST - 10),
                    PARK_TURNS_SHARE * ROWS * COST);
    assert_int_equal(park_turns_book(&turns, ROWS, NOW) - second,
                     2 * (second - first));
}

static void test_turns_are_not_saved_up(void **state)
{
    struct park_turns turns = { 0 };

    (void)state;
    park_turns_book(&turns, ROWS, NOW);
    assert_int_equal(park_turns_book(&turns, ROWS, 2ULL * NOW), 2ULL * NOW);
}

static void test_turns_are_not_put_off_by_one_slow_lot(void **state)
{
    struct park_turns turns = { 0 };
    uint64_t first, second;

    (void)state;
    learn(&turns, COST);
    park_turns_parked(&turns, 1, 100 * 1000 * 1000);
    first = park_turns_book(&turns, ROWS, NOW);
    second = park_turns_book(&turns, ROWS, NOW);
    assert_in_range(second - first, PARK_TURNS_SHARE * ROWS * COST,
                    PARK_TURNS_SHARE * ROWS * 2 * COST);
}

static void test_a_lot_is_followed_by_a_pause(void **state)
{
    struct park_turns turns = { 0 };

    (void)state;
    assert_int_equal(park_turns_parked(&turns, 64, 1000),
                     1000 * (PARK_TURNS_SHARE - 1));
}

static void test_turns_wait_for_the_last_add_watch(void **state)
{
    struct park_turns turns = { 0 };

    (void)state;
    park_turns_joined(&turns, NOW);
    assert_false(park_turns_quiet(&turns, NOW));
    assert_false(park_turns_quiet(&turns, NOW + PARK_TURNS_QUIET_NS));
    assert_true(park_turns_quiet(&turns, NOW + PARK_TURNS_QUIET_NS + 1));
}

/* So that who adds one now and then does not put them off for ever. */
static void test_turns_wait_the_longer_the_more_were_added(void **state)
{
    const uint64_t half = PARK_TURNS_QUIET_NS / 2;
    const uint64_t most = PARK_TURNS_QUIET_NS_MAX;
    struct park_turns turns = { 0 };
    uint64_t now = NOW;

    (void)state;
    park_turns_joined(&turns, now);
    for (int i = 0; i < 6; i++)
        park_turns_joined(&turns, now += half);
    assert_false(park_turns_quiet(&turns, now + 6 * half));
    assert_true(park_turns_quiet(&turns, now + 6 * half + 1));
    for (int i = 0; i < 100; i++)
        park_turns_joined(&turns, now += half);
    assert_false(park_turns_quiet(&turns, now + most));
    assert_true(park_turns_quiet(&turns, now + most + 1));
    for (int i = 0; i < 3; i++) /* and then one now and then */
        park_turns_joined(&turns, now += most * 9 / 10);
    assert_true(park_turns_quiet(&turns, now + most * 9 / 10));
    park_turns_joined(&turns, now += most + 1); /* a lone one */
    assert_true(park_turns_quiet(&turns, now + PARK_TURNS_QUIET_NS + 1));
}

static void test_many_add_watches_make_it_busy(void **state)
{
    const uint64_t half = PARK_TURNS_BUSY_NS / 2;
    struct park_turns turns = { 0 };
    uint64_t now = NOW;

    (void)state;
    park_turns_joined(&turns, now);
    for (int i = 0; i < 20; i++)
        assert_false(park_turns_busy(&turns, now + (uint64_t)i * half));
    for (int i = 0; i < 3; i++)
        park_turns_joined(&turns, now += half);
    assert_true(park_turns_busy(&turns, now));
    now += PARK_TURNS_QUIET_NS_MAX;
    assert_false(park_turns_busy(&turns, now));
    park_turns_joined(&turns, now); /* another first one */
    assert_false(park_turns_busy(&turns, now));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_turns_follow_each_other_at_their_share),
        cmocka_unit_test(test_turns_are_not_saved_up),
        cmocka_unit_test(test_turns_are_not_put_off_by_one_slow_lot),
        cmocka_unit_test(test_a_lot_is_followed_by_a_pause),
        cmocka_unit_test(test_turns_wait_for_the_last_add_watch),
        cmocka_unit_test(test_turns_wait_the_longer_the_more_were_added),
        cmocka_unit_test(test_many_add_watches_make_it_busy),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
