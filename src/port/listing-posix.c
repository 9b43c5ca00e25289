/*
 * listing-posix.c - listing_read over readdir(3)
 *
 * closedir(3) closes the descriptor it was given, hence the dup: it shares the
 * offset, which is why rewinddir(3) comes first.  libc brings its own buffer.
 */
#include "port/listing.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

static bool is_dot_name(const char *name)
{
    return name[0] == '.' &&
           (name[1] == '\0' || (name[1] == '.' && name[2] == '\0'));
}

/*
 * Names lie in libc's buffer in the order of one call of the host's: one that
 * does not lie behind the one before is another call's.
 */
static int give_entries(DIR *dir, listing_fn *fn, void *arg)
{
    uintptr_t last_name = 0;

    for (;;) {
        errno = 0;
        const struct dirent *dirent = readdir(dir);
        if (!dirent)
            return errno != 0 ? -errno : fn(arg, NULL);
        if ((uintptr_t)dirent->d_name <= last_name) {
            int stop = fn(arg, NULL);
            if (stop != 0)
                return stop;
        }
        last_name = (uintptr_t)dirent->d_name;
        if (dirent->d_ino == 0 || is_dot_name(dirent->d_name))
            continue; /* BSD: a slot without a file has no inode */
        struct listing_entry entry = {
            .ino = dirent->d_ino,
            .name = dirent->d_name,
            .name_len = (uint16_t)strlen(dirent->d_name),
            .type = dirent->d_type,
        };
        int stop = fn(arg, &entry);
        if (stop != 0)
            return stop;
    }
}

int listing_open(int host_fd)
{
    return openat(host_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

int listing_open_path(const char *path, bool follow)
{
    return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC |
                          (follow ? 0 : O_NOFOLLOW));
}

int listing_read(int host_fd, void *buf, size_t bytes, listing_fn *fn,
                 void *arg)
{
    (void)buf;
    assert(bytes >= LISTING_BUFFER_MIN);
    (void)bytes; /* readdir has a buffer of its own */
    int own_fd = fcntl(host_fd, F_DUPFD_CLOEXEC, 0);
    if (own_fd < 0)
        return -errno;
    /* Before fdopendir: some read the first block there, wherever it is. */
    if (lseek(own_fd, 0, SEEK_SET) < 0) {
        int host_errno = errno;
        close(own_fd);
        return -host_errno;
    }
    DIR *dir = fdopendir(own_fd);
    if (!dir) {
        int host_errno = errno;
        close(own_fd);
        return -host_errno;
    }
    rewinddir(dir);
    int rc = give_entries(dir, fn, arg);
    closedir(dir);
    return rc;
}

int listing_read_first(int host_fd, void *buf, size_t bytes, listing_fn *fn,
                       void *arg)
{
    return listing_read(host_fd, buf, bytes, fn, arg);
}
