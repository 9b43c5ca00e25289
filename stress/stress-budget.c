/*
 * stress-budget.c - more children than descriptors: is each that was modified
 * named?
 *
 * A plain inotify program, to be run under `vnotify run --fd-budget N` (or
 * natively, for comparison).  It watches 2,000 directories of 50 files each
 * with libuv's mask, appends to files chosen at random, and waits until each of
 * them has been named in a MODIFY.  In each round it also opens files of its
 * own, as a guest does that is not alone with its watches.  Prints the delay
 * between a write and its event, and the most descriptors that vnotify held.
 *
 * Invariant: every append is told under its name in its directory, no call
 * fails, and vnotify holds no more descriptors than --count allows.
 *
 *     stress-budget [OPTION...] [--count MOST_DESCRIPTORS]
 */
#include "options.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    DIRS = 2000,
    FILES = 50,
    BURST = 500,      /* appends of one round */
    OWN = 100,        /* descriptors that the program itself opens */
    PATIENCE_S = 120, /* for one round; none takes a tenth of that */
};

#define LIBUV                                                               \
    (IN_MODIFY | IN_ATTRIB | IN_MOVED_FROM | IN_MOVED_TO | IN_CREATE |      \
     IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF)

static char root[256];
static int dir_fds_at; /* of `root` */
static uint64_t written_ns[DIRS][FILES]; /* 0: nothing is awaited */
static double delays_ms[1 << 20];
static size_t delay_count;
static int awaited;

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void fail(const char *what)
{
    fprintf(stderr, "vnotify: stress-budget: %s: %s\n", what,
            strerror(errno));
    exit(1);
}

static void name_of(char name[32], int dir, int file)
{
    if (file < 0)
        snprintf(name, 32, "%d", dir);
    else
        snprintf(name, 32, "%d/%d", dir, file);
}

static void make_tree(void)
{
    char name[32];

    for (int dir = 0; dir < DIRS; dir++) {
        name_of(name, dir, -1);
        if (mkdirat(dir_fds_at, name, 0700) != 0)
            fail("mkdir");
        for (int file = 0; file < FILES; file++) {
            int fd;

            name_of(name, dir, file);
            fd = openat(dir_fds_at, name, O_CREAT | O_WRONLY | O_CLOEXEC,
                        0600);
            if (fd < 0)
                fail("open");
            close(fd);
        }
    }
}

static void remove_tree(void)
{
    char name[32];

    for (int dir = 0; dir < DIRS; dir++) {
        for (int file = 0; file < FILES; file++) {
            name_of(name, dir, file);
            unlinkat(dir_fds_at, name, 0);
        }
        name_of(name, dir, -1);
        unlinkat(dir_fds_at, name, AT_REMOVEDIR);
    }
    rmdir(root);
}

/* Watch descriptors count from 1: one is its directory's number and 1. */
static int watch_all(void)
{
    int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    char path[300];

    if (fd < 0)
        fail("inotify_init1");
    for (int dir = 0; dir < DIRS; dir++) {
        snprintf(path, sizeof(path), "%s/%d", root, dir);
        if (inotify_add_watch(fd, path, LIBUV) != dir + 1)
            fail("inotify_add_watch");
    }
    return fd;
}

static void append(int dir, int file)
{
    char name[32];
    int fd;

    name_of(name, dir, file);
    fd = openat(dir_fds_at, name, O_WRONLY | O_APPEND | O_CLOEXEC);
    if (fd < 0 || write(fd, "x", 1) != 1)
        fail("append");
    if (written_ns[dir][file] == 0) {
        written_ns[dir][file] = now_ns();
        awaited++;
    }
    close(fd);
}

static void take(const struct inotify_event *event)
{
    int dir = event->wd - 1, file = atoi(event->name);

    if ((event->mask & IN_MODIFY) == 0 || event->len == 0)
        return;
    if (dir < 0 || dir >= DIRS || file < 0 || file >= FILES) {
        errno = EPROTO;
        fail("an event of nobody");
    }
    if (written_ns[dir][file] == 0)
        return; /* told in two parts */
    if (delay_count < sizeof(delays_ms) / sizeof(delays_ms[0]))
        delays_ms[delay_count++] =
            (double)(now_ns() - written_ns[dir][file]) / 1e6;
    written_ns[dir][file] = 0;
    awaited--;
}

