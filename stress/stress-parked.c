/*
 * stress-parked.c - more directories than descriptors: is each change named?
 *
 * Watches --count directories (100,000) of three files each through vnotify.h,
 * within --descriptors (4,000).  Renames the root of all, changes 1,000 of them that are
 * chosen at random, and compares what was told with what was done.  Prints what
 * a watch costs at the beginning and at the end, memory, and the delay of a
 * directory's first event, parked and open ones in turn.
 *
 * Invariant: every change is told once, under its name and in its directory;
 * nothing else is told; no call fails.
 */
#include "options.h"
#include "measure.h"
#include "user-watches.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vnotify.h"

enum { FILES = 3, GROUP = 1000, CHANGED = 1000, TIMED = 300, PART = 1000,
       WATCHES_ELSE = 60000 /* of the user's other programs */ };

#define MASK                                                                   \
    (VN_IN_CREATE | VN_IN_DELETE | VN_IN_MOVED_FROM | VN_IN_MOVED_TO |         \
     VN_IN_DELETE_SELF)

static struct vnotify *engine;
static struct vnotify_instance *instance;
static char root[256];
static int count, failures;
static int *told; /* by directory: events that are still to come */

static void fail(const char *what)
{
    fprintf(stderr, "vnotify: stress-parked: %s: %s\n", what, strerror(errno));
    exit(1);
}

static const char *place(int i, const char *name)
{
    static char path[512];

    snprintf(path, sizeof(path), "%s/g%d/d%d/%s", root, i / GROUP, i, name);
    return path;
}

static void make(int i, const char *name)
{
    int fd = open(place(i, name), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC,
                  0600);

    if (fd < 0)
        fail(place(i, name));
    close(fd);
}

static void make_tree(const char *dir)
{
    char path[300];

    snprintf(root, sizeof(root), "%s/stress-parked-XXXXXX", dir);
    if (mkdtemp(root) == NULL)
        fail(root);
    for (int i = 0; i < count; i++) {
        snprintf(path, sizeof(path), "%s/g%d", root, i / GROUP);
        if (i % GROUP == 0 && mkdir(path, 0700) != 0)
            fail(path);
        if (mkdir(place(i, ""), 0700) != 0)
            fail(place(i, ""));
        for (int n = 0; n < FILES; n++)
            make(i, n == 0 ? "a" : n == 1 ? "b" : "c");
    }
}

static void remove_tree(void)
{
    static const char *const names[] = { "a", "b", "c", "new", "first" };
    char path[300];

    for (int i = 0; i < count; i++) {
        for (int n = 0; n < 5; n++)
            unlink(place(i, names[n]));
        rmdir(place(i, ""));
    }
    for (int g = 0; g <= (count - 1) / GROUP; g++) {
        snprintf(path, sizeof(path), "%s/g%d", root, g);
        rmdir(path);
    }
    rmdir(root);
}

/* Watch descriptors are given in order: wd i + 1 is directory i. */
static void add_watches(void)
{
    double begun = measure_us();

    for (int i = 0; i < count; i++) {
        int wd = vnotify_add_watch(instance, place(i, ""), MASK);

        if (wd != i + 1) {
            errno = wd < 0 ? -wd : EINVAL;
            fail("add_watch");
        }
        if (i + 1 == PART) {
            figure("add_watch, the first 1,000", (measure_us() - begun) / PART,
                   "us");
            begun = measure_us();
        }
        if (i + 1 == count - PART)
            begun = measure_us();
    }
    figure("add_watch, the last 1,000", (measure_us() - begun) / PART, "us");
}

static void check(const struct vnotify_event *event, const char *name)
{
    int i = event->wd - 1;

    if (i >= 0 && i < count && event->len != 0 &&
        strcmp(event->name, name) == 0 && event->mask == VN_IN_CREATE &&
        told[i]-- == 1)
        return;
    failures++;
    fprintf(stderr, "vnotify: stress-parked: event %#x '%s' of d%d\n",
            event->mask, event->len != 0 ? event->name : "", i);
}

