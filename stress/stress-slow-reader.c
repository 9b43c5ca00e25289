/*
 * stress-slow-reader - far more happens than is read
 *
 * One watcher reads an event now and then, through a queue of 64, while the
 * world changes without rest; another reads all it gets.  Invariants: what is
 * read is legal, and leads to what is, once the slow one has caught up; nothing
 * overflows (P4); and the memory of the process does not grow with what has
 * happened (P7): after a first tenth of the time it may be half as much again,
 * and 4 MiB.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "measure.h"
#include "watcher.h"

enum {
    DIRS = 8,
    NAMES = 500,
    CHANGERS = 2,
    WATCHERS = 2,
    SLOW_BYTES = 64,
    SLACK_KIB = 4 * 1024,
};

static atomic_ulong slow_events;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
/*
 * The sanitizers keep what was freed, more of it the more has happened, until
 * their quarantine is full; they count what is in use as well.  (From their
 * allocator_interface.h, which GCC does not install.)
 */
size_t __sanitizer_get_current_allocated_bytes(void);

static unsigned long memory_kib(void)
{
    return __sanitizer_get_current_allocated_bytes() / 1024;
}
#else
static unsigned long memory_kib(void)
{
    return (unsigned long)(measure_resident_bytes() / 1024);
}
#endif

static void *watch(void *arg)
{
    struct watcher *w = watcher_create((uintptr_t)arg);
    bool slow = (uintptr_t)arg % WATCHERS == 0;

    if (!watcher_open(w))
        return NULL;
    for (unsigned i = 0; i < DIRS; i++)
        watcher_add(w, i, MEMBERSHIP);
    while (!atomic_load(&world.stop)) {
        unsigned got = watcher_read(w, slow ? SLOW_BYTES : 65536);

        if (slow)
            atomic_fetch_add(&slow_events, got);
        if (slow || got == 0)
            pause_us(slow ? 5000 : 500);
    }
    watcher_compare(w);
    watcher_close(w);
    watcher_destroy(w);
    return NULL;
}

/* Sets `stop` after `seconds`; the memory at a tenth of it, and at the end. */
static void run_and_weigh(double seconds, unsigned long *first,
                          unsigned long *last)
{
    pause_us((unsigned)(seconds * 1e5));
    *first = memory_kib();
    world_run(seconds * 0.9);
    *last = memory_kib();
    if (*last > *first + *first / 2 + SLACK_KIB)
        world_fail("the memory has grown from %lu to %lu KiB", *first, *last);
}

int main(int argc, char **argv)
{
    struct options options = { 0 };
    struct vnotify_config config = { .queue_events = 64 };
    pthread_t threads[CHANGERS + WATCHERS];
    unsigned long first, last;

    options_parse(&options, argc, argv);
    world.program = "stress-slow-reader";
    world.dirs = DIRS;
    world.names = NAMES;
    world_open(&options, &config);
    for (uintptr_t i = 0; i < CHANGERS + WATCHERS; i++)
        pthread_create(&threads[i], NULL, i < CHANGERS ? world_changer : watch,
                       (void *)(options.seed * WATCHERS * 31 + i + 1));
    run_and_weigh(options.seconds, &first, &last);
    for (int i = 0; i < CHANGERS + WATCHERS; i++)
        pthread_join(threads[i], NULL);
    figure("changes", (double)atomic_load(&world.changes), "calls");
    figure("events", (double)atomic_load(&watcher_events), "");
    figure("read slowly", (double)atomic_load(&slow_events), "events");
    figure("compared when still", (double)atomic_load(&watcher_compares),
           "times");
    figure("memory at first", (double)first, "KiB");
    figure("memory at last", (double)last, "KiB");
    world_close();
    return world_result(&options);
}
