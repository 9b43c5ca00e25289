/*
 * add_watch, rm_watch and close from several threads while the directories
 * change: nothing hangs, and the calls fail only as they may.
 *
 *     adder                remover              changer
 *       add_watch(dir)       rm_watch(wd)         mkdir, touch, unlink, rmdir
 *       ENOENT allowed       EINVAL allowed       (the watch ends by itself)
 *
 * Whatever the interleaving, afterwards a fresh watch works as ever.
 */
#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIRS 8
#define WATCHES 1000
#define ROUNDS 1500
#define FOREIGN_ROUNDS 300
#define INIT_BESIDE 768 /* three quarters of the usual limit */
#define MEMBERS (IN_CREATE | IN_DELETE | IN_MOVE | IN_DELETE_SELF)

static int shared_fd, rounds;
static _Atomic int last_wd;
static _Atomic bool stop;

static void *add_watches(void *unused)
{
    char path[16];
    for (int i = 0; i < rounds; i++) {
        snprintf(path, sizeof path, "d%d", i % DIRS);
        int wd = inotify_add_watch(shared_fd, path, MEMBERS);
        CHECK(wd >= 1 || errno == ENOENT,
              "add_watch: expected success or ENOENT, seen %s",
              strerror(errno));
        if (wd > last_wd)
            last_wd = wd;
    }
    return unused;
}

static void *remove_watches(void *unused)
{
    for (int i = 0; i < rounds; i++) {
        int wd = last_wd - i % 4;
        CHECK(inotify_rm_watch(shared_fd, wd) == 0 || errno == EINVAL,
              "rm_watch: expected success or EINVAL, seen %s", strerror(errno));
    }
    return unused;
}

static void *change_directories(void *unused)
{
    char path[16], file[32], moved[32];
    for (int i = 0; !stop; i++) {
        snprintf(path, sizeof path, "d%d", i % DIRS);
        snprintf(file, sizeof file, "d%d/file", i % DIRS);
        snprintf(moved, sizeof moved, "d%d/moved", i % DIRS);
        mkdir(path, 0755);
        mknod(file, S_IFREG | 0644, 0);
        rename(file, moved);
        unlink(moved);
        if (i % 3 == 0)
            rmdir(path);
    }
    return unused;
}

static void *read_events(void *unused)
{
    static char bytes[16384];
    static struct guest_event events[1024];
    while (!stop) {
        ssize_t got = read(shared_fd, bytes, sizeof bytes);
        if (got > 0)
            guest_parse(bytes, (size_t)got, events, GUEST_COUNT(events));
        else
            guest_readable(shared_fd, 1);
    }
    return unused;
}

static void *open_and_close(void *unused)
{
    char path[16];
    for (int i = 0; i < rounds / 4; i++) {
        int inotify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
        CHECK(inotify_fd >= 0, "inotify_init1: %s", strerror(errno));
        snprintf(path, sizeof path, "d%d", i % DIRS);
        int wd = inotify_add_watch(inotify_fd, path, MEMBERS);
        CHECK(wd == 1 || errno == ENOENT, "add_watch: %s", strerror(errno));
        close(inotify_fd);
    }
    return unused;
}

static void start(pthread_t *thread, void *(*run)(void *))
{
    CHECK(pthread_create(thread, NULL, run, NULL) == 0, "pthread_create");
}

static void expect_all_well(void)
{
    struct guest_queue q;
    guest_mkdir("fresh");
    guest_open(&q);
    int wd = guest_watch(&q, "fresh", IN_CREATE);
    guest_touch("fresh/file");
    guest_expect(&q, wd, IN_CREATE, "file");
    guest_close(&q);
}

static void add_remove_and_delete_race(void)
{
    static void *(*const ending[])(void *) = {add_watches, add_watches,
                                              remove_watches, open_and_close};
    pthread_t ends[GUEST_COUNT(ending)], changes[2], reads;
    rounds = guest_foreign() ? FOREIGN_ROUNDS : ROUNDS;
    shared_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    start(&changes[0], change_directories);
    start(&changes[1], change_directories);
    start(&reads, read_events);
    for (size_t i = 0; i < GUEST_COUNT(ending); i++)
        start(&ends[i], ending[i]);
    for (size_t i = 0; i < GUEST_COUNT(ending); i++)
        pthread_join(ends[i], NULL);
    stop = true;
    pthread_join(changes[0], NULL);
    pthread_join(changes[1], NULL);
    pthread_join(reads, NULL);
    CHECK(close(shared_fd) == 0, "close: %s", strerror(errno));
    expect_all_well();
}

