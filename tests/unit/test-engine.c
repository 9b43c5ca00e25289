/*
 * vnotify.h: what calls answer, and what they leave in the queue.
 */
#include "engine-fixture.h"

#include <limits.h>
#include <poll.h>
#include <stdatomic.h>

/* Engines. */

static void test_engine_create_rejects_values_out_of_range(void **state)
{
    static const struct vnotify_config bad[] = {
        { .workers = 1 },          { .workers = 65 },
        { .queue_events = 32 },    { .queue_events = 100 },
        { .queue_events = 1 << 17 }, { .faults = "close=/x" },
        { .faults = "open" },
    };
    struct vnotify *other;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(vnotify_create(&other, &bad[i]), -EINVAL);
}

static void test_engine_does_not_disturb_another(void **state)
{
    struct vnotify *other;
    int wd = add("", VN_IN_CREATE);

    (void)state;
    assert_int_equal(wd, 1);
    assert_int_equal(vnotify_create(&other, NULL), 0);
    assert_int_equal(add("", VN_IN_CREATE), wd);
    assert_int_equal(vnotify_rm_watch(instance, wd), 0);
    expect("1 ignored");
    vnotify_destroy(other);
}

static void test_engine_watches_with_the_notes_of_either_host(void **state)
{
    (void)state;
    for (int notes = VNOTIFY_NOTES_FREEBSD; notes <= VNOTIFY_NOTES_MACOS;
         notes++) {
        struct vnotify_config config = { .notes = (enum vnotify_notes)notes };

        teardown(NULL);
        setup_with(&config, "/tmp");
        make_dir("d");
        assert_int_equal(add("", VN_IN_CREATE | VN_IN_MOVED_FROM), 1);
        assert_int_equal(add("d", VN_IN_CREATE | VN_IN_DELETE |
                                      VN_IN_MOVED_FROM | VN_IN_MOVED_TO),
                         2);
        make_file("d/b");
        expect("2 create b");
        make_file("c");
        expect("1 create c");
        move("c", "d/c");
        expect("1 from c, 2 to c");
        remove_file("d/b");
        expect("2 delete b");
    }
}

/* add_watch: errors. */

static void test_engine_add_watch_looks_at_the_mask_first(void **state)
{
    static const uint32_t bad[] = {
        0, 0x1000, 0x10000, 0x800000, 0x08000000, VN_IN_CREATE | 0x1000,
        VN_IN_CREATE | VN_IN_MASK_ADD | VN_IN_MASK_CREATE,
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(add("", bad[i]), -EINVAL);
        assert_int_equal(add("missing", bad[i]), -EINVAL);
        assert_int_equal(vnotify_add_watch_fd(instance, root_fd, bad[i]),
                         -EINVAL);
    }
}

static void test_engine_add_watch_fails_as_the_path_does(void **state)
{
    char name[300];

    (void)state;
    make_file("file");
    make_dir("dir");
    assert_return_code(symlinkat("loop", root_fd, "loop"), errno);
    assert_return_code(symlinkat("dir", root_fd, "link"), errno);
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    assert_int_equal(add("missing", VN_IN_OPEN), -ENOENT);
    assert_int_equal(vnotify_add_watch(instance, "", VN_IN_OPEN), -ENOENT);
    assert_int_equal(add("file/", VN_IN_OPEN), -ENOTDIR);
    assert_int_equal(add("file/x", VN_IN_OPEN), -ENOTDIR);
    assert_int_equal(add("loop", VN_IN_OPEN), -ELOOP);
    assert_int_equal(add(name, VN_IN_OPEN), -ENAMETOOLONG);
    assert_int_equal(add("file", VN_IN_OPEN | VN_IN_ONLYDIR), -ENOTDIR);
    assert_int_equal(
        add("link", VN_IN_OPEN | VN_IN_ONLYDIR | VN_IN_DONT_FOLLOW),
        -ENOTDIR);
    assert_int_equal(vnotify_add_watch_fd(instance, -1, VN_IN_OPEN), -EBADF);
    assert_int_equal(add("link", VN_IN_OPEN | VN_IN_ONLYDIR), 1);
    expect("");
}

static void test_engine_add_watch_that_failed_leaves_nothing(void **state)
{
    struct vnotify_stats stats;

    (void)state;
    assert_int_equal(add("missing", VN_IN_OPEN), -ENOENT);
    make_file("file");
    assert_int_equal(add("file", VN_IN_OPEN | VN_IN_ONLYDIR), -ENOTDIR);
    assert_int_equal(add("file", VN_IN_OPEN), 1); /* the first number */
    vnotify_stats(engine, &stats);
    assert_int_equal(stats.watches, 1);
    assert_int_equal(stats.vnodes, 1);
    assert_int_equal(stats.instances, 1);
}

