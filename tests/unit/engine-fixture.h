/*
 * engine-fixture.h - an engine, a directory of its own, and events in words
 *
 * No test sleeps: vnotify_sync is the barrier, after which what was done
 * before it is in the queues.  With VNOTIFY_TEST_PARKED in the environment no
 * watched directory holds a descriptor, where the host can do without.
 */
#pragma once

#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pipeline/sync.h"
#include "vnotify.h"

static struct vnotify *engine;
static struct vnotify_instance *instance;
static char root[64];
static int root_fd;

static inline struct vnotify_instance *open_instance(void)
{
    struct vnotify_instance *made;

    assert_int_equal(vnotify_instance_create(engine, NULL, NULL, &made), 0);
    return made;
}

static inline int setup_with(const struct vnotify_config *config,
                             const char *below)
{
    struct vnotify_config parked = { 0 };

    if (config != NULL)
        parked = *config;
    if (getenv("VNOTIFY_TEST_PARKED") != NULL)
        parked.open_budget = -1;
    snprintf(root, sizeof(root), "%s/vnotify-unit-XXXXXX", below);
    assert_non_null(mkdtemp(root));
    root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_return_code(root_fd, errno);
    assert_int_equal(vnotify_create(&engine, &parked), 0);
    instance = open_instance();
    return 0;
}

static inline int setup(void **state)
{
    (void)state;
    return setup_with(NULL, "/tmp");
}

