/*
 * What has come into a directory is listed before the host's notes are read:
 * nothing is made of that until they are.
 *
 * "Not read": the test holds the readers' turn.
 */
#include "engine-inside.h"

static bool holds_turn;

static void hold_turn(void)
{
    sync_now();
    while (claim_post(&engine->turn, &engine->barrier, TURN_GENERATION, 0,
                      BARRIER_UNCOUNTED) != CLAIM_TAKEN)
        sched_yield();
    holds_turn = true;
}

/* What has woken a reader meanwhile was left to us. */
static void let_turn_go(void)
{
    unsigned none;

    do
        (void)claim_take(&engine->turn, &none);
    while (!claim_release(&engine->turn));
    holds_turn = false;
    engine->barrier.kick(engine->barrier.arg);
}

/* As a note would have it. */
static void have_listed(int wd)
{
    struct vnode *vnode = vnode_of(wd);

    if (claim_post(&vnode->claim, &engine->barrier,
                   claim_generation(&vnode->claim), HINT_LIST,
                   barrier_join(&engine->barrier)) == CLAIM_TAKEN)
        worker_defer(engine, vnode, 0);
}

/* So that it has listed, and waits. */
static bool awaits_turn(void)
{
    return atomic_load(&engine->turn_waiters) != 0;
}

/* "a" is to be watched, "o" is not. */
static int setup_patient(void **state)
{
    if (setup(state) != 0)
        return -1;
    engine->crossing_wait_ns = UINT64_C(60000000000);
    make_dir("a");
    make_dir("o");
    words_pair = false;
    return 0;
}

/* A test that failed may hold it. */
static int teardown_patient(void **state)
{
    if (holds_turn)
        let_turn_go();
    words_pair = true;
    return teardown(state);
}

/* A listing that finds what has come, and waits for the host's word of it. */
static void list_unread(int wd)
{
    const char *words = "";

    have_listed(wd);
    AWAIT(awaits_turn() || *(words = read_words(instance)) != '\0');
    assert_string_equal(words, "");
}

static void make_young(const char *name)
{
    make_file(name);
    let_clock_pass(name);
    append_to(name);
}

static void move_unread(const char *from, const char *to)
{
    hold_turn();
    move(from, to);
    list_unread(1);
    let_turn_go();
}

/* Nothing but the host's word says that it was moved; without that, what is new
   beside it would be. */
static void test_engine_takes_no_unread_move_for_a_new_file(void **state)
{
    (void)state;
    assert_int_equal(add("a", VN_IN_CREATE | VN_IN_MOVED_TO | VN_IN_OPEN |
                                  VN_IN_MODIFY | VN_IN_CLOSE_WRITE),
                     1);
    make_young("o/f");
    move_unread("o/f", "a/t");
    expect("1 to t");
    make_file("a/s");
    expect("1 create s, 1 open s, 1 close-write s");
    append_to("a/t");
    expect("1 open t, 1 modify t, 1 close-write t");
}

static void test_engine_takes_no_unread_move_for_a_removal(void **state)
{
    (void)state;
    make_file("a/t");
    assert_int_equal(add("a", VN_IN_CREATE | VN_IN_DELETE | VN_IN_MOVED_FROM |
                                  VN_IN_MOVED_TO),
                     1);
    move_unread("a/t", "o/t");
    expect("1 from t");
    make_file("a/s");
    expect("1 create s");
}

/* The word of the first is none of the second. */
static void test_engine_tells_two_unread_moves(void **state)
{
    (void)state;
    assert_int_equal(add("a", VN_IN_CREATE | VN_IN_MOVED_TO), 1);
    make_young("o/f");
    make_young("o/g");
    move_unread("o/f", "a/t");
    expect("1 to t");
    move_unread("o/g", "a/u");
    expect("1 to u");
}

/* A word that was read after the listing is of what only the next one shows. */
static void test_engine_takes_no_new_file_for_a_later_move(void **state)
{
    (void)state;
    assert_int_equal(add("a", VN_IN_CREATE | VN_IN_MOVED_TO), 1);
    make_young("o/f");
    hold_turn();
    make_young("a/s");
    list_unread(1);
    move("o/f", "a/t");
    let_turn_go();
    expect_in_any_order("1 create s, 1 create t");
}

static void test_engine_tells_of_a_new_file_when_all_is_read(void **state)
{
    (void)state;
    assert_int_equal(add("a", VN_IN_CREATE | VN_IN_CLOSE_WRITE), 1);
    hold_turn();
    make_young("a/s");
    list_unread(1);
    let_turn_go();
    expect("1 create s, 1 close-write s");
}

#define PATIENT_TEST(test)                                                     \
    cmocka_unit_test_setup_teardown(test, setup_patient, teardown_patient)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PATIENT_TEST(test_engine_takes_no_unread_move_for_a_new_file),
        PATIENT_TEST(test_engine_takes_no_unread_move_for_a_removal),
        PATIENT_TEST(test_engine_tells_two_unread_moves),
        PATIENT_TEST(test_engine_takes_no_new_file_for_a_later_move),
        PATIENT_TEST(test_engine_tells_of_a_new_file_when_all_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
