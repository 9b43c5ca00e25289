/*
 * vnotify.h: what a full queue or a failed listing puts off is told later,
 * all of it, and as the difference that is left by then.
 */
#include "engine-fixture.h"

#include <sched.h>

enum {
    NAMED = VN_IN_CREATE | VN_IN_DELETE | VN_IN_MOVED_FROM | VN_IN_MOVED_TO,
};

static char fault_path[80];

static int setup_small(void **state)
{
    struct vnotify_config config = { .queue_events = 64 };

    (void)state;
    return setup_with(&config, "/dev/shm");
}

static int setup_faulty(void **state, const char *step)
{
    char spec[128];
    struct vnotify_config config = { .faults = spec };

    (void)state;
    snprintf(fault_path, sizeof(fault_path), "/tmp/vnotify-fault-%d",
             (int)getpid());
    snprintf(spec, sizeof(spec), "%s=%s", step, fault_path);
    unlink(fault_path);
    return setup_with(&config, "/tmp");
}

static void fail_on(void)
{
    int fd = open(fault_path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

    assert_return_code(fd, errno);
    close(fd);
}

static void fail_off(void)
{
    assert_return_code(unlink(fault_path), errno);
}

/* A full queue. */

enum { MANY = 50000 };

static bool named[MANY];

/* Reads what there is; every event must be the creation of a new name. */
static int read_creations(void)
{
    _Alignas(struct vnotify_event) static char buf[4096];
    ssize_t n = vnotify_read(instance, buf, sizeof(buf));
    int count = 0;

    for (ssize_t at = 0; at < n; count++) {
        const struct vnotify_event *event = (void *)(buf + at);
        int i;

        assert_int_equal(event->wd, 1);
        assert_int_equal(event->mask, VN_IN_CREATE);
        assert_int_equal(sscanf(event->name, "f%d", &i), 1);
        assert_in_range(i, 0, MANY - 1);
        assert_false(named[i]);
        named[i] = true;
        at += (ssize_t)(sizeof(*event) + event->len);
    }
    return count;
}

static void test_engine_names_all_of_50000_through_a_queue_of_64(void **state)
{
    struct vnotify_stats stats;
    char name[16];
    int got = 0;

    (void)state;
    memset(named, 0, sizeof(named));
    assert_int_equal(add("", NAMED), 1);
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof(name), "f%d", i);
        make_file(name);
    }
    sync_now();
    assert_in_range(vnotify_pending(instance), 1, 64 * 272);
    while (got < MANY) {
        int n = read_creations();

        got += n;
        if (n == 0) /* what is owed follows the room that was made */
            sync_now();
        assert_true(n > 0 || vnotify_pending(instance) > 0);
    }
    expect("");
    vnotify_stats(engine, &stats);
    assert_true(stats.queue_full > 0);
    assert_in_range(stats.queue_high, 32, 64);
}

static void test_engine_tells_a_late_reader_only_what_is_left(void **state)
{
    char name[16];

    (void)state;
    assert_int_equal(add("", NAMED), 1);
    for (int i = 0; i < 500; i++) {
        snprintf(name, sizeof(name), "f%d", i);
        make_file(name);
    }
    sync_now();
    for (int i = 0; i < 500; i++) { /* nobody has read: these never were */
        snprintf(name, sizeof(name), "g%d", i);
        make_file(name);
    }
    sync_now();
    for (int i = 0; i < 500; i++) {
        snprintf(name, sizeof(name), "g%d", i);
        remove_file(name);
    }
    sync_now();
    memset(named, 0, sizeof(named));
    for (int got = 0; got < 500;) {
        int n = read_creations();

        got += n;
        if (n == 0)
            sync_now();
        assert_true(n > 0 || vnotify_pending(instance) > 0);
    }
    expect("");
}

static void test_engine_removes_a_watch_that_is_behind(void **state)
{
    char name[16];
    int others = 0, ignored = 0;

    (void)state;
    assert_int_equal(add("", NAMED), 1);
    for (int i = 0; i < 500; i++) {
        snprintf(name, sizeof(name), "f%d", i);
        make_file(name);
    }
    sync_now();
    assert_int_equal(vnotify_rm_watch(instance, 1), 0);
    for (;;) {
        _Alignas(struct vnotify_event) char buf[272];
        const struct vnotify_event *event = (void *)buf;

        if (vnotify_pending(instance) == 0)
            sync_now();
        if (vnotify_read(instance, buf, 32) < 0)
            break;
        assert_int_equal(ignored, 0); /* it is the last */
        ignored += event->mask == VN_IN_IGNORED;
        others++;
    }
    assert_int_equal(ignored, 1);
    assert_in_range(others, 1, 65);
}

