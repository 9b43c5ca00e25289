/*
 * IN_EXCL_UNLINK, and by which name the use of an open file is told.
 */
#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define USE (IN_OPEN | IN_ACCESS | IN_MODIFY | IN_CLOSE)

static int open_file(const char *path)
{
    int file = open(path, O_RDWR | O_CLOEXEC);
    CHECK(file >= 0, "open %s: %s", path, strerror(errno));
    return file;
}

static void use(int file)
{
    char byte;
    CHECK(write(file, "text", 4) == 4, "write: %s", strerror(errno));
    CHECK(pread(file, &byte, 1, 0) == 1, "pread: %s", strerror(errno));
}

static void use_and_expect(int file, struct guest_queue *q, int wd,
                           const char *name)
{
    char byte;
    CHECK(write(file, "text", 4) == 4, "write: %s", strerror(errno));
    guest_expect(q, wd, IN_MODIFY, name);
    CHECK(pread(file, &byte, 1, 0) == 1, "pread: %s", strerror(errno));
    guest_expect(q, wd, IN_ACCESS, name);
}

static void skip_without_use(void)
{
    if (!guest_sees_use())
        guest_skip("this host's notes do not tell of use");
}

/* Item 28: neither to the directory's watch nor to the file's own. */
static void use_after_unlink_is_not_told(void)
{
    struct guest_queue q;

    skip_without_use();
    guest_write("file", "some text");
    guest_open(&q);
    int dir = guest_watch(&q, ".", USE | IN_DELETE | IN_EXCL_UNLINK);
    int wd = guest_watch(&q, "file", USE | IN_DELETE_SELF | IN_EXCL_UNLINK);
    int file = open_file("file");
    guest_expect(&q, dir, IN_OPEN, "file");
    guest_expect(&q, wd, IN_OPEN, NULL);
    guest_unlink("file");
    guest_expect(&q, dir, IN_DELETE, "file");
    guest_settle(&q); /* the file's own note of it may come with its use */
    use(file);
    guest_expect_quiet(&q);
    close(file);
    guest_expect(&q, wd, IN_DELETE_SELF, NULL);
    guest_expect(&q, wd, IN_IGNORED, NULL);
    guest_expect_quiet(&q);
    guest_close(&q);
}

/* Item 28: by a rename over the name as well. */
static void nor_is_use_of_what_was_replaced(void)
{
    struct guest_queue q;

    skip_without_use();
    guest_write("file", "some text");
    guest_write("other", "other text");
    guest_open(&q);
    int wd = guest_watch(&q, "file", USE | IN_ATTRIB | IN_EXCL_UNLINK);
    int file = open_file("file");
    guest_expect(&q, wd, IN_OPEN, NULL);
    guest_rename("other", "file");
    guest_expect(&q, wd, IN_ATTRIB, NULL);
    use(file);
    guest_expect_quiet(&q);
    close(file);
    guest_expect(&q, wd, IN_IGNORED, NULL);
    guest_expect_quiet(&q);
    guest_close(&q);
}

/* Item 29: it is about use.  The file's own watch: */
static void changes_of_the_inode_are_told(void)
{
    struct guest_queue q;

    skip_without_use();
    guest_write("file", "some text");
    guest_open(&q);
    int wd = guest_watch(&q, "file", USE | IN_ATTRIB | IN_EXCL_UNLINK);
    int file = open_file("file");
    guest_expect(&q, wd, IN_OPEN, NULL);
    guest_unlink("file");
    guest_expect(&q, wd, IN_ATTRIB, NULL);
    CHECK(fchmod(file, 0600) == 0, "fchmod: %s", strerror(errno));
    guest_expect(&q, wd, IN_ATTRIB, NULL);
    CHECK(ftruncate(file, 2) == 0, "ftruncate: %s", strerror(errno));
    guest_expect(&q, wd, IN_MODIFY, NULL);
    close(file);
    guest_expect(&q, wd, IN_IGNORED, NULL);
    guest_expect_quiet(&q);
    guest_close(&q);
}

/* Item 29: and its directory's. */
static void and_to_the_directory(void)
{
    struct guest_queue q;

    skip_without_use();
    guest_write("file", "some text");
    guest_open(&q);
    int dir = guest_watch(&q, ".", IN_ATTRIB | IN_DELETE | IN_EXCL_UNLINK);
    int file = open_file("file");
    guest_unlink("file");
    guest_expect(&q, dir, IN_DELETE, "file");
    CHECK(fchmod(file, 0600) == 0, "fchmod: %s", strerror(errno));
    guest_expect(&q, dir, IN_ATTRIB, "file");
    close(file);
    guest_expect_quiet(&q);
    guest_close(&q);
}

/* Item 131 */
static void use_after_a_rename_has_the_new_name(void)
{
    struct guest_queue q;

    skip_without_use();
    guest_mkdir("a");
    guest_mkdir("b");
    guest_write("a/file", "some text");
    guest_write("a/next", "some text");
    guest_open(&q);
    int a = guest_watch(&q, "a", USE | IN_MOVE);
    int b = guest_watch(&q, "b", USE | IN_MOVE);
    int file = open_file("a/file");
    guest_expect(&q, a, IN_OPEN, "file");
    use_and_expect(file, &q, a, "file");
    guest_rename("a/file", "a/other");
    guest_expect_move(&q, a, "file", a, "other", 0);
    guest_settle(&q);
    use_and_expect(file, &q, a, "other");
    guest_rename("a/other", "b/third");
    guest_expect_move(&q, a, "other", b, "third", 0);
    /* b is told, then keeps the file as a child, then is told again */
    guest_rename("a/next", "b/next");
    guest_expect_move(&q, a, "next", b, "next", 0);
    guest_settle(&q);
    use_and_expect(file, &q, b, "third");
    close(file);
    guest_expect(&q, b, IN_CLOSE_WRITE, "third");
    guest_expect_quiet(&q);
    guest_close(&q);
}

/* Item 135: the file's own watch sees all of it. */
static void each_link_tells_its_own_directory(void)
{
    struct guest_queue q;

    skip_without_use();
    guest_mkdir("a");
    guest_mkdir("b");
    guest_write("a/one", "some text");
    CHECK(link("a/one", "b/two") == 0, "link: %s", strerror(errno));
    guest_open(&q);
    int wd = guest_watch(&q, "a/one", IN_MODIFY);
    int b = guest_watch(&q, "b", IN_MODIFY);
    guest_watch(&q, "a", IN_MODIFY);
    int file = open_file("b/two");
    use(file);
    close(file);
    guest_expect(&q, b, IN_MODIFY, "two");
    guest_expect(&q, wd, IN_MODIFY, NULL);
    guest_expect_quiet(&q);
    guest_close(&q);
}

int main(int argc, char **argv)
{
    static const struct guest_case cases[] = {
        GUEST_CASE(use_after_unlink_is_not_told),
        GUEST_CASE(nor_is_use_of_what_was_replaced),
        GUEST_CASE(changes_of_the_inode_are_told),
        GUEST_CASE(and_to_the_directory),
        GUEST_CASE(use_after_a_rename_has_the_new_name),
        GUEST_CASE(each_link_tells_its_own_directory),
    };
    return guest_main(argc, argv, cases, GUEST_COUNT(cases));
}
