/*
 * procfs.h - what a procfs means for the guest, on a walk through its paths
 *
 * A guest may have a procfs of its own, which counts pids as its pid namespace
 * does, or see ours from inside of one.
 *
 * Threads: any.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "emulator/guest-task.h"

enum {
    PROCFS_NAME_MAX = 64,
};

/* Whether a descriptor is of a file in a procfs; of the root of one. */
bool procfs_is(int host_fd);
bool procfs_is_root(int host_fd);

/* What the guest is called below this root: "12", or "12/task/13". */
void procfs_own_name(int root_fd, const struct guest_credentials *, bool thread,
                     char *name, size_t size);
