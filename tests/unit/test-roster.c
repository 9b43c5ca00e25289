/*
 * roster.h: the watches of a vnode, one in a word and more in blocks.
 */
#include "unit.h"

#include "pipeline/roster.h"

static struct roster roster;

static int teardown(void **state)
{
    (void)state;
    roster_fini(&roster);
    return 0;
}

static void add(uint32_t instance, int wd)
{
    assert_int_equal(roster_add(&roster, roster_entry(instance, wd)), 0);
}

static void drop(uint32_t instance, int wd)
{
    roster_remove(&roster, roster_entry(instance, wd));
}

/* The sum of the descriptors of all entries, and their number. */
static int sum(int *count)
{
    struct roster_walk walk = roster_begin(&roster);
    uint64_t entry;
    int total = 0;

    for (*count = 0; (entry = roster_next(&walk)) != 0; ++*count)
        total += entry_wd(entry);
    return total;
}

static void test_roster_entries_say_who_it_is(void **state)
{
    (void)state;
    assert_int_equal(entry_wd(roster_entry(1, INT32_MAX)), INT32_MAX);
    assert_int_equal(entry_instance(roster_entry(UINT32_MAX, 1)), UINT32_MAX);
    assert_int_equal(entry_wd(roster_entry(UINT32_MAX, 1)), 1);
}

static void test_roster_holds_none_one_and_many(void **state)
{
    enum { MANY = 3000 }; /* past the largest block */
    int count;

    (void)state;
    assert_int_equal(sum(&count), 0);
    assert_int_equal(count, 0);
    for (int wd = 1; wd <= MANY; wd++) {
        add((uint32_t)wd, wd);
        assert_int_equal(sum(&count), wd * (wd + 1) / 2);
        assert_int_equal(count, wd);
    }
    for (int wd = MANY; wd >= 1; wd--) {
        drop((uint32_t)wd, wd);
        drop((uint32_t)wd, wd);
        assert_int_equal(sum(&count), wd * (wd - 1) / 2);
        assert_int_equal(count, wd - 1);
    }
}

static void test_roster_uses_room_again(void **state)
{
    uint64_t word;
    int count;

    (void)state;
    for (int wd = 1; wd <= 6; wd++)
        add(1, wd); /* as many as the first block has room for */
    word = atomic_load(&roster.word);
    for (int wd = 7; wd < 1000; wd++) {
        drop(1, wd - 3);
        add(1, wd);
    }
    assert_int_equal(sum(&count), 1 + 2 + 3 + 997 + 998 + 999);
    assert_int_equal(count, 6);
    assert_true(atomic_load(&roster.word) == word);
    add(1, 1000);
    assert_int_equal(sum(&count), 1 + 2 + 3 + 997 + 998 + 999 + 1000);
    assert_true(atomic_load(&roster.word) != word);
}

/* Who walks meanwhile misses none of those that stay, and sees none twice. */
static void test_roster_is_walked_while_it_grows(void **state)
{
    struct roster_walk walk;
    uint64_t entry;
    int seen[9] = { 0 };

    (void)state;
    for (int wd = 1; wd <= 5; wd++)
        add(1, wd);
    walk = roster_begin(&roster);
    seen[entry_wd(roster_next(&walk))]++;
    seen[entry_wd(roster_next(&walk))]++;
    drop(1, 1);
    for (int wd = 6; wd <= 8; wd++)
        add(1, wd);
    while ((entry = roster_next(&walk)) != 0)
        seen[entry_wd(entry)]++;
    for (int wd = 2; wd <= 5; wd++)
        assert_int_equal(seen[wd], 1);
    for (int wd = 6; wd <= 8; wd++)
        assert_in_range(seen[wd], 0, 1);
    assert_int_equal(roster_next(&walk), 0);
}

#define CASE(test) cmocka_unit_test_teardown(test, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_roster_entries_say_who_it_is),
        CASE(test_roster_holds_none_one_and_many),
        CASE(test_roster_uses_room_again),
        CASE(test_roster_is_walked_while_it_grows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
