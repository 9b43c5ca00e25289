#include "storm.h"

#include <stdint.h>
#include <stdio.h>

enum { CHANGERS = 2, STORM_US = 700000 };

struct storm {
    const struct storm_watcher *how;
    uint64_t seed;
};

static void *watch(void *arg)
{
    const struct storm *storm = arg;
    struct watcher *w = watcher_create(storm->seed);

    if (!watcher_open(w))
        return NULL;
    for (unsigned i = 0; i < world.dirs; i += storm->how->step)
        watcher_add(w, i, storm->how->mask);
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

int storm_run(const struct options *options,
              const struct storm_watcher *watchers,
              void (*check)(const struct vnotify_stats *))
{
    struct vnotify_config config = { 0 };
    struct vnotify_stats stats;
    pthread_t threads[CHANGERS + STORM_WATCHERS];
    struct storm storms[STORM_WATCHERS];

    world_open(options, &config);
    for (unsigned i = 0; i < STORM_WATCHERS; i++) {
        storms[i] = (struct storm){ &watchers[i], options->seed * 31 + i + 1 };
        pthread_create(&threads[CHANGERS + i], NULL, watch, &storms[i]);
    }
    for (uintptr_t i = 0; i < CHANGERS; i++)
        pthread_create(&threads[i], NULL, world_changer,
                       (void *)(options->seed * 37 + i + 1));
    world_run(options->seconds);
    for (int i = 0; i < CHANGERS + STORM_WATCHERS; i++)
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
    if (check != NULL)
        check(&stats);
    world_close();
    return world_result(options);
}
