/*
 * Which notes each operation posts, on each kind of host.
 *
 * "D" is the directory, "S" and "T" source and target of a rename.
 */
#include "kq-fixture.h"

#include <linux/fs.h>
#include <sys/xattr.h>

#ifndef RENAME_EXCHANGE
#define RENAME_EXCHANGE (1 << 1)
#endif

static void make_dir(const char *path)
{
    assert_int_equal(mkdir(path, 0700), 0);
}

static void test_kq_entries_that_come_are_writes(void **state)
{
    struct fixture *fx = *state;
    int d = watch(fx, ".");
    make_file("f", "");
    expect(fx, d, W);
    assert_int_equal(symlink("f", "s"), 0);
    expect(fx, d, W);
    assert_int_equal(mkfifo("p", 0600), 0);
    expect(fx, d, W);
    make_dir("sub");
    expect(fx, d, W | L);
    expect_nothing(fx);
    kq_close(fx->kq, d);
}

static void test_kq_link_and_unlink(void **state)
{
    struct fixture *fx = *state;
    make_file("f", "x");
    int d = watch(fx, ".");
    int f = watch(fx, "f");
    assert_int_equal(link("f", "g"), 0);
    expect(fx, f, L);
    expect(fx, d, W);
    assert_int_equal(unlink("f"), 0); /* one link left */
    expect(fx, f, either(DEL, DEL | L));
    expect(fx, d, W);
    assert_int_equal(unlink("g"), 0); /* the last one */
    expect(fx, f, either(DEL, DEL | L));
    expect(fx, d, W);
    expect_nothing(fx);
    kq_close(fx->kq, f);
    expect_nothing(fx);
    kq_close(fx->kq, d);
}

static void test_kq_rmdir_of_an_open_directory(void **state)
{
    struct fixture *fx = *state;
    make_dir("a");
    make_dir("b");
    make_dir("c");
    int a = watch(fx, "a"); /* its parent is not watched */
    int c = open("c", O_RDONLY | O_CLOEXEC);
    add(fx, c, ASKED);
    assert_int_equal(rmdir("a"), 0);
    expect(fx, a, either(DEL, DEL | L));
    int d = watch(fx, ".");
    int b = watch(fx, "b");
    assert_int_equal(rmdir("b"), 0);
    expect(fx, b, either(DEL, DEL | L));
    expect(fx, d, W | L);
    assert_int_equal(rmdir("c"), 0);
    expect(fx, c, either(DEL, DEL | L));
    expect(fx, d, W | L);
    expect_nothing(fx);
    kq_close(fx->kq, c);
    kq_close(fx->kq, a);
    kq_close(fx->kq, b);
    kq_close(fx->kq, d);
}

static void test_kq_rmdir_after_renames(void **state)
{
    struct fixture *fx = *state;
    make_dir("a");
    make_dir("other");
    int a = watch(fx, "a");
    assert_int_equal(rename("a", "b"), 0);
    expect(fx, a, R);
    assert_int_equal(rename("b", "c"), 0); /* and gone before the next look */
    assert_int_equal(rename("c", "other/d"), 0);
    assert_int_equal(rename("other/d", "other/e"), 0);
    assert_int_equal(rmdir("other/e"), 0);
    uint32_t notes = take(fx, a);
    notes |= take(fx, a);
    assert_int_equal(notes, either(R | DEL, R | DEL | L));
    expect_nothing(fx);

    make_dir("x");
    int x = watch(fx, "x");
    assert_int_equal(rename("x", "other/x"), 0); /* to another parent */
    expect(fx, x, R);
    make_dir("x"); /* a namesake where it was */
    assert_int_equal(rmdir("x"), 0);
    expect(fx, x, 0);
    assert_int_equal(rmdir("other/x"), 0);
    expect(fx, x, either(DEL, DEL | L));
    expect_nothing(fx);
    kq_close(fx->kq, x);
    kq_close(fx->kq, a);
}