static int read_events(const char *name)
{
    static _Alignas(struct vnotify_event) char buf[65536];
    ssize_t n = vnotify_read(instance, buf, sizeof(buf));
    int events = 0;

    for (ssize_t at = 0; at < n; events++) {
        const struct vnotify_event *event = (void *)(buf + at);

        at += (ssize_t)(sizeof(*event) + event->len);
        check(event, name);
    }
    return events;
}

static void rename_root(void)
{
    char renamed[sizeof(root) + 4];

    snprintf(renamed, sizeof(renamed), "%s-2", root);
    if (rename(root, renamed) != 0)
        fail(renamed);
    snprintf(root, sizeof(root), "%.250s", renamed);
}

static void change_at_random(uint64_t *random)
{
    for (int n = 0; n < CHANGED;) {
        int i = (int)random_below(random, (unsigned)count);

        if (told[i] != 0)
            continue;
        told[i] = 1;
        make(i, "new");
        n++;
    }
    do {
        if (vnotify_sync(engine) != 0)
            failures++;
    } while (read_events("new") != 0);
    for (int i = 0; i < count; i++)
        if (told[i] != 0) {
            failures++;
            fprintf(stderr, "vnotify: stress-parked: d%d: not told\n", i);
            told[i] = 0;
        }
}

static double first_event_us(int i)
{
    struct pollfd ready = { vnotify_instance_fd(instance), POLLIN, 0 };
    double begun = measure_us();

    told[i] = 1;
    make(i, "first");
    if (poll(&ready, 1, 60000) != 1 || read_events("first") != 1)
        fail("a first event");
    return measure_us() - begun;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* The first are open, the last are parked. */
static void time_first_events(void)
{
    static double open_us[TIMED], parked_us[TIMED];

    for (int i = 0; i < TIMED; i++) {
        open_us[i] = first_event_us(i);
        parked_us[i] = first_event_us(count - 1 - i);
    }
    qsort(open_us, TIMED, sizeof(double), compare);
    qsort(parked_us, TIMED, sizeof(double), compare);
    figure("first event, open, p50", open_us[TIMED / 2], "us");
    figure("first event, parked, p50", parked_us[TIMED / 2], "us");
    figure("parked / open", parked_us[TIMED / 2] / open_us[TIMED / 2], "");
}

int main(int argc, char **argv)
{
    struct options options = { .count = 100000, .descriptors = 4000 };
    struct vnotify_config config = {0};
    struct rlimit limit;
    uint64_t random;
    double before;

    options_parse(&options, argc, argv);
    count = (int)options.count;
    limit.rlim_cur = limit.rlim_max = (rlim_t)options.descriptors;
    if (count < 3 * PART || setrlimit(RLIMIT_NOFILE, &limit) != 0)
        fail("so many directories and descriptors");
    /* One each, and one for the directory above each group. */
    user_watches_want(options.count + options.count / GROUP + WATCHES_ELSE);
    random = options.seed;
    config.open_budget = (int)(limit.rlim_cur / 4);
    told = calloc((size_t)count, sizeof(*told));
    make_tree(options.dir);
    if (told == NULL || vnotify_create(&engine, &config) != 0 ||
        vnotify_instance_create(engine, NULL, NULL, &instance) != 0)
        fail("cannot start");
    before = measure_resident_bytes();
    add_watches();
    figure("memory", (measure_resident_bytes() - before) / count, "bytes a directory");
    rename_root();
    time_first_events();
    change_at_random(&random);
    figure("directories", count, "");
    figure("descriptors at most", (double)limit.rlim_cur, "");
    vnotify_instance_destroy(instance);
    vnotify_destroy(engine);
    remove_tree();
    if (figures_write(&options, "stress-parked") != 0)
        return 125;
    printf("%s\n", failures != 0 ? "FAILED" : "ok");
    return failures != 0;
}