static void *add_until_closed(void *unused)
{
    while (!stop) {
        int wd = inotify_add_watch(shared_fd, "d0", MEMBERS);
        CHECK(wd >= 1 || errno == EBADF || errno == EINVAL || errno == ENOENT,
              "add_watch: expected success, EBADF, EINVAL or ENOENT, seen %s",
              strerror(errno));
        int removed = inotify_rm_watch(shared_fd, wd);
        CHECK(removed == 0 || errno == EBADF || errno == EINVAL,
              "rm_watch: expected success, EBADF or EINVAL, seen %s",
              strerror(errno));
    }
    return unused;
}

/* The descriptor is closed under a call, and its number used again. */
static void close_races_with_use(void)
{
    pthread_t uses[2], changes;
    int count = (guest_foreign() ? FOREIGN_ROUNDS : ROUNDS) / 5;
    guest_mkdir("d0");
    shared_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    start(&uses[0], add_until_closed);
    start(&uses[1], add_until_closed);
    start(&changes, change_directories);
    for (int i = 0; i < count; i++) {
        int old = shared_fd;
        close(old);
        int fresh = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
        CHECK(fresh >= 0, "inotify_init1: %s", strerror(errno));
        shared_fd = fresh;
    }
    stop = true;
    pthread_join(uses[0], NULL);
    pthread_join(uses[1], NULL);
    pthread_join(changes, NULL);
    close(shared_fd);
    expect_all_well();
}

/* Whatever number an instance gets: what another thread has opened stays. */
static void *open_one_file(void *unused)
{
    struct stat status;
    while (!stop) {
        int fd = open("file", O_RDONLY | O_CLOEXEC);
        CHECK(fd >= 0, "open: %s", strerror(errno));
        for (int look = 0; look < 3; look++)
            CHECK(fstat(fd, &status) == 0 && S_ISREG(status.st_mode),
                  "descriptor %d is the file no more: mode 0%o", fd,
                  status.st_mode);
        close(fd);
    }
    return unused;
}

static void init_replaces_nothing(void)
{
    pthread_t opens;
    int fd = -1, low[INIT_BESIDE];
    guest_touch("file");
    for (int i = 0; fd < INIT_BESIDE - 1; i++) {
        low[i] = fd = open("file", O_RDONLY | O_CLOEXEC);
        CHECK(fd >= 0, "%d descriptors: %s", INIT_BESIDE, strerror(errno));
    }
    start(&opens, open_one_file);
    for (int i = 0; i < (guest_foreign() ? FOREIGN_ROUNDS : ROUNDS); i++) {
        int inotify_fd = inotify_init1(IN_CLOEXEC);
        int copy = dup(inotify_fd);
        CHECK(inotify_fd >= 0 && copy >= 0, "%s", strerror(errno));
        close(inotify_fd);
        close(copy);
    }
    stop = true;
    pthread_join(opens, NULL);
    for (int i = 0; low[i] < fd; i++)
        close(low[i]);
    close(fd);
}

static void *fill_and_empty(void *unused)
{
    char path[32];
    for (int i = 0; !stop; i++) {
        snprintf(path, sizeof path, "d%d/file", i * 7 % WATCHES);
        mknod(path, S_IFREG | 0644, 0);
        unlink(path);
    }
    return unused;
}

/* A thousand watches, waited for with epoll while all of them see changes. */
static void epoll_beside_a_thousand_watches(void)
{
    struct guest_queue q;
    struct epoll_event event = {.events = EPOLLIN};
    pthread_t changes[2];
    char path[16];
    guest_open(&q);
    for (int i = 0; i < WATCHES; i++) {
        snprintf(path, sizeof path, "d%d", i);
        guest_mkdir(path);
        guest_watch(&q, path, IN_CREATE | IN_DELETE | IN_MOVE);
    }
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    CHECK(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, q.fd, &event) == 0, "epoll_ctl");
    start(&changes[0], fill_and_empty);
    start(&changes[1], fill_and_empty);
    struct guest_event events[300];
    static char bytes[4096];
    for (int i = 0; i < 500; i++) {
        CHECK(epoll_wait(epoll_fd, &event, 1, GUEST_DEADLINE_MS) == 1,
              "expected events to go on coming");
        ssize_t got = read(q.fd, bytes, sizeof bytes);
        CHECK(got > 0, "read: %s", strerror(errno));
        guest_parse(bytes, (size_t)got, events, GUEST_COUNT(events));
    }
    stop = true;
    pthread_join(changes[0], NULL);
    pthread_join(changes[1], NULL);
    close(epoll_fd);
    close(q.fd);
    expect_all_well();
}

int main(int argc, char **argv)
{
    static const struct guest_case cases[] = {
        GUEST_CASE(add_remove_and_delete_race),
        GUEST_CASE(close_races_with_use),
        GUEST_CASE(init_replaces_nothing),
        GUEST_CASE(epoll_beside_a_thousand_watches),
    };
    return guest_main(argc, argv, cases, GUEST_COUNT(cases));
}
