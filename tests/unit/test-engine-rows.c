/*
 * Files that no descriptor is spent on: parked, where the host can, in time;
 * then their changes are told behind vnotify_sync as those of any other.  That
 * they are parked is waited for; no sweep is, after that.
 */
#include "pipeline/engine.h"

#include "engine-fixture.h"

enum { FILES = 20, CONTENT = VN_IN_MODIFY | VN_IN_ATTRIB };

static const char *name_of(int i)
{
    static char names[4][16];
    static unsigned next;
    char *name = names[next++ % 4];

    snprintf(name, sizeof(names[0]), "d/f%d", i);
    return name;
}

static int setup_rows(int watch_budget)
{
    const struct vnotify_config config = {
        .fd_budget = -1,
        .watch_budget = watch_budget,
    };

    if (setup_with(&config, "/tmp") != 0)
        return -1;
    make_dir("d");
    make_dir("e");
    for (int i = 0; i < FILES; i++)
        make_file(name_of(i));
    return 0;
}

static int setup_all(void **state)
{
    (void)state;
    return setup_rows(0);
}

static int setup_some(void **state)
{
    (void)state;
    return setup_rows(1 + FILES / 2);
}

static int setup_none(void **state)
{
    (void)state;
    return setup_rows(-1);
}

static uint32_t vnodes(void)
{
    return atomic_load(&engine->registry.in_use);
}

static void await_vnodes(uint32_t wanted)
{
    AWAIT(vnodes() == wanted);
}

static void expect_file(const char *event, int i)
{
    char words[32];

    snprintf(words, sizeof(words), "1 %s f%d", event, i);
    expect(words);
}

static void test_rows_are_parked_without_a_descriptor(void **state)
{
    (void)state;
    assert_int_equal(add("d", CONTENT), 1);
    await_vnodes(1 + FILES);
    assert_int_equal(atomic_load(&engine->child_fds), 0);
    for (int i = 0; i < FILES; i++) {
        append_to(name_of(i));
        expect_file("modify", i);
        change_mode(name_of(i), 0400);
        expect_file("attrib", i);
    }
}

/* What sweeping costs says how seldom all is swept: those that are parked have
   no part in it any more. */
static void test_rows_that_are_parked_slow_no_sweep(void **state)
{
    (void)state;
    assert_int_equal(add("d", CONTENT), 1);
    await_vnodes(1 + FILES);
    vnotify_sync(engine); /* the slice that has parked the last is over */
    assert_int_equal(atomic_load(&engine->sweep_cost_ns), 0);
}

/* Those of one directory are parked in lots, with a pause between them. */
static void test_rows_of_many_lots_are_all_parked(void **state)
{
    (void)state;
    for (int i = FILES; i < 10 * FILES; i++)
        make_file(name_of(i));
    assert_int_equal(add("d", CONTENT), 1);
    await_vnodes(1 + 10 * FILES);
    for (int i = 0; i < 10 * FILES; i++) {
        append_to(name_of(i));
        expect_file("modify", i);
    }
}

static void test_rows_that_are_gone_are_told_once(void **state)
{
    (void)state;
    assert_int_equal(add("d", CONTENT | VN_IN_DELETE), 1);
    await_vnodes(1 + FILES);
    for (int i = 0; i < FILES; i++) {
        remove_file(name_of(i));
        expect_file("delete", i);
    }
    await_vnodes(1);
    expect("");
}

static void test_rows_follow_their_files(void **state)
{
    (void)state;
    assert_int_equal(add("d", CONTENT | VN_IN_MOVED_FROM | VN_IN_MOVED_TO), 1);
    await_vnodes(1 + FILES);
    move("d/f3", "d/f33");
    expect("1 from f3, 1 to f33");
    append_to("d/f33");
    expect("1 modify f33");
    move("d/f33", "e/f33");
    expect("1 from f33");
    await_vnodes(FILES);
    append_to("e/f33");
    expect("");
}

/* A freed number is mostly the next file's. */
static void test_rows_tell_a_number_used_again(void **state)
{
    (void)state;
    assert_int_equal(add("d", CONTENT | VN_IN_CREATE | VN_IN_DELETE), 1);
    await_vnodes(1 + FILES);
    for (int i = 0; i < FILES; i++) {
        remove_file(name_of(i));
        expect_file("delete", i);
        make_file(name_of(i));
        expect_file("create", i);
    }
    await_vnodes(1 + FILES);
    for (int i = 0; i < FILES; i++) {
        append_to(name_of(i));
        expect_file("modify", i);
    }
}

