/*
 * stress-files.c - one watch on every file, by six guests at once
 *
 * Dev servers watch each file of a project, and several of them watch the same
 * one.  Watches --count files (157,000), twelve in a directory, through
 * vnotify.h for six instances, within --descriptors (14,000: one a directory,
 * and 1,000).  Then writes to 1,000 of them that are chosen at random, replaces
 * 100 as editors do, and compares what each instance was told with what was
 * done.  Prints what a watch costs for the first and the last instance, memory
 * for one and for all, and the descriptors that are open.
 *
 * Invariant: every instance is told of every change once, by the watch of that
 * file; nothing else is told; no call fails.
 */
#include "options.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "measure.h"
#include "user-watches.h"
#include "vnotify.h"

enum {
    GUESTS = 6,
    PER_DIR = 12,
    GROUP = 1000,
    WRITTEN = 1000,
    REPLACED = 100,
    WATCHES_ELSE = 60000, /* of the user's other programs */
};

#define MASK                                                                   \
    (VN_IN_MODIFY | VN_IN_ATTRIB | VN_IN_DELETE_SELF | VN_IN_MOVE_SELF)

static struct vnotify *engine;
static struct vnotify_instance *guests[GUESTS];
static char root[256];
static int count, failures;
static uint32_t *due[GUESTS]; /* by file: events that are still to come */

static void fail(const char *what)
{
    fprintf(stderr, "vnotify: stress-files: %s: %s\n", what, strerror(errno));
    exit(1);
}

static const char *place(int i, const char *suffix)
{
    static char paths[2][512];
    static unsigned next;
    char *path = paths[next++ % 2];
    int dir = i / PER_DIR;

    snprintf(path, sizeof(paths[0]), "%s/g%d/d%d/f%d%s", root, dir / GROUP,
             dir, i, suffix);
    return path;
}

static void write_to(const char *path, int flags)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC | flags, 0600);

    if (fd < 0 || write(fd, "text\n", 5) != 5)
        fail(path);
    close(fd);
}

static void make_tree(const char *dir)
{
    char path[300];

    snprintf(root, sizeof(root), "%s/stress-files-XXXXXX", dir);
    if (mkdtemp(root) == NULL)
        fail(root);
    for (int i = 0; i < count; i++) {
        int d = i / PER_DIR;

        snprintf(path, sizeof(path), "%s/g%d", root, d / GROUP);
        if (i % (PER_DIR * GROUP) == 0 && mkdir(path, 0700) != 0)
            fail(path);
        snprintf(path, sizeof(path), "%s/g%d/d%d", root, d / GROUP, d);
        if (i % PER_DIR == 0 && mkdir(path, 0700) != 0)
            fail(path);
        write_to(place(i, ""), O_CREAT | O_EXCL);
    }
}

static void remove_tree(void)
{
    char path[300];

    for (int i = 0; i < count; i++)
        unlink(place(i, ""));
    for (int d = 0; d <= (count - 1) / PER_DIR; d++) {
        snprintf(path, sizeof(path), "%s/g%d/d%d", root, d / GROUP, d);
        rmdir(path);
    }
    for (int g = 0; g <= (count - 1) / PER_DIR / GROUP; g++) {
        snprintf(path, sizeof(path), "%s/g%d", root, g);
        rmdir(path);
    }
    rmdir(root);
}

/* Watch descriptors are given in order: wd i + 1 is file i.  Microseconds. */
static double add_watches(struct vnotify_instance *guest)
{
    double begun = measure_us();

    for (int i = 0; i < count; i++) {
        int wd = vnotify_add_watch(guest, place(i, ""), MASK);

        if (wd != i + 1) {
            errno = wd < 0 ? -wd : EINVAL;
            fail("add_watch");
        }
    }
    return (measure_us() - begun) / count;
}

/* Checking. */

static void check(int guest, const struct vnotify_event *event)
{
    int i = event->wd - 1;
    uint32_t *left = i >= 0 && i < count ? &due[guest][i] : NULL;

    if (left != NULL && event->len == 0 && event->mask != 0 &&
        (*left & event->mask) == event->mask) {
        *left &= ~event->mask;
        return;
    }
    failures++;
    fprintf(stderr, "vnotify: stress-files: guest %d: event %#x of f%d\n",
            guest, event->mask, i);
}