/* Numbers and masks: CONFORMANCE 20-25, 32-35. */

static void test_engine_numbers_watches_from_1_and_upwards(void **state)
{
    (void)state;
    make_file("a");
    make_dir("d");
    link_file("a", "b");
    assert_return_code(symlinkat("a", root_fd, "s"), errno);
    assert_int_equal(add("", VN_IN_CREATE), 1);
    assert_int_equal(add("a", VN_IN_OPEN), 2);
    assert_int_equal(add("d", VN_IN_CREATE), 3);
    assert_int_equal(add("b", VN_IN_OPEN), 2);
    assert_int_equal(add("s", VN_IN_OPEN), 2);
    assert_int_equal(add("d/../d/", VN_IN_CREATE), 3);
    assert_int_equal(add("s", VN_IN_OPEN | VN_IN_DONT_FOLLOW), 4);
    assert_int_equal(vnotify_rm_watch(instance, 4), 0);
    assert_int_equal(vnotify_rm_watch(instance, 2), 0);
    assert_int_equal(add("a", VN_IN_OPEN), 5);
    expect("4 ignored, 2 ignored");
}

static void test_engine_numbers_each_instance_on_its_own(void **state)
{
    struct vnotify_instance *other = open_instance();

    (void)state;
    make_dir("d");
    assert_int_equal(add("d", VN_IN_CREATE), 1);
    assert_int_equal(add("", VN_IN_CREATE), 2);
    assert_int_equal(vnotify_add_watch(other, root, VN_IN_CREATE), 1);
    make_file("a");
    expect("2 create a");
    expect_of(other, "1 create a");
    vnotify_instance_destroy(other);
}

static void test_engine_adding_again_replaces_the_mask(void **state)
{
    (void)state;
    assert_int_equal(add("", VN_IN_CREATE | VN_IN_DELETE), 1);
    assert_int_equal(add("", VN_IN_DELETE), 1);
    make_file("a");
    expect("");
    remove_file("a");
    expect("1 delete a");
}

static void test_engine_mask_add_adds_to_the_mask(void **state)
{
    (void)state;
    make_dir("d");
    assert_int_equal(add("", VN_IN_CREATE), 1);
    assert_int_equal(add("", VN_IN_DELETE | VN_IN_MASK_ADD), 1);
    assert_int_equal(add("d", VN_IN_CREATE | VN_IN_MASK_ADD), 2);
    make_file("a");
    expect("1 create a");
    remove_file("a");
    expect("1 delete a");
    make_file("d/b");
    expect("2 create b");
}

static void test_engine_mask_add_asks_for_further_notes(void **state)
{
    (void)state;
    make_file("a");
    assert_int_equal(add("a", VN_IN_MODIFY), 1);
    assert_int_equal(add("a", VN_IN_CLOSE_WRITE | VN_IN_MASK_ADD), 1);
    append_to("a");
    expect("1 modify, 1 close-write");
}

static void test_engine_mask_create_refuses_what_is_watched(void **state)
{
    struct vnotify_instance *other = open_instance();

    (void)state;
    make_file("a");
    link_file("a", "b");
    assert_int_equal(add("a", VN_IN_OPEN | VN_IN_MASK_CREATE), 1);
    assert_int_equal(add("a", VN_IN_OPEN | VN_IN_MASK_CREATE), -EEXIST);
    assert_int_equal(add("b", VN_IN_OPEN | VN_IN_MASK_CREATE), -EEXIST);
    assert_int_equal(vnotify_add_watch(other, path("a"),
                                       VN_IN_OPEN | VN_IN_MASK_CREATE),
                     1);
    assert_int_equal(vnotify_rm_watch(instance, 1), 0);
    assert_int_equal(add("b", VN_IN_OPEN | VN_IN_MASK_CREATE), 2);
    vnotify_instance_destroy(other);
}

static void test_engine_mask_of_flags_alone_tells_only_ignored(void **state)
{
    (void)state;
    make_dir("d");
    assert_int_equal(add("d", VN_IN_ONLYDIR), 1);
    make_file("d/a");
    remove_file("d/a");
    change_mode("d", 0755);
    expect("");
    remove_dir("d");
    expect("1 ignored");
}

static void test_engine_flags_are_not_told(void **state)
{
    (void)state;
    assert_int_equal(add("", VN_IN_CREATE | VN_IN_ONLYDIR | VN_IN_EXCL_UNLINK |
                                 VN_IN_DONT_FOLLOW | VN_IN_MASK_ADD |
                                 VN_IN_ONESHOT),
                     1);
    make_file("a");
    expect("1 create a, 1 ignored");
}

