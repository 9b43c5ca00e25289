/*
 * opened.c - see opened.h
 *
 * O_PATH has no side effects: no FIFO waits, no device is opened, and nobody is
 * told.  But it neither asks for the right to read nor can be listed by.  So a
 * path is first taken for a directory's and opened as such, which nothing but a
 * watcher of opens can tell; if it is something else, or fails, all is done
 * again by O_PATH, for the error's sake too.  (The path of an automount leads
 * to what it mounts, as it does with IN_ONLYDIR on Linux.)
 *
 * While somebody asks for opens (engine.opens_asked), everything is opened by
 * O_PATH first.  A watch that asks for them at the very time may be told of
 * this open, as it would be of any program's.
 */
#include "pipeline/opened.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pipeline/engine.h"
#include "port/listing.h"

int opened_as_guest_knows(int err)
{
    return err == -EMFILE || err == -ENFILE ? -ENOSPC
           : err == -ESTALE                 ? -ENOENT
                                            : err;
}

const char *opened_last_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash == NULL ? path : slash + 1;
}

/* May the caller read it?  An O_PATH descriptor does not tell by itself. */
static int check_readable(int fd)
{
#ifdef O_PATH
    char link[64];
    struct stat st;

    if (fstat(fd, &st) != 0)
        return -errno;
    if (S_ISLNK(st.st_mode))
        return 0; /* every link can be read */
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    return faccessat(AT_FDCWD, link, R_OK, AT_EACCESS) == 0 ? 0 : -errno;
#else
    (void)fd; /* opening it has asked */
    return 0;
#endif
}

static int open_anything(const char *path, bool follow)
{
    int flags = O_CLOEXEC | O_NONBLOCK | O_NOCTTY, fd, err;

#ifdef O_PATH
    flags |= O_PATH;
#elif defined(O_EVTONLY)
    flags |= O_EVTONLY;
#endif
    fd = open(path, flags | (follow ? 0 : O_NOFOLLOW));
    if (fd < 0)
        return -errno;
    err = check_readable(fd);
    if (err != 0)
        close(fd);
    return err != 0 ? err : fd;
}

int opened_by_path(const struct vnotify *engine, const char *path,
                   uint32_t mask, struct opened *opened)
{
    bool follow = (mask & VN_IN_DONT_FOLLOW) == 0;

    *opened = (struct opened){
        .host_fd = -1,
        .ours = true,
        .name = opened_last_name(path),
    };
    /* relaxed: see the top */
    if (atomic_load_explicit(&engine->opens_asked, memory_order_relaxed) == 0)
        opened->host_fd = listing_open_path(path, follow);
    opened->lists = opened->fresh = opened->host_fd >= 0;
    if (!opened->lists)
        opened->host_fd = open_anything(path, follow);
    return opened->host_fd < 0 ? opened->host_fd : 0;
}

static int take(struct opened *opened)
{
    int fd = opened->host_fd;

    opened->host_fd = -1;
    return fd;
}

int opened_take_directory(struct opened *opened)
{
    int fd;

    if (opened->ours && opened->lists)
        return take(opened);
    fd = listing_open(opened->host_fd);
    opened->fresh = fd >= 0;
    return fd < 0 ? opened_as_guest_knows(-errno) : fd;
}

int opened_take_file(struct opened *opened)
{
    int fd;

    if (opened->ours)
        return take(opened);
    fd = fcntl(opened->host_fd, F_DUPFD_CLOEXEC, 0);
    return fd < 0 ? opened_as_guest_knows(-errno) : fd;
}

void opened_close(struct opened *opened)
{
    if (opened->ours && opened->host_fd >= 0)
        close(opened->host_fd);
    opened->host_fd = -1;
}
