/*
 * listing_read; CMake builds this with the portable implementation as well.
 */
#include "port/listing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static const char *root;
static char path[64];
static _Alignas(8) char buf[LISTING_BUFFER_MIN];

static int make_dir(void **state)
{
    (void)state;
    snprintf(path, sizeof(path), "%s/listing-test-XXXXXX", root);
    return mkdtemp(path) && chdir(path) == 0 ? 0 : -1;
}

static int remove_dir(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof(command), "rm -rf %s", path);
    return chdir("/") != 0 || system(command) != 0;
}

static int open_dir(void)
{
    int host_fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(host_fd >= 0);
    return host_fd;
}

static int calls; /* ended, of the listing last begun */

static int count(void *arg, const struct listing_entry *entry)
{
    calls += entry == NULL;
    if (entry == NULL)
        return 0;
    assert_int_equal(strlen(entry->name), entry->name_len);
    ++*(int *)arg;
    return 0;
}

static int check_entry(void *arg, const struct listing_entry *entry)
{
    struct stat st;
    if (entry == NULL)
        return count(arg, NULL);
    assert_int_equal(lstat(entry->name, &st), 0);
    assert_int_equal(st.st_ino, entry->ino);
    assert_int_equal(IFTODT(st.st_mode), entry->type);
    return count(arg, entry);
}

static int stop_at_third(void *arg, const struct listing_entry *entry)
{
    return count(arg, entry) || *(int *)arg == 3 ? 42 : 0;
}

static void test_listing_empty_directory(void **state)
{
    (void)state;
    int n = 0, host_fd = open_dir();
    assert_int_equal(listing_read(host_fd, buf, sizeof(buf), count, &n), 0);
    assert_int_equal(n, 0);
    close(host_fd);
}

static void test_listing_tells_name_inode_and_type(void **state)
{
    (void)state;
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "sock"};
    int n = 0, host_fd = open_dir();
    int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(sock, (void *)&address, sizeof(address)), 0);
    close(sock);
    close(open("...", O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    close(open(".hidden", O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    assert_int_equal(mkdir("sub", 0700), 0);
    assert_int_equal(symlink("nowhere", "link"), 0);
    assert_int_equal(mkfifo("fifo", 0600), 0);
    assert_int_equal(listing_read(host_fd, buf, sizeof(buf), check_entry, &n),
                     0);
    assert_int_equal(n, 6);
    close(host_fd);
}

/* Several buffers full, of names of every length; and from the start again. */
static void test_listing_more_than_a_buffer_from_its_beginning(void **state)
{
    (void)state;
    char name[256];
    int host_fd = open_dir();
    for (int i = 0; i < 700; i++) {
        int len = snprintf(name, sizeof(name), "%03d", i);
        memset(name + len, 'n', sizeof(name) - (size_t)len);
        name[3 + i % 253] = '\0';
        close(open(name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    }
    for (int i = 0; i < 3; i++) {
        int n = 0;
        assert_int_equal(
            listing_read(host_fd, buf, sizeof(buf), stop_at_third, &n), 42);
        assert_int_equal(n, 3);
        n = calls = 0;
        assert_int_equal(
            listing_read(host_fd, buf, sizeof(buf), check_entry, &n), 0);
        assert_int_equal(n, 700);
        assert_true(calls > 2); /* of 32 KiB at most */
    }
    close(host_fd);
}

static void test_listing_follows_the_inode(void **state)
{
    (void)state;
    int n = 0;
    assert_int_equal(mkdir("a", 0700), 0);
    close(open("a/f", O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    int host_fd = open("a", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(rename("a", "b"), 0);
    assert_int_equal(mkdir("a", 0700), 0);
    assert_int_equal(listing_read(host_fd, buf, sizeof(buf), count, &n), 0);
    assert_int_equal(n, 1);
    close(host_fd);
}

static void test_listing_errors_are_not_an_empty_directory(void **state)
{
    (void)state;
    int n = 0;
    assert_int_equal(listing_read(-1, buf, sizeof(buf), count, &n), -EBADF);
    int host_fd = open("f", O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    assert_int_equal(listing_read(host_fd, buf, sizeof(buf), count, &n),
                     -ENOTDIR);
    close(host_fd);
    assert_int_equal(mkdir("sub", 0700), 0);
    host_fd = open("sub", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(rmdir("sub"), 0);
    int rc = listing_read(host_fd, buf, sizeof(buf), count, &n);
    assert_true(rc == -ENOENT || rc == 0);
    assert_int_equal(n, 0);
    close(host_fd);
}

static int count_fds(void)
{
    int n = 0;
    for (int i = 0; i < 256; i++)
        n += fcntl(i, F_GETFD) >= 0;
    return n;
}

static void test_listing_leaks_no_descriptor(void **state)
{
    (void)state;
    int nfds = count_fds();
    test_listing_errors_are_not_an_empty_directory(state);
    test_listing_follows_the_inode(state);
    assert_int_equal(count_fds(), nfds);
}

#define LISTING_TEST(test)                                                     \
    cmocka_unit_test_setup_teardown(test, make_dir, remove_dir)

int main(void)
{
    static const char *const roots[] = {"/tmp", "/dev/shm"};
    const struct CMUnitTest tests[] = {
        LISTING_TEST(test_listing_empty_directory),
        LISTING_TEST(test_listing_tells_name_inode_and_type),
        LISTING_TEST(test_listing_more_than_a_buffer_from_its_beginning),
        LISTING_TEST(test_listing_follows_the_inode),
        LISTING_TEST(test_listing_errors_are_not_an_empty_directory),
        LISTING_TEST(test_listing_leaks_no_descriptor),
    };
    int nfailed = 0;
    for (int i = 0; i < 2; i++) {
        root = roots[i];
        nfailed += access(root, W_OK) == 0
                       ? cmocka_run_group_tests(tests, NULL, NULL)
                       : 0;
    }
    return nfailed;
}
