/*
 * subject.h - what is measured: inotifies behind one interface
 *
 *     native       the kernel's
 *     engine       ours, through vnotify.h
 *     guest        the kernel's calls, made by a program under `vnotify run`
 *     global-lock  the design that vnotify was made to replace: one mutex
 *                  around listing, O(n^2) comparison, read, add and close
 *     relay        a floor: no more than a listing and a second wake-up, for
 *                  one directory; takes part where a benchmark says so
 *
 * A subject runs in a process of its own (agent.h), several side by side.
 *
 * Threads: of different instances: any.  Of one instance: read from one thread
 *          at a time, add and remove from one; close when nobody else is in.
 * Errors:  -errno.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct subject_ops {
    int (*start)(void); /* once in the process */
    int (*open)(void **instance);
    int (*fd)(void *instance); /* readable while there are events */
    int (*add)(void *instance, const char *path, uint32_t mask);
    int (*remove)(void *instance, int wd);
    /* Never waits; -EAGAIN if there is nothing. */
    ssize_t (*read)(void *instance, void *buf, size_t bytes);
    void (*close)(void *instance);
};

enum subject_id { NATIVE, ENGINE, GUEST, GLOBAL_LOCK, RELAY, SUBJECTS };

struct subject {
    const char *name;
    const struct subject_ops *ops;
    bool under_vnotify;
};

extern const struct subject subjects[SUBJECTS];

extern const struct subject_ops subject_inotify; /* native and guest */
extern const struct subject_ops subject_engine;
extern const struct subject_ops subject_global_lock;
extern const struct subject_ops subject_relay;
