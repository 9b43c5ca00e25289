/*
 * guest-root.h - where the absolute paths of a guest start: mostly our own root
 *
 * Threads:  any.
 * Errors:   negative errno.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

struct guest_root {
    int host_fd; /* O_PATH */
    bool ours;   /* then it is kept, for all */
    bool procfs;
};

/* Opens what is kept for all calls; else the first call does. */
void guest_root_init(void);

/* `at_home`: it is known to be ours (guest-home.h). */
int guest_root_find(pid_t tid, bool at_home, struct guest_root *);
void guest_root_leave(const struct guest_root *);

/* Whether that directory is it, and the same mount of it. */
bool guest_root_is(const struct guest_root *, int host_fd);
