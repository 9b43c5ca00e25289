/*
 * inotify.h - the inotify calls as a Linux guest makes them
 *
 * Arguments come as the guest passed them; checks are made in Linux's order,
 * which guests can see (ask for two errors at once, and one must win).
 * (The names leave libc's inotify_init and so on alone.)
 *
 * Threads:  any; as the emulator's guest_ops allow.
 * Errors:   0 or more, or -LINUX_E*, ready for the guest's result register.
 */
#pragma once

#include <stdint.h>

#include "syscall/guest.h"

/* Linux's values; the same on every architecture that we run. */
enum {
    INOTIFY_NONBLOCK = 04000,
    INOTIFY_CLOEXEC = 02000000,
};

/* A guest descriptor. */
int64_t inotify_serve_init(struct guest *);
int64_t inotify_serve_init1(struct guest *, int flags);

/* A watch descriptor >= 1. */
int64_t inotify_serve_add_watch(struct guest *, int guest_fd,
                                uint64_t path_addr, uint32_t mask);

/* 0; IN_IGNORED follows in the queue. */
int64_t inotify_serve_rm_watch(struct guest *, int guest_fd, int32_t wd);
