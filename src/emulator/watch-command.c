/*
 * watch-command.c - `vnotify watch`: prints events as they come
 *
 * Straight over vnotify.h, as any program that embeds the engine would do it.
 * Opening, reading and closing without a change is not asked for: with -r our
 * own look into new directories would be most of it.
 */
#include "emulator/watch-command.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "emulator/launch.h"
#include "emulator/watch-tree.h"

enum {
    READ_BYTES = 65536,
    /* A directory that left its name has a new one in the tree by then. */
    LEAVE_MS = 100,
    WATCH_MASK = VN_IN_MODIFY | VN_IN_ATTRIB | VN_IN_CLOSE_WRITE |
                 VN_IN_MOVED_FROM | VN_IN_MOVED_TO | VN_IN_CREATE |
                 VN_IN_DELETE | VN_IN_DELETE_SELF | VN_IN_MOVE_SELF,
};

struct watching {
    struct vnotify *engine;
    struct vnotify_instance *instance;
    struct watch_tree tree;
    int signal_fd;
    /* A directory that was moved away, until it turns up or does not. */
    char *moved_path;
    uint32_t moved_cookie;
};

static const struct {
    uint32_t bit;
    const char *name;
} mask_names[] = {
    { VN_IN_ACCESS, "ACCESS" },
    { VN_IN_MODIFY, "MODIFY" },
    { VN_IN_ATTRIB, "ATTRIB" },
    { VN_IN_CLOSE_WRITE, "CLOSE_WRITE" },
    { VN_IN_CLOSE_NOWRITE, "CLOSE_NOWRITE" },
    { VN_IN_OPEN, "OPEN" },
    { VN_IN_MOVED_FROM, "MOVED_FROM" },
    { VN_IN_MOVED_TO, "MOVED_TO" },
    { VN_IN_CREATE, "CREATE" },
    { VN_IN_DELETE, "DELETE" },
    { VN_IN_DELETE_SELF, "DELETE_SELF" },
    { VN_IN_MOVE_SELF, "MOVE_SELF" },
    { VN_IN_UNMOUNT, "UNMOUNT" },
    { VN_IN_Q_OVERFLOW, "Q_OVERFLOW" },
    { VN_IN_IGNORED, "IGNORED" },
    { VN_IN_ISDIR, "ISDIR" },
};

static void print_time(void)
{
    struct timespec now;
    struct tm local;

    clock_gettime(CLOCK_REALTIME, &now);
    localtime_r(&now.tv_sec, &local);
    printf("%02d:%02d:%02d.%06ld ", local.tm_hour, local.tm_min, local.tm_sec,
           now.tv_nsec / 1000);
}

/* A name may hold a newline; a line must not. */
static void print_escaped(const char *text)
{
    for (; *text; text++) {
        unsigned char byte = (unsigned char)*text;

        if (iscntrl(byte))
            printf("\\%03o", byte);
        else
            putchar(byte);
    }
}

static void print_event(const char *path, const struct vnotify_event *event)
{
    const char *separator = "";

    print_time();
    print_escaped(path);
    if (event->len && path[strlen(path) - 1] != '/')
        putchar('/');
    putchar(' ');
    for (size_t i = 0; i < sizeof(mask_names) / sizeof(mask_names[0]); i++) {
        if (event->mask & mask_names[i].bit) {
            printf("%s%s", separator, mask_names[i].name);
            separator = ",";
        }
    }
    if (event->len) {
        putchar(' ');
        print_escaped(event->name);
    }
    putchar('\n');
}

/* The directory that was moved away did not come back into the tree. */
static void settle_moved(struct watching *self)
{
    if (!self->moved_path)
        return;
    watch_tree_leave(&self->tree, self->moved_path);
    free(self->moved_path);
    self->moved_path = NULL;
}

/* What an event about a directory below means for the tree. */
static void follow(struct watching *self, const char *parent,
                   const struct vnotify_event *event)
{
    char *path = watch_tree_join(parent, event->name);
    int error = 0;

    if (!path)
        return;
    /* A deleted directory's own watch has gone before; one that still is
     * there went to where nobody watches. */
    if (event->mask & VN_IN_DELETE)
        watch_tree_leave(&self->tree, path);
    if (event->mask & VN_IN_MOVED_FROM) {
        settle_moved(self);
        self->moved_path = path;
        self->moved_cookie = event->cookie;
        return;
    }
    if ((event->mask & VN_IN_MOVED_TO) && self->moved_path &&
        self->moved_cookie == event->cookie) {
        free(self->moved_path); /* adding it gives its watches their names */
        self->moved_path = NULL;
    }
    if (event->mask & (VN_IN_CREATE | VN_IN_MOVED_TO))
        error = watch_tree_add(&self->tree, path);
    if (error < 0 && error != -ENOENT && error != -ENOTDIR)
        fprintf(stderr, "vnotify: %s: %s\n", path, strerror(-error));
    free(path);
}