/* True when nothing is awaited any more. */
static bool read_events(int fd)
{
    static char buf[65536]
        __attribute__((aligned(__alignof__(struct inotify_event))));
    uint64_t end = now_ns() + PATIENCE_S * UINT64_C(1000000000);

    while (awaited > 0 && now_ns() < end) {
        struct pollfd readable = { fd, POLLIN, 0 };
        ssize_t bytes;

        poll(&readable, 1, 1000);
        bytes = read(fd, buf, sizeof(buf));
        if (bytes < 0 && errno != EAGAIN && errno != EINTR)
            fail("read");
        for (ssize_t at = 0; at < bytes;) {
            const struct inotify_event *event = (void *)(buf + at);

            take(event);
            at += (ssize_t)(sizeof(*event) + event->len);
        }
    }
    return awaited == 0;
}

static unsigned count_entries(const char *path)
{
    DIR *dir = opendir(path);
    unsigned count = 0;

    while (dir != NULL && readdir(dir) != NULL)
        count++;
    if (dir != NULL)
        closedir(dir);
    return count < 2 ? 0 : count - 2;
}

/* Of the guest's parent, if that is vnotify's supervisor; else 0. */
static unsigned descriptors_of_vnotify(void)
{
    char path[64], exe[256];
    ssize_t len;

    snprintf(path, sizeof(path), "/proc/%d/exe", (int)getppid());
    len = readlink(path, exe, sizeof(exe) - 1);
    if (len < 0)
        return 0;
    exe[len] = '\0';
    if (strcmp(strrchr(exe, '/'), "/vnotify") != 0)
        return 0;
    snprintf(path, sizeof(path), "/proc/%d/fd", (int)getppid());
    return count_entries(path);
}

static bool open_own(void)
{
    int fds[OWN], count = 0;

    while (count < OWN &&
           (fds[count] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
        count++;
    for (int i = 0; i < count; i++)
        close(fds[i]);
    return count == OWN;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void report_delays(void)
{
    if (delay_count == 0)
        return;
    qsort(delays_ms, delay_count, sizeof(delays_ms[0]), ascending);
    figure("delay_p50", delays_ms[delay_count / 2], "ms");
    figure("delay_p99", delays_ms[delay_count * 99 / 100], "ms");
    figure("delay_max", delays_ms[delay_count - 1], "ms");
}

/* Appends until the time is over, round by round.  True: all were told. */
static bool run(const struct options *options, int fd, unsigned allowed)
{
    uint64_t state = options->seed;
    uint64_t end = now_ns() + (uint64_t)(options->seconds * 1e9);
    bool told = true;
    unsigned rounds = 0, most = 0, appended = 0;

    do {
        unsigned holds;

        for (int i = 0; i < BURST; i++)
            append((int)random_below(&state, DIRS),
                   (int)random_below(&state, FILES));
        appended += (unsigned)awaited;
        told = open_own() && read_events(fd);
        holds = descriptors_of_vnotify();
        most = holds > most ? holds : most;
        rounds++;
    } while (told && now_ns() < end);
    figure("rounds", rounds, "");
    figure("files_modified", appended, "");
    figure("never_named", awaited, "");
    figure("descriptors_of_vnotify", most, "");
    report_delays();
    if (most > allowed)
        fprintf(stderr,
                "vnotify: stress-budget: %u descriptors, allowed are %u\n",
                most, allowed);
    return told && most <= allowed;
}

int main(int argc, char **argv)
{
    struct options options = { 0 };
    unsigned allowed;
    uint64_t start;
    bool held;
    int fd;

    options_parse(&options, argc, argv);
    allowed = options.count == 0 ? UINT_MAX : (unsigned)options.count;
    snprintf(root, sizeof(root), "%s/stress-budget-XXXXXX", options.dir);
    if (mkdtemp(root) == NULL ||
        (dir_fds_at = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
        fail(options.dir);
    make_tree();
    start = now_ns();
    fd = watch_all();
    figure("watches", DIRS, "");
    figure("ready", (double)(now_ns() - start) / 1e6, "ms");
    held = run(&options, fd, allowed);
    close(fd);
    remove_tree();
    return figures_write(&options, "stress-budget") == 0 && held ? 0 : 1;
}
