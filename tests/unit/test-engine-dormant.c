/*
 * Watches that are but a word until there is something to tell (watch.h).
 */
#include "pipeline/engine.h"

#include <pthread.h>

#include "engine-fixture.h"

enum { NAMED = VN_IN_CREATE | VN_IN_DELETE };

static uint64_t seat_of(int wd)
{
    radix_word *word = radix_find(&instance->seats, (uint32_t)wd);

    return word == NULL ? 0 : atomic_load(word);
}

static void assert_dormant(int wd)
{
    assert_true(seat_is_dormant(seat_of(wd)));
}

static void test_engine_watch_sleeps_until_something_happens(void **state)
{
    (void)state;
    make_dir("d");
    make_file("f");
    assert_int_equal(add("d", NAMED), 1);
    assert_int_equal(add("f", VN_IN_ATTRIB), 2);
    assert_dormant(1);
    assert_dormant(2);
    make_file("d/a");
    expect("1 create a");
    assert_false(seat_is_dormant(seat_of(1)));
    assert_dormant(2);
    change_mode("f", 0400);
    expect("2 attrib");
    assert_false(seat_is_dormant(seat_of(2)));
    remove_file("d/a");
    expect("1 delete a");
}

static void test_engine_watch_of_content_is_awake(void **state)
{
    (void)state;
    make_dir("d");
    assert_int_equal(add("d", NAMED | VN_IN_MODIFY), 1);
    assert_non_null(seat_watch(seat_of(1)));
}

static void test_engine_mask_of_a_sleeping_watch_changes(void **state)
{
    (void)state;
    make_dir("d");
    assert_int_equal(add("d", VN_IN_CREATE), 1);
    assert_int_equal(add("d", VN_IN_DELETE), 1);
    assert_dormant(1);
    make_file("d/a");
    expect("");
    remove_file("d/a");
    expect("1 delete a");
    assert_int_equal(add("d", VN_IN_CREATE | VN_IN_MASK_ADD), 1);
    make_file("d/c");
    expect("1 create c");
    remove_file("d/c");
    expect("1 delete c");
    assert_int_equal(add("d", VN_IN_CREATE | VN_IN_MASK_CREATE), -EEXIST);
}

/* What happens in children comes from who does not hold the directory. */
static void test_engine_wakes_a_watch_that_asks_for_content(void **state)
{
    (void)state;
    make_dir("d");
    make_file("d/a");
    assert_int_equal(add("d", NAMED), 1);
    assert_dormant(1);
    assert_int_equal(add("d", NAMED | VN_IN_MODIFY), 1);
    assert_non_null(seat_watch(seat_of(1)));
    append_to("d/a");
    expect("1 modify a");
    make_file("d/b");
    expect("1 create b");
}

static void test_engine_removes_a_sleeping_watch(void **state)
{
    (void)state;
    make_file("f");
    make_dir("d");
    assert_int_equal(add("f", VN_IN_ATTRIB), 1);
    assert_int_equal(add("d", NAMED), 2);
    assert_dormant(1);
    assert_int_equal(vnotify_rm_watch(instance, 1), 0);
    assert_int_equal(vnotify_rm_watch(instance, 1), -EINVAL);
    make_file("d/x");
    assert_int_equal(vnotify_rm_watch(instance, 2), 0);
    change_mode("f", 0400);
    make_file("d/y");
    sync_now();
    assert_non_null(strstr(read_words(instance), "1 ignored"));
    assert_int_equal(vnotify_rm_watch(instance, 2), -EINVAL);
    /* Anew, of the same inode. */
    assert_int_equal(add("f", VN_IN_ATTRIB), 3);
    change_mode("f", 0600);
    expect("3 attrib");
}

static void test_engine_file_wakes_for_each_of_many(void **state)
{
    enum { OTHERS = 20 };
    struct vnotify_instance *others[OTHERS];

    (void)state;
    make_file("f");
    assert_int_equal(add("f", VN_IN_ATTRIB), 1);
    for (int i = 0; i < OTHERS; i++) {
        others[i] = open_instance();
        assert_int_equal(vnotify_add_watch(others[i], path("f"),
                                           VN_IN_ATTRIB), 1);
    }
    assert_dormant(1);
    vnotify_instance_destroy(others[7]); /* asleep */
    change_mode("f", 0400);
    expect("1 attrib");
    for (int i = 0; i < OTHERS; i++) {
        if (i == 7)
            continue;
        expect_of(others[i], "1 attrib");
        vnotify_instance_destroy(others[i]); /* awake */
    }
    change_mode("f", 0600);
    expect("1 attrib");
}

