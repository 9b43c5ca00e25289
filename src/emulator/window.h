/*
 * window.h - the descriptor numbers that the filter can recognise
 *
 * A seccomp filter sees a descriptor only as a number, and libseccomp allows
 * one comparison per argument.  So instances get numbers from an aligned
 * window whose size is a power of two: (fd & mask) == base.  It lies below the
 * guest's soft limit and below 1,024, since select() takes no more.
 *
 * The kernel puts a descriptor at a number of ours by replacing what is there,
 * and another thread of the guest may open() something meanwhile.  That takes
 * the lowest free number; so ours are taken from the top, and only while more
 * lower ones are free than can be taken meanwhile (WINDOW_CLEAR).
 *
 * Threads:  init before any other; reserve and release from any thread.
 * Progress: wait-free, but for the /proc look-ups that reserve makes.
 * Protocol: W1.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    WINDOW_SIZE_MAX = 256,
    WINDOW_LIMIT_MAX = 1024, /* FD_SETSIZE */
    WINDOW_CLEAR = 2, /* half of its size must be free below a number */
};

struct window {
    uint32_t base;
    uint32_t size; /* 0: the limit is too low for any */
    /* Bits of numbers that are being installed now.  W1: set and cleared by
     * the thread that reserves. */
    _Atomic uint64_t taken[WINDOW_SIZE_MAX / 64];
};

/* For a guest whose soft RLIMIT_NOFILE is soft_limit. */
void window_init(struct window *, uint64_t soft_limit);

uint32_t window_mask(const struct window *);
bool window_contains(const struct window *, int guest_fd);

/*
 * The highest number of the window, `least` at least, that the guest's thread
 * has not in use and nobody is installing; -1 if there is none, or no open()
 * would be far from it.  Hold it until it is installed.
 */
int window_reserve(struct window *, pid_t tid, int least);
void window_release(struct window *, int guest_fd);
