/*
 * filter.h - the seccomp filter of the guest
 *
 * Threads: build in any thread; load by the guest's only thread before exec.
 * Errors:  negative errno.  filter_explain says what load's means.
 */
#pragma once

#include <linux/filter.h>
#include <stdbool.h>

#include "emulator/window.h"

/* A program for seccomp(2). */
struct filter {
    struct sock_fprog program;
};

/* What newer headers define. */
#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (1UL << 0)
#endif
#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

enum {
    /* No packet is longer, so a read of this size cuts none. */
    FILTER_PACKET_MAX = 4096,
};

/* What is trapped besides. */
enum {
    FILTER_STRICT = 1 << 0, /* what --strict needs */
    FILTER_GROUPS = 1 << 1, /* what guest_rights_follow does */
    FILTER_HOME = 1 << 2,   /* and guest_home_follow */
};

int filter_build(struct filter *, const struct window *, unsigned also);
void filter_fini(struct filter *);

/*
 * Puts the calling thread, and all that it will start, under the filter.  The
 * listener's descriptor (close-on-exec), or -errno.
 */
int filter_load(const struct filter *);

/* Why filter_load failed, and what to do about it. */
const char *filter_explain(int error);
