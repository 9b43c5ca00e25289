/*
 * vnotify.h: names that are told while a large directory's listing still runs
 */
#include "engine-fixture.h"

#include <sched.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/syscall.h>

#include "pipeline/delta.h"

/*
 * Where the host lists a new one is the file system's choice.  So one alone may
 * be found late, but not one after the other.
 */
enum {
    ENTRIES = 1000, /* several of the host's calls */
    MANY = 6000,    /* that a worker lists which takes bulk */
    NEW = 16,
    MEMBERSHIP = VN_IN_CREATE | VN_IN_DELETE | VN_IN_MOVED_FROM |
                 VN_IN_MOVED_TO,
};

static char fault_path[80];

static const char *old_name(int n)
{
    static char name[32];

    snprintf(name, sizeof(name), "d/old%d", n);
    return name;
}

static int setup_bulk_with(struct vnotify_config config, const char *below,
                           int entries)
{
    char spec[128];

    snprintf(fault_path, sizeof(fault_path), "/tmp/vnotify-fault-%d",
             (int)getpid());
    snprintf(spec, sizeof(spec), "alloc=%s", fault_path);
    unlink(fault_path);
    config.faults = spec;
    setup_with(&config, below);
    make_dir("d");
    for (int i = 0; i < entries; i++)
        make_file(old_name(i));
    return 0;
}

static int setup_bulk(void **state)
{
    (void)state;
    return setup_bulk_with((struct vnotify_config){ 0 }, "/tmp", ENTRIES);
}

static int setup_many(void **state)
{
    (void)state;
    return setup_bulk_with((struct vnotify_config){ 0 }, "/tmp", MANY);
}

static int setup_ordered(void **state)
{
    (void)state;
    return setup_bulk_with((struct vnotify_config){ .ordered = true }, "/tmp",
                           ENTRIES);
}

static int setup_in_memory(void **state)
{
    (void)state;
    return setup_bulk_with((struct vnotify_config){ 0 }, "/dev/shm",
                           MANY);
}

#ifdef __linux__
static int setup_few_in_memory(void **state)
{
    (void)state;
    return setup_bulk_with((struct vnotify_config){ 0 }, "/dev/shm", ENTRIES);
}
#endif

/* No note says that an entry has crossed directories. */
static int setup_macos(void **state)
{
    (void)state;
    return setup_bulk_with(
        (struct vnotify_config){ .notes = VNOTIFY_NOTES_MACOS }, "/tmp",
        ENTRIES);
}

#ifdef __linux__
/* Between two of the host's calls: done once, before the one that this counts
   down to. */
static atomic_int calls_until_rename, renames;

/* The linker has our calls of syscall(2) made here (--wrap). */
long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);

