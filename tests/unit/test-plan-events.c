/*
 * plan.h: what is told of watched objects themselves, and of content by name.
 */
#include "plan-fixture.h"

static void test_plan_tells_a_gone_object_before_its_name(void **state)
{
    (void)state;
    add_dir("D1001 b2", "b2");
    add_dir("c3 d4", ""); /* inode 1001: rm -r D */
    sources[1].self = VN_IN_DELETE_SELF;
    sources[1].ends = true;
    run();
    assert_string_equal(told, "1 delete c, 1 delete d, 1 delete-self, "
                              "1 ignored, 0 delete/ D");
}

static void test_plan_tells_a_gone_file_in_linux_order(void **state)
{
    (void)state;
    add_dir("a7", "");
    add_object(7, false, VN_IN_ATTRIB | VN_IN_DELETE_SELF)->ends = true;
    run();
    assert_string_equal(told,
                        "1 attrib, 1 delete-self, 1 ignored, 0 delete a");
}

static void test_plan_tells_an_end_after_the_move_over_its_name(void **state)
{
    (void)state;
    add_object(7, false, VN_IN_ATTRIB | VN_IN_DELETE_SELF)->ends = true;
    add_dir("a1 b7", "b1"); /* mv a b */
    run();
    assert_string_equal(told, "1 from a, 1 to b, 0 attrib, 0 delete-self, "
                              "0 ignored");
}

static void test_plan_tells_move_self_after_the_move(void **state)
{
    (void)state;
    add_object(7, false, VN_IN_MOVE_SELF | VN_IN_ATTRIB);
    add_dir("a7", "b7");
    run();
    assert_string_equal(told, "1 from a, 1 to b, 0 move-self, 0 attrib");
}

static void test_plan_tells_move_self_once_if_the_move_is_unseen(void **state)
{
    (void)state;
    add_object(7, true, VN_IN_MOVE_SELF | VN_IN_ATTRIB);
    run();
    assert_string_equal(told, "0 move-self, 0 attrib/");
}

static void test_plan_orders_self_events_as_linux_does(void **state)
{
    (void)state;
    add_object(7, false, VN_IN_CLOSE_WRITE | VN_IN_OPEN | VN_IN_ATTRIB |
                             VN_IN_MODIFY);
    run();
    assert_string_equal(told, "0 open, 0 modify, 0 attrib, 0 close-write");
}

static void test_plan_says_isdir_of_self_events_but_not_of_its_end(void **state)
{
    (void)state;
    add_object(7, true, VN_IN_ATTRIB | VN_IN_UNMOUNT | VN_IN_DELETE_SELF)
        ->ends = true;
    run();
    assert_string_equal(told, "0 attrib/, 0 unmount/, 0 delete-self, "
                              "0 ignored");
}

/* The directory's named event comes first, whichever was noted first. */
static void test_plan_tells_content_before_the_objects_own(void **state)
{
    (void)state;
    add_object(7, false, VN_IN_MODIFY);
    add_dir("a7", "a7");
    add_content(1, 7, VN_IN_MODIFY);
    run();
    assert_string_equal(told, "1 modify a, 0 modify");
}

static void test_plan_tells_content_that_was_noted_later_in_its_place(
    void **state)
{
    (void)state;
    add_object(7, false, VN_IN_OPEN | VN_IN_MODIFY | VN_IN_CLOSE_WRITE);
    add_dir("a7", "a7 b8");
    add_content(1, 7, VN_IN_MODIFY);
    sources[1].listed_ns = 2;
    run();
    assert_string_equal(told, "0 open, 1 modify a, 0 modify, 0 close-write, "
                              "1 create b");
}

/* A was in B, and B is in A by now. */
static void test_plan_ends_circles_of_content(void **state)
{
    (void)state;
    add_dir("B1001", "B1001");
    add_dir("A1000", "A1000");
    for (uint32_t i = 0; i < 2; i++) {
        sources[i].self = VN_IN_ATTRIB;
        contents[i] = (struct content_set){ 0 };
    }
    assert_true(content_set_merge(
        &contents[0], content_item_create(1001, VN_IN_ATTRIB, true, 1)));
    assert_true(content_set_merge(
        &contents[1], content_item_create(1000, VN_IN_ATTRIB, true, 1)));
    run();
    assert_int_equal(plan.count, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_plan_tells_a_gone_object_before_its_name),
        CASE(test_plan_tells_a_gone_file_in_linux_order),
        CASE(test_plan_tells_an_end_after_the_move_over_its_name),
        CASE(test_plan_tells_move_self_after_the_move),
        CASE(test_plan_tells_move_self_once_if_the_move_is_unseen),
        CASE(test_plan_orders_self_events_as_linux_does),
        CASE(test_plan_says_isdir_of_self_events_but_not_of_its_end),
        CASE(test_plan_tells_content_before_the_objects_own),
        CASE(test_plan_tells_content_that_was_noted_later_in_its_place),
        CASE(test_plan_ends_circles_of_content),
    };
    return cmocka_run_group_tests(tests, arenas_setup, arenas_teardown);
}
