/*
 * The port when there is much: overflow, threads, thousands of siblings, paths
 * too long to read, a file system that goes away.
 */
#include "kq-fixture.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <time.h>

static const struct timespec tick = {.tv_nsec = 40000000};

/* Events enough to overflow the kernel's queue, no two alike in a row. */
static bool overflow(void)
{
    int n = 0;
    FILE *file = fopen("/proc/sys/fs/inotify/max_queued_events", "re");
    if (!file || fscanf(file, "%d", &n) != 1 || n > 100000)
        n = 0;
    if (file)
        fclose(file);
    for (int i = 0; n > 0 && i < n + 10; i++)
        assert_int_equal(chmod(i % 2 ? "a" : "b", 0600), 0);
    return n > 0;
}

static int watch_parked(struct fixture *fx, const char *name)
{
    make_file(name, "x");
    int host_fd = watch(fx, name);
    int id = park(fx, host_fd);
    assert_true(id >= KQ_PARKED_FIRST);
    close(host_fd);
    return id;
}

static void test_kq_overflow_is_a_note_on_all_that_changed(void **state)
{
    struct fixture *fx = *state;
    static const char *const names[] = {"a",    "b",     "idle",  "grown",
                                        "gone", "chmod", "linked"};
    enum { A_, B_, IDLE, GROWN, GONE, CHMOD, LINKED, FILES };
    int fds[FILES];
    for (int i = 0; i < FILES; i++)
        make_file(names[i], "x");
    assert_int_equal(mkdir("removed", 0700), 0);
    assert_int_equal(mkdir("renamed", 0700), 0);
    nanosleep(&tick, NULL); /* so that stamps can prove something */
    for (int i = 0; i < FILES; i++)
        fds[i] = watch(fx, names[i]);
    int removed = watch(fx, "removed");
    int renamed = watch(fx, "renamed");
    int parked = watch_parked(fx, "parked");
    int d = watch(fx, ".");
    if (!overflow())
        skip();
    write_file("grown", "longer");
    assert_int_equal(unlink("gone"), 0);
    assert_int_equal(unlink("parked"), 0);
    assert_int_equal(chmod("chmod", 0400), 0);
    assert_int_equal(link("linked", "link"), 0);
    assert_int_equal(rmdir("removed"), 0);
    assert_int_equal(rename("renamed", "other"), 0);
    collect(fx);
    assert_int_equal(kq_overflows(fx->kq), 1);
    assert_int_equal(take(fx, d) & (W | L | DEL), W | L);
    assert_int_equal(take(fx, removed) & (W | L | DEL), W | L | DEL);
    assert_int_equal(take(fx, renamed) & (W | L | DEL), W | L);
    expect(fx, fds[IDLE], 0);
    assert_int_equal(take(fx, fds[GROWN]) & (W | X), W | X);
    assert_int_equal(take(fx, fds[GONE]) & DEL, DEL);
    expect(fx, parked, either(DEL, DEL | L)); /* and nobody wrote to it */
    expect(fx, fds[CHMOD], A);
    assert_int_equal(take(fx, fds[LINKED]) & L, L);
    assert_true(take(fx, fds[A_]) & A);
    assert_true(take(fx, fds[B_]) & A);
    expect_nothing(fx);
    assert_int_equal(rmdir("other"), 0); /* its new name was learnt */
    expect(fx, renamed, either(DEL, DEL | L));
    expect(fx, d, W | L);
    expect_nothing(fx);
    for (int i = 0; i < FILES; i++)
        kq_close(fx->kq, fds[i]);
    kq_close(fx->kq, parked);
    kq_close(fx->kq, removed);
    kq_close(fx->kq, renamed);
    kq_close(fx->kq, d);
}

static void test_kq_many_removed_siblings_cost_one_look_each(void **state)
{
    struct fixture *fx = *state;
    int n = is_macos() ? 10000 : 1000;
    struct rlimit old, limit;
    getrlimit(RLIMIT_NOFILE, &old);
    limit = old;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur < (rlim_t)n + 100)
        n = (int)limit.rlim_cur - 100;
    int *fds = calloc((size_t)n, sizeof(*fds));
    char name[16];
    for (int i = 0; i < n; i++) {
        snprintf(name, sizeof(name), "sub%d", i);
        assert_int_equal(mkdir(name, 0700), 0);
        fds[i] = watch(fx, name);
    }
    struct timespec begin, end;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    for (int i = 0; i < n; i++) {
        snprintf(name, sizeof(name), "sub%d", i);
        assert_int_equal(rmdir(name), 0);
        expect(fx, fds[i], either(DEL, DEL | L));
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    /* A look at all of them for each would be 50 million: half a minute. */
    assert_in_range(end.tv_sec - begin.tv_sec, 0, 10);
    expect_nothing(fx);
    for (int i = 0; i < n; i++)
        kq_close(fx->kq, fds[i]);
    free(fds);
    setrlimit(RLIMIT_NOFILE, &old);
}

