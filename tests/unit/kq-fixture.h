/*
 * kq-fixture.h - a directory of its own and a kqueue, for the tests of the port
 *
 * Every test runs for both sets of notes, on the disk (/tmp) and on tmpfs
 * (/dev/shm): KQ_TESTS makes a group of each.  What is not expected is an
 * error: expect_nothing() at the end of each test.
 */
#pragma once

#include "port/kq.h"
#include "port/look.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FIXTURE_EVENTS = 64 };

struct fixture {
    struct kq *kq;
    char path[64];
    struct kevent events[FIXTURE_EVENTS];
    int nevents;
    int nfds; /* open when the test began */
};

static enum kq_notes fixture_notes;
static const char *fixture_root;

#define W NOTE_WRITE
#define X NOTE_EXTEND
#define A NOTE_ATTRIB
#define L NOTE_LINK
#define R NOTE_RENAME
#define DEL NOTE_DELETE

/* What the table of notes is about; the noise of opens is asked for apart. */
#define ASKED (W | X | A | L | R | DEL | NOTE_REVOKE)

static inline bool is_macos(void)
{
    return fixture_notes == KQ_NOTES_MACOS;
}

/* The one of the two that this kind of host posts. */
static inline uint32_t either(uint32_t freebsd, uint32_t macos)
{
    return is_macos() ? macos : freebsd;
}

static inline int count_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int n = 0;
    while (readdir(dir))
        n++;
    closedir(dir);
    return n;
}

static inline int fixture_setup(void **state)
{
    struct fixture *fx = calloc(1, sizeof(*fx));
    *state = fx;
    fx->nfds = count_fds();
    snprintf(fx->path, sizeof(fx->path), "%s/kq-test-XXXXXX", fixture_root);
    if (!mkdtemp(fx->path) || chdir(fx->path) != 0)
        return -1;
    return kq_create(&fx->kq, fixture_notes);
}

static inline int fixture_teardown(void **state)
{
    struct fixture *fx = *state;
    char command[128];
    if (fx->kq)
        kq_destroy(fx->kq);
    int nfds = count_fds();
    if (nfds != fx->nfds)
        print_error("descriptors leaked: %d\n", nfds - fx->nfds);
    int rc = nfds != fx->nfds || chdir("/") != 0;
    snprintf(command, sizeof(command), "rm -rf %s", fx->path);
    rc |= system(command) != 0;
    free(fx);
    return rc;
}

static inline int change(struct fixture *fx, uintptr_t ident, short filter,
                         unsigned short flags, uint32_t fflags)
{
    struct kevent kev;
    EV_SET(&kev, ident, filter, flags, fflags, 0, NULL);
    return kq_event(fx->kq, &kev, 1, NULL, 0);
}

static inline void add(struct fixture *fx, int host_fd, uint32_t asked)
{
    assert_int_equal(
        change(fx, (uintptr_t)host_fd, EVFILT_VNODE, EV_ADD | EV_CLEAR, asked),
        0);
}

/* The same of what was looked at before. */
static inline void add_known(struct fixture *fx, int host_fd,
                             const struct look *look, const char *name)
{
    const struct kq_known known = {look, name, NULL};
    struct kevent kev;
    EV_SET(&kev, (uintptr_t)host_fd, EVFILT_VNODE, EV_ADD | EV_CLEAR, ASKED, 0,
           NULL);
    assert_int_equal(kq_add(fx->kq, &kev, &known), 0);
}

static inline int park(struct fixture *fx, int host_fd)
{
    struct look look;
    assert_int_equal(look_at(host_fd, "", &look), 0);
    return kq_park(fx->kq, host_fd, &look);
}

/* Opened without any event of its own. */
static inline int open_quietly(const char *path)
{
    int host_fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    assert_true(host_fd >= 0);
    return host_fd;
}

static inline int watch(struct fixture *fx, const char *path)
{
    int host_fd = open_quietly(path);
    add(fx, host_fd, ASKED);
    return host_fd;
}

static inline void make_file(const char *path, const char *text)
{
    int host_fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(host_fd >= 0);
    assert_int_equal(write(host_fd, text, strlen(text)), strlen(text));
    close(host_fd);
}

/* In place, from the beginning. */
static inline void write_file(const char *path, const char *text)
{
    int host_fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_true(host_fd >= 0);
    assert_int_equal(write(host_fd, text, strlen(text)), strlen(text));
    close(host_fd);
}

static inline void collect(struct fixture *fx)
{
    int room = FIXTURE_EVENTS - fx->nevents;
    int n = kq_event(fx->kq, NULL, 0, fx->events + fx->nevents, room);
    assert_in_range(n, 0, room);
    fx->nevents += n;
}

/* The notes of this knote, taken from those collected; 0 if it has none. */
static inline uint32_t take(struct fixture *fx, int host_fd)
{
    collect(fx);
    for (int i = 0; i < fx->nevents; i++) {
        if (fx->events[i].ident != (uintptr_t)host_fd)
            continue;
        uint32_t fflags = fx->events[i].fflags;
        fx->nevents--;
        memmove(&fx->events[i], &fx->events[i + 1],
                (size_t)(fx->nevents - i) * sizeof(fx->events[0]));
        return fflags;
    }
    return 0;
}

#define expect(fx, host_fd, notes)                                             \
    assert_int_equal(take((fx), (host_fd)), (notes))

#define expect_nothing(fx)                                                     \
    do {                                                                       \
        collect(fx);                                                           \
        assert_int_equal((fx)->nevents, 0);                                    \
        assert_false(kq_pending((fx)->kq));                                    \
    } while (0)

#define KQ_TEST(test)                                                          \
    cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

/* All tests for each kind of host, on each file system: the failures. */
#define KQ_TESTS(tests)                                                        \
    static int run_all(void)                                                   \
    {                                                                          \
        static const char *const roots[] = {"/tmp", "/dev/shm"};               \
        static const char *const kinds[] = {"FreeBSD", "macOS"};               \
        int nfailed = 0;                                                       \
        for (int i = 0; i < 4; i++) {                                          \
            fixture_notes = i % 2 ? KQ_NOTES_MACOS : KQ_NOTES_FREEBSD;         \
            fixture_root = roots[i / 2];                                       \
            print_message("%s, %s\n", kinds[i % 2], fixture_root);             \
            nfailed += cmocka_run_group_tests(tests, NULL, NULL);              \
        }                                                                      \
        return nfailed;                                                        \
    }                                                                          \
    int main(void)                                                             \
    {                                                                          \
        return run_all();                                                      \
    }
