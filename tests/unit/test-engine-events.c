/*
 * vnotify.h: which events changes become, in which order; nothing is lost to
 * a full queue or to a listing that fails.
 */
#include "engine-fixture.h"

enum {
    NAMED = VN_IN_CREATE | VN_IN_DELETE | VN_IN_MOVED_FROM | VN_IN_MOVED_TO,
    SELF = VN_IN_DELETE_SELF | VN_IN_MOVE_SELF | VN_IN_ATTRIB,
};

static void test_engine_tells_what_comes_and_goes(void **state)
{
    (void)state;
    assert_int_equal(add("", NAMED), 1);
    make_file("a");
    expect("1 create a");
    make_dir("d");
    expect("1 create/ d");
    assert_return_code(symlinkat("nowhere", root_fd, "s"), errno);
    expect("1 create s");
    assert_return_code(mkfifoat(root_fd, "p", 0600), errno);
    expect("1 create p");
    remove_file("a");
    expect("1 delete a");
    remove_dir("d");
    expect("1 delete/ d");
}

/* Its other name is older than the watch: it was not moved. */
static void test_engine_tells_a_link_that_goes_as_deleted(void **state)
{
    (void)state;
    make_file("a");
    link_file("a", "b");
    assert_int_equal(add("", NAMED | VN_IN_MODIFY), 1);
    remove_file("a");
    expect("1 delete a");
}

static void test_engine_tells_only_direct_children(void **state)
{
    (void)state;
    make_dir("d");
    assert_int_equal(add("", NAMED), 1);
    make_file("d/a");
    make_dir("d/e");
    expect("");
}

static void test_engine_tells_nothing_from_before_the_watch(void **state)
{
    (void)state;
    make_file("a");
    assert_int_equal(add("", NAMED), 1);
    expect("");
    remove_file("a");
    expect("1 delete a");
}

/* The object has its knote already, and notes are on their way. */
static void test_engine_tells_a_further_watch_nothing_from_before(void **state)
{
    struct vnotify_instance *other = open_instance();

    (void)state;
    make_dir("d");
    make_file("d/a");
    assert_int_equal(add("d", VN_IN_MODIFY | VN_IN_ATTRIB), 1);
    assert_int_equal(add("d/a", VN_IN_ALL_EVENTS), 2);
    for (int i = 1; i <= 200; i++) {
        int wd;

        append_to("d/a");
        change_mode("d", i % 2 == 0 ? 0700 : 0750);
        wd = vnotify_add_watch(other, path("d/a"),
                               VN_IN_MODIFY | VN_IN_MOVE_SELF);
        assert_true(wd > 0);
        assert_true(vnotify_add_watch(other, path("d"), VN_IN_MODIFY |
                                                            VN_IN_ATTRIB) > 0);
        sync_now();
        assert_string_equal(read_words(other), "");
        /* But all that comes after. */
        append_to("d/a");
        sync_now();
        assert_non_null(strstr(read_words(other), "modify"));
        vnotify_instance_destroy(other);
        other = open_instance();
    }
    vnotify_instance_destroy(other);
}

static void test_engine_tells_the_bytes_of_a_name(void **state)
{
    char name[256], wanted[300];

    (void)state;
    assert_int_equal(add("", NAMED), 1);
    make_file("\xff\xfe new\nline");
    expect("1 create \xff\xfe new\nline");
    memset(name, 'n', 255);
    name[255] = '\0';
    make_file(name);
    snprintf(wanted, sizeof(wanted), "1 create %s", name);
    expect(wanted);
}

/* Renames. */

static void test_engine_pairs_a_rename_within_a_directory(void **state)
{
    (void)state;
    make_file("a");
    make_dir("d");
    assert_int_equal(add("", NAMED), 1);
    move("a", "b");
    expect("1 from a, 1 to b");
    move("d", "e");
    expect("1 from/ d, 1 to/ e");
}

static void test_engine_pairs_a_rename_across_directories(void **state)
{
    (void)state;
    make_dir("d");
    make_dir("e");
    make_file("d/a");
    assert_int_equal(add("d", NAMED), 1);
    assert_int_equal(add("e", NAMED), 2);
    for (int i = 0; i < 50; i++) {
        move("d/a", "e/b");
        expect("1 from a, 2 to b");
        move("e/b", "d/a");
        expect("2 from b, 1 to a");
    }
}