/* /proc/self/fd/N cannot be read there: the children's names are unknown. */
static void test_kq_rmdir_below_a_path_too_long_to_read(void **state)
{
    struct fixture *fx = *state;
    char name[201];
    int fds[20];
    memset(name, 'n', 200);
    name[200] = '\0';
    for (int i = 0; i < 24; i++) {
        assert_int_equal(mkdir(name, 0700), 0);
        assert_int_equal(chdir(name), 0);
    }
    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof(name), "sub%d", i);
        assert_int_equal(mkdir(name, 0700), 0);
        fds[i] = watch(fx, name);
    }
    assert_int_equal(mkdir("unwatched", 0700), 0);
    assert_int_equal(rmdir("unwatched"), 0);
    expect_nothing(fx);
    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof(name), "sub%d", i);
        assert_int_equal(rmdir(name), 0);
        expect(fx, fds[i], either(DEL, DEL | L));
        expect_nothing(fx);
    }
    for (int i = 0; i < 20; i++)
        kq_close(fx->kq, fds[i]);
    assert_int_equal(chdir(fx->path), 0);
}

/*** Threads ***/

enum { ADDERS = 3 };

static struct {
    struct kq *kq;
    bool is_dir;
    _Atomic bool adders_stop, collector_stops;
    _Atomic unsigned told[ADDERS]; /* last round of which a note was seen */
    _Atomic unsigned rounds;
} load;

static void *collect_until_over(void *arg)
{
    (void)arg;
    const struct timespec limit = {.tv_nsec = 10000000};
    struct kevent events[16];
    while (!atomic_load(&load.collector_stops)) {
        kq_wait(load.kq, &limit);
        int n = kq_event(load.kq, NULL, 0, events, 16);
        for (int i = 0; i < n; i++) {
            uintptr_t mark = (uintptr_t)events[i].udata;
            if (events[i].filter == EVFILT_VNODE && events[i].fflags & W)
                atomic_store(&load.told[mark >> 32], (unsigned)mark);
        }
    }
    return NULL;
}

static bool await_note(unsigned self, unsigned round)
{
    const struct timespec nap = {.tv_nsec = 20000};
    for (int i = 0; i < 100000; i++) {
        if (atomic_load(&load.told[self]) == round)
            return true;
        nanosleep(&nap, NULL);
    }
    return false;
}

