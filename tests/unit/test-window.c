/*
 * test-window.c - the descriptor numbers that the filter can recognise
 */
#include "unit.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/resource.h>
#include <unistd.h>

#include "emulator/window.h"

static struct window window;

static void test_window_is_aligned_and_below_the_limit(void **state)
{
    (void)state;
    for (uint64_t limit = 0; limit < 3000; limit++) {
        window_init(&window, limit);
        if (!window.size) {
            assert_true(limit < 4);
            continue;
        }
        assert_int_equal(window.size & (window.size - 1), 0);
        assert_int_equal(window.base % window.size, 0);
        assert_true(window.base + window.size <= limit);
        assert_true(window.base + window.size <= 1024);
        assert_true(window_contains(&window, (int)window.base));
        assert_false(
            window_contains(&window, (int)(window.base + window.size)));
        assert_false(window_contains(&window, -1));
    }
    window_init(&window, 1024);
    assert_int_equal(window.base, 768);
    window_init(&window, UINT64_MAX);
    assert_int_equal(window.base, 768);
}

/* What is asked about is this process: its limit must be the window's. */
static int window_of_1024(void **state)
{
    struct rlimit limit;

    (void)state;
    window_init(&window, 1024);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = 1024;
    return setrlimit(RLIMIT_NOFILE, &limit);
}

static void test_window_passes_over_numbers_in_use(void **state)
{
    (void)state;
    assert_int_equal(dup2(STDERR_FILENO, 1023), 1023);
    assert_int_equal(window_reserve(&window, getpid(), 0), 1022);
    /* Being installed by somebody, though not in use yet. */
    assert_int_equal(window_reserve(&window, getpid(), 0), 1021);
    assert_int_equal(window_reserve(&window, getpid(), 1021), -1);
    window_release(&window, 1022);
    close(1023);
    assert_int_equal(window_reserve(&window, getpid(), 1023), 1023);
    assert_int_equal(window_reserve(&window, getpid(), 0), 1022);
    assert_int_equal(window_reserve(&window, getpid(), 1024), -1);
}

static void test_window_says_when_it_is_full(void **state)
{
    (void)state;
    for (int i = 255; i >= 0; i--)
        assert_int_equal(window_reserve(&window, getpid(), 0), 768 + i);
    assert_int_equal(window_reserve(&window, getpid(), 0), -1);
    window_release(&window, 1000);
    assert_int_equal(window_reserve(&window, getpid(), 0), 1000);
}

/*
 * Another thread of the guest opens something between the look at a number and
 * the installing there: it gets the lowest free one, which must be far away.
 */
static void test_window_keeps_away_from_what_open_takes(void **state)
{
    int last = -1;

    (void)state;
    while (last < 1023 - 128 - 1)
        last = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_int_equal(window_reserve(&window, getpid(), 0), 1023);
    assert_int_equal(window_reserve(&window, getpid(), 0), -1);
    window_release(&window, 1023);
    assert_int_equal(dup2(STDERR_FILENO, last + 1), last + 1);
    assert_int_equal(window_reserve(&window, getpid(), 0), -1);
    close_range(STDERR_FILENO + 1, UINT_MAX, 0);
}

static void test_window_takes_nothing_where_it_cannot_look(void **state)
{
    (void)state;
    assert_int_equal(window_reserve(&window, INT_MAX, 0), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_window_is_aligned_and_below_the_limit),
        cmocka_unit_test_setup(test_window_passes_over_numbers_in_use,
                               window_of_1024),
        cmocka_unit_test_setup(test_window_says_when_it_is_full,
                               window_of_1024),
        cmocka_unit_test_setup(test_window_keeps_away_from_what_open_takes,
                               window_of_1024),
        cmocka_unit_test_setup(test_window_takes_nothing_where_it_cannot_look,
                               window_of_1024),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