static void test_engine_tells_a_move_out_and_a_move_in(void **state)
{
    const char *words;

    (void)state;
    make_dir("d");
    make_dir("e");
    make_file("d/a");
    assert_int_equal(add("d", NAMED), 1);
    words_pair = false; /* the other half is nobody's to know */
    move("d/a", "e/a");
    sync_now();
    words = read_words(instance);
    if (strcmp(words, "1 delete a") != 0) /* the host may know better */
        assert_string_equal(words, "1 from a");
    move("e/a", "d/a");
    sync_now();
    words = read_words(instance);
    if (strcmp(words, "1 create a") != 0)
        assert_string_equal(words, "1 to a");
    words_pair = true;
}

/* Which of these words are told now: each once in all, and nothing else. */
static unsigned take_words(const char *const words[], int count, unsigned told)
{
    char text[1024], read_before[1024], *rest = text;

    snprintf(text, sizeof(text), "%s", read_words(instance));
    memcpy(read_before, text, sizeof(text));
    for (char *word; (word = strsep(&rest, ",")) != NULL && *word != '\0';) {
        int i = 0;

        word += *word == ' ';
        while (i < count && strcmp(word, words[i]) != 0)
            i++;
        if (i == count || (told & 1U << i) != 0)
            fail_msg("\"%s\" is one too many in \"%s\"", word,
                     read_before);
        told |= 1U << i;
    }
    return told;
}

/* What has come into the directory is one that was renamed and one that is new:
   what befell the latter is told, though both are in one listing. */
static void test_engine_tells_of_new_files_beside_a_move(void **state)
{
    (void)state;
    make_dir("a");
    make_dir("o");
    words_pair = false;
    assert_int_equal(add("a", VN_IN_MOVED_TO | VN_IN_CLOSE_WRITE), 1);
    for (int i = 0; i < 20; i++) {
        char to[16], saved[16], words[2][32];
        const char *const both[] = { words[0], words[1] };
        unsigned told = 0;

        snprintf(to, sizeof(to), "a/t%d", i);
        snprintf(saved, sizeof(saved), "a/s%d", i);
        snprintf(words[0], sizeof(words[0]), "1 to t%d", i);
        snprintf(words[1], sizeof(words[1]), "1 close-write s%d", i);
        make_file("o/f");
        let_clock_pass("o/f");
        assert_return_code(renameat(root_fd, "o/f", root_fd, to), errno);
        make_file(saved);
        AWAIT((told = take_words(both, 2, told)) == 3);
    }
    words_pair = true;
}

static void test_engine_pairs_a_rename_over_another_name(void **state)
{
    (void)state;
    make_dir("d");
    make_file("a");
    make_file("b");
    make_file("d/b");
    assert_int_equal(add("", NAMED), 1);
    assert_int_equal(add("d", NAMED), 2);
    move("a", "b");
    expect("1 from a, 1 to b");
    move("b", "d/b");
    expect("1 from b, 2 to b");
}

static void test_engine_tells_a_rename_over_a_watched_file(void **state)
{
    (void)state;
    make_file("a");
    make_file("b");
    assert_int_equal(add("", NAMED), 1);
    assert_int_equal(add("b", SELF), 2);
    move("a", "b");
    expect_in_any_order("1 from a, 1 to b, 2 attrib, 2 delete-self, "
                        "2 ignored");
}

static void test_engine_tells_move_self_after_the_move(void **state)
{
    (void)state;
    make_dir("d");
    make_file("a");
    assert_int_equal(add("", NAMED), 1);
    assert_int_equal(add("a", SELF), 2);
    assert_int_equal(add("d", SELF), 3);
    move("a", "b");
    expect("1 from a, 1 to b, 2 move-self");
    move("d", "e");
    expect("1 from/ d, 1 to/ e, 3 move-self");
}

static bool swap_names(const char *a, const char *b)
{
    return renameat2(root_fd, a, root_fd, b, RENAME_EXCHANGE) == 0;
}

static void test_engine_tells_a_swap_of_two_names(void **state)
{
    const char *words;

    (void)state;
    make_file("a");
    make_file("b");
    assert_int_equal(add("", NAMED), 1);
    if (!swap_names("a", "b"))
        skip();
    sync_now();
    words = read_words(instance);
    /* No order of renames does it: one becomes a delete and a create. */
    if (strcmp(words, "1 delete a, 1 from b, 1 to a, 1 create b") != 0)
        assert_string_equal(words,
                            "1 delete b, 1 from a, 1 to b, 1 create a");
}

static void test_engine_does_not_take_a_link_for_a_move(void **state)
{
    (void)state;
    make_dir("d");
    make_file("a");
    assert_int_equal(add("", NAMED), 1);
    assert_int_equal(add("d", NAMED), 2);
    link_file("a", "b");
    expect("1 create b");
    link_file("a", "d/c");
    expect("2 create c");
    remove_file("a");
    expect("1 delete a");
    move("b", "d/b");
    expect("1 from b, 2 to b");
}

