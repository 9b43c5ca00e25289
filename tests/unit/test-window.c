/*
 * test-window.c - the descriptor numbers that the filter can recognise
 */
#include "unit.h"

#include <fcntl.h>
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

static void test_window_passes_over_numbers_in_use(void **state)
{
    (void)state;
    window_init(&window, 1024);
    assert_int_equal(dup2(STDERR_FILENO, 768), 768);
    assert_int_equal(window_reserve(&window, getpid(), 0), 769);
    /* Being installed by somebody, though not in use yet. */
    assert_int_equal(window_reserve(&window, getpid(), 0), 770);
    assert_int_equal(window_reserve(&window, getpid(), 800), 800);
    window_release(&window, 769);
    close(768);
    assert_int_equal(window_reserve(&window, getpid(), 0), 768);
    assert_int_equal(window_reserve(&window, getpid(), 0), 769);
    assert_int_equal(window_reserve(&window, getpid(), 1024), -1);
}

static void test_window_says_when_it_is_full(void **state)
{
    (void)state;
    window_init(&window, 1024);
    for (int i = 0; i < 256; i++)
        assert_int_equal(window_reserve(&window, getpid(), 0), 768 + i);
    assert_int_equal(window_reserve(&window, getpid(), 0), -1);
    window_release(&window, 1000);
    assert_int_equal(window_reserve(&window, getpid(), 0), 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_window_is_aligned_and_below_the_limit),
        cmocka_unit_test(test_window_passes_over_numbers_in_use),
        cmocka_unit_test(test_window_says_when_it_is_full),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
