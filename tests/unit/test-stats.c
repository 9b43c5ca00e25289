/*
 * stats.h: quantiles within 13 %, sums over all threads' tallies.
 */
#include "pipeline/engine.h"

#include "unit.h"

#include <string.h>

static struct vnotify *running;

static int setup(void **state)
{
    (void)state;
    return vnotify_create(&running, NULL);
}

static int teardown(void **state)
{
    (void)state;
    vnotify_destroy(running);
    return 0;
}

static struct vnotify_stage row(enum tally_stage stage)
{
    struct vnotify_stats stats;

    vnotify_stats(running, &stats);
    assert_null(stats.stages[STAGE_COUNT].name);
    assert_non_null(stats.stages[stage].name);
    return stats.stages[stage];
}

static void assert_near(uint64_t value, uint64_t wanted)
{
    assert_in_range(value, wanted - wanted * 13 / 100,
                    wanted + wanted * 13 / 100);
}

static void test_stats_of_an_idle_engine_are_0(void **state)
{
    struct vnotify_stats stats;

    (void)state;
    vnotify_stats(running, &stats);
    assert_int_equal(stats.notes + stats.listings + stats.events, 0);
    assert_int_equal(stats.vnodes + stats.watches + stats.instances, 0);
    assert_int_equal(row(STAGE_DIFF).count, 0);
    assert_int_equal(row(STAGE_DIFF).p50_ns, 0);
    assert_int_equal(row(STAGE_DIFF).p99_ns, 0);
    assert_int_equal(row(STAGE_DIFF).max_ns, 0);
}

static void test_stats_quantiles_of_1_to_1000_microseconds(void **state)
{
    struct vnotify_stage stage;

    (void)state;
    for (uint64_t i = 1; i <= 1000; i++) /* spread over the tallies */
        tally_stage(&running->tallies[i % 3], STAGE_DIFF, i * 1000);
    stage = row(STAGE_DIFF);
    assert_int_equal(stage.count, 1000);
    assert_near(stage.p50_ns, 500000);
    assert_near(stage.p99_ns, 990000);
    assert_int_equal(stage.max_ns, 1000000);
}

static void test_stats_one_value_is_every_quantile(void **state)
{
    /* Each alone: an engine of its own would be slow, so the values fall
       into stages of their own. */
    static const uint64_t values[STAGE_COUNT] = { 16, 1, 1023, 1025,
                                                  UINT64_C(1) << 40 };

    (void)state;
    for (int i = 0; i < STAGE_COUNT; i++) {
        struct vnotify_stage stage;

        tally_stage(&running->tallies[0], (enum tally_stage)i,
                    values[i]);
        stage = row((enum tally_stage)i);
        assert_int_equal(stage.count, 1);
        assert_int_equal(stage.max_ns, values[i]);
        assert_near(stage.p50_ns, values[i]);
        assert_near(stage.p99_ns, values[i]);
        assert_true(stage.p50_ns <= stage.p99_ns);
        assert_true(stage.p99_ns <= stage.max_ns);
    }
}

static void test_stats_take_any_duration(void **state)
{
    (void)state;
    tally_stage(&running->tallies[0], STAGE_DIFF, 0);
    tally_stage(&running->tallies[0], STAGE_DIFF, UINT64_MAX);
    assert_int_equal(row(STAGE_DIFF).count, 2);
    assert_int_equal(row(STAGE_DIFF).max_ns, UINT64_MAX);
    for (unsigned shift = 0; shift < 64; shift++)
        tally_stage(&running->tallies[0], STAGE_WAIT,
                    UINT64_C(1) << shift);
    assert_int_equal(row(STAGE_WAIT).count, 64);
    assert_near(row(STAGE_WAIT).p50_ns, UINT64_C(1) << 32);
}

static void test_stats_counters_add_up_and_highs_do_not(void **state)
{
    struct vnotify_stats stats;

    (void)state;
    for (unsigned i = 0; i < engine_servers(running); i++) {
        tally_add(&running->tallies[i], TALLY_EVENTS, 10);
        tally_high(&running->tallies[i], TALLY_QUEUE_HIGH, 5 + i);
        tally_high(&running->tallies[i], TALLY_QUEUE_HIGH, 2);
    }
    vnotify_stats(running, &stats);
    assert_int_equal(stats.events, 10 * (engine_servers(running)));
    assert_int_equal(stats.queue_high, 4 + engine_servers(running));
}

static void test_stats_print_names_every_row(void **state)
{
    static const char *const wanted[] = { "queue: events ", "listing ",
                                          "now: vnodes" };
    struct vnotify_stats stats;
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    (void)state;
    vnotify_stats(running, &stats);
    vnotify_stats_print(&stats, out);
    fclose(out);
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
        assert_non_null(strstr(text, wanted[i]));
    free(text);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_stats_of_an_idle_engine_are_0),
        CASE(test_stats_quantiles_of_1_to_1000_microseconds),
        CASE(test_stats_one_value_is_every_quantile),
        CASE(test_stats_take_any_duration),
        CASE(test_stats_counters_add_up_and_highs_do_not),
        CASE(test_stats_print_names_every_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
