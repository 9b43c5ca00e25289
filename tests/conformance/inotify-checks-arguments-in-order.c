/*
 * inotify_add_watch looks at its arguments in one order: mask, descriptor,
 * flags that exclude each other, kind of descriptor, path, target, instance.
 */
#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define add inotify_add_watch
#define NOBODY 65534
#define KNOWN_BITS                                                             \
    (IN_ALL_EVENTS | IN_UNMOUNT | IN_Q_OVERFLOW | IN_IGNORED | IN_ONLYDIR |    \
     IN_DONT_FOLLOW | IN_EXCL_UNLINK | IN_MASK_CREATE | IN_MASK_ADD |          \
     IN_ISDIR | IN_ONESHOT)

static int open_instance(void)
{
    int inotify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    CHECK(inotify_fd >= 0, "inotify_init1: %s", strerror(errno));
    return inotify_fd;
}

static void mask_comes_first(void)
{
    int inotify_fd = open_instance(), count = 0;
    guest_mkdir("d");
    for (int bit = 0; bit < 32; bit++) {
        uint32_t mask = 1u << bit;
        if ((mask & KNOWN_BITS) == 0) {
            CHECK_FAILS(add(inotify_fd, "d", mask), EINVAL);
            CHECK_FAILS(add(inotify_fd, "d", mask | IN_CREATE), EINVAL);
            CHECK_FAILS(add(-1, "missing", mask), EINVAL);
            continue;
        }
        char dir[16]; /* one each: MASK_CREATE wants it unwatched */
        snprintf(dir, sizeof dir, "d/%d", bit);
        guest_mkdir(dir);
        CHECK(add(inotify_fd, dir, mask) == ++count, "mask 0x%x: %s", mask,
              strerror(errno));
    }
    CHECK_FAILS(add(inotify_fd, "d", 0), EINVAL);
    CHECK_FAILS(add(-1, "d", 0), EINVAL);
    CHECK_FAILS(add(9999, NULL, 0), EINVAL);
    close(inotify_fd);
}

static void then_the_descriptor(void)
{
    int inotify_fd = open_instance();
    int path_fd = open(".", O_PATH | O_CLOEXEC);
    CHECK_FAILS(add(-1, "missing", IN_CREATE), EBADF);
    CHECK_FAILS(add(9999, "missing", IN_CREATE), EBADF);
    CHECK_FAILS(add(9999, NULL, IN_CREATE), EBADF);
    CHECK_FAILS(add(path_fd, "missing", IN_CREATE), EBADF);
    CHECK_FAILS(add(9999, ".", IN_CREATE | IN_MASK_ADD | IN_MASK_CREATE),
                EBADF);
    close(path_fd);
    close(inotify_fd);
    CHECK_FAILS(add(inotify_fd, ".", IN_CREATE), EBADF);
}

static void then_flags_that_exclude_each_other(void)
{
    uint32_t both = IN_CREATE | IN_MASK_ADD | IN_MASK_CREATE;
    int inotify_fd = open_instance();
    CHECK_FAILS(add(inotify_fd, ".", both), EINVAL);
    CHECK_FAILS(add(inotify_fd, "missing", both), EINVAL);
    close(inotify_fd);
}

