/*
 * park_wait and park_wake: no change followed by a wake is slept through.
 */
#include "port/park.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <limits.h>
#include <pthread.h>

static struct timespec after_ms(long ms)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    time.tv_nsec += ms % 1000 * 1000000;
    time.tv_sec += ms / 1000 + time.tv_nsec / 1000000000;
    time.tv_nsec %= 1000000000;
    return time;
}

static long ms_since(const struct timespec *begin)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (now.tv_sec - begin->tv_sec) * 1000 +
           (now.tv_nsec - begin->tv_nsec) / 1000000;
}

static void test_park_wait_returns_if_the_word_has_changed(void **state)
{
    (void)state;
    _Atomic uint32_t word = 2;
    park_wait(&word, 1, NULL); /* else it would sleep for ever */
}

static void test_park_wait_returns_at_the_deadline(void **state)
{
    (void)state;
    _Atomic uint32_t word = 1;
    struct timespec begin = after_ms(0), deadline = after_ms(30);
    while (ms_since(&deadline) < 0)
        park_wait(&word, 1, &deadline);
    assert_in_range(ms_since(&begin), 30, 5000);
    park_wait(&word, 1, &begin); /* long past */
    assert_in_range(ms_since(&begin), 30, 5000);
}

static void test_park_wake_without_a_sleeper(void **state)
{
    (void)state;
    _Atomic uint32_t word = 1;
    park_wake(&word, 1);
    park_wake(&word, INT_MAX);
}

/*
 * Ping-pong: each side changes the word, wakes, and sleeps until the other has.
 * A lost wake-up leaves both asleep.
 */
enum { ROUNDS = 20000 };

static _Atomic uint32_t turn;

static void *answer(void *arg)
{
    uint32_t mine = (uint32_t)(uintptr_t)arg;
    for (int i = 0; i < ROUNDS; i++) {
        uint32_t seen;
        while ((seen = atomic_load(&turn)) % 2 != mine)
            park_wait(&turn, seen, NULL);
        atomic_fetch_add(&turn, 1);
        park_wake(&turn, 1);
    }
    return NULL;
}

static void test_park_loses_no_wake(void **state)
{
    (void)state;
    pthread_t other;
    atomic_store(&turn, 0);
    pthread_create(&other, NULL, answer, (void *)1);
    answer((void *)0);
    pthread_join(other, NULL);
    assert_int_equal(atomic_load(&turn), 2 * ROUNDS);
}

enum { SLEEPERS = 8 };

static _Atomic uint32_t gate, asleep;

static void *pass_gate(void *arg)
{
    (void)arg;
    atomic_fetch_add(&asleep, 1);
    while (atomic_load(&gate) == 0)
        park_wait(&gate, 0, NULL);
    return NULL;
}

static void test_park_wake_all(void **state)
{
    (void)state;
    pthread_t threads[SLEEPERS];
    for (int i = 0; i < SLEEPERS; i++)
        pthread_create(&threads[i], NULL, pass_gate, NULL);
    _Atomic uint32_t never = 0;
    while (atomic_load(&asleep) < SLEEPERS) {
        struct timespec deadline = after_ms(1);
        park_wait(&never, 0, &deadline);
    }
    atomic_store(&gate, 1);
    park_wake(&gate, INT_MAX);
    for (int i = 0; i < SLEEPERS; i++)
        pthread_join(threads[i], NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_park_wait_returns_if_the_word_has_changed),
        cmocka_unit_test(test_park_wait_returns_at_the_deadline),
        cmocka_unit_test(test_park_wake_without_a_sleeper),
        cmocka_unit_test(test_park_loses_no_wake),
        cmocka_unit_test(test_park_wake_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