static int read_events(int guest)
{
    static _Alignas(struct vnotify_event) char buf[65536];
    ssize_t n = vnotify_read(guests[guest], buf, sizeof(buf));
    int events = 0;

    for (ssize_t at = 0; at < n; events++) {
        const struct vnotify_event *event = (void *)(buf + at);

        at += (ssize_t)(sizeof(*event) + event->len);
        check(guest, event);
    }
    return events;
}

static void expect(int i, uint32_t mask)
{
    for (int g = 0; g < GUESTS; g++)
        due[g][i] |= mask;
}

/* All that was done has been told to all. */
static void settle(void)
{
    for (int g = 0; g < GUESTS; g++) {
        do {
            if (vnotify_sync(engine) != 0)
                failures++;
        } while (read_events(g) != 0);
        for (int i = 0; i < count; i++) {
            if (due[g][i] == 0)
                continue;
            failures++;
            fprintf(stderr, "vnotify: stress-files: guest %d: f%d: %#x not "
                            "told\n", g, i, due[g][i]);
            due[g][i] = 0;
        }
    }
}

static void change_at_random(uint64_t *random)
{
    for (int n = 0; n < WRITTEN;) {
        int i = (int)random_below(random, (unsigned)count);

        if (due[0][i] != 0)
            continue;
        expect(i, VN_IN_MODIFY);
        write_to(place(i, ""), O_APPEND);
        n++;
    }
    settle();
    /* Renamed over: the watched file ends. */
    for (int n = 0; n < REPLACED;) {
        int i = (int)random_below(random, (unsigned)count);

        if (due[0][i] != 0)
            continue;
        expect(i, VN_IN_ATTRIB | VN_IN_DELETE_SELF | VN_IN_IGNORED);
        write_to(place(i, "~"), O_CREAT | O_EXCL);
        if (rename(place(i, "~"), place(i, "")) != 0)
            fail(place(i, ""));
        n++;
    }
    settle();
}

int main(int argc, char **argv)
{
    struct options options = { .count = 157000, .descriptors = 14000 };
    struct vnotify_config config = {0};
    struct rlimit limit;
    uint64_t random;
    double before, one, first_us, last_us = 0;

    options_parse(&options, argc, argv);
    count = (int)options.count;
    limit.rlim_cur = limit.rlim_max = (rlim_t)options.descriptors;
    if (count < 2 * WRITTEN || setrlimit(RLIMIT_NOFILE, &limit) != 0)
        fail("so many files and descriptors");
    user_watches_want(options.count + WATCHES_ELSE);
    random = options.seed;
    make_tree(options.dir);
    if (vnotify_create(&engine, &config) != 0)
        fail("cannot start");
    for (int g = 0; g < GUESTS; g++) {
        due[g] = calloc((size_t)count, sizeof(*due[g]));
        if (due[g] == NULL ||
            vnotify_instance_create(engine, NULL, NULL, &guests[g]) != 0)
            fail("cannot start");
    }
    before = measure_resident_bytes();
    first_us = add_watches(guests[0]);
    one = measure_resident_bytes() - before;
    for (int g = 1; g < GUESTS; g++)
        last_us = add_watches(guests[g]);
    figure("files", count, "");
    figure("add_watch, the first guest", first_us, "us");
    figure("add_watch, the last guest", last_us, "us");
    figure("memory, one guest", one / count, "bytes a file");
    figure("memory, six guests / one", (measure_resident_bytes() - before) / one, "");
    figure("descriptors", measure_descriptors(), "");
    change_at_random(&random);
    for (int g = 0; g < GUESTS; g++)
        vnotify_instance_destroy(guests[g]);
    vnotify_destroy(engine);
    remove_tree();
    if (figures_write(&options, "stress-files") != 0)
        return 125;
    printf("%s\n", failures != 0 ? "FAILED" : "ok");
    return failures != 0;
}
