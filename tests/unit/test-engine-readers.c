/*
 * The two readers: while one of them serves a note itself, however long that
 * takes, the other collects.
 */
#include "pipeline/engine.h"

#include "engine-fixture.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

enum {
    NAMED = VN_IN_CREATE | VN_IN_DELETE | VN_IN_MOVED_FROM | VN_IN_MOVED_TO,
};

static struct vnotify_instance *slow;
static atomic_bool inside, go_on;

/* As slow as a file system can be. */
static void stay(void *arg)
{
    (void)arg;
    atomic_store(&inside, true);
    while (!atomic_load(&go_on))
        sched_yield();
}

/* The next events, which nobody need ask for. */
static void await_words(const char *expected)
{
    uint64_t deadline = now_ns() + UINT64_C(60000000000);
    const char *words;

    do {
        sched_yield();
        words = read_words(instance);
    } while (*words == '\0' && now_ns() < deadline);
    assert_string_equal(words, expected);
}

/* Has a reader serve a lone note, and not return from it.  A worker may be the
   one that does, if the readers were still busy with what was before: again. */
static void occupy_reader(void)
{
    make_dir("slow");
    assert_int_equal(vnotify_instance_create(engine, stay, NULL, &slow), 0);
    assert_int_equal(vnotify_add_watch(slow, path("slow"), NAMED), 1);
    for (int i = 0;; i++) {
        sync_now();
        atomic_store(&inside, false);
        atomic_store(&go_on, false);
        make_file("slow/a");
        while (!atomic_load(&inside))
            sched_yield();
        if (atomic_load(&engine->reader_serves) != 0)
            return;
        assert_true(i < 100);
        atomic_store(&go_on, true);
        sync_now();
        remove_file("slow/a");
    }
}

static void test_engine_reader_serves_a_lone_note(void **state)
{
    (void)state;
    occupy_reader();
    assert_int_equal(atomic_load(&engine->reader_serves), 1);
    atomic_store(&go_on, true);
    sync_now();
    while (atomic_load(&engine->reader_serves) != 0)
        sched_yield();
}

static void test_engine_collects_while_a_reader_serves(void **state)
{
    (void)state;
    make_dir("d");
    assert_int_equal(add("d", NAMED), 1);
    occupy_reader();
    for (int i = 0; i < 20; i++) {
        make_file("d/b");
        await_words("1 create b");
        remove_file("d/b");
        await_words("1 delete b");
    }
    assert_false(atomic_load(&go_on));
    assert_int_equal(atomic_load(&engine->reader_serves), 1);
    atomic_store(&go_on, true);
    sync_now();
}

/* add_watch asks for a turn of a reader, too. */
static void test_engine_adds_watches_while_a_reader_serves(void **state)
{
    (void)state;
    occupy_reader();
    make_file("f");
    assert_int_equal(add("", NAMED), 1);
    assert_int_equal(add("f", VN_IN_MODIFY), 2);
    atomic_store(&go_on, true);
    expect("");
}

static int setup_readers(void **state)
{
    atomic_store(&inside, false);
    atomic_store(&go_on, false);
    return setup(state);
}

/* A test that failed has left the reader where it was. */
static int teardown_readers(void **state)
{
    atomic_store(&go_on, true);
    vnotify_instance_destroy(slow);
    return teardown(state);
}

#define READER_TEST(function)                                                 \
    cmocka_unit_test_setup_teardown(function, setup_readers, teardown_readers)

int main(void)
{
    const struct CMUnitTest tests[] = {
        READER_TEST(test_engine_reader_serves_a_lone_note),
        READER_TEST(test_engine_collects_while_a_reader_serves),
        READER_TEST(test_engine_adds_watches_while_a_reader_serves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
