/*
 * barrier.h: a cycle ends when all that was counted before it is done.
 */
#include "pipeline/barrier.h"

#include "unit.h"

#include <limits.h>
#include <pthread.h>

#include "port/park.h"

static struct barrier barrier;
static unsigned kicks, completions;
static unsigned adds_on_completion, phase_of_completion;

static void on_complete(void *arg, unsigned phase)
{
    (void)arg;
    completions++;
    phase_of_completion = phase;
    for (unsigned i = 0; i < adds_on_completion; i++)
        barrier_add(&barrier, phase);
}

static void on_kick(void *arg)
{
    (void)arg;
    kicks++;
}

static int setup(void **state)
{
    (void)state;
    kicks = completions = adds_on_completion = 0;
    barrier_init(&barrier, on_complete, on_kick, NULL);
    return 0;
}

/* A turn of the reader that notes nothing: the ticket it drained for. */
static uint64_t turn(void)
{
    unsigned phase = barrier_join(&barrier);
    uint64_t ticket = barrier_wanted(&barrier);

    if (ticket != 0)
        barrier_flip(&barrier, ticket);
    barrier_done(&barrier, phase);
    return ticket;
}

static void test_barrier_cycle_of_nothing_ends_with_the_turn(void **state)
{
    uint64_t ticket;

    (void)state;
    assert_int_equal(turn(), 0);
    ticket = barrier_request(&barrier);
    assert_int_equal(kicks, 1);
    assert_false(barrier_reached(&barrier, ticket));
    assert_int_equal(turn(), ticket);
    assert_int_equal(completions, 1);
    assert_true(barrier_reached(&barrier, ticket));
    assert_false(barrier_reached(&barrier, ticket + 1));
    assert_int_equal(turn(), 0);
    assert_int_equal(completions, 1);
    barrier_await(&barrier, ticket); /* else it would sleep for ever */
}

static void test_barrier_waits_for_what_was_counted_before(void **state)
{
    unsigned a, b, later;
    uint64_t ticket;

    (void)state;
    a = barrier_join(&barrier);
    b = barrier_join(&barrier);
    ticket = barrier_request(&barrier);
    turn();
    later = barrier_join(&barrier);
    assert_int_equal(a, b);
    assert_int_not_equal(a, later);
    barrier_done(&barrier, a);
    assert_false(barrier_reached(&barrier, ticket));
    /* What stems from an item counts with it. */
    barrier_add(&barrier, b);
    barrier_done(&barrier, b);
    assert_false(barrier_reached(&barrier, ticket));
    barrier_done(&barrier, b);
    assert_true(barrier_reached(&barrier, ticket));
    assert_int_equal(completions, 1);
    assert_int_equal(phase_of_completion, later);
    assert_false(barrier_quiet(&barrier, 0));
    assert_true(barrier_quiet(&barrier, 1));
    barrier_done(&barrier, later);
    assert_true(barrier_quiet(&barrier, 0));
    assert_int_equal(completions, 1);
}

static void test_barrier_waits_for_an_item_of_both_phases(void **state)
{
    unsigned both = barrier_join(&barrier);
    uint64_t first, second;

    (void)state;
    first = barrier_request(&barrier);
    turn();
    barrier_add(&barrier, both ^ 3); /* merged with a younger one */
    both |= both ^ 3;
    assert_int_equal(both, 3);
    assert_false(barrier_reached(&barrier, first));
    second = barrier_request(&barrier);
    assert_int_equal(turn(), 0);
    barrier_done(&barrier, both);
    assert_true(barrier_reached(&barrier, first));
    assert_int_equal(turn(), second);
    assert_true(barrier_reached(&barrier, second));
}

static void test_barrier_does_not_wait_for_what_is_uncounted(void **state)
{
    (void)state;
    barrier_add(&barrier, BARRIER_UNCOUNTED);
    assert_true(barrier_quiet(&barrier, 0));
    barrier_done(&barrier, BARRIER_UNCOUNTED);
    assert_int_equal(completions, 0);
}

static void test_barrier_request_during_a_cycle_wakes_the_reader(void **state)
{
    unsigned item = barrier_join(&barrier);
    uint64_t first, second;

    (void)state;
    first = barrier_request(&barrier);
    turn();
    second = barrier_request(&barrier);
    assert_int_equal(turn(), 0); /* put off: one cycle at a time */
    assert_int_equal(kicks, 2);
    barrier_done(&barrier, item);
    assert_true(barrier_reached(&barrier, first));
    assert_false(barrier_reached(&barrier, second));
    assert_int_equal(kicks, 3);
    assert_int_equal(turn(), second);
    assert_true(barrier_reached(&barrier, second));
    assert_int_equal(kicks, 3);
}

static void test_barrier_one_cycle_serves_all_requests_before_it(void **state)
{
    uint64_t first = barrier_request(&barrier);
    uint64_t second = barrier_request(&barrier);

    (void)state;
    turn();
    assert_true(barrier_reached(&barrier, first));
    assert_true(barrier_reached(&barrier, second));
    assert_int_equal(completions, 1);
}

