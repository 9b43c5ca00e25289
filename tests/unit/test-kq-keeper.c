/*
 * Descriptors that a thread of ours holds beyond the process' limit: what is
 * held stays, is had again under any name, and is nobody else's.
 */
#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "port/kq-linux-keeper.h"

enum { LIMIT = 40, MANY = 100, NOBODY = 65534 };

static char root[64];
static int threads_before, fds_before;
static struct keepers keepers;

static int count_entries(const char *path)
{
    DIR *dir = opendir(path);
    int n = -2; /* . and .. */

    while (readdir(dir) != NULL)
        n++;
    closedir(dir);
    return n;
}

static int setup(void **state)
{
    (void)state;
    threads_before = count_entries("/proc/self/task");
    fds_before = count_entries("/proc/self/fd");
    snprintf(root, sizeof(root), "/tmp/vnotify-keeper-XXXXXX");
    if (mkdtemp(root) == NULL || chmod(root, 0755) != 0 || chdir(root) != 0)
        return -1;
    keepers_init(&keepers);
    return 0;
}

static int teardown(void **state)
{
    char command[128];

    (void)state;
    keepers_fini(&keepers);
    assert_int_equal(count_entries("/proc/self/task"), threads_before);
    assert_int_equal(count_entries("/proc/self/fd"), fds_before);
    snprintf(command, sizeof(command), "rm -rf %s", root);
    return chdir("/") != 0 || system(command) != 0;
}

static struct held take(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC);
    struct held held;

    assert_return_code(fd, errno);
    assert_int_equal(keepers_take(&keepers, fd, &held), 0);
    close(fd);
    return held;
}

static int open_held(const struct held *held, int flags)
{
    return keeper_open(keepers_tid(&keepers, held), held->number,
                       flags | O_CLOEXEC);
}

static struct stat stat_held(const struct held *held)
{
    int fd = open_held(held, O_PATH);
    struct stat st;

    assert_return_code(fd, -fd);
    assert_int_equal(fstat(fd, &st), 0);
    close(fd);
    return st;
}

static void make_file(const char *path)
{
    int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);

    assert_return_code(fd, errno);
    close(fd);
}

static void test_keeper_has_what_was_renamed_and_removed(void **state)
{
    struct held dir, file;
    struct stat before, now;
    int fd;

    (void)state;
    assert_int_equal(mkdir("up", 0700), 0);
    assert_int_equal(mkdir("up/d", 0700), 0);
    make_file("up/f");
    dir = take("up/d", O_RDONLY | O_DIRECTORY);
    file = take("up/f", O_PATH);
    assert_int_equal(stat("up/d", &before), 0);
    assert_int_equal(rename("up/d", "up/e"), 0);
    assert_int_equal(rename("up", "high"), 0);
    assert_int_equal(mkdir("up", 0700), 0); /* strangers of the old name */
    assert_int_equal(mkdir("up/d", 0700), 0);
    make_file("high/e/entry");
    fd = open_held(&dir, O_RDONLY | O_DIRECTORY);
    assert_return_code(fd, -fd);
    assert_int_equal(faccessat(fd, "entry", F_OK, 0), 0);
    close(fd);
    now = stat_held(&dir);
    assert_int_equal(now.st_ino, before.st_ino);
    assert_int_equal(now.st_dev, before.st_dev);

    assert_int_equal(unlink("high/e/entry"), 0);
    assert_int_equal(rmdir("high/e"), 0);
    assert_int_equal(unlink("high/f"), 0);
    now = stat_held(&dir);
    assert_int_equal(now.st_ino, before.st_ino);
    assert_int_equal(now.st_nlink, 0);
    assert_int_equal(stat_held(&file).st_nlink, 0);
    keepers_drop(&keepers, &dir);
    keepers_drop(&keepers, &file);
}

