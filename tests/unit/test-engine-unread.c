/*
 * What has come into a directory is listed before the host's notes are read:
 * nothing is made of that until they are.
 *
 * "Not read": the test holds the readers' turn.
 */
#include "engine-inside.h"

static void hold_turn(void)
{
    sync_now();
    while (claim_post(&engine->turn, &engine->barrier, TURN_GENERATION, 0,
                      BARRIER_UNCOUNTED) != CLAIM_TAKEN)
        sched_yield();
}

/* What has woken a reader meanwhile was left to us. */
static void let_turn_go(void)
{
    unsigned none;

    do
        (void)claim_take(&engine->turn, &none);
    while (!claim_release(&engine->turn));
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

static int setup_patient(void **state)
{
    int err = setup(state);

    if (err == 0)
        engine->crossing_wait_ns = UINT64_C(60000000000);
    return err;
}

static void touch_later(const char *name)
{
    let_clock_pass(name);
    append_to(name);
}

/* Nothing but the host's word says that it was moved; without that, what is new
   beside it would be. */
static void test_engine_takes_no_unread_move_for_a_new_file(void **state)
{
    const char *words = "";

    (void)state;
    make_dir("a");
    make_dir("o");
    words_pair = false;
    assert_int_equal(add("a", VN_IN_CREATE | VN_IN_MOVED_TO | VN_IN_OPEN |
                                  VN_IN_MODIFY | VN_IN_CLOSE_WRITE),
                     1);
    make_file("o/f");
    touch_later("o/f");
    hold_turn();
    move("o/f", "a/t");
    have_listed(1);
    AWAIT(awaits_turn() || *(words = read_words(instance)) != '\0');
    let_turn_go();
    assert_string_equal(words, "");
    expect("1 to t");
    make_file("a/s");
    expect("1 create s, 1 open s, 1 close-write s");
    append_to("a/t");
    expect("1 open t, 1 modify t, 1 close-write t");
    words_pair = true;
}

static void test_engine_tells_of_a_new_file_when_all_is_read(void **state)
{
    (void)state;
    make_dir("a");
    assert_int_equal(add("a", VN_IN_CREATE | VN_IN_CLOSE_WRITE), 1);
    hold_turn();
    make_file("a/s");
    touch_later("a/s");
    have_listed(1);
    AWAIT(awaits_turn());
    let_turn_go();
    expect("1 create s, 1 close-write s");
}

#define PATIENT_TEST(test)                                                     \
    cmocka_unit_test_setup_teardown(test, setup_patient, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PATIENT_TEST(test_engine_takes_no_unread_move_for_a_new_file),
        PATIENT_TEST(test_engine_tells_of_a_new_file_when_all_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