static void test_barrier_completion_adds_to_the_phase_that_counts(void **state)
{
    uint64_t ticket;

    (void)state;
    adds_on_completion = 2;
    barrier_request(&barrier);
    turn();
    adds_on_completion = 0;
    ticket = barrier_request(&barrier);
    turn();
    assert_false(barrier_reached(&barrier, ticket));
    barrier_done(&barrier, phase_of_completion);
    assert_false(barrier_reached(&barrier, ticket));
    barrier_done(&barrier, phase_of_completion);
    assert_true(barrier_reached(&barrier, ticket));
}

/*
 * Threads: requesters post a number, then ask for a barrier; the reader
 * collects numbers in its turns and leaves them to workers as items.  When the
 * barrier has been reached, the number must have been worked on.
 */
enum { REQUESTERS = 3, WORKERS = 2, REQUESTS = 2000 };

static _Atomic uint64_t posted, collected, worked;
static _Atomic uint32_t kicked, work, stop;
static _Atomic unsigned late, double_completions, completing;
static _Atomic uint32_t work_phase[2];

static void slow_complete(void *arg, unsigned phase)
{
    (void)arg;
    (void)phase;
    if (atomic_fetch_add(&completing, 1) != 0)
        atomic_fetch_add(&double_completions, 1);
    atomic_fetch_sub(&completing, 1);
}

static void kick_reader(void *arg)
{
    (void)arg;
    atomic_store(&kicked, 1);
    park_wake(&kicked, INT_MAX);
}

static void reader_turn(void)
{
    unsigned phase = barrier_join(&barrier);
    uint64_t ticket = barrier_wanted(&barrier);
    uint64_t now;

    atomic_store(&kicked, 0);
    now = atomic_load(&posted);
    if (now != atomic_load(&collected)) {
        barrier_add(&barrier, phase);
        atomic_store(&collected, now);
        atomic_fetch_add(&work_phase[phase >> 1], 1); /* 1 and 2 */
        atomic_fetch_add(&work, 1);
        park_wake(&work, INT_MAX);
    }
    if (ticket != 0)
        barrier_flip(&barrier, ticket);
    barrier_done(&barrier, phase);
}

static void *reader(void *arg)
{
    (void)arg;
    while (atomic_load(&stop) == 0) {
        reader_turn();
        if (barrier_wanted(&barrier) == 0)
            park_wait(&kicked, 0, NULL);
    }
    return NULL;
}

static void *worker(void *arg)
{
    (void)arg;
    while (atomic_load(&stop) == 0) {
        uint32_t word = atomic_load(&work);
        bool any = false;

        for (unsigned phase = 0; phase < 2; phase++) {
            uint32_t n = atomic_load(&work_phase[phase]);
            uint64_t upto, old;

            if (n == 0 || !atomic_compare_exchange_strong(&work_phase[phase],
                                                          &n, n - 1))
                continue;
            any = true;
            upto = atomic_load(&collected);
            old = atomic_load(&worked);
            while (old < upto &&
                   !atomic_compare_exchange_weak(&worked, &old, upto))
                continue;
            barrier_done(&barrier, 1u << phase);
        }
        if (!any)
            park_wait(&work, word, NULL);
    }
    return NULL;
}

static void *requester(void *arg)
{
    (void)arg;
    for (int i = 0; i < REQUESTS; i++) {
        uint64_t mine = 1 + atomic_fetch_add(&posted, 1);

        if (i % 4 != 0) /* another one's number, asked for as well */
            kick_reader(NULL);
        barrier_await(&barrier, barrier_request(&barrier));
        if (atomic_load(&worked) < mine)
            atomic_fetch_add(&late, 1);
    }
    return NULL;
}

static void test_barrier_reached_means_done_under_load(void **state)
{
    pthread_t threads[REQUESTERS + WORKERS + 1];

    (void)state;
    barrier_init(&barrier, slow_complete, kick_reader, NULL);
    pthread_create(&threads[0], NULL, reader, NULL);
    for (int i = 0; i < WORKERS; i++)
        pthread_create(&threads[1 + i], NULL, worker, NULL);
    for (int i = 0; i < REQUESTERS; i++)
        pthread_create(&threads[1 + WORKERS + i], NULL, requester, NULL);
    for (int i = 0; i < REQUESTERS; i++)
        pthread_join(threads[1 + WORKERS + i], NULL);
    atomic_store(&stop, 1);
    kick_reader(NULL);
    atomic_fetch_add(&work, 1);
    park_wake(&work, INT_MAX);
    for (int i = 0; i < 1 + WORKERS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(late, 0);
    assert_int_equal(double_completions, 0);
    assert_int_equal(worked, REQUESTERS * REQUESTS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_barrier_cycle_of_nothing_ends_with_the_turn,
                               setup),
        cmocka_unit_test_setup(test_barrier_waits_for_what_was_counted_before,
                               setup),
        cmocka_unit_test_setup(test_barrier_waits_for_an_item_of_both_phases,
                               setup),
        cmocka_unit_test_setup(test_barrier_does_not_wait_for_what_is_uncounted,
                               setup),
        cmocka_unit_test_setup(
            test_barrier_request_during_a_cycle_wakes_the_reader, setup),
        cmocka_unit_test_setup(
            test_barrier_one_cycle_serves_all_requests_before_it, setup),
        cmocka_unit_test_setup(
            test_barrier_completion_adds_to_the_phase_that_counts, setup),
        cmocka_unit_test(test_barrier_reached_means_done_under_load),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
