/*
 * look.h - what the host says of an inode, in one call
 *
 * Threads:  any.
 * Blocks:   in the file system.  Take no lock across it.
 * Effects:  none: nothing is opened, no access time moves.  On Linux 6.13 and
 *           later it makes the kernel stamp the next change distinctly, so that
 *           a change after a look is never taken for the one before it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct look {
    uint64_t dev, ino;
    int64_t size;
    /* Wall clock, nanoseconds.  Where the host keeps no birth time, born is
       the time of the last write: a new file's content is as new as it. */
    int64_t accessed, modified, changed, born;
    uint32_t mode, uid, gid;
    uint32_t links;
};

/*
 * Looks at `name` in the directory, never through a symlink; at the descriptor
 * itself if it is "".  0 or -errno.
 */
int look_at(int dir_fd, const char *name, struct look *look);
