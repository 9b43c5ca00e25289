/*
 * What is done to a file, by every way there is, told by name to its directory
 * and, after that, to a watch of its own.
 */
#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

/* Both watches of one instance. */
struct pair {
    struct guest_queue q;
    int dir, own;
};

static void pair_open(struct pair *pair, const char *path, uint32_t mask)
{
    guest_open(&pair->q);
    pair->dir = guest_watch(&pair->q, ".", mask);
    pair->own = guest_watch(&pair->q, path, mask);
}

static void pair_expect(struct pair *pair, uint32_t event, const char *name)
{
    guest_expect(&pair->q, pair->dir, event, name);
    guest_expect(&pair->q, pair->own, event, NULL);
}

static void pair_close(struct pair *pair)
{
    guest_expect_quiet(&pair->q);
    guest_close(&pair->q);
}

static void skip_without_use(void)
{
    if (!guest_sees_use())
        guest_skip("this host's notes do not tell of use");
}

static int open_as(const char *path, int flags)
{
    int file = open(path, flags | O_CLOEXEC, 0600);
    CHECK(file >= 0, "open %s: %s", path, strerror(errno));
    return file;
}

/* Item 74: of a dup, a fork and a mapping. */
static void the_last_reference_closes(void)
{
    struct pair pair;

    skip_without_use();
    guest_write("file", "text");
    pair_open(&pair, "file", IN_CLOSE);
    int file = open_as("file", O_RDWR), copy = dup(file), ends[2];
    void *map = mmap(NULL, 4096, PROT_READ, MAP_SHARED, file, 0);
    CHECK(map != MAP_FAILED && copy >= 0 && pipe(ends) == 0, "mmap, dup, pipe");
    pid_t child = fork();
    if (child == 0) {
        char byte;
        munmap(map, 4096);
        close(ends[1]);
        _exit(read(ends[0], &byte, 1) == 0 ? 0 : 1);
    }
    close(file);
    close(copy);
    guest_expect_quiet(&pair.q);
    munmap(map, 4096);
    guest_expect_quiet(&pair.q);
    close(ends[1]); /* the child's copies go with it */
    guest_wait_child(child);
    close(ends[0]);
    pair_expect(&pair, IN_CLOSE_WRITE, "file");
    pair_close(&pair);
}

/* Item 76 */
static void by_path_is_no_use(void)
{
    struct pair pair;

    guest_write("file", "text");
    pair_open(&pair, "file", IN_ALL_EVENTS);
    close(open_as("file", O_PATH));
    close(open_as("file", O_PATH | O_NOFOLLOW));
    pair_close(&pair);
}

/* Item 83 */
static void space_that_is_given_and_taken(void)
{
    struct pair pair;

    guest_write("file", "text");
    int file = open_as("file", O_RDWR);
    pair_open(&pair, "file", IN_MODIFY);
    if (fallocate(file, 0, 0, 8192) != 0)
        guest_skip("fallocate: %s", strerror(errno));
    pair_expect(&pair, IN_MODIFY, "file");
    CHECK(fallocate(file, FALLOC_FL_KEEP_SIZE, 0, 65536) == 0, "keep size");
    pair_expect(&pair, IN_MODIFY, "file");
    CHECK(fallocate(file, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, 0,
                    4096) == 0, "punch a hole");
    pair_expect(&pair, IN_MODIFY, "file");
    close(file);
    pair_close(&pair);
}

/* Item 84 */
static void copied_by_the_kernel(void)
{
    struct guest_queue q;
    off_t at = 0;

    skip_without_use();
    guest_mkdir("a");
    guest_mkdir("b");
    guest_write("a/from", "some text");
    guest_write("b/to", "");
    int from = open_as("a/from", O_RDONLY), to = open_as("b/to", O_WRONLY);
    guest_open(&q);
    int a = guest_watch(&q, "a", IN_ACCESS | IN_MODIFY);
    int b = guest_watch(&q, "b", IN_ACCESS | IN_MODIFY);
    CHECK(sendfile(to, from, &at, 4) == 4, "sendfile: %s", strerror(errno));
    guest_expect_all(&q, (struct guest_want[]){ { a, IN_ACCESS, "from" },
                                                { b, IN_MODIFY, "to" } }, 2);
    at = 0;
    CHECK(copy_file_range(from, &at, to, NULL, 4, 0) == 4,
          "copy_file_range: %s", strerror(errno));
    guest_expect_all(&q, (struct guest_want[]){ { a, IN_ACCESS, "from" },
                                                { b, IN_MODIFY, "to" } }, 2);
    close(from);
    close(to);
    guest_expect_quiet(&q);
    guest_close(&q);
}