static inline void remove_tree(int host_fd)
{
    DIR *dir = fdopendir(host_fd);
    struct dirent *entry;

    while ((entry = readdir(dir)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (unlinkat(host_fd, entry->d_name, 0) == 0)
            continue;
        remove_tree(openat(host_fd, entry->d_name,
                           O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
        unlinkat(host_fd, entry->d_name, AT_REMOVEDIR);
    }
    closedir(dir);
}

static inline int teardown(void **state)
{
    (void)state;
    vnotify_instance_destroy(instance);
    vnotify_destroy(engine);
    remove_tree(root_fd);
    rmdir(root);
    return 0;
}

/* Changes below the root. */

static inline const char *path(const char *name)
{
    static char paths[4][4400];
    static unsigned next;
    char *buf = paths[next++ % 4];

    snprintf(buf, sizeof(paths[0]), "%s/%s", root, name);
    return buf;
}

static inline void make_file(const char *name)
{
    int fd = openat(root_fd, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC,
                    0600);

    assert_return_code(fd, errno);
    close(fd);
}

static inline void make_dir(const char *name)
{
    assert_return_code(mkdirat(root_fd, name, 0700), errno);
}

static inline void remove_file(const char *name)
{
    assert_return_code(unlinkat(root_fd, name, 0), errno);
}

static inline void remove_dir(const char *name)
{
    assert_return_code(unlinkat(root_fd, name, AT_REMOVEDIR), errno);
}

/*
 * Lets the kernel's coarse clock pass what the file is stamped with, so that
 * the rename to come can be told from a birth.
 */
static inline void let_clock_pass(const char *name)
{
    struct timespec now;
    struct stat st;

    assert_return_code(fstatat(root_fd, name, &st, AT_SYMLINK_NOFOLLOW),
                       errno);
    do
        clock_gettime(CLOCK_REALTIME_COARSE, &now);
    while (now.tv_sec == st.st_ctim.tv_sec &&
           now.tv_nsec <= st.st_ctim.tv_nsec);
}

static inline void move(const char *from, const char *to)
{
    let_clock_pass(from);
    assert_return_code(renameat(root_fd, from, root_fd, to), errno);
}

static inline void link_file(const char *from, const char *to)
{
    assert_return_code(linkat(root_fd, from, root_fd, to, 0), errno);
}

static inline void change_mode(const char *name, mode_t mode)
{
    assert_return_code(fchmodat(root_fd, name, mode, 0), errno);
}

static inline void append_to(const char *name)
{
    int fd = openat(root_fd, name, O_WRONLY | O_APPEND | O_CLOEXEC);

    assert_return_code(fd, errno);
    assert_int_equal(write(fd, "x", 1), 1);
    close(fd);
}

/* Watches and events. */

static inline int add(const char *name, uint32_t mask)
{
    return vnotify_add_watch(instance, path(name), mask);
}

static inline void sync_now(void)
{
    assert_int_equal(vnotify_sync(engine), 0);
}

static inline size_t put_words(char *text, size_t size,
                               const struct vnotify_event *event)
{
    static const struct {
        uint32_t bit;
        const char *name;
    } words[] = {
        { VN_IN_ACCESS, "access" },
        { VN_IN_MODIFY, "modify" },
        { VN_IN_ATTRIB, "attrib" },
        { VN_IN_CLOSE_WRITE, "close-write" },
        { VN_IN_CLOSE_NOWRITE, "close" },
        { VN_IN_OPEN, "open" },
        { VN_IN_MOVED_FROM, "from" },
        { VN_IN_MOVED_TO, "to" },
        { VN_IN_CREATE, "create" },
        { VN_IN_DELETE, "delete" },
        { VN_IN_DELETE_SELF, "delete-self" },
        { VN_IN_MOVE_SELF, "move-self" },
        { VN_IN_Q_OVERFLOW, "overflow" },
        { VN_IN_IGNORED, "ignored" },
    };
    char odd[16];
    const char *word = odd;

    snprintf(odd, sizeof(odd), "%#x", event->mask);
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if ((event->mask & ~(uint32_t)VN_IN_ISDIR) == words[i].bit)
            word = words[i].name;
    return (size_t)snprintf(text, size, "%d %s%s%s%s", event->wd, word,
                            (event->mask & VN_IN_ISDIR) != 0 ? "/" : "",
                            event->len != 0 ? " " : "",
                            event->len != 0 ? event->name : "");
}

static bool words_pair = true; /* no MOVED_TO without its MOVED_FROM */

/* All that is queued now, in words: "1 create a, 1 delete/ d". */
static inline const char *read_words(struct vnotify_instance *from)
{
    static char text[65536];
    static _Alignas(struct vnotify_event) char buf[65536];
    uint32_t cookie = 0; /* of the MOVED_FROM before */
    size_t used = 0;
    ssize_t n;

    text[0] = '\0';
    while ((n = vnotify_read(from, buf, sizeof(buf))) > 0) {
        for (ssize_t at = 0; at < n;) {
            const struct vnotify_event *event = (void *)(buf + at);

            at += (ssize_t)(sizeof(*event) + event->len);
            assert_true(used + 300 < sizeof(text));
            if (used > 0)
                used += (size_t)snprintf(text + used, 3, ", ");
            used += put_words(text + used, sizeof(text) - used, event);
            if (words_pair && (event->mask & VN_IN_MOVED_TO) != 0)
                assert_int_equal(event->cookie, cookie);
            cookie = (event->mask & VN_IN_MOVED_FROM) != 0 ? event->cookie : 0;
            if ((event->mask & (VN_IN_MOVED_FROM | VN_IN_MOVED_TO)) != 0)
                assert_int_not_equal(event->cookie, 0);
            else
                assert_int_equal(event->cookie, 0);
        }
    }
    assert_int_equal(n, -EAGAIN);
    return text;
}

static inline int compare_phrases(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sorts the events; a rename's two halves stay together. */
static inline const char *sorted(const char *words)
{
    static char results[2][8192];
    static unsigned next;
    char copy[8192], *phrases[128], *result = results[next++ % 2];
    size_t count = 0, used = 0;

    snprintf(copy, sizeof(copy), "%s", words);
    for (char *at = copy; at != NULL && *at != '\0';) {
        char *end = strstr(at, ", ");

        assert_true(count < 128);
        phrases[count++] = at;
        if (end != NULL && strstr(at, " from") != NULL &&
            strstr(at, " from") < end)
            end = strstr(end + 2, ", ");
        at = end == NULL ? NULL : end + 2;
        if (end != NULL)
            *end = '\0';
    }
    qsort(phrases, count, sizeof(phrases[0]), compare_phrases);
    result[0] = '\0';
    for (size_t i = 0; i < count; i++)
        used += (size_t)snprintf(result + used, 8192 - used, "%s%s",
                                 i == 0 ? "" : ", ", phrases[i]);
    return result;
}

/* As expect, where the order is the host's listing's. */
static inline void expect_in_any_order(const char *words)
{
    sync_now();
    assert_string_equal(sorted(read_words(instance)), sorted(words));
}

static inline void expect_of(struct vnotify_instance *from, const char *words)
{
    sync_now();
    assert_string_equal(read_words(from), words);
}

static inline void expect(const char *words)
{
    expect_of(instance, words);
}

/* What no barrier is behind: a minute is for ever. */
#define AWAIT(condition)                                                       \
    do {                                                                       \
        uint64_t deadline = now_ns() + UINT64_C(60000000000);                  \
        while (!(condition)) {                                                 \
            assert_true(now_ns() < deadline);                                  \
            sched_yield();                                                     \
        }                                                                      \
    } while (0)

static inline void expect_at_last(const char *words)
{
    const char *told;

    AWAIT(*(told = read_words(instance)) != '\0');
    assert_string_equal(told, words);
}

#define ENGINE_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