/* Renamed by someone else's view of the name: queued events are older. */
static void test_kq_rmdir_of_one_that_took_an_old_name(void **state)
{
    struct fixture *fx = *state;
    int d = watch(fx, ".");
    make_dir("a");
    assert_int_equal(rename("a", "b"), 0);
    assert_int_equal(rmdir("b"), 0);
    make_dir("a");
    int a = watch(fx, "a"); /* the rename and removal above are still queued */
    expect(fx, d, W | L);
    assert_int_equal(rmdir("a"), 0);
    expect(fx, a, either(DEL, DEL | L));
    expect(fx, d, W | L);
    expect_nothing(fx);
    kq_close(fx->kq, a);
    kq_close(fx->kq, d);
}

static void test_kq_rename_in_one_directory(void **state)
{
    struct fixture *fx = *state;
    make_file("f", "x");
    make_dir("sub");
    int d = watch(fx, ".");
    int f = watch(fx, "f");
    int sub = watch(fx, "sub");
    assert_int_equal(rename("f", "g"), 0);
    expect(fx, d, W);
    expect(fx, f, R);
    assert_int_equal(rename("sub", "bus"), 0);
    expect(fx, d, W);
    expect(fx, sub, R);
    expect_nothing(fx);
    kq_close(fx->kq, sub);
    kq_close(fx->kq, f);
    kq_close(fx->kq, d);
}

static void test_kq_rename_across_directories(void **state)
{
    struct fixture *fx = *state;
    make_dir("S");
    make_dir("T");
    make_file("S/f", "x");
    make_dir("S/sub");
    make_dir("S/bus");
    int s = watch(fx, "S");
    int t = watch(fx, "T");
    int f = watch(fx, "S/f");
    int sub = watch(fx, "S/sub");
    assert_int_equal(rename("S/f", "T/f"), 0);
    expect(fx, s, either(W | X, W));
    expect(fx, t, either(W | X, W));
    expect(fx, f, R);
    assert_int_equal(rename("S/sub", "T/sub"), 0);
    expect(fx, s, either(W | X | L, W | L));
    expect(fx, t, either(W | X | L, W | L));
    expect(fx, sub, R);
    expect_nothing(fx);
    make_dir("U"); /* the other side is not watched */
    assert_int_equal(rename("S/bus", "U/bus"), 0);
    expect(fx, s, either(W | X | L, W | L));
    assert_int_equal(rename("U/bus", "S/bus"), 0);
    expect(fx, s, either(W | X | L, W | L));
    assert_int_equal(rename("T/f", "U/f"), 0);
    expect(fx, t, either(W | X, W));
    expect(fx, f, R);
    expect_nothing(fx);
    kq_close(fx->kq, t);
    kq_close(fx->kq, sub);
    kq_close(fx->kq, f);
    kq_close(fx->kq, s);
}

/* On macOS the victim's would be DELETE alone; Linux shows an unlink. */
static void test_kq_rename_over_a_file(void **state)
{
    struct fixture *fx = *state;
    make_file("f", "x");
    make_file("t", "y");
    int d = watch(fx, ".");
    int f = watch(fx, "f");
    int t = watch(fx, "t");
    assert_int_equal(rename("f", "t"), 0);
    expect(fx, d, W);
    expect(fx, t, either(DEL, DEL | L));
    expect(fx, f, R);
    expect_nothing(fx);
    kq_close(fx->kq, t);
    kq_close(fx->kq, f);
    kq_close(fx->kq, d);
}

static void test_kq_rename_over_a_directory(void **state)
{
    struct fixture *fx = *state;
    make_dir("a");
    make_dir("b");
    make_dir("S");
    make_dir("S/c");
    int d = watch(fx, ".");
    int s = watch(fx, "S");
    int a = watch(fx, "a");
    int b = watch(fx, "b");
    assert_int_equal(rename("a", "b"), 0);
    expect(fx, d, W | L); /* one subdirectory less */
    expect(fx, a, R);
    expect(fx, b, DEL);
    assert_int_equal(rename("S/c", "b"), 0); /* across, over the same name */
    expect(fx, s, either(W | X | L, W));
    expect(fx, d, either(W | X, W));
    expect(fx, a, DEL);
    expect_nothing(fx);
    kq_close(fx->kq, a);
    kq_close(fx->kq, b);
    kq_close(fx->kq, s);
    kq_close(fx->kq, d);
}

