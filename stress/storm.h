/*
 * storm.h - the world changes without rest, is halted, and is compared
 *
 * Some watchers read while all changes.  From time to time the world is halted
 * and what they were told is compared with what is (P2); each event has been
 * checked against those before it (P3).
 */
#pragma once

#include "watcher.h"

enum { STORM_WATCHERS = 2 };

/* What a watcher watches. */
struct storm_watcher {
    unsigned step; /* every so many directories */
    uint32_t mask;
};

/*
 * The whole of a program: `world` has its name and sizes.  `check`, or NULL,
 * looks at the engine's figures at the end.  The exit code.
 */
int storm_run(const struct options *, const struct storm_watcher *watchers,
              void (*check)(const struct vnotify_stats *));