static void test_keeper_that_is_full_is_followed_by_another(void **state)
{
    static struct held held[MANY];
    struct rlimit limit, low;
    struct stat st;
    uint32_t count;

    (void)state;
    getrlimit(RLIMIT_NOFILE, &limit);
    low = limit;
    low.rlim_cur = LIMIT;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    for (int i = 0; i < MANY; i++) {
        char name[16];

        snprintf(name, sizeof(name), "d%d", i);
        assert_int_equal(mkdir(name, 0700), 0);
        held[i] = take(name, O_RDONLY | O_DIRECTORY);
        assert_int_equal(held[i].keeper, i / LIMIT);
    }
    count = keepers.count;
    assert_int_equal(count, (MANY + LIMIT - 1) / LIMIT);
    for (int i = 0; i < MANY; i++) {
        char name[16];

        snprintf(name, sizeof(name), "d%d", i);
        assert_int_equal(stat(name, &st), 0);
        assert_int_equal(stat_held(&held[i]).st_ino, st.st_ino);
    }
    for (int i = 0; i < 10 * MANY; i++) { /* room is used again */
        keepers_drop(&keepers, &held[i % MANY]);
        held[i % MANY] = take("d0", O_PATH);
    }
    assert_int_equal(keepers.count, count);
    for (int i = 0; i < MANY; i++)
        keepers_drop(&keepers, &held[i]);
    setrlimit(RLIMIT_NOFILE, &limit);
}

/* Neither our descriptors there, nor the held ones here. */
static void test_keeper_has_nothing_else(void **state)
{
    struct held held = take(".", O_RDONLY | O_DIRECTORY);
    char path[64], line[128], blocked[32] = "";
    int inherited[2];
    FILE *status;

    (void)state;
    assert_int_equal(pipe(inherited), 0);
    close(inherited[1]);
    assert_int_equal(read(inherited[0], line, 1), 0); /* not held open */
    close(inherited[0]);
    assert_int_equal(count_entries("/proc/self/fd"), fds_before);
    snprintf(path, sizeof(path), "/proc/self/task/%d/fd",
             keepers_tid(&keepers, &held));
    assert_int_equal(count_entries(path), 1);
    snprintf(path, sizeof(path), "/proc/self/task/%d/status",
             keepers_tid(&keepers, &held));
    status = fopen(path, "re");
    while (fgets(line, sizeof(line), status) != NULL)
        (void)sscanf(line, "SigBlk: %31s", blocked);
    fclose(status);
    /* All but KILL, STOP and, perhaps, the library's own two. */
    assert_int_equal(strtoull(blocked, NULL, 16) | 3ull << 31 | 1u << 8 |
                         1u << 18,
                     UINT64_MAX);
    keepers_drop(&keepers, &held);
}

static void test_keeper_is_nothing_to_children(void **state)
{
    struct held held = take(".", O_RDONLY | O_DIRECTORY);
    char command[128];
    int status;

    (void)state;
    assert_int_equal(waitpid(-1, &status, WNOHANG | __WALL), -1);
    assert_int_equal(errno, ECHILD);
    /* What is held has not come with it. */
    snprintf(command, sizeof(command),
             "test $(ls -l /proc/self/fd/ | grep -c %s) = 0", root);
    if (fork() == 0) {
        if (chdir("/") == 0)
            execl("/bin/sh", "sh", "-c", command, NULL);
        _exit(127);
    }
    assert_true(wait(&status) > 0);
    assert_int_equal(status, 0);
    stat_held(&held);
    keepers_drop(&keepers, &held);
}

/* Whether the kernel has told on the only watch that the inode has ended. */
static bool has_ended(int inotify_fd)
{
    char buf[4096];
    ssize_t n = read(inotify_fd, buf, sizeof(buf));

    for (ssize_t at = 0; at < n;) {
        const struct inotify_event *event = (void *)(buf + at);

        if ((event->mask & IN_DELETE_SELF) != 0)
            return true;
        at += (ssize_t)(sizeof(*event) + event->len);
    }
    return false;
}

static int watch_end(const char *path)
{
    int inotify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);

    assert_true(inotify_add_watch(inotify_fd, path, IN_DELETE_SELF) > 0);
    return inotify_fd;
}

