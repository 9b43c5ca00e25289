/*
 * Directories and files that hold no descriptor: all that is told of open ones
 * is told of them, and none is lost for lack of descriptors.
 */
#include "engine-fixture.h"

enum { NAMED = VN_IN_CREATE | VN_IN_DELETE | VN_IN_MOVED_FROM | VN_IN_MOVED_TO | VN_IN_DELETE_SELF |
               VN_IN_MOVE_SELF };

static char fault_path[64];

static int count_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int n = 0;

    while (readdir(dir) != NULL)
        n++;
    closedir(dir);
    return n;
}

/* Parks all, by handles or a keeper. */
static int setup_parked(void **state)
{
    static char faults[96];
    struct vnotify_config config = { .open_budget = -1, .faults = faults };
    char name[16];
    int before;

    (void)state;
    snprintf(fault_path, sizeof(fault_path), "/tmp/vnotify-fault-%d",
             (int)getpid());
    snprintf(faults, sizeof(faults), "open=%s", fault_path);
    setup_with(&config, "/tmp");
    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof(name), "p%d", i);
        make_dir(name);
    }
    before = count_fds();
    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof(name), "p%d", i);
        assert_int_equal(add(name, NAMED), i + 1);
    }
    return count_fds() > before + 2 ? -1 : 0;
}

static void test_parked_directories_tell_their_entries(void **state)
{
    (void)state;
    make_file("p0/a");
    expect("1 create a");
    make_dir("p1/d");
    expect("2 create/ d");
    move("p0/a", "p1/b");
    expect("1 from a, 2 to b");
    remove_file("p1/b");
    remove_dir("p1/d");
    expect_in_any_order("2 delete b, 2 delete/ d");
}

static void test_parked_directories_follow_an_ancestor(void **state)
{
    (void)state;
    make_dir("up");
    assert_return_code(renameat(root_fd, "p0", root_fd, "up/p0"), errno);
    expect("1 move-self");
    assert_return_code(renameat(root_fd, "up", root_fd, "high"), errno);
    make_dir("up"); /* a stranger of the old name */
    make_dir("up/p0");
    make_file("up/p0/stranger");
    make_file("high/p0/a");
    expect("1 create a");
}