static bool stir(unsigned self)
{
    char name[32];
    snprintf(name, sizeof(name), "common.d/%u", self);
    int host_fd = open(load.is_dir ? name : "common",
                       O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    bool is_done = host_fd >= 0 && write(host_fd, "x", 1) == 1;
    close(host_fd);
    return is_done && (!load.is_dir || unlink(name) == 0);
}

/*
 * All adders add and drop their own descriptors of one and the same file, or
 * directory: kernel watch and node come and go between one's inotify_add_watch
 * and its attaching.  Whatever is done after EV_ADD has returned must be told.
 */
static void *add_and_drop(void *arg)
{
    unsigned self = (unsigned)(uintptr_t)arg;
    for (unsigned round = 1; !atomic_load(&load.adders_stop); round++) {
        int host_fd = open_quietly(load.is_dir ? "common.d" : "common");
        struct kevent kev;
        EV_SET(&kev, host_fd, EVFILT_VNODE, EV_ADD | EV_CLEAR, W | DEL, 0,
               (void *)((uintptr_t)self << 32 | round));
        if (kq_event(load.kq, &kev, 1, NULL, 0) != 0)
            return (void *)(uintptr_t) "EV_ADD failed";
        if (!stir(self) || !await_note(self, round))
            return (void *)(uintptr_t) "a note was lost";
        kq_close(load.kq, host_fd);
        atomic_fetch_add(&load.rounds, 1);
    }
    return NULL;
}

static void add_and_drop_for_a_while(struct fixture *fx, bool is_dir)
{
    const struct timespec duration = {.tv_nsec = 500000000};
    pthread_t collector, adders[ADDERS];
    memset(&load, 0, sizeof(load));
    load.is_dir = is_dir;
    load.kq = fx->kq;
    for (uintptr_t i = 0; i < ADDERS; i++)
        pthread_create(&adders[i], NULL, add_and_drop, (void *)i);
    pthread_create(&collector, NULL, collect_until_over, NULL);
    nanosleep(&duration, NULL);
    /* The adders first: their last round needs the collector. */
    const void *failure = NULL;
    atomic_store(&load.adders_stop, true);
    for (int i = 0; i < ADDERS; i++) {
        void *result;
        pthread_join(adders[i], &result);
        failure = result ? result : failure;
    }
    atomic_store(&load.collector_stops, true);
    pthread_join(collector, NULL);
    assert_null(failure);
    assert_true(atomic_load(&load.rounds) > 10);
}

/* Kernel watches of all inotify descriptors of this process. */
static int count_kernel_watches(void)
{
    char path[64], line[512];
    int n = 0;
    for (int i = 0; i < 64; i++) {
        snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", i);
        FILE *file = fopen(path, "re");
        while (file && fgets(line, sizeof(line), file))
            n += strncmp(line, "inotify wd:", 11) == 0;
        if (file)
            fclose(file);
    }
    return n;
}

static void test_kq_adding_and_dropping_while_another_waits(void **state)
{
    make_file("common", "");
    assert_int_equal(mkdir("common.d", 0700), 0);
    add_and_drop_for_a_while(*state, false);
    add_and_drop_for_a_while(*state, true);
    assert_int_equal(count_kernel_watches(), 0);
}

static void test_kq_drops_its_kernel_watches(void **state)
{
    struct fixture *fx = *state;
    make_file("f", "x");
    assert_int_equal(mkdir("sub", 0700), 0);
    assert_int_equal(mkdir("other", 0700), 0);
    int f = watch(fx, "f");
    int g = dup(f);
    add(fx, g, ASKED);
    assert_int_equal(count_kernel_watches(), 1);
    int sub = watch(fx, "sub");
    assert_int_equal(count_kernel_watches(), 3); /* its parent as well */
    int d = watch(fx, ".");
    assert_int_equal(count_kernel_watches(), 4); /* and the parent of that */
    assert_int_equal(rename("sub", "other/sub"), 0);
    collect(fx);
    fx->nevents = 0;
    assert_int_equal(count_kernel_watches(), 5);
    kq_close(fx->kq, d);
    assert_int_equal(count_kernel_watches(), 3);
    kq_close(fx->kq, sub);
    assert_int_equal(count_kernel_watches(), 1);
    kq_close(fx->kq, f);
    assert_int_equal(count_kernel_watches(), 1);
    kq_close(fx->kq, g);
    assert_int_equal(count_kernel_watches(), 0);
    collect(fx);
    expect_nothing(fx);
}

/*** A file system that goes away ***/

enum { UNMOUNT_FAILED = 1, UNMOUNT_IMPOSSIBLE = 77 };

static int unmounted(struct fixture *fx)
{
    struct kevent event;
    if (unshare(CLONE_NEWNS) != 0 ||
        mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mkdir("m", 0700) != 0 || mount("none", "m", "tmpfs", 0, NULL) != 0)
        return UNMOUNT_IMPOSSIBLE;
    make_file("m/f", "x");
    int f = watch(fx, "m/f");
    close(f); /* without kq_close: else it would be busy */
    if (umount("m") != 0)
        return UNMOUNT_IMPOSSIBLE;
    if (kq_event(fx->kq, NULL, 0, &event, 1) != 1)
        return UNMOUNT_FAILED;
    unsigned short eof = EV_EOF | either(0, EV_ONESHOT);
    return event.fflags != NOTE_REVOKE || (event.flags & eof) != eof;
}

static void test_kq_unmount_revokes(void **state)
{
    int status;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(unmounted(*state));
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WEXITSTATUS(status) == UNMOUNT_IMPOSSIBLE)
        skip();
    assert_int_equal(status, 0);
}

static const struct CMUnitTest tests[] = {
    KQ_TEST(test_kq_overflow_is_a_note_on_all_that_changed),
    KQ_TEST(test_kq_many_removed_siblings_cost_one_look_each),
    KQ_TEST(test_kq_rmdir_below_a_path_too_long_to_read),
    KQ_TEST(test_kq_adding_and_dropping_while_another_waits),
    KQ_TEST(test_kq_drops_its_kernel_watches),
    KQ_TEST(test_kq_unmount_revokes),
};

KQ_TESTS(tests)