/* Item 86 */
static void what_is_no_use(void)
{
    struct pair pair;
    struct stat status;
    char link[64];

    guest_write("file", "text");
    int file = open_as("file", O_RDWR);
    char *map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    CHECK(map != MAP_FAILED, "mmap: %s", strerror(errno));
    pair_open(&pair, "file", IN_ALL_EVENTS);
    map[0] = 'T';
    CHECK(msync(map, 4096, MS_SYNC) == 0 && fsync(file) == 0, "sync");
    CHECK(readahead(file, 0, 4096) == 0, "readahead: %s", strerror(errno));
    CHECK(stat("file", &status) == 0 && access("file", R_OK) == 0, "stat");
    CHECK(flock(file, LOCK_EX) == 0 && flock(file, LOCK_UN) == 0, "flock");
    CHECK(readlink("file", link, sizeof(link)) < 0, "readlink");
    guest_expect_quiet(&pair.q);
    guest_unwatch(&pair.q, pair.own);
    guest_unwatch(&pair.q, pair.dir);
    munmap(map, 4096);
    close(file);
    pair_close(&pair);
}

/* Item 87 */
static void executed(void)
{
    struct pair pair;
    char bytes[65536];
    ssize_t got;

    skip_without_use();
    /* A copy of ourselves, which ends at once. */
    int in = open_as("/proc/self/exe", O_RDONLY), out = open_as(
        "program", O_WRONLY | O_CREAT);
    while ((got = read(in, bytes, sizeof(bytes))) > 0)
        CHECK(write(out, bytes, (size_t)got) == got, "write");
    CHECK(fchmod(out, 0700) == 0, "fchmod");
    close(out);
    close(in);
    pair_open(&pair, "program", IN_OPEN | IN_CLOSE);
    if (guest_foreign())
        guest_skip("QEMU reads the program, and the kernel does not");
    pid_t child = fork();
    if (child == 0) {
        execl("./program", "program", "no-such-case", NULL);
        _exit(127);
    }
    guest_wait_child(child);
    pair_expect(&pair, IN_OPEN, "program");
    pair_expect(&pair, IN_CLOSE_NOWRITE, "program");
    pair_close(&pair);
}

/* Item 88: also when the value is what it was. */
static void attributes_are_set(void)
{
    struct pair pair;

    guest_write("file", "text");
    int file = open_as("file", O_RDONLY);
    pair_open(&pair, "file", IN_ATTRIB | IN_MODIFY);
    for (int i = 0; i < 2; i++) {
        guest_chmod("file", 0640);
        pair_expect(&pair, IN_ATTRIB, "file");
        CHECK(fchmod(file, 0640) == 0, "fchmod");
        pair_expect(&pair, IN_ATTRIB, "file");
        CHECK(fchmodat(AT_FDCWD, "file", 0640, 0) == 0, "fchmodat");
        pair_expect(&pair, IN_ATTRIB, "file");
        CHECK(chown("file", geteuid(), getegid()) == 0, "chown");
        pair_expect(&pair, IN_ATTRIB, "file");
        if (setxattr("file", "user.a", "1", 1, 0) == 0) {
            pair_expect(&pair, IN_ATTRIB, "file");
            CHECK(removexattr("file", "user.a") == 0, "removexattr");
            pair_expect(&pair, IN_ATTRIB, "file");
        }
    }
    close(file);
    pair_close(&pair);
}

/* Item 89 */
static void attributes_are_left(void)
{
    struct pair pair;
    char value[8];

    guest_write("file", "text");
    pair_open(&pair, "file", IN_ATTRIB | IN_MODIFY);
    CHECK(chown("file", (uid_t)-1, (gid_t)-1) == 0, "chown");
    (void)!getxattr("file", "user.none", value, sizeof(value));
    (void)!listxattr("file", NULL, 0);
    CHECK(removexattr("file", "user.none") != 0, "removexattr");
    pair_close(&pair);
}

