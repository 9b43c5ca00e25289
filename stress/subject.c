#include "subject.h"

#include <errno.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "vnotify.h"

const struct subject subjects[SUBJECTS] = {
    [NATIVE] = { "native", &subject_inotify, false },
    [ENGINE] = { "engine", &subject_engine, false },
    [GUEST] = { "guest", &subject_inotify, true },
    [GLOBAL_LOCK] = { "global-lock", &subject_global_lock, false },
    [RELAY] = { "relay", &subject_relay, false },
};

/* The kernel's, or what `vnotify run` makes of it. */

static int fd_of(void *instance)
{
    return (int)(intptr_t)instance;
}

static int inotify_start(void)
{
    return 0;
}

static int inotify_open(void **instance)
{
    int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);

    if (fd < 0)
        return -errno;
    *instance = (void *)(intptr_t)fd;
    return 0;
}

static int inotify_add(void *instance, const char *path, uint32_t mask)
{
    int wd = inotify_add_watch(fd_of(instance), path, mask);

    return wd < 0 ? -errno : wd;
}

static int inotify_remove(void *instance, int wd)
{
    return inotify_rm_watch(fd_of(instance), wd) < 0 ? -errno : 0;
}

static ssize_t inotify_take(void *instance, void *buf, size_t bytes)
{
    ssize_t got = read(fd_of(instance), buf, bytes);

    return got < 0 ? -errno : got;
}

static void inotify_close(void *instance)
{
    close(fd_of(instance));
}

const struct subject_ops subject_inotify = {
    .start = inotify_start,
    .open = inotify_open,
    .fd = fd_of,
    .add = inotify_add,
    .remove = inotify_remove,
    .read = inotify_take,
    .close = inotify_close,
};

/* The engine. */

static struct vnotify *engine;

static int engine_start(void)
{
    return vnotify_create(&engine, NULL);
}

static int engine_open(void **instance)
{
    struct vnotify_instance *made;
    int error = vnotify_instance_create(engine, NULL, NULL, &made);

    *instance = made;
    return error;
}

static int engine_fd(void *instance)
{
    return vnotify_instance_fd(instance);
}

static int engine_add(void *instance, const char *path, uint32_t mask)
{
    return vnotify_add_watch(instance, path, mask);
}

static int engine_remove(void *instance, int wd)
{
    return vnotify_rm_watch(instance, wd);
}

static ssize_t engine_read(void *instance, void *buf, size_t bytes)
{
    return vnotify_read(instance, buf, bytes);
}

static void engine_close(void *instance)
{
    vnotify_instance_destroy(instance);
}

const struct subject_ops subject_engine = {
    .start = engine_start,
    .open = engine_open,
    .fd = engine_fd,
    .add = engine_add,
    .remove = engine_remove,
    .read = engine_read,
    .close = engine_close,
};
