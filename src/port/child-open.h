/*
 * child-open.h - opening a directory's entry so that a knote can be put on it
 *
 * Without side effects: it does not follow a symlink, wait for a FIFO, open a
 * device, or move an access time.
 *
 * Threads:  any.
 * Blocks:   in the file system.  Take no lock across it.
 */
#pragma once

#include <stdint.h>

/*
 * `type`: DT_*, as listed.  A descriptor, close-on-exec, or -errno:
 * -EOPNOTSUPP for what the host cannot open so.
 */
int child_open(int dir_fd, const char *name, uint8_t type);