static void then_whether_it_is_inotify(void)
{
    int ends[2], file = open("file", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    CHECK(pipe2(ends, O_CLOEXEC) == 0, "pipe2: %s", strerror(errno));
    CHECK_FAILS(add(file, ".", IN_CREATE), EINVAL);
    CHECK_FAILS(add(file, "missing", IN_CREATE), EINVAL);
    CHECK_FAILS(add(file, NULL, IN_CREATE), EINVAL);
    CHECK_FAILS(add(ends[0], ".", IN_CREATE), EINVAL);
    close(ends[0]);
    close(ends[1]);
    close(file);
}

static void then_the_path_is_copied(void)
{
    static char text[8192];
    int inotify_fd = open_instance();
    char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK_FAILS(add(inotify_fd, NULL, IN_CREATE), EFAULT);
    CHECK_FAILS(add(inotify_fd, (char *)8, IN_CREATE), EFAULT);
    CHECK(mprotect(page + 4096, 4096, PROT_NONE) == 0, "mprotect");
    memset(page, 'x', 4096);
    CHECK_FAILS(add(inotify_fd, page + 4000, IN_CREATE), EFAULT);
    strcpy(page + 4094, "."); /* ends where the page ends */
    CHECK(add(inotify_fd, page + 4094, IN_CREATE) == 1, "path at the edge: %s",
          strerror(errno));
    CHECK_FAILS(add(inotify_fd, "", IN_CREATE), ENOENT);
    memset(text, 'x', 256);
    CHECK_FAILS(add(inotify_fd, text, IN_CREATE), ENAMETOOLONG);
    text[255] = '\0';
    CHECK_FAILS(add(inotify_fd, text, IN_CREATE), ENOENT);
    for (int i = 0; i < 4096; i += 2)
        memcpy(text + i, "./", 2);
    text[4096] = '\0';
    CHECK_FAILS(add(inotify_fd, text, IN_CREATE), ENAMETOOLONG);
    text[4095] = '\0';
    CHECK(add(inotify_fd, text, IN_CREATE) == 1, "a path of 4095 bytes: %s",
          strerror(errno));
    munmap(page, 8192);
    close(inotify_fd);
}

static void then_it_is_looked_up(void)
{
    int inotify_fd = open_instance();
    guest_touch("file");
    guest_mkdir("d");
    CHECK(symlink("loop", "loop") == 0, "symlink");
    CHECK(symlink("nowhere", "dangling") == 0, "symlink");
    CHECK_FAILS(add(inotify_fd, "missing", IN_CREATE), ENOENT);
    CHECK_FAILS(add(inotify_fd, "missing/x", IN_CREATE), ENOENT);
    CHECK_FAILS(add(inotify_fd, "dangling", IN_CREATE), ENOENT);
    CHECK_FAILS(add(inotify_fd, "file/x", IN_CREATE), ENOTDIR);
    CHECK_FAILS(add(inotify_fd, "file/", IN_CREATE), ENOTDIR);
    CHECK_FAILS(add(inotify_fd, "loop", IN_CREATE), ELOOP);
    CHECK_FAILS(add(inotify_fd, "file", IN_CREATE | IN_ONLYDIR), ENOTDIR);
    CHECK_FAILS(add(inotify_fd, "missing", IN_CREATE | IN_ONLYDIR), ENOENT);
    CHECK(add(inotify_fd, "d", IN_CREATE | IN_ONLYDIR) == 1, "a directory: %s",
          strerror(errno));
    close(inotify_fd);
}

/* As somebody without rights. */
static void expect_no_access(void)
{
    CHECK(setgid(NOBODY) == 0 && setuid(NOBODY) == 0, "setuid: %s",
          strerror(errno));
    int inotify_fd = open_instance();
    CHECK_FAILS(add(inotify_fd, "closed/file", IN_CREATE), EACCES);
    CHECK_FAILS(add(inotify_fd, "private", IN_DELETE_SELF), EACCES);
    CHECK_FAILS(add(inotify_fd, "passage", IN_CREATE), EACCES);
    CHECK_FAILS(add(inotify_fd, "private", IN_CREATE | IN_ONLYDIR), ENOTDIR);
    CHECK(add(inotify_fd, "passage/file", IN_ATTRIB) == 1, "passage/file: %s",
          strerror(errno));
    CHECK_FAILS(
        add(inotify_fd, "private", IN_CREATE | IN_MASK_CREATE | IN_MASK_ADD),
        EINVAL);
    close(inotify_fd);
}

static void then_rights_are_the_callers(void)
{
    if (geteuid() != 0)
        guest_skip("only root can become somebody else");
    guest_mkdir("closed");
    guest_touch("closed/file");
    guest_chmod("closed", 0700);
    guest_touch("private");
    guest_chmod("private", 0600);
    guest_mkdir("passage");
    guest_write("passage/file", "");
    guest_chmod("passage", 0711);
    guest_chmod("passage/file", 0644);
    pid_t child = fork();
    if (child == 0) {
        expect_no_access();
        fflush(stdout);
        _exit(0);
    }
    guest_wait_child(child);
}

static void then_the_instance(void)
{
    int inotify_fd = open_instance();
    guest_mkdir("d");
    guest_touch("file");
    CHECK(link("file", "other") == 0, "link");
    CHECK(add(inotify_fd, "file", IN_ATTRIB | IN_MASK_CREATE) == 1, "new: %s",
          strerror(errno));
    CHECK_FAILS(add(inotify_fd, "file", IN_ATTRIB | IN_MASK_CREATE), EEXIST);
    CHECK_FAILS(add(inotify_fd, "other", IN_ATTRIB | IN_MASK_CREATE), EEXIST);
    CHECK_FAILS(
        add(inotify_fd, "other", IN_ATTRIB | IN_MASK_CREATE | IN_ONLYDIR),
        ENOTDIR);
    int another = open_instance();
    CHECK(add(another, "file", IN_ATTRIB | IN_MASK_CREATE) == 1,
          "another instance: %s", strerror(errno));
    CHECK(add(inotify_fd, "d", IN_CREATE) == 2, "failures take no wd");
    close(another);
    close(inotify_fd);
}

static void spellings_of_one_object_are_one_watch(void)
{
    static const char *const spellings[] = {
        "d", "d/", "d///", "./d", "d/.", "d/sub/..", "e/../d", "link", "link/"};
    int inotify_fd = open_instance();
    char here[4096], path[4200];
    guest_mkdir("d");
    guest_mkdir("d/sub");
    guest_mkdir("e");
    CHECK(symlink("d", "link") == 0, "symlink");
    for (size_t i = 0; i < GUEST_COUNT(spellings); i++)
        CHECK(add(inotify_fd, spellings[i], IN_CREATE) == 1,
              "%s: expected wd 1", spellings[i]);
    CHECK(getcwd(here, sizeof here) != NULL, "getcwd");
    snprintf(path, sizeof path, "%s/d", here);
    CHECK(add(inotify_fd, path, IN_CREATE) == 1, "%s: expected wd 1", path);
    CHECK(chdir("d") == 0, "chdir");
    CHECK(add(inotify_fd, ".", IN_CREATE) == 1, "expected the new cwd");
    CHECK(add(inotify_fd, "..", IN_CREATE) == 2, "expected another wd");
    CHECK(chdir("..") == 0, "chdir");
    close(inotify_fd);
}

static void any_inode_may_be_watched(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "socket"};
    int inotify_fd = open_instance(), next = 1;
    char by_fd[64];
    guest_touch("file");
    guest_touch("unlinked");
    guest_mkdir("d");
    CHECK(mkfifo("fifo", 0644) == 0, "mkfifo");
    int bound = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(bind(bound, (void *)&address, sizeof address) == 0, "bind");
    int unlinked = open("unlinked", O_RDONLY | O_CLOEXEC);
    guest_unlink("unlinked");
    snprintf(by_fd, sizeof by_fd, "/proc/self/fd/%d", unlinked);
    const char *const paths[] = {"file",      "d", "fifo",  "socket",
                                 "/dev/null", "/", "/proc", "/proc/version",
                                 by_fd};
    for (size_t i = 0; i < GUEST_COUNT(paths); i++)
        CHECK(add(inotify_fd, paths[i], IN_ATTRIB) == next++, "%s: %s",
              paths[i], strerror(errno));
    close(unlinked);
    close(bound);
    close(inotify_fd);
}