/* Item 92: reads and writes are the object's, opens its directory's too. */
static void through(const char *name)
{
    struct pair pair;
    char byte = 'x';

    pair_open(&pair, name, IN_OPEN | IN_ACCESS | IN_MODIFY | IN_CLOSE);
    int file = open_as(name, O_RDWR | O_NONBLOCK);
    pair_expect(&pair, IN_OPEN, name);
    CHECK(write(file, &byte, 1) == 1, "write: %s", strerror(errno));
    guest_expect(&pair.q, pair.own, IN_MODIFY, NULL);
    CHECK(read(file, &byte, 1) == 1, "read: %s", strerror(errno));
    guest_expect(&pair.q, pair.own, IN_ACCESS, NULL);
    close(file);
    pair_expect(&pair, IN_CLOSE_WRITE, name);
    pair_close(&pair);
}

static void through_a_fifo(void)
{
    skip_without_use();
    CHECK(mkfifo("fifo", 0600) == 0, "mkfifo: %s", strerror(errno));
    through("fifo");
}

static void through_a_device(void)
{
    skip_without_use();
    if (mknod("zero", S_IFCHR | 0600, makedev(1, 5)) != 0)
        guest_skip("mknod: %s", strerror(errno));
    through("zero");
}

/* Item 101 */
static void a_file_without_a_name(void)
{
    struct guest_queue q;
    struct guest_event event;
    char path[64];

    skip_without_use();
    guest_open(&q);
    int wd = guest_watch(&q, ".", IN_OPEN | IN_CREATE | IN_CLOSE);
    int file = open(".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
    if (file < 0)
        guest_skip("O_TMPFILE: %s", strerror(errno));
    CHECK(guest_next(&q, &event), "expected IN_OPEN of a number");
    CHECK(event.wd == wd && event.mask == IN_OPEN && event.name[0] == '#',
          "mask %#x of '%s'", event.mask, event.name);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
    CHECK(linkat(AT_FDCWD, path, AT_FDCWD, "named", AT_SYMLINK_FOLLOW) == 0,
          "linkat: %s", strerror(errno));
    guest_expect(&q, wd, IN_CREATE, "named");
    close(file);
    guest_settle(&q);
    q.head = q.count;
    guest_close(&q);
}

/* Item 102 */
static void made_through_a_dangling_link(void)
{
    struct guest_queue q;

    skip_without_use();
    guest_mkdir("links");
    guest_mkdir("files");
    CHECK(symlink("../files/target", "links/link") == 0, "symlink");
    guest_open(&q);
    guest_watch(&q, "links", IN_CREATE | IN_OPEN | IN_CLOSE);
    int files = guest_watch(&q, "files", IN_CREATE | IN_OPEN | IN_CLOSE);
    int file = open_as("links/link", O_WRONLY | O_CREAT);
    guest_expect(&q, files, IN_CREATE, "target");
    guest_expect(&q, files, IN_OPEN, "target");
    close(file);
    guest_expect(&q, files, IN_CLOSE_WRITE, "target");
    guest_expect_quiet(&q);
    guest_close(&q);
}

/* Item 136 */
static void used_through_a_symlink(void)
{
    struct guest_queue q;

    guest_mkdir("links");
    guest_mkdir("files");
    guest_write("files/target", "text");
    CHECK(symlink("../files/target", "links/link") == 0, "symlink");
    guest_open(&q);
    guest_watch(&q, "links", IN_MODIFY | IN_ATTRIB | IN_OPEN);
    int files = guest_watch(&q, "files", IN_MODIFY | IN_ATTRIB);
    int file = open_as("links/link", O_WRONLY);
    CHECK(write(file, "T", 1) == 1, "write: %s", strerror(errno));
    guest_expect(&q, files, IN_MODIFY, "target");
    guest_chmod("links/link", 0640);
    guest_expect(&q, files, IN_ATTRIB, "target");
    close(file);
    guest_expect_quiet(&q);
    guest_close(&q);
}

int main(int argc, char **argv)
{
    static const struct guest_case cases[] = {
        GUEST_CASE(the_last_reference_closes),
        GUEST_CASE(by_path_is_no_use),
        GUEST_CASE(space_that_is_given_and_taken),
        GUEST_CASE(copied_by_the_kernel),
        GUEST_CASE(what_is_no_use),
        GUEST_CASE(executed),
        GUEST_CASE(attributes_are_set),
        GUEST_CASE(attributes_are_left),
        GUEST_CASE(through_a_fifo),
        GUEST_CASE(through_a_device),
        GUEST_CASE(a_file_without_a_name),
        GUEST_CASE(made_through_a_dangling_link),
        GUEST_CASE(used_through_a_symlink),
    };

    if (argc == 2 && strcmp(argv[1], "no-such-case") == 0)
        return 0; /* as `executed` runs us */
    return guest_main(argc, argv, cases, GUEST_COUNT(cases));
}
