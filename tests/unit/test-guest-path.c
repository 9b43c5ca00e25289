/*
 * test-guest-path.c - a guest's path, resolved as the guest would resolve it
 *
 * A child that does nothing plays the guest, with a working directory, a root
 * and credentials of its own; what it could open itself is what must be found.
 */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "emulator/guest-home.h"
#include "emulator/guest-path.h"
#include "emulator/guest-rights.h"
#include "syscall/guest.h"

enum {
    NOBODY = 65534,
    HELD_FD = 100, /* the guest holds an unlinked file there */
};

static char dir[] = "/tmp/vnotify-unit-XXXXXX";
static pid_t guest;

/* Starts a guest in `dir`, changed by `change`; waits until it is ready. */
static void start_guest(void (*change)(void))
{
    int ready[2];
    char byte;

    assert_int_equal(pipe(ready), 0);
    guest = fork();
    assert_true(guest >= 0);
    if (guest == 0) {
        int held;

        if (chdir(dir) != 0)
            _exit(1);
        held = open("held", O_RDWR | O_CREAT, 0600);
        unlink("held");
        dup2(held, HELD_FD);
        if (change)
            change();
        if (write(ready[1], "", 1) == 1)
            pause();
        _exit(0);
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
}

static int stop_guest(void **state)
{
    pid_t pid = guest;

    (void)state;
    guest = 0;
    if (pid == 0)
        return 0; /* it was skipped */
    kill(pid, SIGKILL);
    return waitpid(pid, NULL, 0) == pid ? 0 : -1;
}

/* 0 if `path` is the same inode to the guest as `ours` is to us. */
static int resolves_to(const char *path, unsigned how, const char *ours)
{
    struct stat seen;
    struct stat expected;
    int host_fd = guest_path_open(guest, path, how);

    if (host_fd < 0)
        return host_fd;
    assert_int_equal(fstat(host_fd, &seen), 0);
    assert_int_equal(fcntl(host_fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    close(host_fd);
    if (how & GUEST_OPEN_NOFOLLOW)
        assert_int_equal(lstat(ours, &expected), 0);
    else
        assert_int_equal(stat(ours, &expected), 0);
    return seen.st_ino == expected.st_ino && seen.st_dev == expected.st_dev
               ? 0
               : 1;
}

static int open_error(const char *path, unsigned how)
{
    int host_fd = guest_path_open(guest, path, how);

    if (host_fd >= 0)
        close(host_fd);
    return host_fd < 0 ? host_fd : 0;
}

static int make_tree(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(dir));
    assert_int_equal(chmod(dir, 0755), 0);
    assert_int_equal(chdir(dir), 0);
    assert_int_equal(guest_rights_init(), 0);
    assert_int_equal(mkdir("sub", 0755), 0);
    assert_int_equal(mkdir("private", 0700), 0);
    assert_int_equal(mkdir("search", 0711), 0);
    assert_int_equal(mkdir("list", 0744), 0);
    assert_int_equal(mknod("file", S_IFREG | 0644, 0), 0);
    assert_int_equal(mknod("search/file", S_IFREG | 0644, 0), 0);
    assert_int_equal(mknod("search/secret", S_IFREG | 0600, 0), 0);
    assert_int_equal(mknod("fifo", S_IFIFO | 0644, 0), 0);
    assert_int_equal(symlink("sub", "link"), 0);
    assert_int_equal(symlink("file", "file-link"), 0);
    assert_int_equal(symlink("loop", "loop"), 0);
    assert_int_equal(symlink("/sub", "absolute"), 0);
    assert_int_equal(symlink("/proc/self/cwd/sub", "through-proc"), 0);
    return 0;
}

static int remove_tree(void **state)
{
    static const char *const names[] = {
        "search/file", "search/secret", "file", "fifo", "link",
        "file-link", "loop", "absolute", "through-proc", "sub", "private",
        "search", "list",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        remove(names[i]);
    guest_rights_fini();
    return chdir("/") || rmdir(dir);
}

static void test_guest_path_spellings_name_the_same(void **state)
{
    (void)state;
    start_guest(NULL);
    assert_int_equal(chdir("/"), 0); /* the guest's, not ours, counts */
    assert_int_equal(open_error("sub", 0), 0);
    assert_int_equal(chdir(dir), 0);
    assert_int_equal(resolves_to("sub", 0, "sub"), 0);
    assert_int_equal(resolves_to("sub/", 0, "sub"), 0);
    assert_int_equal(resolves_to("sub///", 0, "sub"), 0);
    assert_int_equal(resolves_to("sub/../link/.", 0, "sub"), 0);
    assert_int_equal(resolves_to("link", 0, "sub"), 0);
    assert_int_equal(resolves_to(dir, 0, "."), 0);
    assert_int_equal(resolves_to("/", 0, "/"), 0);
    assert_int_equal(resolves_to("/..//../", 0, "/"), 0);
    assert_int_equal(resolves_to("fifo", 0, "fifo"), 0);
}

static void test_guest_path_follows_links_as_asked(void **state)
{
    const unsigned only = GUEST_OPEN_NOFOLLOW | GUEST_OPEN_DIRECTORY;

    (void)state;
    start_guest(NULL);
    assert_int_equal(resolves_to("link", GUEST_OPEN_NOFOLLOW, "link"), 0);
    assert_int_equal(resolves_to("link/", GUEST_OPEN_NOFOLLOW, "sub"), 0);
    assert_int_equal(resolves_to("loop", GUEST_OPEN_NOFOLLOW, "loop"), 0);
    assert_int_equal(open_error("loop", 0), -ELOOP);
    assert_int_equal(open_error("link", only), -ENOTDIR);
    assert_int_equal(open_error("link", GUEST_OPEN_DIRECTORY), 0);
    assert_int_equal(open_error("file", GUEST_OPEN_DIRECTORY), -ENOTDIR);
}

static void test_guest_path_errors_are_linuxs(void **state)
{
    char name[GUEST_PATH_MAX];

    (void)state;
    start_guest(NULL);
    assert_int_equal(open_error("", 0), -ENOENT);
    assert_int_equal(open_error("missing", 0), -ENOENT);
    assert_int_equal(open_error("missing/", 0), -ENOENT);
    assert_int_equal(open_error("file/", 0), -ENOTDIR);
    assert_int_equal(open_error("file/x", 0), -ENOTDIR);
    assert_int_equal(open_error("file-link/", 0), -ENOTDIR);
    memset(name, 'n', 256);
    name[256] = '\0';
    assert_int_equal(open_error(name, 0), -ENAMETOOLONG);
    name[255] = '\0';
    assert_int_equal(open_error(name, 0), -ENOENT);
}

static void test_guest_path_self_is_the_guest(void **state)
{
    char name[64];
    char theirs[64];

    (void)state;
    start_guest(NULL);
    snprintf(theirs, sizeof(theirs), "/proc/%d/fd/%d", guest, HELD_FD);
    snprintf(name, sizeof(name), "/proc/self/fd/%d", HELD_FD);
    assert_int_equal(resolves_to(name, 0, theirs), 0);
    snprintf(name, sizeof(name), "/dev/fd/%d", HELD_FD);
    assert_int_equal(resolves_to(name, 0, theirs), 0);
    snprintf(name, sizeof(name), "/proc/thread-self/fd/%d", HELD_FD);
    assert_int_equal(resolves_to(name, 0, theirs), 0);
    snprintf(theirs, sizeof(theirs), "/proc/%d", guest);
    assert_int_equal(resolves_to("/proc/self", 0, theirs), 0);
    assert_int_equal(resolves_to("/proc/self/root/proc/self", 0, theirs), 0);
    assert_int_equal(resolves_to("through-proc", 0, "sub"), 0);
}

static void into_chroot(void)
{
    if (chroot(".") != 0 || chdir("/sub") != 0)
        _exit(1);
}

static void test_guest_path_stays_in_the_guests_root(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    start_guest(into_chroot);
    assert_int_equal(resolves_to("/", 0, dir), 0);
    assert_int_equal(resolves_to("/../../..", 0, dir), 0);
    assert_int_equal(resolves_to("../../file", 0, "file"), 0);
    assert_int_equal(resolves_to("/absolute", 0, "sub"), 0);
    assert_int_equal(resolves_to("../absolute/../file", 0, "file"), 0);
    assert_int_equal(open_error(dir, 0), -ENOENT);
    assert_int_equal(open_error("/proc/self", 0), -ENOENT);
}

static void into_nobody(void)
{
    if (fchmod(HELD_FD, 0644) != 0 || setgroups(0, NULL) != 0 ||
        setgid(NOBODY) != 0 || setuid(NOBODY) != 0)
        _exit(1);
}

static void test_guest_path_has_the_guests_rights(void **state)
{
    char name[64];

    (void)state;
    if (geteuid() != 0)
        skip();
    start_guest(into_nobody);
    assert_int_equal(open_error("sub", 0), 0);
    assert_int_equal(open_error("private", 0), -EACCES);
    assert_int_equal(open_error("private/.", 0), -EACCES);
    assert_int_equal(open_error("private/missing", 0), -EACCES);
    assert_int_equal(open_error("search", 0), -EACCES);
    assert_int_equal(open_error("search/file", 0), 0);
    assert_int_equal(open_error("search/secret", 0), -EACCES);
    /* "No directory" wins over "may not". */
    assert_int_equal(open_error("search/secret", GUEST_OPEN_DIRECTORY),
                     -ENOTDIR);
    /* A process may look into its own /proc, whoever it has become. */
    snprintf(name, sizeof(name), "/proc/self/fd/%d", HELD_FD);
    assert_int_equal(open_error(name, 0), 0);
    assert_int_equal(open_error("/proc/self/cwd/sub", 0), 0);
    assert_int_equal(open_error("/proc/self/cwd/private", 0), -EACCES);
    /* And ours are as they were. */
    assert_int_equal(access("private/.", R_OK | X_OK), 0);
}

static void into_chroot_as_nobody(void)
{
    into_chroot();
    into_nobody();
}

/* A slash at the end asks for a directory, and for no right to search it. */
static void test_guest_path_slash_does_not_search(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    start_guest(into_chroot_as_nobody);
    assert_int_equal(resolves_to("/list", 0, "list"), 0);
    assert_int_equal(resolves_to("/list/", 0, "list"), 0);
    assert_int_equal(resolves_to("../list//", 0, "list"), 0);
    assert_int_equal(open_error("/list/.", 0), -EACCES);
    assert_int_equal(resolves_to("/absolute/", GUEST_OPEN_NOFOLLOW, "sub"), 0);
    assert_int_equal(open_error("/file/", 0), -ENOTDIR);
    assert_int_equal(open_error("/file-link/", 0), -ENOTDIR);
    assert_int_equal(open_error("/search/secret/", 0), -ENOTDIR);
    assert_int_equal(open_error("/missing/", 0), -ENOENT);
}

/* Nobody has told of a change: what can be seen is. */
static void test_guest_path_rights_are_ours_until_they_change(void **state)
{
    struct guest_credentials own;

    (void)state;
    if (geteuid() != 0 || guest_task_ids(getpid(), &own) != 0)
        skip(); /* Linux before 6.13 does not tell */
    start_guest(NULL);
    assert_false(guest_rights_are_ours(guest, false)); /* not followed yet */
    assert_true(guest_rights_follow());
    assert_true(guest_rights_are_ours(guest, false));
    assert_int_equal(open_error("private", 0), 0);
    assert_int_equal(open_error("/proc/self/cwd/sub", 0), 0);
    stop_guest(state);
    start_guest(into_nobody);
    assert_false(guest_rights_are_ours(guest, false));
    assert_int_equal(open_error("private", 0), -EACCES);
    stop_guest(state);
    start_guest(NULL);
    guest_rights_changed();
    assert_false(guest_rights_are_ours(guest, false));
    assert_int_equal(open_error("private", 0), 0);
    assert_int_equal(guest_rights_init(), 0);
}

/* A guest that was seen in our root is not looked at again until told. */
static void test_guest_path_another_root_is_followed_when_told(void **state)
{
    struct guest_credentials own;
    pid_t gone;

    (void)state;
    if (geteuid() != 0 || guest_task_ids(getpid(), &own) != 0)
        skip(); /* then nothing is kept */
    assert_true(guest_rights_follow());
    assert_true(guest_home_follow());
    start_guest(NULL);
    assert_int_equal(resolves_to("/", 0, "/"), 0);
    guest_home_settle(guest, false); /* it may have been another's */
    assert_false(guest_home_is_ours(guest));
    guest_home_settle(guest, true); /* not seen since */
    assert_false(guest_home_is_ours(guest));
    assert_int_equal(resolves_to("/", 0, "/"), 0);
    guest_home_settle(guest, true);
    assert_true(guest_home_is_ours(guest));
    assert_false(guest_home_is_ours(getpid()));
    gone = guest;
    stop_guest(state);
    assert_false(guest_home_is_ours(gone));
    start_guest(into_chroot);
    assert_int_equal(resolves_to("/", 0, "."), 0);
    guest_home_settle(guest, true);
    assert_false(guest_home_is_ours(guest));
    stop_guest(state);
    start_guest(NULL);
    assert_int_equal(resolves_to("/", 0, "/"), 0);
    guest_home_settle(guest, true);
    assert_true(guest_home_is_ours(guest));
    guest_home_left();
    assert_false(guest_home_is_ours(guest));
    assert_int_equal(resolves_to("/", 0, "/"), 0);
    guest_home_settle(guest, true);
    assert_false(guest_home_is_ours(guest));
    assert_int_equal(guest_rights_init(), 0);
}

static void test_guest_path_goes_through_mounts(void **state)
{
    struct stat root, below;

    (void)state;
    if (stat("/dev", &below) != 0 || stat("/", &root) != 0 ||
        below.st_dev == root.st_dev || access("/dev/shm", R_OK) != 0)
        skip(); /* nothing is mounted there */
    start_guest(NULL);
    assert_int_equal(resolves_to("/dev", 0, "/dev"), 0);
    assert_int_equal(resolves_to("/dev/shm/", 0, "/dev/shm"), 0);
    assert_int_equal(resolves_to("/dev/shm/../null", 0, "/dev/null"), 0);
    assert_int_equal(resolves_to("/proc/../dev/shm", 0, "/dev/shm"), 0);
    assert_int_equal(resolves_to("/proc/self/../../dev", 0, "/dev"), 0);
    assert_int_equal(resolves_to("/dev/./shm", 0, "/dev/shm"), 0);
    assert_int_equal(open_error("/dev/null/", 0), -ENOTDIR);
    assert_int_equal(open_error("/dev/shm/missing/x", 0), -ENOENT);
}

#define TEST(name) cmocka_unit_test_teardown(name, stop_guest)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_guest_path_spellings_name_the_same),
        TEST(test_guest_path_follows_links_as_asked),
        TEST(test_guest_path_errors_are_linuxs),
        TEST(test_guest_path_self_is_the_guest),
        TEST(test_guest_path_stays_in_the_guests_root),
        TEST(test_guest_path_has_the_guests_rights),
        TEST(test_guest_path_slash_does_not_search),
        TEST(test_guest_path_goes_through_mounts),
        TEST(test_guest_path_another_root_is_followed_when_told),
        TEST(test_guest_path_rights_are_ours_until_they_change),
    };

    return cmocka_run_group_tests(tests, make_tree, remove_tree);
}
