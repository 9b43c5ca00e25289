/*
 * Self events of a watched file.  IN_OPEN, IN_ACCESS and IN_CLOSE_* need a
 * host whose notes tell of use (FreeBSD's do, macOS's do not).
 */
#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int open_file(const char *path, int flags)
{
    int file = open(path, flags | O_CLOEXEC);
    CHECK(file >= 0, "open %s: %s", path, strerror(errno));
    return file;
}

static void writing_is_modify(void)
{
    struct guest_queue q;
    guest_write("file", "old");
    guest_open(&q);
    int wd = guest_watch(&q, "file", IN_MODIFY);
    int file = open_file("file", O_WRONLY);
    for (int i = 0; i < 10; i++) {
        CHECK(write(file, "new", 3) == 3, "write: %s", strerror(errno));
        guest_expect(&q, wd, IN_MODIFY, NULL);
    }
    CHECK(write(file, "", 0) == 0, "write: %s", strerror(errno));
    guest_expect_quiet(&q);
    close(file);
    guest_expect_quiet(&q);
    guest_close(&q);
}

static void truncation_is_modify(void)
{
    struct guest_queue q;
    guest_write("file", "some text");
    guest_open(&q);
    int wd = guest_watch(&q, "file", IN_MODIFY);
    CHECK(truncate("file", 4) == 0, "truncate: %s", strerror(errno));
    guest_expect(&q, wd, IN_MODIFY, NULL);
    CHECK(truncate("file", 100) == 0, "truncate: %s", strerror(errno));
    guest_expect(&q, wd, IN_MODIFY, NULL);
    guest_expect_quiet(&q);
    guest_close(&q);
}

static void changing_the_inode_is_attrib(void)
{
    struct guest_queue q;
    struct timespec times[2] = {{1, 0}, {1, 0}};
    guest_touch("file");
    guest_open(&q);
    int wd = guest_watch(&q, "file", IN_ATTRIB);
    guest_chmod("file", 0600);
    guest_expect(&q, wd, IN_ATTRIB, NULL);
    guest_chmod("file", 0600); /* the same again */
    guest_expect(&q, wd, IN_ATTRIB, NULL);
    CHECK(utimensat(AT_FDCWD, "file", times, 0) == 0, "utimensat");
    guest_expect(&q, wd, IN_ATTRIB, NULL);
    CHECK(chown("file", geteuid(), getegid()) == 0, "chown");
    guest_expect(&q, wd, IN_ATTRIB, NULL);
    guest_expect_quiet(&q);
    guest_close(&q);
}

/* As somebody whose writing takes a set-user-id bit away. */
static void as_nobody(bool cut)
{
    pid_t child = fork();
    CHECK(child >= 0, "fork: %s", strerror(errno));
    if (child == 0) {
        int file = -1;
        if (setgid(65534) == 0 && setuid(65534) == 0)
            file = open("file", O_WRONLY | O_CLOEXEC);
        if (file < 0 || (cut ? ftruncate(file, 1) : write(file, "T", 1) - 1))
            _exit(1);
        _exit(0);
    }
    guest_wait_child(child);
}

/* Item 55: with a truncation both in one event, with a write one by one. */
static void losing_set_uid(void)
{
    struct guest_queue q;
    if (geteuid() != 0)
        guest_skip("only root can become somebody else");
    guest_write("file", "text");
    guest_open(&q);
    int dir = guest_watch(&q, ".", IN_MODIFY | IN_ATTRIB);
    int wd = guest_watch(&q, "file", IN_MODIFY | IN_ATTRIB);
    for (int i = 0; i < 2; i++) {
        bool cut = i == 0;
        guest_chmod("file", 04777);
        guest_expect(&q, dir, IN_ATTRIB, "file");
        guest_expect(&q, wd, IN_ATTRIB, NULL);
        as_nobody(cut);
        if (cut) {
            guest_expect(&q, dir, IN_MODIFY | IN_ATTRIB, "file");
            guest_expect(&q, wd, IN_MODIFY | IN_ATTRIB, NULL);
        } else {
            guest_expect(&q, dir, IN_ATTRIB, "file");
            guest_expect(&q, wd, IN_ATTRIB, NULL);
            guest_expect(&q, dir, IN_MODIFY, "file");
            guest_expect(&q, wd, IN_MODIFY, NULL);
        }
    }
    guest_expect_quiet(&q);
    guest_close(&q);
}

