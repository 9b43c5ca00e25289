#include "bench.h"
#include "user-watches.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "process.h"
#include "vnotify.h"

enum {
    MEMBERSHIP = VN_IN_CREATE | VN_IN_DELETE | VN_IN_MOVED_FROM |
                 VN_IN_MOVED_TO,
    LIBUV = MEMBERSHIP | VN_IN_MODIFY | VN_IN_ATTRIB | VN_IN_DELETE_SELF |
            VN_IN_MOVE_SELF,
    DESCRIPTORS_ELSE = 300, /* for all that is no watch */
    WATCHES_ELSE = 60000,   /* of the user's other programs */
    LISTING_BYTES = 256 * 1024,
    LISTINGS = 9,
    CREATES = 21,
    WAKEUPS = 101,
};

#define IDLE_SHARE 0.8 /* an idle machine still does a little */

_Noreturn void bench_give_up(const char *what, const char *which)
{
    fprintf(stderr, "vnotify: cannot %s %s: %s\n", what, which,
            strerror(errno));
    exit(125);
}

void bench_begin(struct bench *bench, int argc, char **argv)
{
    agent_main(argc, argv);
    options_parse(&bench->options, argc, argv);
    if (bench->options.rounds > ROUNDS_MAX)
        bench->options.rounds = ROUNDS_MAX;
    bench->random = bench->options.seed;
    bench->mask = bench->options.libuv ? LIBUV : MEMBERSHIP;
    bench->place_count = places_open(&bench->options, bench->places);
    bench->agent_count = agents_start(&bench->options, bench->relayed,
                                       bench->agents);
}

int bench_end(struct bench *bench, struct table *const *tables,
              const char *program)
{
    for (unsigned i = 0; i < bench->agent_count; i++)
        agent_stop(&bench->agents[i]);
    places_close();
    while (*tables != NULL)
        table_print(*tables++);
    return tables_write(&bench->options, program) == 0 ? 0 : 125;
}

void bench_order(struct bench *bench, unsigned order[SUBJECTS])
{
    for (unsigned i = 0; i < bench->agent_count; i++) {
        unsigned at = random_below(&bench->random, i + 1);

        order[i] = order[at];
        order[at] = i;
    }
}

struct agent *bench_agent(struct bench *bench, enum subject_id id)
{
    for (unsigned i = 0; i < bench->agent_count; i++)
        if (bench->agents[i].subject == &subjects[id])
            return &bench->agents[i];
    return NULL;
}

void bench_path(char *buf, const struct place *place, const char *name)
{
    snprintf(buf, BENCH_PATH_MAX, "%s/%s", place->path, name);
}

void bench_create(int dir_fd, const char *name)
{
    int fd = openat(dir_fd, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC,
                    0600);

    if (fd < 0)
        bench_give_up("create", name);
    close(fd);
}

int bench_open_dir(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        bench_give_up("open", path);
    return fd;
}

void bench_throw_away(int dir_fd, const char *name, int trash_fd)
{
    static unsigned long thrown;
    char to[32];

    snprintf(to, sizeof(to), "%lu", thrown++);
    if (renameat(dir_fd, name, trash_fd, to) != 0)
        bench_give_up("move", name);
}

unsigned long bench_watches(const struct bench *bench, unsigned long wanted)
{
    if (bench->options.count != 0)
        wanted = bench->options.count;
    if (wanted > AGENT_CALLS_MAX)
        wanted = AGENT_CALLS_MAX;
    user_watches_want(wanted * (bench->agent_count + 1) + WATCHES_ELSE);
    return wanted;
}

/* Of all CPUs, since the machine was started. */
static double idle_seconds(void)
{
    FILE *file = fopen("/proc/uptime", "re");
    double up, idle;

    if (file == NULL || fscanf(file, "%lf %lf", &up, &idle) != 2)
        bench_give_up("read", "/proc/uptime");
    fclose(file);
    return idle;
}

static bool is_idle(double seconds)
{
    double begun = idle_seconds();

    sleep_until_ns(now_ns() + (uint64_t)(seconds * 1e9));
    return idle_seconds() - begun >
           IDLE_SHARE * seconds * (double)sysconf(_SC_NPROCESSORS_ONLN);
}

void bench_settle(const struct agent *agent)
{
    uint64_t deadline = now_ns() + UINT64_C(20000000000);
    struct usage usage;

    do {
        sleep_until_ns(now_ns() + 10000000);
        process_group_usage(agent->pid, &usage);
    } while (usage.descriptors > DESCRIPTORS_ELSE && now_ns() < deadline);
    while (!is_idle(0.5) && now_ns() < deadline)
        ;
}

void bench_list(int fd)
{
    static char buf[LISTING_BYTES];

    while (syscall(SYS_getdents64, fd, buf, sizeof(buf)) > 0)
        ;
}

double primitive_listing(const char *path, uint64_t pause_ns)
{
    double times[LISTINGS];
    int fd = bench_open_dir(path);

    for (int i = 0; i < LISTINGS; i++) {
        uint64_t before;

        sleep_until_ns(now_ns() + pause_ns);
        before = now_ns();
        lseek(fd, 0, SEEK_SET);
        bench_list(fd);
        times[i] = (double)(now_ns() - before);
    }
    close(fd);
    return median(times, LISTINGS);
}

double primitive_create(const char *path, int trash_fd)
{
    double times[CREATES];
    int fd = bench_open_dir(path);
    char name[16];

    for (int i = 0; i < CREATES; i++) {
        uint64_t before;

        snprintf(name, sizeof(name), "created%d", i);
        before = now_ns();
        bench_create(fd, name);
        times[i] = (double)(now_ns() - before);
    }
    for (int i = 0; i < CREATES; i++) {
        snprintf(name, sizeof(name), "created%d", i);
        bench_throw_away(fd, name, trash_fd);
    }
    close(fd);
    return median(times, CREATES);
}

struct wakeup {
    int ends[2];
    double times[WAKEUPS];
};

static void *wake_up(void *arg)
{
    struct wakeup *wakeup = arg;
    uint64_t sent;

    for (int i = 0; i < WAKEUPS; i++) {
        if (read(wakeup->ends[0], &sent, sizeof(sent)) != sizeof(sent))
            bench_give_up("read", "a pipe");
        wakeup->times[i] = (double)(now_ns() - sent);
    }
    return NULL;
}

double primitive_wakeup(void)
{
    struct wakeup wakeup;
    pthread_t thread;
    uint64_t start = now_ns() + 1000000, now;

    if (pipe2(wakeup.ends, O_CLOEXEC) != 0 ||
        (errno = pthread_create(&thread, NULL, wake_up, &wakeup)) != 0)
        bench_give_up("make", "a pipe");
    for (unsigned i = 0; i < WAKEUPS; i++) {
        pace_until(start + i * UINT64_C(1000000));
        now = now_ns();
        if (write(wakeup.ends[1], &now, sizeof(now)) != sizeof(now))
            bench_give_up("write to", "a pipe");
    }
    pthread_join(thread, NULL);
    close(wakeup.ends[0]);
    close(wakeup.ends[1]);
    return median(wakeup.times, WAKEUPS);
}