static void test_engine_oneshot_ends_with_its_first_event(void **state)
{
    (void)state;
    assert_int_equal(add("", VN_IN_CREATE | VN_IN_ONESHOT), 1);
    /* What does not match does not use it up. */
    assert_return_code(fchmod(root_fd, 0755), errno);
    expect("");
    make_file("a");
    expect("1 create a, 1 ignored");
    make_file("b");
    expect("");
    assert_int_equal(vnotify_rm_watch(instance, 1), -EINVAL);
    assert_int_equal(add("", VN_IN_CREATE), 2);
    make_file("c");
    expect("2 create c");
}

static void test_engine_oneshot_is_used_up_by_a_renames_first_half(void **state)
{
    (void)state;
    make_file("a");
    assert_int_equal(add("", VN_IN_MOVED_FROM | VN_IN_MOVED_TO |
                                 VN_IN_ONESHOT),
                     1);
    move("a", "b");
    expect("1 from a, 1 ignored");
}

static void test_engine_oneshot_of_an_unlinked_file(void **state)
{
    (void)state;
    make_file("a");
    assert_int_equal(add("a", VN_IN_ALL_EVENTS | VN_IN_ONESHOT), 1);
    remove_file("a");
    expect("1 attrib, 1 ignored");
    make_file("b");
    assert_int_equal(add("b", VN_IN_DELETE_SELF | VN_IN_ONESHOT), 2);
    remove_file("b");
    expect("2 delete-self, 2 ignored");
}

static void test_engine_oneshot_is_cleared_by_adding_again(void **state)
{
    (void)state;
    assert_int_equal(add("", VN_IN_CREATE | VN_IN_ONESHOT), 1);
    assert_int_equal(add("", VN_IN_CREATE), 1);
    make_file("a");
    expect("1 create a");
    assert_int_equal(add("", VN_IN_ONESHOT | VN_IN_MASK_ADD), 1);
    make_file("b");
    expect("1 create b, 1 ignored");
}

/* rm_watch: CONFORMANCE 37-42. */

static void test_engine_rm_watch_tells_ignored_and_no_more(void **state)
{
    struct vnotify_instance *other = open_instance();

    (void)state;
    assert_int_equal(add("", VN_IN_CREATE), 1);
    assert_int_equal(vnotify_add_watch(other, root, VN_IN_CREATE), 1);
    assert_int_equal(vnotify_rm_watch(instance, 1), 0);
    make_file("a");
    expect("1 ignored");
    expect_of(other, "1 create a");
    make_file("b");
    expect("");
    vnotify_instance_destroy(other);
}

static void test_engine_rm_watch_of_what_is_not_there(void **state)
{
    (void)state;
    make_file("a");
    assert_int_equal(add("a", VN_IN_OPEN), 1);
    assert_int_equal(vnotify_rm_watch(instance, 0), -EINVAL);
    assert_int_equal(vnotify_rm_watch(instance, -1), -EINVAL);
    assert_int_equal(vnotify_rm_watch(instance, 2), -EINVAL);
    assert_int_equal(vnotify_rm_watch(instance, INT_MAX), -EINVAL);
    assert_int_equal(vnotify_rm_watch(instance, 1), 0);
    assert_int_equal(vnotify_rm_watch(instance, 1), -EINVAL);
    assert_int_equal(add("a", VN_IN_OPEN), 2);
    remove_file("a");
    expect("1 ignored, 2 ignored");
    assert_int_equal(vnotify_rm_watch(instance, 2), -EINVAL);
}

static void test_engine_keeps_unread_events_of_a_removed_watch(void **state)
{
    (void)state;
    assert_int_equal(add("", VN_IN_CREATE), 1);
    make_file("a");
    sync_now();
    assert_int_equal(vnotify_rm_watch(instance, 1), 0);
    assert_int_equal(add("", VN_IN_CREATE), 2);
    make_file("b");
    expect("1 create a, 1 ignored, 2 create b");
}

static void test_engine_rm_watch_of_an_unlinked_open_file(void **state)
{
    int fd;

    (void)state;
    make_file("a");
    fd = openat(root_fd, "a", O_RDONLY | O_CLOEXEC);
    assert_int_equal(add("a", VN_IN_DELETE_SELF), 1);
    assert_int_equal(vnotify_rm_watch(instance, 1), 0);
    remove_file("a");
    close(fd);
    expect("1 ignored");
}

/* Reading. */

static void test_engine_read_takes_whole_events_only(void **state)
{
    _Alignas(struct vnotify_event) char buf[128];

    (void)state;
    assert_int_equal(add("", VN_IN_CREATE | VN_IN_DELETE), 1);
    assert_int_equal(vnotify_read(instance, buf, 0), -EAGAIN);
    make_file("a");
    sync_now();
    make_file("a-name-of-sixteen");
    sync_now();
    assert_int_equal(vnotify_pending(instance), 32 + 48);
    assert_int_equal(vnotify_read(instance, buf, 0), -EINVAL);
    assert_int_equal(vnotify_read(instance, buf, 31), -EINVAL);
    assert_int_equal(vnotify_pending(instance), 32 + 48);
    assert_int_equal(vnotify_read(instance, buf, 32 + 47), 32);
    assert_int_equal(vnotify_read(instance, buf, 47), -EINVAL);
    assert_int_equal(vnotify_read(instance, buf, 48), 48);
    assert_int_equal(vnotify_pending(instance), 0);
    assert_int_equal(vnotify_read(instance, buf, sizeof(buf)), -EAGAIN);
}

