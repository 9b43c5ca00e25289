/*
 * subject-relay.c - the least that a design which learns by listing can take
 *
 * A thread waits for the kernel's events of one directory, lists that to its
 * end, and passes the events on through a pipe.  It compares nothing, orders
 * nothing and knows one watch: no engine of this kind is faster, unless it
 * tells a name before its listing has ended.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "bench.h"

struct relay {
    int inotify_fd, dir_fd, ends[2], wd;
    pthread_t thread;
};

static bool is_last(const char *buf, ssize_t bytes)
{
    const struct inotify_event *event = NULL;

    for (ssize_t at = 0; at < bytes;
         at += (ssize_t)(sizeof(*event) + event->len))
        event = (const void *)(buf + at);
    return event == NULL || (event->mask & IN_IGNORED) != 0;
}

static void *pass_on(void *arg)
{
    _Alignas(struct inotify_event) char buf[4096]; /* PIPE_BUF: in one piece */
    struct relay *relay = arg;
    ssize_t got;

    do {
        got = read(relay->inotify_fd, buf, sizeof(buf));
        lseek(relay->dir_fd, 0, SEEK_SET);
        bench_list(relay->dir_fd);
    } while (got > 0 && write(relay->ends[1], buf, (size_t)got) == got &&
             !is_last(buf, got));
    return NULL;
}

static int relay_start(void)
{
    return 0;
}

static void forget(struct relay *relay)
{
    close(relay->ends[0]);
    close(relay->ends[1]);
    close(relay->inotify_fd);
    free(relay);
}

static int relay_open(void **instance)
{
    struct relay *relay = malloc(sizeof(*relay));

    if (relay == NULL)
        return -ENOMEM;
    *relay = (struct relay){ .inotify_fd = inotify_init1(IN_CLOEXEC),
                             .dir_fd = -1 };
    if (pipe2(relay->ends, O_CLOEXEC) != 0 || relay->inotify_fd < 0 ||
        fcntl(relay->ends[0], F_SETFL, O_NONBLOCK) != 0) {
        int error = -errno;

        forget(relay);
        return error;
    }
    *instance = relay;
    return 0;
}

static int relay_fd(void *instance)
{
    return ((struct relay *)instance)->ends[0];
}

/* Once in an instance. */
static int relay_add(void *instance, const char *path, uint32_t mask)
{
    struct relay *relay = instance;

    if (relay->dir_fd >= 0)
        return -ENOTSUP;
    relay->dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    relay->wd = inotify_add_watch(relay->inotify_fd, path, mask);
    if (relay->dir_fd < 0 || relay->wd < 0)
        return -errno;
    errno = pthread_create(&relay->thread, NULL, pass_on, relay);
    return errno != 0 ? -errno : relay->wd;
}

static int relay_remove(void *instance, int wd)
{
    (void)instance, (void)wd;
    return -ENOTSUP;
}

static ssize_t relay_read(void *instance, void *buf, size_t bytes)
{
    ssize_t got = read(relay_fd(instance), buf, bytes);

    return got < 0 ? -errno : got;
}

static void relay_close(void *instance)
{
    struct relay *relay = instance;

    if (relay->dir_fd >= 0) {
        inotify_rm_watch(relay->inotify_fd, relay->wd); /* says IGNORED */
        pthread_join(relay->thread, NULL);
        close(relay->dir_fd);
    }
    forget(relay);
}

const struct subject_ops subject_relay = {
    .start = relay_start,
    .open = relay_open,
    .fd = relay_fd,
    .add = relay_add,
    .remove = relay_remove,
    .read = relay_read,
    .close = relay_close,
};