static void proc_self_is_the_caller(void)
{
    struct guest_queue q;
    char path[64];
    guest_mkdir("d");
    guest_open(&q);
    CHECK(guest_watch(&q, "d", IN_CREATE) == 1, "expected wd 1");
    CHECK(guest_watch(&q, "/proc/self/cwd/d", IN_CREATE) == 1,
          "expected /proc/self/cwd to be ours");
    int dir = open("d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    static const char *const ways[] = {"/proc/self/fd/%d", "/dev/fd/%d",
                                       "/proc/thread-self/fd/%d"};
    for (size_t i = 0; i < GUEST_COUNT(ways); i++) {
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(path, sizeof path, ways[i], dir);
        CHECK(guest_watch(&q, path, IN_CREATE) == 1, "%s: expected wd 1", path);
    }
    guest_touch("d/a");
    guest_expect(&q, 1, IN_CREATE, "a");
    close(dir);
    guest_close(&q);
}

int main(int argc, char **argv)
{
    static const struct guest_case cases[] = {
        GUEST_CASE(mask_comes_first),
        GUEST_CASE(then_the_descriptor),
        GUEST_CASE(then_flags_that_exclude_each_other),
        GUEST_CASE(then_whether_it_is_inotify),
        GUEST_CASE(then_the_path_is_copied),
        GUEST_CASE(then_it_is_looked_up),
        GUEST_CASE(then_rights_are_the_callers),
        GUEST_CASE(then_the_instance),
        GUEST_CASE(spellings_of_one_object_are_one_watch),
        GUEST_CASE(any_inode_may_be_watched),
        GUEST_CASE(proc_self_is_the_caller),
    };
    return guest_main(argc, argv, cases, GUEST_COUNT(cases));
}
