/*
 * stress-watches - watches come and go while events do
 *
 * Each watcher keeps one instance and adds and removes watches on a few busy
 * directories without pause, so that most adds meet a listing under way and
 * most removals an event.  From time to time what was told is compared with
 * what is.  At the end all watches are removed, and the engine has to let go
 * of every watch and every watched inode.
 */
#include <stdint.h>
#include <stdio.h>

#include "watcher.h"

enum { DIRS = 4, NAMES = 64, CHANGERS = 2, WATCHERS = 3 };

static atomic_ulong adds, removes;

static void churn_once(struct watcher *w)
{
    unsigned i = random_below(&w->random, DIRS);

    if (w->models[i].wd == 0) {
        if (random_below(&w->random, 50) == 0)
            watcher_add(w, i, MEMBERSHIP);
        else
            watcher_add_moving(w, i, MEMBERSHIP);
        atomic_fetch_add(&adds, 1);
    } else {
        watcher_remove(w, i);
        atomic_fetch_add(&removes, 1);
    }
    watcher_read(w, 4096);
}

static void *watch(void *arg)
{
    struct watcher *w = watcher_create((uintptr_t)arg);

    if (!watcher_open(w))
        return NULL;
    while (!atomic_load(&world.stop)) {
        churn_once(w);
        if (random_below(&w->random, 200) == 0)
            watcher_compare(w);
    }
    for (unsigned i = 0; i < DIRS; i++)
        watcher_remove(w, i);
    world_halt();
    watcher_read_all(w);
    world_go_on();
    if (w->ended_count != 0 && !atomic_load(&world.failed))
        world_fail("%d removed watches got no IN_IGNORED", w->ended_count);
    watcher_close(w);
    watcher_destroy(w);
    return NULL;
}

/* The housekeeper lets go a little later. */
static void check_all_gone(void)
{
    struct vnotify_stats stats;

    for (int waited_ms = 0; waited_ms < 10000; waited_ms += 10) {
        vnotify_stats(world.engine, &stats);
        if (stats.watches == 0 && stats.vnodes == 0 && stats.instances == 0)
            return;
        pause_us(10000);
    }
    world_fail("%lu watches, %lu vnodes, %lu instances are left",
               (unsigned long)stats.watches, (unsigned long)stats.vnodes,
               (unsigned long)stats.instances);
}

int main(int argc, char **argv)
{
    struct options options = { 0 };
    struct vnotify_config config = { .queue_events = 64 };
    pthread_t threads[CHANGERS + WATCHERS];

    options_parse(&options, argc, argv);
    world.program = "stress-watches";
    world.dirs = DIRS;
    world.names = NAMES;
    world.rest_us_max = 500;
    world_open(&options, &config);
    for (uintptr_t i = 0; i < CHANGERS + WATCHERS; i++)
        pthread_create(&threads[i], NULL, i < CHANGERS ? world_changer : watch,
                       (void *)(options.seed * 31 + i + 1));
    world_run(options.seconds);
    for (int i = 0; i < CHANGERS + WATCHERS; i++)
        pthread_join(threads[i], NULL);
    check_all_gone();
    figure("changes", (double)atomic_load(&world.changes), "calls");
    figure("watches added", (double)atomic_load(&adds), "");
    figure("watches removed", (double)atomic_load(&removes), "");
    figure("events", (double)atomic_load(&watcher_events), "");
    figure("compared when still", (double)atomic_load(&watcher_compares),
           "times");
    world_close();
    return world_result(&options);
}
