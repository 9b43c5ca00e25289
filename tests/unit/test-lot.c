/*
 * lot.h: one of several sleepers is woken, and no wake-up is lost.
 */
#include "pipeline/lot.h"

#include "unit.h"

#include <pthread.h>
#include <string.h>

static struct lot lot;

static int setup(void **state)
{
    (void)state;
    memset(&lot, 0, sizeof(lot));
    return 0;
}

static void test_lot_wakes_nobody_who_is_not_asleep(void **state)
{
    (void)state;
    assert_false(lot_wake(&lot, LOT_ANYBODY));
    lot_prepare(&lot, 3, LOT_FOREVER);
    lot_cancel(&lot, 3);
    assert_false(lot_wake(&lot, LOT_ANYBODY));
}

static void test_lot_wakes_the_lowest_of_those_meant(void **state)
{
    (void)state;
    lot_prepare(&lot, 0, LOT_FOREVER);
    lot_prepare(&lot, 5, LOT_FOREVER);
    lot_prepare(&lot, 63, LOT_FOREVER);
    assert_false(lot_wake(&lot, 1 << 4));
    assert_true(lot_wake(&lot, LOT_ANYBODY - 1));
    assert_int_equal(lot.sleepers[5].token, 1);
    assert_int_equal(lot.sleepers[0].token, 0);
    assert_true(lot_wake(&lot, LOT_ANYBODY));
    assert_int_equal(lot.sleepers[0].token, 1);
    assert_true(lot_wake(&lot, LOT_ANYBODY));
    assert_int_equal(lot.sleepers[63].token, 1);
    assert_false(lot_wake(&lot, LOT_ANYBODY));
}

static void test_lot_does_not_sleep_through_a_wake_before_it(void **state)
{
    (void)state;
    lot_prepare(&lot, 1, LOT_FOREVER);
    assert_true(lot_wake(&lot, LOT_ANYBODY));
    lot_sleep(&lot, 1, NULL); /* else for ever */
    assert_int_equal(lot.sleepers[1].token, 0);
    assert_int_equal(lot.asleep, 0);
}

static void test_lot_sleeper_may_leave_at_a_deadline(void **state)
{
    struct timespec now;

    (void)state;
    clock_gettime(CLOCK_MONOTONIC, &now);
    lot_prepare(&lot, 2, LOT_FOREVER);
    lot_sleep(&lot, 2, &now);
    assert_int_equal(lot.asleep, 0);
    assert_false(lot_wake(&lot, LOT_ANYBODY));
}

static void test_lot_wakes_for_a_time_only_who_would_sleep_longer(void **state)
{
    (void)state;
    lot_prepare(&lot, 0, 100);
    lot_wake_by(&lot, 0, 100);
    assert_int_equal(lot.sleepers[0].token, 0);
    lot_wake_by(&lot, 0, 99);
    assert_int_equal(lot.sleepers[0].token, 1);
    assert_int_equal(lot.asleep, 0);
}

/* Who was woken for one thing and goes after another passes the wake on. */
static void test_lot_passes_on_a_wake_that_it_does_not_follow(void **state)
{
    (void)state;
    lot_prepare(&lot, 1, LOT_FOREVER);
    lot_prepare(&lot, 2, LOT_FOREVER);
    assert_true(lot_wake(&lot, LOT_ANYBODY)); /* chooses 1 */
    lot_cancel(&lot, 1);                      /* which found other work */
    assert_int_equal(lot.sleepers[2].token, 1);
    assert_int_equal(lot.asleep, 0);
}

/*
 * Work is published, then somebody is woken; workers look, then sleep.  A lost
 * wake-up leaves work undone and all asleep: the producer waits for ever, and
 * the test for its time-out.
 */
enum { WORKERS = 3, ROUNDS = 20000 };

static _Atomic unsigned work, done;
static _Atomic bool stop;

static bool take_work(void)
{
    unsigned n = atomic_load(&work);

    while (n > 0)
        if (atomic_compare_exchange_weak(&work, &n, n - 1))
            return true;
    return false;
}

static void *worker(void *arg)
{
    unsigned me = (unsigned)(uintptr_t)arg;

    for (;;) {
        if (take_work()) {
            atomic_fetch_add(&done, 1);
            continue;
        }
        if (atomic_load(&stop))
            return NULL;
        lot_prepare(&lot, me, LOT_FOREVER);
        if (atomic_load(&work) != 0 || atomic_load(&stop))
            lot_cancel(&lot, me);
        else
            lot_sleep(&lot, me, NULL);
    }
}

static void test_lot_loses_no_wake_up(void **state)
{
    pthread_t threads[WORKERS];

    (void)state;
    for (uintptr_t i = 0; i < WORKERS; i++)
        pthread_create(&threads[i], NULL, worker, (void *)i);
    for (unsigned n = 1; n <= ROUNDS; n++) {
        atomic_fetch_add(&work, 1);
        lot_wake(&lot, LOT_ANYBODY);
        while (n % 3 != 0 && atomic_load(&done) < n)
            continue;
    }
    while (atomic_load(&done) < ROUNDS)
        continue;
    atomic_store(&stop, true);
    for (int i = 0; i < WORKERS; i++)
        lot_wake(&lot, UINT64_C(1) << i);
    for (int i = 0; i < WORKERS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(done, ROUNDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_lot_wakes_nobody_who_is_not_asleep, setup),
        cmocka_unit_test_setup(test_lot_wakes_the_lowest_of_those_meant, setup),
        cmocka_unit_test_setup(test_lot_does_not_sleep_through_a_wake_before_it,
                               setup),
        cmocka_unit_test_setup(test_lot_sleeper_may_leave_at_a_deadline, setup),
        cmocka_unit_test_setup(
            test_lot_wakes_for_a_time_only_who_would_sleep_longer, setup),
        cmocka_unit_test_setup(
            test_lot_passes_on_a_wake_that_it_does_not_follow, setup),
        cmocka_unit_test_setup(test_lot_loses_no_wake_up, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
