/*
 * watcher.h - an instance, its watches on the world, and what it was told
 *
 * Each watch has a model of its directory, to which events are applied.  What
 * makes an event illegal against the model made by those before it, a model
 * that is not the directory when all stand still, IN_Q_OVERFLOW, an unknown
 * descriptor or a bad cookie is a failure of the engine (world_fail).
 *
 * Threads: one for each watcher.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "world.h"

enum {
    WATCHER_ENDED_MAX = 1024,
    MEMBERSHIP = VN_IN_CREATE | VN_IN_DELETE | VN_IN_MOVED_FROM |
                 VN_IN_MOVED_TO | VN_IN_MOVE_SELF | VN_IN_DELETE_SELF,
    CONTENT = VN_IN_MODIFY | VN_IN_ATTRIB | VN_IN_CLOSE_WRITE | VN_IN_OPEN |
              VN_IN_CLOSE_NOWRITE | VN_IN_ACCESS,
};

struct model {
    int wd;               /* 0: not watched */
    uint32_t mask, asked; /* now, and what was asked for at some time */
    /* By name: */
    bool *has;
    bool *dir;
    bool *written; /* told since it was last cleared */
    bool *known;   /* false: nothing was told of it, it may be there or not */
};

struct watcher {
    uint64_t random;
    struct vnotify_instance *instance;
    struct model models[WORLD_DIRS_MAX];
    int ended[WATCHER_ENDED_MAX]; /* removed; IN_IGNORED may be on its way */
    int ended_count;
    uint32_t from_cookie; /* of the event before, if MOVED_FROM */
    uint32_t last_cookie;
};

/* Of all watchers. */
extern atomic_ulong watcher_events, watcher_contents, watcher_compares;

struct watcher *watcher_create(uint64_t seed);
void watcher_destroy(struct watcher *);

/* A fresh instance without watches: false after a failure. */
bool watcher_open(struct watcher *);
void watcher_close(struct watcher *);

/* The model of a new watch is what the directory is: all stand still. */
void watcher_add(struct watcher *, unsigned dir, uint32_t mask);
/* While all goes on: what is there is learned from events, or the next time
   that all stand still. */
void watcher_add_moving(struct watcher *, unsigned dir, uint32_t mask);
void watcher_remove(struct watcher *, unsigned dir);

/* One vnotify_read of so many bytes, at most 64 KiB; events read. */
unsigned watcher_read(struct watcher *, size_t bytes);

/* All that has happened.  The world is halted. */
void watcher_read_all(struct watcher *);

/* Everybody stands still: what was told must be what is. */
void watcher_compare(struct watcher *);
