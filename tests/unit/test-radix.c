/*
 * radix.h: words by number; nodes that are empty can be taken out.
 */
#include "unit.h"

#include <string.h>

#include "pipeline/radix.h"

static struct radix radix;

static int teardown(void **state)
{
    (void)state;
    radix_fini(&radix);
    return 0;
}

static void put(uint32_t key, uint64_t value)
{
    radix_word *word = radix_make(&radix, key);

    assert_non_null(word);
    atomic_store(word, value);
}

static uint64_t get(uint32_t key)
{
    radix_word *word = radix_find(&radix, key);

    return word == NULL ? 0 : atomic_load(word);
}

static void test_radix_finds_what_was_made(void **state)
{
    static const uint32_t keys[] = { 0, 63, 64, 4095, 4096, 262144, INT32_MAX,
                                     UINT32_MAX };
    enum { KEYS = sizeof(keys) / sizeof(keys[0]) };

    (void)state;
    assert_null(radix_find(&radix, 0));
    assert_null(radix_find(&radix, UINT32_MAX));
    for (int i = 0; i < KEYS; i++)
        put(keys[i], 100 + (uint64_t)i);
    for (int i = 0; i < KEYS; i++)
        assert_int_equal(get(keys[i]), 100 + i);
    assert_int_equal(get(1), 0);
    assert_int_equal(get(65), 0);
    assert_int_equal(get(262145), 0);
    assert_int_equal(get(1u << 30), 0);
    assert_ptr_equal(radix_make(&radix, 4096), radix_find(&radix, 4096));
}

struct seen {
    uint32_t count, last;
    uint64_t sum;
};

static void see(void *arg, uint32_t key, radix_word *word)
{
    struct seen *seen = arg;

    assert_true(seen->count == 0 || key > seen->last);
    seen->last = key;
    seen->count++;
    seen->sum += atomic_load(word);
}

static void test_radix_walks_in_order(void **state)
{
    struct seen seen = { 0 };

    (void)state;
    radix_each(&radix, see, &seen);
    assert_int_equal(seen.count, 0);
    for (uint32_t key = 0; key < 10000; key += 3)
        put(key, key + 1);
    put(3000000000u, 5);
    radix_each(&radix, see, &seen);
    assert_int_equal(seen.count, 3335);
    assert_int_equal(seen.last, 3000000000u);
    assert_int_equal(seen.sum, 3333ull * 3334 / 2 * 3 + 3334 + 5);
}

static void test_radix_trims_what_is_empty_and_nothing_else(void **state)
{
    struct radix_trimmed trimmed = { 0 };

    (void)state;
    put(7, 1);
    put(8, 2);
    put(5000, 3);
    atomic_store(radix_find(&radix, 7), 0);
    radix_trim(&radix, 7, &trimmed);
    assert_int_equal(trimmed.count, 0); /* 8 is beside it */
    atomic_store(radix_find(&radix, 5000), 0);
    radix_trim(&radix, 5000, &trimmed);
    assert_int_equal(trimmed.count, 2); /* and the node above, but not the top */
    assert_null(radix_find(&radix, 5000));
    radix_trim(&radix, 5000, &trimmed);
    radix_trim(&radix, 1u << 31, &trimmed);
    assert_int_equal(trimmed.count, 2);
    assert_int_equal(get(8), 2);
    put(5001, 4);
    assert_int_equal(get(5001), 4);
    radix_free_trimmed(&trimmed);
}

/* Descriptors given out and taken back for ever: memory stays. */
static void test_radix_stays_small_when_its_keys_move_on(void **state)
{
    enum { KEYS = 1000000, LIVE = 10 };
    struct radix_trimmed trimmed = { 0 };
    uint32_t made = 0;

    (void)state;
    for (uint32_t key = 0; key < KEYS; key++) {
        made += key % RADIX_FAN == 0;
        put(key, 1);
        if (key < LIVE)
            continue;
        atomic_store(radix_find(&radix, key - LIVE), 0);
        radix_trim(&radix, key - LIVE, &trimmed);
    }
    assert_in_range(trimmed.count, made - 2, 2 * made);
    radix_free_trimmed(&trimmed);
}

#define CASE(test) cmocka_unit_test_teardown(test, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_radix_finds_what_was_made),
        CASE(test_radix_walks_in_order),
        CASE(test_radix_trims_what_is_empty_and_nothing_else),
        CASE(test_radix_stays_small_when_its_keys_move_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