/* A later watch of the same directory shares the listing, and sleeps too. */
static void test_engine_directory_wakes_for_each_of_many(void **state)
{
    enum { OTHERS = 10 };
    struct vnotify_instance *others[OTHERS];

    (void)state;
    make_dir("d");
    make_file("d/a");
    assert_int_equal(add("d", NAMED), 1);
    for (int i = 0; i < OTHERS; i++) {
        others[i] = open_instance();
        assert_int_equal(vnotify_add_watch(others[i], path("d"), NAMED), 1);
        assert_true(seat_is_dormant(
            atomic_load(radix_find(&others[i]->seats, 1))));
    }
    remove_file("d/a");
    expect("1 delete a");
    for (int i = 0; i < OTHERS; i++) {
        expect_of(others[i], "1 delete a");
        vnotify_instance_destroy(others[i]);
    }
}

static void test_engine_sleeping_watch_ends_with_its_inode(void **state)
{
    (void)state;
    make_dir("d");
    assert_int_equal(add("d", NAMED | VN_IN_DELETE_SELF), 1);
    assert_dormant(1);
    remove_dir("d");
    expect("1 delete-self, 1 ignored");
    assert_int_equal(vnotify_rm_watch(instance, 1), -EINVAL);
}

/*
 *     rm_watch                       worker
 *       finds it dormant               finds it dormant
 *       makes it, ended                makes it, alive
 *
 * One of them has it; either way IGNORED is told once and nothing after it.
 */
static void *touch(void *arg)
{
    for (int i = 0; i < 4; i++)
        change_mode("f", i % 2 == 0 ? 0400 : 0600);
    return arg;
}

static void test_engine_wakes_and_removes_at_once(void **state)
{
    (void)state;
    make_file("f");
    for (int wd = 1; wd <= 300; wd++) {
        char ignored[32];
        const char *words, *at;
        pthread_t thread;

        assert_int_equal(add("f", VN_IN_ATTRIB), wd);
        pthread_create(&thread, NULL, touch, NULL);
        assert_int_equal(vnotify_rm_watch(instance, wd), 0);
        pthread_join(thread, NULL);
        sync_now();
        words = read_words(instance);
        snprintf(ignored, sizeof(ignored), "%d ignored", wd);
        at = strstr(words, ignored);
        assert_non_null(at);
        assert_string_equal(at, ignored); /* the last */
    }
}

/*
 * Without memory for a struct watch nothing is told, and all of it later; who
 * removes the watch is told that there is none, and the watch goes on.
 */
static void test_engine_owes_what_cannot_wake(void **state)
{
    char fault[80], spec[96];
    struct vnotify_config config = { .faults = spec };

    (void)state;
    snprintf(fault, sizeof(fault), "/tmp/vnotify-fault-%d", (int)getpid());
    snprintf(spec, sizeof(spec), "alloc=%s", fault);
    unlink(fault);
    teardown(NULL);
    setup_with(&config, "/tmp");
    make_file("f");
    make_dir("d");
    assert_int_equal(add("f", VN_IN_ATTRIB), 1);
    assert_int_equal(add("d", NAMED), 2);
    close(open(fault, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    change_mode("f", 0400);
    make_file("d/a");
    assert_int_equal(vnotify_sync(engine), -EAGAIN);
    assert_string_equal(read_words(instance), "");
    assert_int_equal(vnotify_rm_watch(instance, 1), -ENOMEM);
    assert_dormant(1);
    assert_dormant(2);
    assert_return_code(unlink(fault), errno);
    sync_now();
    expect_in_any_order("1 attrib, 2 create a");
    assert_int_equal(vnotify_rm_watch(instance, 1), 0);
    expect("1 ignored");
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_engine_watch_sleeps_until_something_happens),
        CASE(test_engine_watch_of_content_is_awake),
        CASE(test_engine_mask_of_a_sleeping_watch_changes),
        CASE(test_engine_wakes_a_watch_that_asks_for_content),
        CASE(test_engine_removes_a_sleeping_watch),
        CASE(test_engine_file_wakes_for_each_of_many),
        CASE(test_engine_directory_wakes_for_each_of_many),
        CASE(test_engine_sleeping_watch_ends_with_its_inode),
        CASE(test_engine_wakes_and_removes_at_once),
        CASE(test_engine_owes_what_cannot_wake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
