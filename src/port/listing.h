/*
 * listing.h - the entries of an open directory
 *
 * Threads:  any; one caller at a time per open file, whose offset is used.
 * Blocks:   in the file system.  Take no lock across it.
 * Errors:   -errno; the entries given until then are worthless.  A directory
 *           that was removed is -ENOENT on Linux, empty elsewhere.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LISTING_BUFFER_MIN = 4096 };

struct listing_entry {
    uint64_t ino;     /* of a mount point: the covered inode */
    const char *name; /* valid during the callback */
    uint16_t name_len;
    uint8_t type; /* DT_*; DT_UNKNOWN where the file system does not tell */
};

/*
 * `entry` is NULL where one of the host's calls has given all it had: what came
 * since the last such place is of one call, and there may be more to come.
 * Non-zero stops the listing and is returned by it: use values above zero.
 */
typedef int listing_fn(void *arg, const struct listing_entry *entry);

/*
 * Opens the directory that host_fd (O_PATH will do) is open on once more, with
 * an offset of its own; it needs the right to read it, not to search it.
 * Listing by it does not move the directory's access time, where the host lets
 * us have it so.  A descriptor, close-on-exec, or -1 and errno.
 */
int listing_open(int host_fd);

/* The same by its path; `follow`: a symlink in its place.  Nothing but a
   directory is opened. */
int listing_open_path(const char *path, bool follow);

/*
 * Lists the directory open at host_fd from its beginning, without "." and "..":
 * 0, the callback's value, or -errno.  `buf` is the caller's, aligned for
 * uint64_t and of at least LISTING_BUFFER_MIN bytes.  On Linux a directory that
 * fits in it is listed by one system call, hence in one state that it really
 * had (on local file systems; FUSE and network ones answer piecemeal).
 */
int listing_read(int host_fd, void *buf, size_t bytes, listing_fn *fn,
                 void *arg);

/* The same by a descriptor that nobody has read from since it was opened. */
int listing_read_first(int host_fd, void *buf, size_t bytes, listing_fn *fn,
                       void *arg);
