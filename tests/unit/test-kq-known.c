/*
 * A directory that is added with a name that it may have tells its removal,
 * whatever became of the name and of the directory above.
 */
#include "kq-fixture.h"

/* As add, with what an add_watch knows. */
static int watch_known(struct fixture *fx, const char *path, const char *name)
{
    int host_fd = open(path, O_RDONLY | O_DIRECTORY);
    struct look look;
    assert_true(host_fd >= 0);
    assert_int_equal(look_at(host_fd, "", &look), 0);
    add_known(fx, host_fd, &look, name);
    return host_fd;
}

static void make(const char *path)
{
    assert_int_equal(mkdir(path, 0700), 0);
}

/* The parent is known from then on. */
static int add_first(struct fixture *fx, const char *parent)
{
    char path[64];
    make(parent);
    snprintf(path, sizeof(path), "%s/first", parent);
    make(path);
    return watch_known(fx, path, "first");
}

static void remove_and_expect(struct fixture *fx, const char *path, int host_fd,
                              uint32_t before)
{
    assert_int_equal(rmdir(path), 0);
    expect(fx, host_fd, before | either(DEL, DEL | L));
    expect_nothing(fx);
    kq_close(fx->kq, host_fd);
}

static void test_kq_known_sibling_tells_its_removal(void **state)
{
    struct fixture *fx = *state;
    int first = add_first(fx, "a");
    make("a/2");
    int second = watch_known(fx, "a/2", "2");
    remove_and_expect(fx, "a/2", second, 0);
    remove_and_expect(fx, "a/first", first, 0);
}

static void test_kq_known_by_a_wrong_name(void **state)
{
    struct fixture *fx = *state;
    static const char *const wrong[] = {"", "first", "none", ".", "a/b"};
    int first = add_first(fx, "a");
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        make("a/2");
        remove_and_expect(fx, "a/2", watch_known(fx, "a/2", wrong[i]), 0);
    }
    kq_close(fx->kq, first);
}

static void test_kq_known_by_a_name_that_it_had(void **state)
{
    struct fixture *fx = *state;
    int first = add_first(fx, "a");
    make("a/2");
    int second = watch_known(fx, "a/2", "2");
    assert_int_equal(rename("a/2", "a/3"), 0);
    remove_and_expect(fx, "a/3", second, R);
    make("a/3");
    assert_int_equal(rename("a/3", "a/4"), 0);
    make("a/3");
    remove_and_expect(fx, "a/4", watch_known(fx, "a/4", "3"), 0);
    kq_close(fx->kq, first);
}

static void test_kq_known_below_another_parent_of_that_name(void **state)
{
    struct fixture *fx = *state;
    int first = add_first(fx, "a");
    assert_int_equal(rename("a", "b"), 0);
    make("a");
    make("a/2");
    int second = watch_known(fx, "a/2", "2");
    make("b/2");
    int third = watch_known(fx, "b/2", "2");
    remove_and_expect(fx, "a/2", second, 0);
    remove_and_expect(fx, "b/2", third, 0);
    kq_close(fx->kq, first);
}

/* Its inode number may be the one of a parent that was known. */
static void test_kq_known_below_a_parent_that_is_new(void **state)
{
    struct fixture *fx = *state;
    for (int i = 0; i < 20; i++) {
        int first = add_first(fx, "a");
        remove_and_expect(fx, "a/first", first, 0);
        first = add_first(fx, "b");
        assert_int_equal(rmdir("a"), 0);
        make("a");
        make("a/2");
        remove_and_expect(fx, "a/2", watch_known(fx, "a/2", "2"), 0);
        remove_and_expect(fx, "b/first", first, 0);
        assert_int_equal(rmdir("a"), 0);
        assert_int_equal(rmdir("b"), 0);
    }
}

static void test_kq_known_and_removed_meanwhile(void **state)
{
    struct fixture *fx = *state;
    int first = add_first(fx, "a");
    make("a/2");
    int host_fd = open("a/2", O_RDONLY | O_DIRECTORY);
    struct look look;
    assert_int_equal(look_at(host_fd, "", &look), 0);
    assert_int_equal(rmdir("a/2"), 0);
    add_known(fx, host_fd, &look, "2");
    expect(fx, host_fd, either(DEL, DEL | L));
    expect_nothing(fx);
    kq_close(fx->kq, host_fd);
    kq_close(fx->kq, first);
}

static const struct CMUnitTest tests[] = {
    KQ_TEST(test_kq_known_sibling_tells_its_removal),
    KQ_TEST(test_kq_known_by_a_wrong_name),
    KQ_TEST(test_kq_known_by_a_name_that_it_had),
    KQ_TEST(test_kq_known_below_another_parent_of_that_name),
    KQ_TEST(test_kq_known_below_a_parent_that_is_new),
    KQ_TEST(test_kq_known_and_removed_meanwhile),
};

KQ_TESTS(tests)