static void opening_and_closing(void)
{
    struct guest_queue q;
    if (!guest_sees_use())
        guest_skip("this host's notes do not tell of use");
    guest_write("file", "text");
    guest_open(&q);
    int wd = guest_watch(&q, "file", IN_OPEN | IN_CLOSE);
    for (int i = 0; i < 10; i++) {
        int file = open_file("file", O_RDONLY);
        guest_expect(&q, wd, IN_OPEN, NULL);
        close(file);
        guest_expect(&q, wd, IN_CLOSE_NOWRITE, NULL);
        file = open_file("file", O_WRONLY);
        guest_expect(&q, wd, IN_OPEN, NULL);
        close(file);
        guest_expect(&q, wd, IN_CLOSE_WRITE, NULL);
    }
    guest_expect_quiet(&q);
    guest_close(&q);
}

static void reading_is_access(void)
{
    struct guest_queue q;
    char bytes[8];
    if (!guest_sees_use())
        guest_skip("this host's notes do not tell of use");
    guest_write("file", "text");
    guest_open(&q);
    int wd = guest_watch(&q, "file", IN_ACCESS);
    int file = open_file("file", O_RDONLY);
    CHECK(read(file, bytes, sizeof bytes) == 4, "read: %s", strerror(errno));
    guest_expect(&q, wd, IN_ACCESS, NULL);
    CHECK(read(file, bytes, sizeof bytes) == 0, "read at the end");
    guest_expect_quiet(&q);
    close(file);
    guest_close(&q);
}

/* The whole of it, with all asked; each step is waited for. */
static void a_whole_life(void)
{
    struct guest_queue q;
    if (!guest_sees_use())
        guest_skip("this host's notes do not tell of use");
    guest_write("file", "text");
    guest_open(&q);
    int wd = guest_watch(&q, "file", IN_ALL_EVENTS);
    int file = open_file("file", O_RDWR);
    guest_expect(&q, wd, IN_OPEN, NULL);
    CHECK(write(file, "TEXT", 4) == 4, "write: %s", strerror(errno));
    guest_expect(&q, wd, IN_MODIFY, NULL);
    CHECK(pread(file, &(char){0}, 1, 0) == 1, "pread: %s", strerror(errno));
    guest_expect(&q, wd, IN_ACCESS, NULL);
    CHECK(fchmod(file, 0600) == 0, "fchmod: %s", strerror(errno));
    guest_expect(&q, wd, IN_ATTRIB, NULL);
    guest_rename("file", "moved");
    guest_expect(&q, wd, IN_MOVE_SELF, NULL);
    close(file);
    guest_expect(&q, wd, IN_CLOSE_WRITE, NULL);
    guest_unlink("moved");
    guest_expect(&q, wd, IN_ATTRIB, NULL);
    guest_expect(&q, wd, IN_DELETE_SELF, NULL);
    guest_expect(&q, wd, IN_IGNORED, NULL);
    guest_expect_quiet(&q);
    guest_close(&q);
}

/* What we ourselves do to watch a file must not be told as use of it. */
static void watching_is_no_use(void)
{
    struct guest_queue first, second;
    guest_write("file", "text");
    guest_open(&first);
    guest_watch(&first, "file", IN_ALL_EVENTS);
    guest_open(&second);
    int wd = guest_watch(&second, "file", IN_ALL_EVENTS);
    guest_watch(&first, "file", IN_ALL_EVENTS);
    guest_unwatch(&second, wd);
    guest_close(&second);
    guest_expect_quiet(&first);
    guest_close(&first);
}

int main(int argc, char **argv)
{
    static const struct guest_case cases[] = {
        GUEST_CASE(writing_is_modify),
        GUEST_CASE(truncation_is_modify),
        GUEST_CASE(changing_the_inode_is_attrib),
        GUEST_CASE(losing_set_uid),
        GUEST_CASE(opening_and_closing),
        GUEST_CASE(reading_is_access),
        GUEST_CASE(a_whole_life),
        GUEST_CASE(watching_is_no_use),
    };
    return guest_main(argc, argv, cases, GUEST_COUNT(cases));
}