/* Listings that fail. */

static void lose_nothing(void)
{
    struct vnotify_stats stats;

    make_dir("d");
    make_file("keep");
    make_file("a");
    make_file("b");
    assert_int_equal(add("", NAMED), 1);
    fail_on();
    make_file("new");
    remove_file("a");
    move("b", "c");
    assert_int_equal(vnotify_sync(engine), -EAGAIN);
    assert_string_equal(read_words(instance), "");
    make_file("never");
    assert_int_equal(vnotify_sync(engine), -EAGAIN);
    remove_file("never");
    make_file("a"); /* another file than before, or the same number again */
    remove_file("a");
    assert_int_equal(vnotify_sync(engine), -EAGAIN);
    assert_string_equal(read_words(instance), "");
    vnotify_stats(engine, &stats);
    assert_true(stats.listings_failed >= 3);
    fail_off();
    expect_in_any_order("1 delete a, 1 from b, 1 to c, 1 create new");
    expect("");
    make_file("more");
    expect("1 create more");
}

static void test_engine_owes_what_it_cannot_open(void **state)
{
    setup_faulty(state, "open");
    lose_nothing();
    teardown(state);
}

static void test_engine_owes_what_it_cannot_read_to_the_end(void **state)
{
    setup_faulty(state, "read");
    lose_nothing();
    teardown(state);
}

static void test_engine_owes_what_it_has_no_memory_for(void **state)
{
    setup_faulty(state, "alloc");
    lose_nothing();
    teardown(state);
}

static void test_engine_add_watch_fails_if_its_listing_does(void **state)
{
    struct vnotify_stats stats;

    setup_faulty(state, "read");
    make_file("a");
    make_file("b");
    fail_on();
    assert_int_equal(add("", NAMED), -EIO);
    fail_off();
    assert_int_equal(add("", NAMED), 1);
    make_file("c");
    expect("1 create c");
    vnotify_stats(engine, &stats);
    assert_int_equal(stats.watches, 1);
    teardown(state);
}

static void test_engine_serves_others_while_one_listing_fails(void **state)
{
    setup_faulty(state, "read");
    make_file("file");
    make_dir("d");
    assert_int_equal(add("d", NAMED), 1);
    assert_int_equal(add("file", VN_IN_MODIFY), 2);
    fail_on();
    make_file("d/a");
    make_file("d/b");
    append_to("file");
    assert_int_equal(vnotify_sync(engine), -EAGAIN);
    assert_string_equal(read_words(instance), "2 modify");
    fail_off();
    expect_in_any_order("1 create a, 1 create b");
    teardown(state);
}

/*
 * A retry by time, in no cycle, may list well just when sync looks: sync must
 * not say 0 before what that listing found is in the queue.
 */
static void test_engine_sync_says_0_only_when_all_is_told(void **state)
{
    struct random random = { random_seed() };

    setup_faulty(state, "open");
    assert_int_equal(add("", NAMED), 1);
    for (int round = 0; round < 300; round++) {
        char name[16], wanted[32];

        snprintf(name, sizeof(name), "f%d", round);
        snprintf(wanted, sizeof(wanted), "1 create %s", name);
        fail_on();
        make_file(name);
        assert_int_equal(vnotify_sync(engine), -EAGAIN);
        fail_off();
        for (unsigned n = random_below(&random, 1000); n > 0; n--)
            sched_yield();
        sync_now();
        assert_string_equal(read_words(instance), wanted);
    }
    teardown(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_engine_names_all_of_50000_through_a_queue_of_64, setup_small,
            teardown),
        cmocka_unit_test_setup_teardown(
            test_engine_tells_a_late_reader_only_what_is_left, setup_small,
            teardown),
        cmocka_unit_test_setup_teardown(
            test_engine_removes_a_watch_that_is_behind, setup_small, teardown),
        cmocka_unit_test(test_engine_owes_what_it_cannot_open),
        cmocka_unit_test(test_engine_owes_what_it_cannot_read_to_the_end),
        cmocka_unit_test(test_engine_owes_what_it_has_no_memory_for),
        cmocka_unit_test(test_engine_add_watch_fails_if_its_listing_does),
        cmocka_unit_test(test_engine_serves_others_while_one_listing_fails),
        cmocka_unit_test(test_engine_sync_says_0_only_when_all_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