/* The inode, not the path. */

static void test_engine_follows_a_directory_replaced_at_its_path(void **state)
{
    (void)state;
    make_dir("d");
    assert_int_equal(add("d", NAMED), 1);
    move("d", "old");
    make_dir("d");
    make_file("d/stranger");
    expect("");
    make_file("old/a");
    expect("1 create a");
    assert_int_equal(add("d", NAMED), 2);
    assert_int_equal(add("old", NAMED), 1);
    remove_file("d/stranger");
    expect("2 delete stranger");
}

static void test_engine_ends_with_a_removed_directory(void **state)
{
    (void)state;
    make_dir("d");
    make_file("d/a");
    assert_int_equal(add("", NAMED), 1);
    assert_int_equal(add("d", NAMED | SELF), 2);
    remove_file("d/a");
    expect("2 delete a");
    remove_dir("d");
    expect("2 delete-self, 2 ignored, 1 delete/ d");
    make_dir("d");
    expect("1 create/ d");
    make_file("d/b");
    expect("");
    assert_int_equal(add("d", NAMED), 3);
}

static void test_engine_ends_with_an_unlinked_file(void **state)
{
    (void)state;
    make_file("a");
    link_file("a", "b");
    assert_int_equal(add("", NAMED), 1);
    assert_int_equal(add("a", SELF), 2);
    remove_file("b");
    expect_in_any_order("1 delete b, 2 attrib");
    remove_file("a");
    expect("2 attrib, 2 delete-self, 2 ignored, 1 delete a");
    assert_int_equal(vnotify_rm_watch(instance, 2), -EINVAL);
}

static void test_engine_tells_a_files_own_events(void **state)
{
    (void)state;
    make_file("a");
    assert_int_equal(add("a", VN_IN_MODIFY | VN_IN_ATTRIB | VN_IN_CLOSE_WRITE |
                                  VN_IN_OPEN),
                     1);
    append_to("a");
    expect("1 open, 1 modify, 1 close-write");
    change_mode("a", 0640);
    expect("1 attrib");
}

static void test_engine_shares_a_vnode_between_instances(void **state)
{
    struct vnotify_instance *other = open_instance();
    struct vnotify_stats stats;

    (void)state;
    assert_int_equal(add("", VN_IN_CREATE), 1);
    assert_int_equal(vnotify_add_watch(other, root, VN_IN_DELETE), 1);
    vnotify_stats(engine, &stats);
    assert_int_equal(stats.vnodes, 1);
    assert_int_equal(stats.watches, 2);
    make_file("a");
    expect("1 create a");
    expect_of(other, "");
    remove_file("a");
    expect("");
    expect_of(other, "1 delete a");
    vnotify_instance_destroy(other);
    make_file("b");
    expect("1 create b");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ENGINE_TEST(test_engine_tells_what_comes_and_goes),
        ENGINE_TEST(test_engine_tells_a_link_that_goes_as_deleted),
        ENGINE_TEST(test_engine_tells_only_direct_children),
        ENGINE_TEST(test_engine_tells_nothing_from_before_the_watch),
        ENGINE_TEST(test_engine_tells_a_further_watch_nothing_from_before),
        ENGINE_TEST(test_engine_tells_the_bytes_of_a_name),
        ENGINE_TEST(test_engine_pairs_a_rename_within_a_directory),
        ENGINE_TEST(test_engine_pairs_a_rename_across_directories),
        ENGINE_TEST(test_engine_tells_a_move_out_and_a_move_in),
        ENGINE_TEST(test_engine_tells_of_new_files_beside_a_move),
        ENGINE_TEST(test_engine_pairs_a_rename_over_another_name),
        ENGINE_TEST(test_engine_tells_a_rename_over_a_watched_file),
        ENGINE_TEST(test_engine_tells_move_self_after_the_move),
        ENGINE_TEST(test_engine_tells_a_swap_of_two_names),
        ENGINE_TEST(test_engine_does_not_take_a_link_for_a_move),
        ENGINE_TEST(test_engine_follows_a_directory_replaced_at_its_path),
        ENGINE_TEST(test_engine_ends_with_a_removed_directory),
        ENGINE_TEST(test_engine_ends_with_an_unlinked_file),
        ENGINE_TEST(test_engine_tells_a_files_own_events),
        ENGINE_TEST(test_engine_shares_a_vnode_between_instances),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