static void test_parked_directories_end_once(void **state)
{
    int held;

    (void)state;
    remove_dir("p0");
    expect("1 delete-self, 1 ignored");
    /* Open elsewhere, so that the kernel keeps quiet about it. */
    held = openat(root_fd, "p1", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    remove_dir("p1");
    expect("2 delete-self, 2 ignored");
    close(held);
    make_dir("p0"); /* perhaps with the number of the old one */
    make_dir("p1");
    make_file("p0/a");
    expect("");
    assert_int_equal(add("p0", NAMED), 21);
    make_file("p0/b");
    expect("21 create b");
    make_file("p2/a");
    expect("3 create a");
    remove_file("p2/a");
    remove_dir("p2");
    expect("3 delete a, 3 delete-self, 3 ignored");
}

/*
 *     p0: parked, watched        somebody
 *                                  rmdir p0; mkdir p0: of the old number
 *     add_watch p0                 (nobody has served the removal yet)
 *
 * finds the vnode of that number, which is the old directory's.
 */
static void test_parked_directories_make_way(void **state)
{
    (void)state;
    for (int i = 0; i < 300; i++) {
        char words[32];

        remove_dir("p0");
        make_dir("p0");
        assert_int_equal(add("p0", NAMED), 21 + i);
        make_file("p0/b");
        snprintf(words, sizeof(words), "%d create b", 21 + i);
        sync_now();
        assert_non_null(strstr(read_words(instance), words));
        remove_file("p0/b");
        if (i % 2 != 0)
            sync_now();
    }
}

static void test_parked_directories_owe_what_cannot_be_opened(void **state)
{
    int fd = open(fault_path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

    (void)state;
    close(fd);
    make_file("p0/a");
    remove_dir("p1");
    assert_int_equal(vnotify_sync(engine), -EAGAIN);
    make_file("p0/b");
    assert_int_equal(vnotify_sync(engine), -EAGAIN);
    unlink(fault_path);
    expect_in_any_order("1 create a, 1 create b, 2 delete-self, 2 ignored");
}

static void test_parked_directories_are_joined_and_left(void **state)
{
    struct vnotify_instance *other = open_instance();

    (void)state;
    assert_int_equal(vnotify_add_watch(other, path("p0"), NAMED), 1);
    make_file("p0/a");
    expect("1 create a");
    expect_of(other, "1 create a");
    assert_int_equal(vnotify_rm_watch(instance, 1), 0);
    make_file("p0/b");
    expect("1 ignored");
    expect_of(other, "1 create b");
    vnotify_instance_destroy(other);
    make_file("p3/a");
    expect("4 create a");
}

static void test_parked_directories_tell_no_opens_of_ours(void **state)
{
    (void)state;
    assert_int_equal(add("p0", NAMED | VN_IN_OPEN | VN_IN_CLOSE_NOWRITE), 1);
    sync_now();
    (void)read_words(instance);
    for (int i = 0; i < 20; i++) {
        char name[16];

        snprintf(name, sizeof(name), "p0/d%d", i);
        assert_return_code(symlinkat("x", root_fd, name), errno);
        sync_now();
        snprintf(name, sizeof(name), "1 create d%d", i);
        assert_string_equal(read_words(instance), name);
    }
}

static void test_parked_directories_tell_of_their_children(void **state)
{
    (void)state;
    make_file("p0/f");
    expect("1 create f");
    assert_int_equal(add("p0", VN_IN_MODIFY | VN_IN_ATTRIB), 1);
    append_to("p0/f");
    expect("1 modify f");
    change_mode("p0", 0750);
    expect("1 attrib/");
    change_mode("p0/f", 0640);
    expect("1 attrib f");
}

enum { OF_FILES = VN_IN_MODIFY | VN_IN_ATTRIB | VN_IN_DELETE_SELF |
                  VN_IN_MOVE_SELF };

static void test_parked_files_tell_of_themselves(void **state)
{
    int before;

    (void)state;
    words_pair = false; /* they come from where nobody watches */
    make_file("f");
    make_file("g");
    make_file("p0/new");
    expect("1 create new");
    before = count_fds();
    assert_int_equal(add("f", OF_FILES), 21);
    assert_int_equal(add("g", OF_FILES), 22);
    assert_true(count_fds() <= before);
    append_to("f");
    expect("21 modify");
    change_mode("f", 0640);
    expect("21 attrib");
    move("f", "p1/f");
    expect_in_any_order("2 to f, 21 move-self");
    move("g", "p1/f"); /* what is parked there is replaced */
    expect_in_any_order("2 to f, 22 move-self, 21 attrib, 21 delete-self, "
                        "21 ignored");
    remove_file("p1/f");
    expect_in_any_order("22 attrib, 22 delete-self, 22 ignored, 2 delete f");
    words_pair = true;
}

/* They end with the last close, as on Linux. */
static void test_parked_files_are_held_by_others(void **state)
{
    int held;

    (void)state;
    make_file("f");
    assert_int_equal(add("f", OF_FILES), 21);
    held = openat(root_fd, "f", O_RDWR | O_CLOEXEC);
    remove_file("f");
    expect("21 attrib");
    assert_int_equal(write(held, "x", 1), 1);
    expect("21 modify");
    close(held);
    expect("21 delete-self, 21 ignored");
}

/* Nobody has read of the end yet when the number is another's. */
static void test_parked_numbers_are_used_again(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        char gone[64], told[64];

        make_file("f");
        assert_int_equal(add("f", OF_FILES), 21 + 2 * i);
        remove_file("f");
        make_file("f");
        assert_int_equal(add("f", OF_FILES), 22 + 2 * i);
        snprintf(gone, sizeof(gone), "%d attrib, %d delete-self, %d ignored",
                 21 + 2 * i, 21 + 2 * i, 21 + 2 * i);
        expect(gone);
        append_to("f");
        snprintf(told, sizeof(told), "%d modify", 22 + 2 * i);
        expect(told);
        assert_int_equal(vnotify_rm_watch(instance, 22 + 2 * i), 0);
        remove_file("f");
        sync_now();
        (void)read_words(instance);
    }
}

static ino_t number_of(const char *name)
{
    struct stat status;

    assert_return_code(fstatat(root_fd, name, &status, 0), errno);
    return status.st_ino;
}

/* Nobody holds the inode of a parked child, and the file that is made next may
   have its number. */
static void test_parked_children_give_their_number_away(void **state)
{
    int again = 0;

    (void)state;
    make_dir("d");
    for (int i = 0; i < 20; i++) {
        int wd = 21 + 2 * i;
        char told[32];
        ino_t number;

        make_file("d/f");
        assert_int_equal(add("d/f", VN_IN_ATTRIB), wd);
        assert_int_equal(add("d", VN_IN_MODIFY), wd + 1);
        number = number_of("d/f");
        remove_file("d/f");
        make_file("d/g");
        again += number_of("d/g") == number;
        sync_now();
        (void)read_words(instance);
        append_to("d/g");
        snprintf(told, sizeof(told), "%d modify g", wd + 1);
        expect(told);
        remove_file("d/g");
        assert_int_equal(vnotify_rm_watch(instance, wd + 1), 0);
        sync_now();
        (void)read_words(instance);
    }
    if (again == 0)
        skip(); /* not of this file system */
}

static bool has_keeper(void)
{
    DIR *tasks = opendir("/proc/self/task");
    const struct dirent *task;
    bool found = false;

    while (!found && (task = readdir(tasks)) != NULL) {
        char comm[300], name[32] = "";
        FILE *file;

        snprintf(comm, sizeof(comm), "/proc/self/task/%s/comm", task->d_name);
        file = fopen(comm, "re");
        if (file == NULL)
            continue;
        found = fgets(name, sizeof(name), file) != NULL &&
                strcmp(name, "vnotify-keeper\n") == 0;
        fclose(file);
    }
    closedir(tasks);
    return found;
}

/* A descriptor from before may be listed by still; one that is had again asks
   for leave.  So what happens meanwhile is owed, all but the end. */
static void test_parked_directories_may_not_be_read(void **state)
{
    enum { NOBODY = 65534 };

    (void)state;
    if (!has_keeper())
        skip(); /* a handle is for who may read all */
    if (getuid() == 0) {
        assert_return_code(fchownat(root_fd, ".", NOBODY, NOBODY, 0), errno);
        assert_return_code(fchownat(root_fd, "p0", NOBODY, NOBODY, 0), errno);
        assert_return_code(fchownat(root_fd, "p1", NOBODY, NOBODY, 0), errno);
        assert_return_code(seteuid(NOBODY), errno);
    }
    change_mode("p0", 0300);
    make_file("p0/a");
    assert_int_equal(vnotify_sync(engine), -EAGAIN);
    assert_string_equal(read_words(instance), "");
    change_mode("p1", 0);
    remove_dir("p1");
    assert_int_equal(vnotify_sync(engine), -EAGAIN);
    assert_string_equal(read_words(instance), "2 delete-self, 2 ignored");
    change_mode("p0", 0700);
    expect("1 create a");
    assert_return_code(seteuid(getuid()), errno);
}

#define PARKED_TEST(test)                                                      \
    cmocka_unit_test_setup_teardown(test, setup_parked, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PARKED_TEST(test_parked_directories_tell_their_entries),
        PARKED_TEST(test_parked_directories_follow_an_ancestor),
        PARKED_TEST(test_parked_directories_end_once),
        PARKED_TEST(test_parked_directories_make_way),
        PARKED_TEST(test_parked_directories_owe_what_cannot_be_opened),
        PARKED_TEST(test_parked_directories_are_joined_and_left),
        PARKED_TEST(test_parked_directories_tell_no_opens_of_ours),
        PARKED_TEST(test_parked_directories_tell_of_their_children),
        PARKED_TEST(test_parked_files_tell_of_themselves),
        PARKED_TEST(test_parked_files_are_held_by_others),
        PARKED_TEST(test_parked_numbers_are_used_again),
        PARKED_TEST(test_parked_children_give_their_number_away),
        PARKED_TEST(test_parked_directories_may_not_be_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
