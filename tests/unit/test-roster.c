/*
 * roster.h: the watches of a vnode, one in a word and more in a crowd.
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

/* Frees what is outgrown: nobody walks. */
static bool add(uint32_t instance, int wd)
{
    struct crowd *outgrown;

    assert_int_equal(roster_add(&roster, roster_entry(instance, wd),
                                &outgrown), 0);
    free(outgrown);
    return outgrown != NULL;
}

static void drop(uint32_t instance, int wd)
{
    roster_remove(&roster, roster_entry(instance, wd));
}

/* The sum of the descriptors of all entries, and their number. */
static int sum(int *count)
{
    uint64_t entry;
    uint32_t at = 0;
    int total = 0;

    for (*count = 0; (entry = roster_next(&roster, &at)) != 0; ++*count)
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
    int count;

    (void)state;
    assert_int_equal(sum(&count), 0);
    assert_int_equal(count, 0);
    for (int wd = 1; wd <= 100; wd++) {
        (void)add((uint32_t)wd, wd);
        assert_int_equal(sum(&count), wd * (wd + 1) / 2);
        assert_int_equal(count, wd);
    }
    for (int wd = 100; wd >= 1; wd--) {
        drop((uint32_t)wd, wd);
        drop((uint32_t)wd, wd);
        assert_int_equal(sum(&count), wd * (wd - 1) / 2);
        assert_int_equal(count, wd - 1);
    }
}

static void test_roster_uses_room_again(void **state)
{
    int count;

    (void)state;
    for (int wd = 1; wd <= 6; wd++)
        assert_false(add(1, wd)); /* six in the first crowd */
    for (int wd = 7; wd < 1000; wd++) {
        drop(1, wd - 3);
        assert_false(add(1, wd));
    }
    assert_int_equal(sum(&count) > 0 && count == 6, 1);
    assert_true(add(1, 1000));
    assert_int_equal(sum(&count) > 0 && count == 7, 1);
}

/* Who walks meanwhile misses none of those that stay. */
static void test_roster_is_walked_while_it_grows(void **state)
{
    uint32_t at = 0;

    (void)state;
    (void)add(1, 1);
    assert_int_equal(entry_wd(roster_next(&roster, &at)), 1);
    (void)add(1, 2);
    assert_int_equal(entry_wd(roster_next(&roster, &at)), 2);
    for (int wd = 3; wd <= 8; wd++)
        (void)add(1, wd);
    drop(1, 1);
    for (int wd = 3; wd <= 8; wd++)
        assert_int_equal(entry_wd(roster_next(&roster, &at)), wd);
    assert_int_equal(roster_next(&roster, &at), 0);
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
