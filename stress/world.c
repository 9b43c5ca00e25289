#include "world.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct world world = { .still = PTHREAD_RWLOCK_INITIALIZER };

void world_fail(const char *format, ...)
{
    char text[600];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    fprintf(stderr, "vnotify: %s: %s\n", world.program, text);
    atomic_store(&world.failed, true);
    atomic_store(&world.stop, true);
}

void pause_us(unsigned us)
{
    struct timespec pause = { .tv_sec = us / 1000000,
                              .tv_nsec = us % 1000000 * 1000L };

    nanosleep(&pause, NULL);
}

int world_name_index(const char *name)
{
    return name[0] == 'n' ? atoi(name + 1) : -1;
}

static void touch(int dir_fd, const char *name, int flags)
{
    int fd = openat(dir_fd, name, flags | O_WRONLY | O_CLOEXEC, 0600);

    if (fd < 0)
        return;
    if ((flags & O_CREAT) == 0 && write(fd, name, 1) != 1)
        world_fail("cannot write: %s", strerror(errno));
    close(fd);
}

static void fill(int dir_fd)
{
    char name[16];

    for (unsigned n = 0; world.filled != 0 && n < world.names;
         n += world.filled) {
        snprintf(name, sizeof(name), "n%u", n);
        touch(dir_fd, name, O_CREAT);
    }
}

void world_open(const struct options *options,
                const struct vnotify_config *config)
{
    struct options here = *options;
    int error;

    here.memory_dir = "";
    places_open(&here, world.places);
    world.root = world.places[0].path;
    for (unsigned i = 0; i < world.dirs; i++) {
        char name[16], path[600];

        snprintf(name, sizeof(name), "d%u", i);
        make_directory(world.root, name, 0);
        snprintf(path, sizeof(path), "%s/%s", world.root, name);
        world.dir_fds[i] = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        fill(world.dir_fds[i]);
    }
    error = vnotify_create(&world.engine, config);
    if (error != 0 || world.dir_fds[world.dirs - 1] < 0) {
        fprintf(stderr, "vnotify: %s: cannot start: %s\n", world.program,
                strerror(error != 0 ? -error : errno));
        exit(125);
    }
}

void world_close(void)
{
    if (world.engine != NULL)
        vnotify_destroy(world.engine);
    for (unsigned i = 0; i < world.dirs; i++)
        close(world.dir_fds[i]);
    places_close();
}

static void change_once(uint64_t *random)
{
    int from = world.dir_fds[random_below(random, world.dirs)];
    int to = world.dir_fds[random_below(random, world.dirs)];
    char name[16], other[16];

    snprintf(name, sizeof(name), "n%u", random_below(random, world.names));
    snprintf(other, sizeof(other), "n%u", random_below(random, world.names));
    switch (random_below(random, world.content ? 13 : 10)) {
    case 0:
    case 1:
    case 2:
        touch(from, name, O_CREAT);
        break;
    case 3:
    case 4:
        unlinkat(from, name, 0);
        break;
    case 5:
        mkdirat(from, name, 0700);
        break;
    case 6:
        unlinkat(from, name, AT_REMOVEDIR);
        break;
    case 7:
        renameat(from, name, from, other);
        break;
    case 8:
        renameat(from, name, to, other);
        break;
    case 9:
        linkat(from, name, to, other, 0);
        break;
    case 10:
    case 11:
        touch(from, name, 0);
        break;
    case 12:
        fchmodat(from, name, 0600 + random_below(random, 0100), 0);
        break;
    }
    atomic_fetch_add(&world.changes, 1);
}

/* The watched directory's own name changes; what is at the old name is not
   what is watched. */
static void rename_directory(uint64_t *random)
{
    char a[600], b[640];

    snprintf(a, sizeof(a), "%s/d%u", world.root,
             random_below(random, world.dirs));
    snprintf(b, sizeof(b), "%s.moved", a);
    if (rename(a, b) == 0)
        rename(b, a);
}

void world_halt(void)
{
    atomic_fetch_add(&world.halting, 1);
    pthread_rwlock_wrlock(&world.still);
}

void world_go_on(void)
{
    pthread_rwlock_unlock(&world.still);
    atomic_fetch_sub(&world.halting, 1);
}

void *world_changer(void *arg)
{
    uint64_t random = (uintptr_t)arg;
    unsigned burst_max = world.burst_max == 0 ? 200 : world.burst_max;

    while (!atomic_load(&world.stop)) {
        unsigned burst = 1 + random_below(&random, burst_max);

        while (atomic_load(&world.halting) != 0 && !atomic_load(&world.stop))
            pause_us(50);
        pthread_rwlock_rdlock(&world.still);
        for (unsigned i = 0; i < burst && !atomic_load(&world.stop); i++)
            change_once(&random);
        if (random_below(&random, 20) == 0)
            rename_directory(&random);
        pthread_rwlock_unlock(&world.still);
        if (world.rest_us_max != 0)
            pause_us(random_below(&random, world.rest_us_max));
    }
    return NULL;
}

void world_run(double seconds)
{
    for (double left = seconds; left > 0 && !atomic_load(&world.stop);
         left -= 0.1)
        pause_us(100 * 1000);
    atomic_store(&world.stop, true);
}

int world_result(const struct options *options)
{
    bool failed = atomic_load(&world.failed);

    if (figures_write(options, world.program) != 0)
        return 125;
    printf("%s\n", failed ? "FAILED" : "ok");
    return failed ? 1 : 0;
}
