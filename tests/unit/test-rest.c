/*
 * rest.h: alone as long as it took, in a storm longer, small ones never for the
 * sake of bulk ones.  Costs are given, and so much larger than what the test
 * itself takes that only they count.
 */
#include "pipeline/rest.h"

#include "pipeline/engine.h"
#include "unit.h"

#include <string.h>

static struct vnotify engine;
static struct vnode vnode;

static const uint64_t small_ns = BULK_NS / 2, bulk_ns = 30 * BULK_NS;

static int setup(void **state)
{
    (void)state;
    memset(&engine, 0, sizeof(engine));
    memset(&vnode, 0, sizeof(vnode));
    return 0;
}

/* How long it rests after its last two listings cost so much. */
static uint64_t rest_after(uint64_t last_ns, uint64_t before_ns,
                           uint64_t took_ns)
{
    uint64_t now = now_ns();

    vnode.cost_ns = last_ns;
    vnode.least_cost_ns = last_ns < before_ns ? last_ns : before_ns;
    rest_begin(&engine, &vnode, now - took_ns);
    return rest_until(&engine, &vnode) - now;
}

static void test_rest_is_what_it_took(void **state)
{
    (void)state;
    assert_true(rest_after(small_ns, small_ns, small_ns) >= small_ns);
    assert_int_equal(vnode.storm_rest_us, 0);
}

static void test_rest_is_not_for_the_preempted(void **state)
{
    uint64_t now;

    (void)state;
    vnode.cost_ns = bulk_ns;
    vnode.least_cost_ns = 1000;
    rest_begin(&engine, &vnode, now_ns() - bulk_ns);
    now = now_ns();
    assert_true(rest_until(&engine, &vnode) <= now + 2 * 1000);
    assert_int_equal(vnode.storm_rest_us, 0);
}

static void test_rest_grows_in_a_storm_to_a_limit(void **state)
{
    uint64_t last = 0;

    (void)state;
    for (int i = 0; i < 2000; i++) {
        (void)rest_after(small_ns, small_ns, small_ns);
        assert_true(vnode.storm_rest_us * UINT64_C(1000) <=
                    STORM_REST_NS_MAX);
        last = vnode.storm_rest_us * UINT64_C(1000);
    }
    assert_int_equal(last, STORM_REST_NS_MAX);
}

static void test_rest_in_a_storm_is_not_for_who_waits(void **state)
{
    (void)state;
    for (int i = 0; i < 2000; i++)
        (void)rest_after(small_ns, small_ns, small_ns);
    assert_true(rest_until(&engine, &vnode) - vnode.rest_until_ns ==
                STORM_REST_NS_MAX);
    atomic_store(&engine.syncs, 1);
    assert_true(rest_until(&engine, &vnode) == vnode.rest_until_ns);
}

static void test_rest_of_small_ones_is_not_for_bulk_ones(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++)
        (void)rest_after(bulk_ns, bulk_ns, bulk_ns);
    assert_int_equal(vnode.storm_rest_us * UINT64_C(1000), STORM_REST_NS_MAX);
    (void)rest_after(small_ns, small_ns, small_ns);
    assert_int_equal(vnode.storm_rest_us, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_rest_is_what_it_took, setup),
        cmocka_unit_test_setup(test_rest_is_not_for_the_preempted, setup),
        cmocka_unit_test_setup(test_rest_grows_in_a_storm_to_a_limit, setup),
        cmocka_unit_test_setup(test_rest_in_a_storm_is_not_for_who_waits,
                               setup),
        cmocka_unit_test_setup(test_rest_of_small_ones_is_not_for_bulk_ones,
                               setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
