/*
 * Files past the budget: found changed by a sweep, and told at once from then
 * on.  That a sweep comes is waited for; all else is behind vnotify_sync.
 */
#include "pipeline/engine.h"

#include "engine-fixture.h"

enum { FILES = 20, CONTENT = VN_IN_MODIFY | VN_IN_ATTRIB };

static int setup_budget(void **state)
{
    const struct vnotify_config config = { .fd_budget = 1, .watch_budget = -1 };
    char name[16];

    (void)state;
    if (setup_with(&config, "/tmp") != 0)
        return -1;
    make_dir("d");
    for (int i = 0; i < FILES; i++) {
        snprintf(name, sizeof(name), "d/f%d", i);
        make_file(name);
    }
    return 0;
}

static uint32_t held(void)
{
    return atomic_load(&engine->child_fds);
}

/* The housekeeper gives back. */
static void await_none_held(void)
{
    AWAIT(held() == 0);
}

static void test_sweep_holds_what_has_changed(void **state)
{
    (void)state;
    assert_int_equal(add("d", CONTENT), 1);
    assert_int_equal(held(), 0);
    append_to("d/f3");
    expect_at_last("1 modify f3");
    assert_int_equal(held(), 1);
    append_to("d/f3");
    expect("1 modify f3");
    change_mode("d/f3", 0400);
    expect("1 attrib f3");
}

static void test_sweep_holds_no_more_than_the_budget(void **state)
{
    (void)state;
    assert_int_equal(add("d", CONTENT), 1);
    append_to("d/f3");
    expect_at_last("1 modify f3");
    append_to("d/f4");
    expect_at_last("1 modify f4");
    assert_int_equal(held(), 1);
    append_to("d/f4");
    expect_at_last("1 modify f4");
}

static void test_sweep_gives_back_what_it_held(void **state)
{
    (void)state;
    assert_int_equal(add("d", CONTENT | VN_IN_DELETE), 1);
    append_to("d/f3");
    expect_at_last("1 modify f3");
    remove_file("d/f3");
    expect("1 delete f3");
    await_none_held();
    append_to("d/f4");
    expect_at_last("1 modify f4");
    append_to("d/f4");
    expect("1 modify f4");
}

static void test_sweep_holds_nothing_where_closes_are_told(void **state)
{
    (void)state;
    assert_int_equal(add("d", VN_IN_ATTRIB | VN_IN_CLOSE_WRITE), 1);
    change_mode("d/f3", 0400);
    expect_at_last("1 attrib f3");
    assert_int_equal(held(), 0);
}

#define CASE(test) \
    cmocka_unit_test_setup_teardown(test, setup_budget, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_sweep_holds_what_has_changed),
        CASE(test_sweep_holds_no_more_than_the_budget),
        CASE(test_sweep_gives_back_what_it_held),
        CASE(test_sweep_holds_nothing_where_closes_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
