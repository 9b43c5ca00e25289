/*
 * stress-instances - instances come and go while events do
 *
 * Each thread opens an instance, watches some busy directories, reads a little
 * or not at all, and closes it, often in the middle of an event's way.  Some
 * are kept until what they were told has been compared with what is.  At the
 * end the process has as many descriptors as before the first, and the engine
 * no instance, watch or watched inode.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>

#include "watcher.h"

enum { DIRS = 8, NAMES = 64, CHANGERS = 2, WATCHERS = 3 };

static atomic_ulong opened;

static unsigned count_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    unsigned count = 0;

    while (dir != NULL && readdir(dir) != NULL)
        count++;
    if (dir != NULL)
        closedir(dir);
    return count;
}

static void *watch(void *arg)
{
    struct watcher *w = watcher_create((uintptr_t)arg);

    while (!atomic_load(&world.stop) && watcher_open(w)) {
        unsigned watches = random_below(&w->random, DIRS);
        unsigned reads = random_below(&w->random, 4);

        for (unsigned i = 0; i < watches; i++)
            watcher_add_moving(w, random_below(&w->random, DIRS),
                               MEMBERSHIP);
        for (unsigned i = 0; i < reads; i++) {
            pause_us(random_below(&w->random, 300));
            watcher_read(w, 4096);
        }
        if (random_below(&w->random, 20) == 0)
            watcher_compare(w);
        watcher_close(w);
        atomic_fetch_add(&opened, 1);
    }
    watcher_destroy(w);
    return NULL;
}

/* What the engine lets go of, it lets go of a little later. */
static void check_all_gone(unsigned descriptors)
{
    struct vnotify_stats stats;
    unsigned now = 0;

    for (int waited_ms = 0; waited_ms < 10000; waited_ms += 10) {
        vnotify_stats(world.engine, &stats);
        now = count_descriptors();
        if (stats.watches == 0 && stats.vnodes == 0 && stats.instances == 0 &&
            now <= descriptors)
            return;
        pause_us(10000);
    }
    world_fail("%lu watches, %lu vnodes, %lu instances are left; %u "
               "descriptors, not %u",
               (unsigned long)stats.watches, (unsigned long)stats.vnodes,
               (unsigned long)stats.instances, now, descriptors);
}

int main(int argc, char **argv)
{
    struct options options = { 0 };
    struct vnotify_config config = { 0 };
    pthread_t threads[CHANGERS + WATCHERS];
    unsigned descriptors;

    options_parse(&options, argc, argv);
    world.program = "stress-instances";
    world.dirs = DIRS;
    world.names = NAMES;
    world.rest_us_max = 500;
    world_open(&options, &config);
    descriptors = count_descriptors();
    for (uintptr_t i = 0; i < CHANGERS + WATCHERS; i++)
        pthread_create(&threads[i], NULL, i < CHANGERS ? world_changer : watch,
                       (void *)(options.seed * 31 + i + 1));
    world_run(options.seconds);
    for (int i = 0; i < CHANGERS + WATCHERS; i++)
        pthread_join(threads[i], NULL);
    check_all_gone(descriptors);
    figure("changes", (double)atomic_load(&world.changes), "calls");
    figure("instances", (double)atomic_load(&opened), "");
    figure("events", (double)atomic_load(&watcher_events), "");
    figure("compared when still", (double)atomic_load(&watcher_compares),
           "times");
    world_close();
    return world_result(&options);
}
