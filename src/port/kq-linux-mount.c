/*
 * kq-linux-mount.c - the file systems that parked knotes are on
 *
 * open_by_handle_at wants some descriptor of the file system: one is kept for
 * each that has parked knotes, of the directory that was parked first there, or
 * of its root.  Where handles are refused, that is remembered while there are
 * parked knotes.
 */
#include "port/kq-linux-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

int mount_find(struct kq *kq, uint64_t dev)
{
    for (int i = 0; i < KQ_MOUNTS; i++)
        if (kq->mounts[i].users > 0 && kq->mounts[i].dev == dev)
            return i;
    return -1;
}

/* A place for a file system: not one whose descriptor is yet to be closed. */
static int spare(const struct kq *kq)
{
    for (int i = 0; i < KQ_MOUNTS; i++)
        if (kq->mounts[i].users == 0 && kq->mounts[i].host_fd <= 0)
            return i;
    return -1;
}

bool mount_refuses(struct kq *kq, uint64_t dev)
{
    int mount = mount_find(kq, dev);
    return mount >= 0 && kq->mounts[mount].host_fd < 0;
}

int mount_add_refusing(struct kq *kq, uint64_t dev)
{
    int mount = mount_find(kq, dev);
    if (mount >= 0)
        return mount;
    mount = spare(kq);
    if (mount < 0)
        return KQ_MOUNTS;
    kq->mounts[mount] = (struct mount){.dev = dev, .host_fd = -1};
    return mount;
}

/* mountinfo has blanks and such as three octal digits. */
static void unescape(char *path)
{
    char *to = path;
    for (const char *from = path; *from; from++) {
        unsigned code;
        if (*from == '\\' && sscanf(from + 1, "%3o", &code) == 1) {
            *to++ = (char)code;
            from += 3;
        } else {
            *to++ = *from;
        }
    }
    *to = '\0';
}

/* Where it is mounted.  -1: not where we see it. */
static int open_mounted(int mount_id)
{
    FILE *mounts = fopen("/proc/self/mountinfo", "re");
    char path[PATH_MAX];
    int fd = -1, id;
    while (fd < 0 && mounts &&
           fscanf(mounts, "%d %*d %*s %*s %4095s%*[^\n]", &id, path) == 2) {
        if (id != mount_id)
            continue;
        unescape(path);
        fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    if (mounts)
        fclose(mounts);
    return fd;
}

/* Not O_PATH, as files are, which open_by_handle_at does not take. */
int mount_try(int host_fd, const struct handle *handle, int mount_id)
{
    struct parked_ref ref = {.handle = *handle};
    ref.mount_fd = handle->is_dir ? fcntl(host_fd, F_DUPFD_CLOEXEC, 3)
                                  : open_mounted(mount_id);
    if (ref.mount_fd < 0)
        return -EOPNOTSUPP;
    int fd = parked_open(&ref, O_PATH);
    if (fd < 0) {
        close(ref.mount_fd);
        return fd;
    }
    close(fd);
    return ref.mount_fd;
}

int mount_add(struct kq *kq, uint64_t dev, int *mount_fd)
{
    int mount = mount_find(kq, dev);
    if (mount >= 0 || *mount_fd < 0)
        return mount >= 0 ? mount : -EAGAIN;
    mount = spare(kq);
    if (mount < 0)
        return -EMFILE;
    kq->mounts[mount] = (struct mount){.dev = dev, .host_fd = *mount_fd};
    *mount_fd = -1;
    return mount;
}

int mount_take_unused(struct kq *kq, int fds[KQ_MOUNTS])
{
    int n = 0;
    for (int i = 0; i < KQ_MOUNTS && kq->mount_borrowers == 0; i++) {
        struct mount *mount = &kq->mounts[i];
        if (mount->users > 0 || mount->host_fd <= 0)
            continue;
        fds[n++] = mount->host_fd;
        mount->host_fd = 0;
    }
    return n;
}
