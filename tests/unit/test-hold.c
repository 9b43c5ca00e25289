/*
 * hold.h: with `ordered`, what may be told waits for what may not, as long as
 * that may come; and what vnotify_sync waits for, for what it waits for too.
 * `late` is noted after `early`, and here before it.
 */
#include "pipeline/hold.h"

#include "pipeline/engine.h"
#include "pipeline/plan.h"
#include "pipeline/round.h"
#include "unit.h"

#include <string.h>

enum { EARLY, LATE, SOURCES };

static const uint64_t ms = 1000 * 1000;

static struct vnotify engine;
static struct vnotify_instance instance;
static struct vnode vnode;
static struct untold untolds[SOURCES];
static struct watch watches[SOURCES];
static struct plan_source sources[SOURCES];
static struct dispatch dispatch = { .engine = &engine, .instance = &instance };

/* Both held for 2 ms, each with its ticket; something else is under way. */
static int setup(void **state)
{
    (void)state;
    memset(&engine, 0, sizeof(engine));
    engine.ordered = true;
    engine.hold_long_ns = 100 * ms;
    atomic_store(&engine.barrier.in_flight[0], 1);
    atomic_store(&instance.watches, SOURCES);
    vnode.is_dir = true;
    for (int i = 0; i < SOURCES; i++) {
        sources[i] = (struct plan_source){ 0 };
        untolds[i] = (struct untold){ 0 };
        watches[i].vnode = &vnode;
        watches[i].untold = &untolds[i];
        untolds[i].hold_since_ns = untolds[i].ticket_ns = now_ns() - 2 * ms;
        atomic_store(&watches[i].mask, VN_IN_CREATE);
    }
    untolds[LATE].hold_ticket = 1;
    untolds[EARLY].hold_ticket = 2;
    return kq_create(&engine.kq, KQ_NOTES_MACOS);
}

static int teardown(void **state)
{
    (void)state;
    kq_destroy(engine.kq);
    return 0;
}

static void has_waited(int which, uint64_t for_ns)
{
    untolds[which].hold_since_ns = now_ns() - for_ns;
}

/* `early` lacks something, `late` does not. */
static void settle(void)
{
    for (int i = 0; i < SOURCES; i++)
        hold_look(&dispatch, &watches[i], &sources[i]);
    sources[EARLY].waits = sources[EARLY].may_wait;
    sources[LATE].waits = false;
    hold_settle(&dispatch, sources, SOURCES, sources[EARLY].waits);
}

static void test_hold_keeps_the_order(void **state)
{
    (void)state;
    settle();
    assert_true(sources[EARLY].waits && sources[LATE].waits);
    atomic_store(&engine.barrier.completed, 1);
    settle();
    assert_true(sources[EARLY].waits && sources[LATE].waits);
    atomic_store(&engine.barrier.completed, 2);
    settle();
    assert_true(!sources[EARLY].waits && !sources[LATE].waits);
}

static void test_hold_without_order_is_for_who_lacks(void **state)
{
    (void)state;
    engine.ordered = false;
    settle();
    assert_true(sources[EARLY].waits && !sources[LATE].waits);
}

static void test_hold_keeps_the_order_for_sync(void **state)
{
    (void)state;
    atomic_store(&engine.barrier.completed, 1);
    atomic_store(&engine.held_by_ns, now_ns());
    settle();
    assert_true(sources[EARLY].waits && sources[LATE].waits);
    atomic_store(&engine.barrier.completed, 2);
    settle();
    assert_true(!sources[EARLY].waits && !sources[LATE].waits);
}

/* What came after it began is told after it, or it would wait for ever. */
static void test_hold_of_what_came_after_sync_is_not_for_it(void **state)
{
    (void)state;
    atomic_store(&engine.barrier.completed, 1);
    atomic_store(&engine.held_by_ns, untolds[LATE].hold_since_ns);
    untolds[EARLY].hold_since_ns = untolds[LATE].hold_since_ns + 1;
    settle();
    assert_true(sources[EARLY].waits && !sources[LATE].waits);
}

/* 5 ms are for what lacks something; a machine with too few CPUs needs more. */
static void test_hold_keeps_the_order_for_longer_than_it_lacks(void **state)
{
    (void)state;
    atomic_store(&engine.barrier.completed, 1);
    has_waited(LATE, 2 * HOLD_NS_MAX);
    settle();
    assert_true(sources[EARLY].waits && sources[LATE].waits);
    has_waited(LATE, 2 * (uint64_t)HOLD_IDLE_NS_MAX);
    settle();
    assert_true(sources[EARLY].waits && !sources[LATE].waits);
}

static void test_hold_is_short_while_a_slow_one_is_listed(void **state)
{
    (void)state;
    has_waited(LATE, 2 * HOLD_NS_MAX);
    settle();
    assert_true(sources[LATE].waits);
    atomic_store(&engine.slow_busy, 1);
    settle();
    assert_true(!sources[LATE].waits);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_hold_keeps_the_order),
        CASE(test_hold_without_order_is_for_who_lacks),
        CASE(test_hold_keeps_the_order_for_sync),
        CASE(test_hold_of_what_came_after_sync_is_not_for_it),
        CASE(test_hold_keeps_the_order_for_longer_than_it_lacks),
        CASE(test_hold_is_short_while_a_slow_one_is_listed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