static void take_event(struct watching *self, const struct vnotify_event *event)
{
    const char *path = watch_tree_path(&self->tree, event->wd);

    if (!path && event->wd >= 0)
        return; /* of a watch that we gave up */
    print_event(path ? path : "-", event);
    if (event->mask & VN_IN_IGNORED)
        watch_tree_forget(&self->tree, event->wd);
    else if (self->tree.recursive && path && event->len &&
             (event->mask & VN_IN_ISDIR))
        follow(self, path, event);
}

static void take_events(struct watching *self)
{
    static char buffer[READ_BYTES]
        __attribute__((aligned(_Alignof(struct vnotify_event))));
    ssize_t got = vnotify_read(self->instance, buffer, sizeof(buffer));

    for (ssize_t at = 0; at < got;) {
        const struct vnotify_event *event = (const void *)(buffer + at);

        take_event(self, event);
        at += (ssize_t)(sizeof(*event) + event->len);
    }
}

/* Until a signal ends it, or nothing is watched, or nobody reads. */
static int watch_all(struct watching *self)
{
    struct pollfd from[] = {
        { .fd = vnotify_instance_fd(self->instance), .events = POLLIN },
        { .fd = self->signal_fd, .events = POLLIN },
    };

    for (;;) {
        int ready = poll(from, 2, self->moved_path ? LEAVE_MS : -1);

        if (ready == 0)
            settle_moved(self);
        if (from[1].revents)
            return EXIT_SUCCESS;
        if (from[0].revents)
            take_events(self);
        if (fflush(stdout) != 0) {
            fprintf(stderr, "vnotify: standard output: %s\n", strerror(errno));
            return EXIT_FAILURE;
        }
        if (!self->tree.count) {
            fprintf(stderr, "vnotify: nothing is left to watch\n");
            return EXIT_SUCCESS;
        }
    }
}

static int complain(const char *what, int error)
{
    fprintf(stderr, "vnotify: %s: %s\n", what, strerror(-error));
    return LAUNCH_FAILED;
}

/* SIGINT and SIGTERM become readable; before there are threads. */
static int catch_signals(void)
{
    struct sigaction ignore = { .sa_handler = SIG_IGN };
    sigset_t ends;

    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    sigprocmask(SIG_BLOCK, &ends, NULL);
    sigaction(SIGPIPE, &ignore, NULL);
    return signalfd(-1, &ends, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static int watch_paths(struct watching *self, const struct options *options)
{
    for (int i = 0; i < options->operand_count; i++) {
        int error = watch_tree_add(&self->tree, options->operands[i]);

        if (error < 0)
            return complain(options->operands[i], error);
    }
    return watch_all(self);
}

static int watch_with_engine(struct watching *self,
                             const struct options *options)
{
    int status;
    int error =
        vnotify_instance_create(self->engine, NULL, NULL, &self->instance);

    if (error < 0)
        return complain("cannot make an instance", error);
    watch_tree_init(&self->tree, self->instance, WATCH_MASK,
                    options->recursive);
    status = watch_paths(self, options);
    if (options->stats) {
        struct vnotify_stats stats;

        vnotify_stats(self->engine, &stats);
        vnotify_stats_print(&stats, stderr);
    }
    watch_tree_fini(&self->tree);
    free(self->moved_path);
    vnotify_instance_destroy(self->instance);
    return status;
}

int watch_command(const struct options *options)
{
    struct watching self = { 0 };
    struct vnotify_config config = options->config;
    int status;
    int error;

    if (options->trace_path) {
        config.trace_fd = open(options->trace_path,
                               O_WRONLY | O_CREAT | O_TRUNC | O_APPEND |
                                   O_CLOEXEC,
                               0666);
        if (config.trace_fd < 0)
            return complain(options->trace_path, -errno);
    }
    raise_descriptor_limit();
    self.signal_fd = catch_signals();
    if (self.signal_fd < 0)
        return complain("signalfd", -errno);
    error = vnotify_create(&self.engine, &config);
    if (error < 0)
        return complain("cannot start the engine", error);
    status = watch_with_engine(&self, options);
    vnotify_destroy(self.engine);
    close(self.signal_fd);
    if (config.trace_fd > 0)
        close(config.trace_fd);
    return status;
}
