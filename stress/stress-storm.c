/*
 * stress-storm - everything changes, everywhere, as fast as it can
 *
 * 64 directories of up to 2,000 names each change without rest; one instance
 * watches all of them, another every other one, so that renames leave it.
 * After every storm the world is halted and what was told is compared with what
 * is (P2); each event has been checked against those before it (P3).
 */
#include <stdint.h>
#include <stdio.h>

#include "watcher.h"

enum { DIRS = 64, NAMES = 2000, CHANGERS = 2, WATCHERS = 2, STORM_US = 700000 };

struct storm_watcher {
    uint64_t seed;
    unsigned step; /* watches every so many directories */
};

static void *watch(void *arg)
{
    const struct storm_watcher *how = arg;
    struct watcher *w = watcher_create(how->seed);

    if (!watcher_open(w))
        return NULL;
    for (unsigned i = 0; i < DIRS; i += how->step)
        watcher_add(w, i, MEMBERSHIP);
    while (!atomic_load(&world.stop)) {
        unsigned left_us = random_below(&w->random, STORM_US);

        while (left_us > 0 && !atomic_load(&world.stop)) {
            unsigned pause = left_us < 1000 ? left_us : 1000;

            if (watcher_read(w, 65536) == 0)
                pause_us(pause);
            left_us -= pause;
        }
        watcher_compare(w);
    }
    watcher_close(w);
    watcher_destroy(w);
    return NULL;
}

int main(int argc, char **argv)
{
    struct options options = { 0 };
    struct vnotify_config config = { 0 };
    struct vnotify_stats stats;
    pthread_t threads[CHANGERS + WATCHERS];
    struct storm_watcher how[WATCHERS];

    options_parse(&options, argc, argv);
    world.program = "stress-storm";
    world.dirs = DIRS;
    world.names = NAMES;
    world_open(&options, &config);
    for (unsigned i = 0; i < WATCHERS; i++) {
        how[i] = (struct storm_watcher){ options.seed * 31 + i + 1, i + 1 };
        pthread_create(&threads[CHANGERS + i], NULL, watch, &how[i]);
    }
    for (uintptr_t i = 0; i < CHANGERS; i++)
        pthread_create(&threads[i], NULL, world_changer,
                       (void *)(options.seed * 37 + i + 1));
    world_run(options.seconds);
    for (int i = 0; i < CHANGERS + WATCHERS; i++)
        pthread_join(threads[i], NULL);
    vnotify_stats(world.engine, &stats);
    figure("changes", (double)atomic_load(&world.changes), "calls");
    figure("events", (double)atomic_load(&watcher_events), "");
    figure("compared when still", (double)atomic_load(&watcher_compares),
           "times");
    figure("listings", (double)stats.listings, "");
    figure("entries listed", (double)stats.entries_listed, "");
    figure("queue full", (double)stats.queue_full, "times");
    if (atomic_load(&watcher_compares) == 0)
        world_fail("nothing was compared: more --seconds, please");
    world_close();
    return world_result(&options);
}
