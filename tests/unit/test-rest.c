/*
 * rest.h: alone as long as it took, in a storm longer, small ones never for the
 * sake of bulk ones.  Costs are given, and so much larger than what the test
 * itself takes that only they count.
 */
#include "pipeline/rest.h"

#include "pipeline/engine.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

static struct vnotify engine;
static struct vnode *vnode; /* the first of a chunk */

static const uint64_t small_ns = BULK_NS / 2, bulk_ns = 30 * BULK_NS;
static const uint64_t forever_ns = UINT64_C(3600) * 1000 * 1000 * 1000;

static int setup(void **state)
{
    (void)state;
    memset(&engine, 0, sizeof(engine));
    vnode = calloc(1, VNODE_CHUNK_BYTES);
    return vnode == NULL;
}

static int teardown(void **state)
{
    (void)state;
    free(vnode);
    return 0;
}

/* How long it rests after its last two listings cost so much, and another
   directory's was the last before. */
static uint64_t rest_after(uint64_t last_ns, uint64_t before_ns,
                           uint64_t took_ns)
{
    uint64_t now = now_ns();

    vnode->cost_ns = last_ns;
    vnode->least_cost_ns = last_ns < before_ns ? last_ns : before_ns;
    atomic_store(&engine.last_small, vnode->slot + 1);
    atomic_store(&engine.last_bulk, vnode->slot + 1);
    rest_begin(&engine, vnode, now - took_ns);
    return rest_until(&engine, vnode) - now;
}

static void test_rest_is_what_it_took(void **state)
{
    (void)state;
    assert_true(rest_after(small_ns, small_ns, small_ns) >= small_ns);
    assert_int_equal(more(vnode)->storm_rest_us, 0);
}

static void test_rest_is_not_for_the_preempted(void **state)
{
    uint64_t now;

    (void)state;
    vnode->cost_ns = bulk_ns;
    vnode->least_cost_ns = 1000;
    rest_begin(&engine, vnode, now_ns() - bulk_ns);
    now = now_ns();
    assert_true(rest_until(&engine, vnode) <= now + 2 * 1000);
    assert_int_equal(more(vnode)->storm_rest_us, 0);
}

static void test_rest_grows_in_a_storm_to_a_limit(void **state)
{
    uint64_t last = 0;

    (void)state;
    for (int i = 0; i < 2000; i++) {
        (void)rest_after(small_ns, small_ns, small_ns);
        assert_true(more(vnode)->storm_rest_us * UINT64_C(1000) <=
                    STORM_REST_NS_MAX);
        last = more(vnode)->storm_rest_us * UINT64_C(1000);
    }
    assert_int_equal(last, STORM_REST_NS_MAX);
}

static void test_rest_in_a_storm_is_not_for_who_waits(void **state)
{
    (void)state;
    for (int i = 0; i < 2000; i++)
        (void)rest_after(small_ns, small_ns, small_ns);
    atomic_store(&engine.last_note_ns, now_ns() + forever_ns);
    assert_true(rest_until(&engine, vnode) - more(vnode)->rest_until_ns ==
                STORM_REST_NS_MAX);
    atomic_store(&engine.syncs, 1);
    assert_true(rest_until(&engine, vnode) == more(vnode)->rest_until_ns);
}

static void test_rest_of_one_alone_is_its_own(void **state)
{
    (void)state;
    (void)rest_after(small_ns, small_ns, small_ns);
    for (int i = 0; i < 2000; i++)
        rest_begin(&engine, vnode, now_ns() - small_ns);
    assert_int_equal(more(vnode)->storm_rest_us, 0);
}

static void test_rest_of_a_bulk_one_alone_is_its_own_if_it_changes_slowly(
    void **state)
{
    (void)state;
    vnode->cost_ns = vnode->least_cost_ns = bulk_ns;
    atomic_store(&engine.last_bulk, vnode->slot);
    for (int i = 0; i < 100; i++)
        rest_begin(&engine, vnode, now_ns() - bulk_ns);
    assert_int_equal(more(vnode)->storm_rest_us, 0);
    for (int i = 0; i < 100; i++) {
        vnode_noted(vnode, now_ns());
        rest_begin(&engine, vnode, now_ns() - bulk_ns);
    }
    assert_int_equal(more(vnode)->storm_rest_us * UINT64_C(1000),
                     STORM_REST_NS_MAX);
}

static void test_rest_for_a_storm_ends_with_it(void **state)
{
    (void)state;
    for (int i = 0; i < 2000; i++)
        (void)rest_after(small_ns, small_ns, small_ns);
    atomic_store(&engine.last_note_ns, now_ns() + forever_ns);
    assert_true(rest_until(&engine, vnode) > more(vnode)->rest_until_ns);
    atomic_store(&engine.last_note_ns, now_ns() - CALM_NS);
    assert_true(rest_until(&engine, vnode) == more(vnode)->rest_until_ns);
}

static void test_rest_owes_no_more_than_the_longest(void **state)
{
    uint64_t most = now_ns() + STORM_SLACK_NS + STORM_REST_NS_MAX;

    (void)state;
    for (int i = 0; i < 2000; i++)
        (void)rest_after(small_ns, small_ns, small_ns);
    assert_true(atomic_load(&engine.paced_ns) >= most);
    assert_true(atomic_load(&engine.paced_ns) <=
                now_ns() + STORM_SLACK_NS + STORM_REST_NS_MAX);
}

static void test_rest_of_small_ones_is_not_for_bulk_ones(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++)
        (void)rest_after(bulk_ns, bulk_ns, bulk_ns);
    assert_int_equal(more(vnode)->storm_rest_us * UINT64_C(1000),
                     STORM_REST_NS_MAX);
    (void)rest_after(small_ns, small_ns, small_ns);
    assert_int_equal(more(vnode)->storm_rest_us, 0);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_rest_is_what_it_took),
        CASE(test_rest_is_not_for_the_preempted),
        CASE(test_rest_grows_in_a_storm_to_a_limit),
        CASE(test_rest_in_a_storm_is_not_for_who_waits),
        CASE(test_rest_of_one_alone_is_its_own),
        CASE(test_rest_of_a_bulk_one_alone_is_its_own_if_it_changes_slowly),
        CASE(test_rest_for_a_storm_ends_with_it),
        CASE(test_rest_owes_no_more_than_the_longest),
        CASE(test_rest_of_small_ones_is_not_for_bulk_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