long __wrap_syscall(long number, ...)
{
    long a[6];
    va_list args;

    va_start(args, number);
    for (int i = 0; i < 6; i++)
        a[i] = va_arg(args, long);
    va_end(args);
    if (number == SYS_getdents64 && atomic_load(&calls_until_rename) > 0 &&
        atomic_fetch_sub(&calls_until_rename, 1) == 1) {
        renameat(root_fd, old_name(0), root_fd, "d/renamed");
        atomic_fetch_add(&renames, 1);
    }
    return __real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
#endif

static uint64_t streamed(void)
{
    struct vnotify_stats stats;

    vnotify_stats(engine, &stats);
    return stats.names_streamed;
}

/* Makes files one by one; each is told once, then its removal. */
static void make_and_remove_new(void)
{
    char name[32], words[64];

    for (int i = 0; i < NEW; i++) {
        snprintf(name, sizeof(name), "d/new%d", i);
        make_file(name);
        snprintf(words, sizeof(words), "1 create new%d", i);
        expect(words);
    }
    for (int i = 0; i < NEW; i++) {
        snprintf(name, sizeof(name), "d/new%d", i);
        remove_file(name);
        snprintf(words, sizeof(words), "1 delete new%d", i);
        expect(words);
    }
}

static void test_engine_tells_a_new_name_before_its_listing_ends(void **state)
{
    (void)state;
    assert_int_equal(add("d", MEMBERSHIP), 1);
    make_and_remove_new();
    assert_in_range(streamed(), 1, NEW);
}

static void test_engine_that_keeps_the_order_tells_none_early(void **state)
{
    (void)state;
    assert_int_equal(add("d", MEMBERSHIP), 1);
    make_and_remove_new();
    assert_int_equal(streamed(), 0);
}

/* To list "d" may take longer than a hold lasts: then the halves of a rename
   are told one by one.  What came by it is no new file for that. */
static void move_but_create_nothing(const char *from, const char *to)
{
    uint64_t before = streamed();

    move(from, to);
    sync_now();
    assert_null(strstr(read_words(instance), "create"));
    assert_int_equal(streamed(), before);
}

/* Names that are new, of inodes that are not. */
static void test_engine_tells_no_name_early_that_may_be_a_move(void **state)
{
    uint64_t born_ns;

    (void)state;
    words_pair = false;
    make_dir("e");
    assert_int_equal(add("d", MEMBERSHIP), 1);
    assert_int_equal(add("e", MEMBERSHIP), 2);
    make_file("e/x");
    born_ns = now_ns();
    expect("2 create x");
    /* Where no note says that it has crossed, its age does: it was born well
       before the listing before (delta_moved_in). */
    do {
        change_mode("e/x", 0600);
        let_clock_pass("e/x");
    } while (now_ns() - born_ns < 2 * BIRTH_TICK_NS);
    make_file("d/later");
    expect("1 create later");
    for (int i = 0; i < NEW; i++) {
        move_but_create_nothing("e/x", "d/x");
        move_but_create_nothing("d/x", "d/y");
        move_but_create_nothing("d/y", "e/x");
    }
    words_pair = true;
}

/* What is told early and what is told at the end are one story. */
static void test_engine_tells_the_rest_when_the_listing_ends(void **state)
{
    char name[32], words[128];

    (void)state;
    assert_int_equal(add("d", MEMBERSHIP), 1);
    for (int i = 0; i < NEW; i++) {
        snprintf(name, sizeof(name), "d/new%d", i);
        make_file(name);
        remove_file(old_name(i));
        snprintf(words, sizeof(words), "1 create new%d, 1 delete %s", i,
                 old_name(i) + strlen("d/"));
        expect_in_any_order(words);
    }
}

/*
 * Who joins before a listing begins knows more than the one before: the new
 * file and the link, which is not told early.  The worker that takes bulk is
 * kept busy meanwhile.
 */
static void test_engine_tells_early_only_who_was_told_the_rest(void **state)
{
    char name[32], words[128];

    (void)state;
    make_dir("larger");
    for (int i = 0; i < 4 * MANY; i++) {
        snprintf(name, sizeof(name), "larger/%d", i);
        make_file(name);
    }
    assert_int_equal(add("d", MEMBERSHIP), 1);
    assert_int_equal(add("larger", MEMBERSHIP), 2);
    for (int i = 0; i < NEW; i++) {
        struct vnotify_instance *other = open_instance();

        snprintf(name, sizeof(name), "larger/new%d", i);
        make_file(name);
        snprintf(name, sizeof(name), "d/new%d", i);
        make_file(name);
        snprintf(name, sizeof(name), "d/link%d", i);
        link_file(old_name(0), name);
        assert_int_equal(vnotify_add_watch(other, path("d"), MEMBERSHIP), 1);
        snprintf(words, sizeof(words),
                 "1 create link%d, 1 create new%d, 2 create new%d", i, i, i);
        expect_in_any_order(words);
        assert_string_equal(read_words(other), "");
        vnotify_instance_destroy(other);
    }
    assert_true(streamed() > 0);
}

#ifdef __linux__
/* What has not been listed yet is renamed to where the host has been already:
   such a listing has neither name. */
static void test_engine_pairs_a_rename_in_the_midst_of_a_listing(void **state)
{
    char name[32], words[128];

    (void)state;
    assert_int_equal(add("d", MEMBERSHIP), 1);
    atomic_store(&renames, 0);
    for (int i = 0; i < NEW; i++) {
        int before = atomic_load(&renames);

        sync_now();
        let_clock_pass(old_name(0));
        snprintf(name, sizeof(name), "d/new%d", i);
        atomic_store(&calls_until_rename, 3);
        make_file(name);
        sync_now();
        atomic_store(&calls_until_rename, 0);
        snprintf(words, sizeof(words), "1 create new%d", i);
        if (atomic_load(&renames) == before) { /* listed in one call */
            expect(words);
            continue;
        }
        strcat(words, ", 1 from old0, 1 to renamed");
        expect_in_any_order(words);
        move("d/renamed", old_name(0));
        expect("1 from renamed, 1 to old0");
    }
    assert_true(atomic_load(&renames) > 0);
}
#endif

/* A name that is another file's now has to go before it comes. */
static void test_engine_tells_no_name_early_that_is_not_free(void **state)
{
    char words[128];

    (void)state;
    assert_int_equal(add("d", MEMBERSHIP), 1);
    for (int i = 0; i < NEW; i++) {
        const char *name = old_name(i);
        int fd = openat(root_fd, name, O_RDONLY | O_CLOEXEC);

        assert_return_code(fd, errno); /* its number is not used again */
        remove_file(name);
        make_file(name);
        name += strlen("d/");
        snprintf(words, sizeof(words), "1 delete %s, 1 create %s", name, name);
        expect(words);
        close(fd);
    }
}

/* The listing fails after a name of it was told. */
static uint64_t fail_a_listing(const char *name)
{
    struct vnotify_stats stats;
    uint64_t failed;
    int fd = open(fault_path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

    assert_return_code(fd, errno);
    close(fd);
    vnotify_stats(engine, &stats);
    failed = stats.listings_failed;
    make_file(name);
    do {
        sched_yield();
        vnotify_stats(engine, &stats);
    } while (stats.listings_failed == failed);
    return stats.names_streamed;
}

static void test_engine_repeats_no_name_whose_listing_failed(void **state)
{
    struct vnotify_instance *other = open_instance();
    char name[32], words[64];
    int early = 0;

    (void)state;
    assert_int_equal(add("d", MEMBERSHIP), 1);
    assert_int_equal(vnotify_add_watch(other, path("d"), MEMBERSHIP), 1);
    for (int i = 0; i < NEW; i++) {
        uint64_t before = streamed();
        bool told;

        snprintf(name, sizeof(name), "d/new%d", i);
        snprintf(words, sizeof(words), "1 create new%d", i);
        told = fail_a_listing(name) > before;
        assert_string_equal(read_words(instance), told ? words : "");
        assert_return_code(unlink(fault_path), errno);
        expect(told ? "" : words);
        assert_string_equal(read_words(other), words);
        early += told;
    }
    assert_true(early > 0);
    vnotify_instance_destroy(other);
}

/* Does this come now, after any number of others? */
static bool comes(const char *words)
{
    return strstr(read_words(instance), words) != NULL;
}

/* Its row follows the whole listing, in which it is nothing new. */
static void test_engine_tells_writes_to_what_was_told_early(void **state)
{
    char name[32], words[32];

    (void)state;
    assert_int_equal(add("d", MEMBERSHIP | VN_IN_MODIFY), 1);
    for (int i = 0; i < NEW; i++) {
        snprintf(name, sizeof(name), "d/new%d", i);
        make_file(name);
        append_to(name);
        snprintf(words, sizeof(words), "1 modify new%d", i);
        AWAIT(comes(words));
    }
    assert_true(streamed() > 0);
}

/* While the listing that told it may still be running: that may come to see
   the new name and not the old one. */
static void test_engine_pairs_a_rename_of_what_was_told_early(void **state)
{
    char from[32], to[32], words[64];

    (void)state;
    assert_int_equal(add("d", MEMBERSHIP), 1);
    for (int i = 0; i < NEW; i++) {
        snprintf(from, sizeof(from), "d/new%d", i);
        snprintf(to, sizeof(to), "d/moved%d", i);
        make_file(from);
        snprintf(words, sizeof(words), "1 create new%d", i);
        expect_at_last(words);
        move(from, to);
        snprintf(words, sizeof(words), "1 from new%d, 1 to moved%d", i, i);
        expect(words);
    }
    assert_true(streamed() > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_engine_tells_a_new_name_before_its_listing_ends, setup_bulk,
            teardown),
        cmocka_unit_test_setup_teardown(
            test_engine_tells_a_new_name_before_its_listing_ends, setup_many,
            teardown),
        cmocka_unit_test_setup_teardown(
            test_engine_that_keeps_the_order_tells_none_early, setup_ordered,
            teardown),
        cmocka_unit_test_setup_teardown(
            test_engine_tells_no_name_early_that_may_be_a_move, setup_bulk,
            teardown),
        cmocka_unit_test_setup_teardown(
            test_engine_tells_no_name_early_that_may_be_a_move, setup_macos,
            teardown),
        cmocka_unit_test_setup_teardown(
            test_engine_tells_no_name_early_that_is_not_free, setup_bulk,
            teardown),
        cmocka_unit_test_setup_teardown(
            test_engine_tells_the_rest_when_the_listing_ends, setup_bulk,
            teardown),
        cmocka_unit_test_setup_teardown(
            test_engine_tells_early_only_who_was_told_the_rest, setup_in_memory,
            teardown),
#ifdef __linux__
        cmocka_unit_test_setup_teardown(
            test_engine_pairs_a_rename_in_the_midst_of_a_listing,
            setup_few_in_memory, teardown),
#endif
        cmocka_unit_test_setup_teardown(
            test_engine_repeats_no_name_whose_listing_failed, setup_bulk,
            teardown),
        cmocka_unit_test_setup_teardown(
            test_engine_tells_writes_to_what_was_told_early, setup_in_memory,
            teardown),
        cmocka_unit_test_setup_teardown(
            test_engine_pairs_a_rename_of_what_was_told_early, setup_bulk,
            teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