static void test_kq_exchange(void **state)
{
    struct fixture *fx = *state;
    make_file("f", "x");
    make_dir("sub");
    int d = watch(fx, ".");
    int f = watch(fx, "f");
    int sub = watch(fx, "sub");
    assert_int_equal(
        syscall(SYS_renameat2, AT_FDCWD, "f", AT_FDCWD, "sub", RENAME_EXCHANGE),
        0);
    expect(fx, d, W);
    expect(fx, f, R);
    expect(fx, sub, R);
    assert_int_equal(rmdir("f"), 0); /* the directory, under its new name */
    expect(fx, sub, either(DEL, DEL | L));
    expect(fx, d, W | L);
    expect_nothing(fx);
    kq_close(fx->kq, sub);
    kq_close(fx->kq, f);
    kq_close(fx->kq, d);
}

static void test_kq_writes_and_truncates(void **state)
{
    struct fixture *fx = *state;
    make_file("f", "0123456789");
    int d = watch(fx, ".");
    int f = watch(fx, "f");
    write_file("f", "abc");
    expect(fx, f, W);
    write_file("f", "0123456789abc");
    expect(fx, f, W | X);
    assert_int_equal(truncate("f", 5), 0);
    expect(fx, f, A);
    /* Upwards it looks like a write that extends, which is what is told. */
    assert_int_equal(truncate("f", 50), 0);
    expect(fx, f, W | X);
    assert_int_equal(truncate("f", 0), 0);
    expect(fx, f, A);
    expect_nothing(fx);
    kq_close(fx->kq, f);
    kq_close(fx->kq, d);
}

static void test_kq_attributes(void **state)
{
    struct fixture *fx = *state;
    make_file("f", "x");
    make_dir("sub");
    int d = watch(fx, ".");
    int of[] = {watch(fx, "f"), watch(fx, "sub")};
    static const char *const names[] = {"f", "sub"};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(chmod(names[i], 0500), 0);
        expect(fx, of[i], A);
        assert_int_equal(utimensat(AT_FDCWD, names[i], NULL, 0), 0);
        expect(fx, of[i], A);
        assert_int_equal(chown(names[i], getuid(), getgid()), 0);
        expect(fx, of[i], A);
        if (setxattr(names[i], "trusted.kq", "1", 1, 0) == 0) {
            expect(fx, of[i], A);
            assert_int_equal(removexattr(names[i], "trusted.kq"), 0);
            expect(fx, of[i], A);
        }
    }
    expect_nothing(fx);
    kq_close(fx->kq, of[0]);
    kq_close(fx->kq, of[1]);
    kq_close(fx->kq, d);
}

/* Two IN_ATTRIB that the kernel merges to one. */
static void test_kq_attribute_and_link_at_once_are_both(void **state)
{
    struct fixture *fx = *state;
    make_file("f", "x");
    make_dir("sub");
    make_dir("over");
    int f = watch(fx, "f");
    int sub = watch(fx, "sub");
    assert_int_equal(chmod("f", 0400), 0);
    assert_int_equal(unlink("f"), 0);
    expect(fx, f, either(DEL | A, DEL | L | A));
    make_file("g", "x");
    int g = watch(fx, "g");
    write_file("g", "y"); /* looked at when all has happened */
    assert_int_equal(chmod("g", 0400), 0);
    assert_int_equal(unlink("g"), 0);
    expect(fx, g, either(W | DEL | A, W | DEL | L | A));
    kq_close(fx->kq, g);
    assert_int_equal(chmod("sub", 0500), 0);
    assert_int_equal(rename("over", "sub"), 0);
    expect(fx, sub, DEL | A);
    expect_nothing(fx);
    kq_close(fx->kq, sub);
    kq_close(fx->kq, f);
}

static void test_kq_directory_hears_nothing_of_its_children(void **state)
{
    struct fixture *fx = *state;
    make_file("f", "x");
    make_dir("sub");
    int d = open_quietly(".");
    add(fx, d, kq_notes_dir(fx->kq));
    write_file("f", "longer");
    assert_int_equal(truncate("f", 0), 0);
    assert_int_equal(chmod("f", 0600), 0);
    assert_int_equal(chmod("sub", 0700), 0);
    make_file("sub/g", "");
    make_dir("sub/h");
    close(open("f", O_RDONLY | O_CLOEXEC));
    expect_nothing(fx);
    kq_close(fx->kq, d);
}

