/*
 * stress-engine - instances, watches, events and closes, all at random
 *
 * Watchers open instances, add watches on the world's directories, with
 * content and without, read, remove watches, add them again, close.  Each from
 * time to time halts the world and compares what it was told with what is; and
 * then writes to a file itself.
 *
 * Invariants: those of watcher.h; and when still, a write is told by name, if
 * there are descriptors for all children.  The seed also chooses the host's
 * notes and the budget of descriptors.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "watcher.h"

enum { DIRS = 6, NAMES = 40, CHANGERS = 2, WATCHERS = 3, STEPS = 320 };

static bool all_have_knotes; /* no budget of descriptors to keep to */
static atomic_ulong probes, instances;

/* A write to one file, and to no other, is told by its name. */
static void probe(struct watcher *w)
{
    unsigned i = random_below(&w->random, DIRS);
    unsigned n = random_below(&w->random, NAMES);
    struct model *model = &w->models[i];
    char name[16];
    int fd;

    if (model->wd == 0 || (model->mask & VN_IN_MODIFY) == 0 ||
        !model->has[n] || model->dir[n] || !all_have_knotes)
        return;
    memset(model->written, 0, NAMES);
    snprintf(name, sizeof(name), "n%u", n);
    fd = openat(world.dir_fds[i], name, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, name, 1) != 1)
        world_fail("cannot write to d%u/%s: %s", i, name, strerror(errno));
    close(fd);
    watcher_read_all(w);
    if (!model->written[n])
        world_fail("d%u/%s was written to, and not told", i, name);
    atomic_fetch_add(&probes, 1);
}

static void stand_still(struct watcher *w)
{
    watcher_compare(w);
    world_halt();
    watcher_read_all(w);
    probe(w);
    world_go_on();
}

static uint32_t random_mask(struct watcher *w)
{
    if (random_below(&w->random, 3) == 0)
        return MEMBERSHIP;
    return MEMBERSHIP | (random_below(&w->random, 3) == 0
                             ? CONTENT
                             : VN_IN_MODIFY | VN_IN_ATTRIB);
}

static void watch_for_a_while(struct watcher *w)
{
    unsigned steps = 20 + random_below(&w->random, STEPS - 20);

    for (unsigned s = 0; s < steps && !atomic_load(&world.stop); s++) {
        unsigned i = random_below(&w->random, DIRS);

        switch (random_below(&w->random, 8)) {
        case 0:
            watcher_add(w, i, random_mask(w));
            break;
        case 1:
            watcher_remove(w, i);
            break;
        case 2:
            stand_still(w);
            break;
        case 3:
            pause_us(random_below(&w->random, 3000));
            break;
        default:
            watcher_read(w, 288 + random_below(&w->random, 8000));
        }
    }
}

static void *watch(void *arg)
{
    struct watcher *w = watcher_create((uintptr_t)arg);

    while (!atomic_load(&world.stop) && watcher_open(w)) {
        watch_for_a_while(w);
        if (!atomic_load(&world.stop) && random_below(&w->random, 2) == 0)
            stand_still(w);
        watcher_close(w);
        atomic_fetch_add(&instances, 1);
    }
    watcher_destroy(w);
    return NULL;
}

static void print_figures(void)
{
    struct vnotify_stats stats;

    vnotify_stats(world.engine, &stats);
    figure("changes", (double)atomic_load(&world.changes), "calls");
    figure("events", (double)atomic_load(&watcher_events), "");
    figure("of content", (double)atomic_load(&watcher_contents), "events");
    figure("written when still", (double)atomic_load(&probes), "times");
    figure("compared when still", (double)atomic_load(&watcher_compares),
           "times");
    figure("instances", (double)atomic_load(&instances), "");
    figure("listings", (double)stats.listings, "");
    figure("rounds held", (double)stats.holds, "");
    figure("queue full", (double)stats.queue_full, "times");
}

int main(int argc, char **argv)
{
    struct options options = { 0 };
    struct vnotify_config config = { .queue_events = 64 };
    pthread_t threads[CHANGERS + WATCHERS];
    uint64_t random;

    options_parse(&options, argc, argv);
    random = options.seed;
    config.notes = random_below(&random, 2) == 0 ? VNOTIFY_NOTES_FREEBSD
                                                 : VNOTIFY_NOTES_MACOS;
    all_have_knotes = random_below(&random, 2) == 0;
    if (!all_have_knotes)
        config.fd_budget = DIRS * NAMES / 4;
    world.program = "stress-engine";
    world.dirs = DIRS;
    world.names = NAMES;
    world.content = true;
    world.rest_us_max = 2000;
    /* All directories parked, some, or none. */
    switch (random_below(&random, 3)) {
    case 0:
        config.open_budget = -1;
        break;
    case 1:
        config.open_budget = DIRS / 2;
        break;
    }
    world_open(&options, &config);
    for (uintptr_t i = 0; i < CHANGERS + WATCHERS; i++)
        pthread_create(&threads[i], NULL, i < CHANGERS ? world_changer : watch,
                       (void *)(options.seed * 31 + i + 1));
    world_run(options.seconds);
    for (int i = 0; i < CHANGERS + WATCHERS; i++)
        pthread_join(threads[i], NULL);
    print_figures();
    world_close();
    return world_result(&options);
}