static void test_keeper_lets_go(void **state)
{
    struct held held;
    int inotify_fd;

    (void)state;
    for (int by_end = 0; by_end < 2; by_end++) {
        make_file("f");
        held = take("f", O_PATH);
        inotify_fd = watch_end("f");
        assert_int_equal(unlink("f"), 0);
        assert_false(has_ended(inotify_fd));
        if (by_end) {
            keepers_fini(&keepers);
            keepers_init(&keepers);
        } else {
            keepers_drop(&keepers, &held);
        }
        assert_true(has_ended(inotify_fd));
        close(inotify_fd);
    }
}

/* Killed as hard as can be, it leaves nobody who holds on. */
static void test_keeper_ends_with_its_process(void **state)
{
    int ready[2], inotify_fd, status;
    char byte;
    pid_t pid;

    (void)state;
    make_file("f");
    assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
    pid = fork();
    if (pid == 0) {
        (void)take("f", O_PATH);
        if (write(ready[1], "x", 1) == 1)
            pause();
        _exit(1);
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    inotify_fd = watch_end("f");
    assert_int_equal(unlink("f"), 0);
    assert_false(has_ended(inotify_fd));
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(read(ready[0], &byte, 1), 0); /* nor a descriptor of its */
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(has_ended(inotify_fd));
    close(inotify_fd);
    close(ready[0]);
}

/* In a child that is nobody's, and may not be dumped as it changed its user. */
static int keep_as_nobody(void)
{
    struct held may, may_not, gone;
    int fd;

    if (getuid() == 0 && (setgroups(0, NULL) != 0 || setgid(NOBODY) != 0 ||
                          setuid(NOBODY) != 0))
        return 1;
    may = take("open", O_RDONLY | O_DIRECTORY);
    fd = open_held(&may, O_RDONLY | O_DIRECTORY);
    if (fd < 0)
        return 2;
    if (mkdirat(fd, "d", 0700) != 0 || mkdirat(fd, "e", 0700) != 0)
        return 3;
    may_not = take("open/d", O_RDONLY | O_DIRECTORY);
    gone = take("open/e", O_RDONLY | O_DIRECTORY);
    if (chmod("open/d", 0) != 0 || chmod("open/e", 0) != 0 ||
        rmdir("open/e") != 0)
        return 4;
    if (open_held(&may_not, O_RDONLY | O_DIRECTORY) != -EACCES)
        return 5;
    if (open_held(&gone, O_RDONLY | O_DIRECTORY) != -ESTALE)
        return 6;
    if (stat_held(&may_not).st_nlink == 0 || stat_held(&gone).st_nlink != 0)
        return 7;
    return 0;
}

static void test_keeper_needs_no_privilege(void **state)
{
    int status;

    (void)state;
    assert_int_equal(mkdir("open", 0700), 0);
    assert_int_equal(chmod("open", 0777), 0);
    if (fork() == 0)
        _exit(keep_as_nobody());
    assert_true(wait(&status) > 0);
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_keeper_says_what_is_wrong(void **state)
{
    struct held held;

    (void)state;
    assert_int_equal(keepers_take(&keepers, 1000000, &held), -ENOENT);
    held = take(".", O_PATH); /* and goes on */
    keepers_drop(&keepers, &held);
    assert_int_equal(open_held(&held, O_PATH), -ENOENT);
}

static void *nothing(void *arg)
{
    return arg;
}

#define KEEPER_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        KEEPER_TEST(test_keeper_has_what_was_renamed_and_removed),
        KEEPER_TEST(test_keeper_that_is_full_is_followed_by_another),
        KEEPER_TEST(test_keeper_has_nothing_else),
        KEEPER_TEST(test_keeper_is_nothing_to_children),
        KEEPER_TEST(test_keeper_lets_go),
        KEEPER_TEST(test_keeper_ends_with_its_process),
        KEEPER_TEST(test_keeper_needs_no_privilege),
        KEEPER_TEST(test_keeper_says_what_is_wrong),
    };
    pthread_t first; /* the thread sanitizer starts its own with it */

    assert_int_equal(pthread_create(&first, NULL, nothing, NULL), 0);
    pthread_join(first, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