static void test_kq_symbolic_link_itself(void **state)
{
    struct fixture *fx = *state;
    make_file("f", "x");
    assert_int_equal(symlink("f", "s"), 0);
    int s = watch(fx, "s");
    write_file("f", "yy");
    expect(fx, s, 0);
    assert_int_equal(rename("s", "r"), 0);
    expect(fx, s, R);
    assert_int_equal(unlink("r"), 0);
    expect(fx, s, either(DEL, DEL | L));
    expect_nothing(fx);
    kq_close(fx->kq, s);
}

static void test_kq_opens_and_closes(void **state)
{
    struct fixture *fx = *state;
    uint32_t asked = NOTE_OPEN | NOTE_CLOSE | NOTE_CLOSE_WRITE | NOTE_READ;
    char byte;
    make_file("f", "x");
    int f = open_quietly("f");
    int d = open_quietly(".");
    add(fx, f, asked);
    add(fx, d, asked);
    int host_fd = open("f", O_RDONLY | O_CLOEXEC);
    expect(fx, f, either(NOTE_OPEN, 0));
    assert_int_equal(read(host_fd, &byte, 1), 1);
    expect(fx, f, either(NOTE_READ, 0));
    close(host_fd);
    expect(fx, f, either(NOTE_CLOSE, 0));
    host_fd = open("f", O_WRONLY | O_CLOEXEC);
    expect(fx, f, either(NOTE_OPEN, 0));
    close(host_fd);
    expect(fx, f, either(NOTE_CLOSE_WRITE, 0));
    DIR *dir = opendir(".");
    expect(fx, d, either(NOTE_OPEN, 0));
    readdir(dir);
    expect(fx, d, either(NOTE_READ, 0));
    closedir(dir);
    expect(fx, d, either(NOTE_CLOSE, 0));
    expect_nothing(fx);
    kq_close(fx->kq, d);
    kq_close(fx->kq, f);
}

static void test_kq_capabilities(void **state)
{
    struct fixture *fx = *state;
    uint32_t extra = NOTE_OPEN | NOTE_CLOSE | NOTE_READ;
    uint32_t write = NOTE_CLOSE_WRITE;
    assert_int_equal(kq_notes_dir(fx->kq) & (extra | write), either(extra, 0));
    assert_int_equal(kq_notes_file(fx->kq) & (extra | write),
                     either(extra | write, 0));
    assert_int_equal(kq_notes_dir(fx->kq) & X, either(X, 0));
    assert_int_equal(kq_notes_file(fx->kq) & ASKED, ASKED);
    assert_int_equal(kq_notes_dir(fx->kq) & (ASKED & ~X), ASKED & ~X);
}

static const struct CMUnitTest tests[] = {
    KQ_TEST(test_kq_entries_that_come_are_writes),
    KQ_TEST(test_kq_link_and_unlink),
    KQ_TEST(test_kq_rmdir_of_an_open_directory),
    KQ_TEST(test_kq_rmdir_after_renames),
    KQ_TEST(test_kq_rmdir_of_one_that_took_an_old_name),
    KQ_TEST(test_kq_rename_in_one_directory),
    KQ_TEST(test_kq_rename_across_directories),
    KQ_TEST(test_kq_rename_over_a_file),
    KQ_TEST(test_kq_rename_over_a_directory),
    KQ_TEST(test_kq_exchange),
    KQ_TEST(test_kq_writes_and_truncates),
    KQ_TEST(test_kq_attributes),
    KQ_TEST(test_kq_attribute_and_link_at_once_are_both),
    KQ_TEST(test_kq_directory_hears_nothing_of_its_children),
    KQ_TEST(test_kq_symbolic_link_itself),
    KQ_TEST(test_kq_opens_and_closes),
    KQ_TEST(test_kq_capabilities),
};

KQ_TESTS(tests)