static bool has_word_of(const char *told, int i)
{
    char name[8];
    size_t length = (size_t)snprintf(name, sizeof(name), " f%d", i);

    while ((told = strstr(told, name)) != NULL) {
        told += length;
        if (*told == ',' || *told == '\0')
            return true;
    }
    return false;
}

/*
 * With its name and, mostly, its number, so that the listing is the same; or the
 * numbers of others.  It is found where it is swept, or parked again.  (A file
 * of the size of the one before, written within the tick that it was made in,
 * looks to a sweep as if its times were set.)
 */
static void test_rows_tell_a_file_in_place_of_another(void **state)
{
    (void)state;
    assert_int_equal(add("d", CONTENT), 1);
    if (atomic_load(&engine->watch_budget) > FILES)
        await_vnodes(1 + FILES);
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < FILES; i++) {
            remove_file(name_of(i));
            make_file(name_of(i));
        }
        sync_now();
        (void)read_words(instance);
        for (int i = 0; i < FILES; i++) {
            append_to(name_of(i));
            AWAIT(has_word_of(read_words(instance), i));
        }
    }
}

static void test_rows_past_the_budget_are_swept(void **state)
{
    int at_once = 0;

    (void)state;
    assert_int_equal(add("d", CONTENT), 1);
    await_vnodes(1 + FILES / 2);
    for (int i = 0; i < FILES; i++) {
        char words[32];

        append_to(name_of(i));
        vnotify_sync(engine);
        at_once += vnotify_pending(instance) != 0;
        snprintf(words, sizeof(words), "1 modify f%d", i);
        expect_at_last(words);
    }
    assert_in_range(at_once, FILES / 2, FILES);
    assert_int_equal(vnodes(), 1 + FILES / 2);
}

static void add_told(uint32_t *told, int files)
{
    const char *words = read_words(instance);

    for (int i = 0; i < files; i++)
        told[i] += has_word_of(words, i);
}

/* What others do all the while makes no sweep tell of a file twice. */
static void test_rows_that_are_swept_are_told_once_each(void **state)
{
    enum { MANY = 10 * FILES, FULL_PASSES = 3 };
    const struct timespec nap = { .tv_nsec = 3 * 1000 * 1000 };
    uint32_t told[MANY] = { 0 };

    (void)state;
    for (int i = FILES; i < MANY; i++)
        make_file(name_of(i));
    assert_int_equal(add("d", CONTENT), 1);
    for (int i = 0; i < MANY; i++) {
        append_to(name_of(i));
        add_told(told, MANY);
        nanosleep(&nap, NULL);
    }
    for (int i = 0; i < MANY; i++)
        AWAIT((add_told(told, MANY), told[i] != 0));
    for (uint32_t i = 1; i <= FULL_PASSES; i++) {
        append_to(name_of(0));
        AWAIT((add_told(told, MANY), told[0] > i));
    }
    for (int i = 1; i < MANY; i++)
        assert_int_equal(told[i], 1);
}

/* Each change is told once, whether it comes before, while or after. */
static void test_rows_lose_nothing_while_they_are_parked(void **state)
{
    (void)state;
    assert_int_equal(add("d", CONTENT), 1);
    for (int i = 0; vnodes() != 1 + FILES || i % FILES != 0; i++) {
        char words[32];

        append_to(name_of(i % FILES));
        snprintf(words, sizeof(words), "1 modify f%d", i % FILES);
        expect_at_last(words);
    }
    expect("");
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup_all, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_rows_are_parked_without_a_descriptor),
        CASE(test_rows_that_are_parked_slow_no_sweep),
        CASE(test_rows_of_many_lots_are_all_parked),
        CASE(test_rows_that_are_gone_are_told_once),
        CASE(test_rows_follow_their_files),
        CASE(test_rows_tell_a_number_used_again),
        CASE(test_rows_tell_a_file_in_place_of_another),
        CASE(test_rows_lose_nothing_while_they_are_parked),
        cmocka_unit_test_setup_teardown(
            test_rows_tell_a_file_in_place_of_another, setup_none, teardown),
        cmocka_unit_test_setup_teardown(test_rows_past_the_budget_are_swept,
                                        setup_some, teardown),
        cmocka_unit_test_setup_teardown(
            test_rows_that_are_swept_are_told_once_each, setup_none, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
