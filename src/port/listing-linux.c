/*
 * listing-linux.c - listing_read over getdents64(2)
 *
 * The kernel fills the whole buffer under the directory's lock, so that one
 * call sees one state.  A further call is needed to know the end: a short
 * answer alone proves nothing on FUSE.  ext4, xfs, btrfs and tmpfs stay at the
 * end once they have reached it, so that the further call adds nothing there.
 */
#include "port/listing.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdbool.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

struct linux_dirent64 { /* struct linux_dirent64 of the kernel */
    uint64_t ino;
    int64_t next;
    uint16_t record_len;
    uint8_t type;
    char name[];
};

static bool is_dot_name(const char *name)
{
    return name[0] == '.' &&
           (name[1] == '\0' || (name[1] == '.' && name[2] == '\0'));
}

static int give_entries(const char *buf, size_t bytes, listing_fn *fn,
                        void *arg)
{
    for (size_t at = 0; at < bytes;) {
        const struct linux_dirent64 *dirent = (const void *)(buf + at);
        at += dirent->record_len;
        if (is_dot_name(dirent->name))
            continue;
        struct listing_entry entry = {
            .ino = dirent->ino,
            .name = dirent->name,
            .name_len = (uint16_t)strlen(dirent->name),
            .type = dirent->type,
        };
        int stop = fn(arg, &entry);
        if (stop != 0)
            return stop;
    }
    return fn(arg, NULL);
}

static int open_quietly(int at_fd, const char *path, int flags)
{
    flags |= O_RDONLY | O_DIRECTORY | O_CLOEXEC;
    int fd = openat(at_fd, path, flags | O_NOATIME);
    if (fd < 0 && errno == EPERM) /* somebody else's directory */
        fd = openat(at_fd, path, flags);
    return fd;
}

int listing_open(int host_fd)
{
    char link[64];
    int fd = open_quietly(host_fd, ".", 0);
    if (fd >= 0)
        return fd;
    /* "." needs the right to search it.  The link does not, and is slower. */
    snprintf(link, sizeof(link), "/proc/self/fd/%d", host_fd);
    return open_quietly(AT_FDCWD, link, 0);
}

int listing_open_path(const char *path, bool follow)
{
    return open_quietly(AT_FDCWD, path, follow ? 0 : O_NOFOLLOW);
}

int listing_read(int host_fd, void *buf, size_t bytes, listing_fn *fn,
                 void *arg)
{
    if (lseek(host_fd, 0, SEEK_SET) < 0)
        return -errno;
    return listing_read_first(host_fd, buf, bytes, fn, arg);
}

int listing_read_first(int host_fd, void *buf, size_t bytes, listing_fn *fn,
                       void *arg)
{
    assert(bytes >= LISTING_BUFFER_MIN);
    assert((uintptr_t)buf % _Alignof(struct linux_dirent64) == 0);
    for (;;) {
        long filled = syscall(SYS_getdents64, host_fd, buf, bytes);
        if (filled < 0)
            return -errno;
        if (filled == 0)
            return 0;
        int stop = give_entries(buf, (size_t)filled, fn, arg);
        if (stop != 0)
            return stop;
    }
}