static bool readable(void)
{
    struct pollfd fd = { .fd = vnotify_instance_fd(instance),
                         .events = POLLIN };

    assert_return_code(poll(&fd, 1, 0), errno);
    assert_int_equal(fd.revents & ~POLLIN, 0);
    return (fd.revents & POLLIN) != 0;
}

static void test_engine_descriptor_is_readable_while_events_are(void **state)
{
    _Alignas(struct vnotify_event) char buf[64];

    (void)state;
    assert_int_equal(add("", VN_IN_CREATE), 1);
    assert_false(readable());
    make_file("a");
    sync_now();
    assert_true(readable());
    assert_int_equal(vnotify_read(instance, buf, 1), -EINVAL);
    assert_true(readable());
    make_file("b");
    sync_now();
    assert_int_equal(vnotify_read(instance, buf, 32), 32);
    assert_true(readable());
    assert_int_equal(vnotify_read(instance, buf, 32), 32);
    assert_false(readable());
    assert_int_equal(vnotify_rm_watch(instance, 1), 0);
    sync_now();
    assert_true(readable());
    assert_int_equal(vnotify_read(instance, buf, 16), 16);
    assert_false(readable());
}

static void count_call(void *arg)
{
    atomic_fetch_add((_Atomic unsigned *)arg, 1);
}

static void test_engine_calls_back_when_events_come(void **state)
{
    struct vnotify_instance *other;
    _Atomic unsigned calls = 0;
    unsigned before;

    (void)state;
    assert_int_equal(
        vnotify_instance_create(engine, count_call, &calls, &other), 0);
    assert_int_equal(vnotify_instance_fd(other), -EINVAL);
    assert_int_equal(vnotify_add_watch(other, root, VN_IN_CREATE), 1);
    make_file("a");
    sync_now();
    assert_int_equal(calls, 1);
    remove_file("a"); /* not asked for */
    sync_now();
    assert_int_equal(calls, 1);
    expect_of(other, "1 create a");
    before = calls;
    make_file("b");
    vnotify_instance_destroy(other);
    assert_in_range(calls, before, before + 1);
    before = calls;
    make_file("c");
    sync_now();
    assert_int_equal(calls, before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ENGINE_TEST(test_engine_create_rejects_values_out_of_range),
        ENGINE_TEST(test_engine_does_not_disturb_another),
        ENGINE_TEST(test_engine_watches_with_the_notes_of_either_host),
        ENGINE_TEST(test_engine_add_watch_looks_at_the_mask_first),
        ENGINE_TEST(test_engine_add_watch_fails_as_the_path_does),
        ENGINE_TEST(test_engine_add_watch_that_failed_leaves_nothing),
        ENGINE_TEST(test_engine_numbers_watches_from_1_and_upwards),
        ENGINE_TEST(test_engine_numbers_each_instance_on_its_own),
        ENGINE_TEST(test_engine_adding_again_replaces_the_mask),
        ENGINE_TEST(test_engine_mask_add_adds_to_the_mask),
        ENGINE_TEST(test_engine_mask_add_asks_for_further_notes),
        ENGINE_TEST(test_engine_mask_create_refuses_what_is_watched),
        ENGINE_TEST(test_engine_mask_of_flags_alone_tells_only_ignored),
        ENGINE_TEST(test_engine_flags_are_not_told),
        ENGINE_TEST(test_engine_oneshot_ends_with_its_first_event),
        ENGINE_TEST(test_engine_oneshot_is_used_up_by_a_renames_first_half),
        ENGINE_TEST(test_engine_oneshot_of_an_unlinked_file),
        ENGINE_TEST(test_engine_oneshot_is_cleared_by_adding_again),
        ENGINE_TEST(test_engine_rm_watch_tells_ignored_and_no_more),
        ENGINE_TEST(test_engine_rm_watch_of_what_is_not_there),
        ENGINE_TEST(test_engine_keeps_unread_events_of_a_removed_watch),
        ENGINE_TEST(test_engine_rm_watch_of_an_unlinked_open_file),
        ENGINE_TEST(test_engine_read_takes_whole_events_only),
        ENGINE_TEST(test_engine_descriptor_is_readable_while_events_are),
        ENGINE_TEST(test_engine_calls_back_when_events_come),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
