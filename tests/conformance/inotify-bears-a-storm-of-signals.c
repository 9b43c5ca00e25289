/*
 * Signals at 5 kHz, as a runtime sends them to pre-empt its threads, while
 * other threads open instances, add and remove watches, and read: every call
 * succeeds, and none is done twice.
 *
 * A trapped call that a signal interrupts is made again; if its first making
 * had an effect, init would leak an instance, a second rm_watch would say
 * EINVAL, and a wd would be skipped.
 */
#include "guest.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define THREADS 3
#define ROUNDS 2000
#define FEWER_ROUNDS 300
#define STORM_PAUSE_NS 200000 /* 5 kHz */

static _Atomic bool stop;
static _Atomic int running;
static _Atomic long caught;
static pthread_t targets[THREADS];
static int rounds;

static void on_signal(int number)
{
    (void)number;
    caught++;
}

static void *storm(void *unused)
{
    struct timespec pause = {0, STORM_PAUSE_NS};
    while (!stop) {
        for (int i = 0; i < THREADS; i++)
            pthread_kill(targets[i], SIGURG);
        nanosleep(&pause, NULL);
    }
    return unused;
}

static void *make_calls(void *argument)
{
    char dir[16];
    snprintf(dir, sizeof dir, "d%ld", (long)argument);
    for (int i = 0; i < rounds; i++) {
        int inotify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
        CHECK(inotify_fd >= 0, "inotify_init1: %s", strerror(errno));
        for (int wd = 1; wd <= 3; wd++) {
            int seen = inotify_add_watch(inotify_fd, dir, IN_CREATE);
            CHECK(seen == wd, "add_watch: expected wd %d, seen %d (%s)", wd,
                  seen, strerror(errno));
            CHECK(inotify_rm_watch(inotify_fd, wd) == 0,
                  "round %d: rm_watch %d: %s", i, wd, strerror(errno));
        }
        CHECK(close(inotify_fd) == 0, "close: %s", strerror(errno));
    }
    return NULL;
}

static void *read_in_turn(void *argument)
{
    struct guest_queue q;
    char dir[16], path[32], name[16];
    snprintf(dir, sizeof dir, "d%ld", (long)argument);
    guest_open(&q);
    int wd = guest_watch(&q, dir, IN_CREATE | IN_DELETE);
    for (int i = 0; i < rounds; i++) {
        snprintf(name, sizeof name, "file-%d", i);
        snprintf(path, sizeof path, "%s/%s", dir, name);
        guest_touch(path);
        guest_expect(&q, wd, IN_CREATE, name);
        guest_unlink(path);
        guest_expect(&q, wd, IN_DELETE, name);
    }
    CHECK(guest_pending(q.fd) == 0, "expected an empty queue");
    close(q.fd);
    return NULL;
}

static void *(*body)(void *);

/* A thread that has ended must not be signalled: it waits for the storm. */
static void *run_body(void *argument)
{
    body(argument);
    running--;
    while (!stop)
        usleep(1000);
    return NULL;
}

/*
 * A call that a signal has ended still has its handler; another one may have
 * been started meanwhile, which keeps one descriptor.  It has that before it
 * runs, and the first ones may be about to be started: so threads are counted
 * first.
 */
static int descriptors_beside_threads(void)
{
    int threads = guest_supervisor_threads();
    return guest_supervisor_descriptors() - threads;
}

static void expect_descriptors_back(int before)
{
    int64_t end_ms = guest_now_ms() + GUEST_DEADLINE_MS;
    while (descriptors_beside_threads() > before && guest_now_ms() < end_ms)
        usleep(1000);
    CHECK(descriptors_beside_threads() <= before,
          "supervisor: expected %d descriptors more than threads, seen %d",
          before, descriptors_beside_threads());
}

static void run_in_storm(void *(*run)(void *), int flags)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = flags};
    pthread_t stormer;
    char dir[16];
    int before = descriptors_beside_threads();
    /* The kernel takes milliseconds to close an instance. */
    rounds = guest_foreign() || guest_native() ? FEWER_ROUNDS : ROUNDS;
    body = run;
    running = THREADS;
    CHECK(sigaction(SIGURG, &action, NULL) == 0, "sigaction");
    for (long i = 0; i < THREADS; i++) {
        snprintf(dir, sizeof dir, "d%ld", i);
        guest_mkdir(dir);
        CHECK(pthread_create(&targets[i], NULL, run_body, (void *)i) == 0,
              "pthread_create");
    }
    CHECK(pthread_create(&stormer, NULL, storm, NULL) == 0, "pthread_create");
    while (running > 0)
        usleep(1000);
    stop = true;
    pthread_join(stormer, NULL);
    for (int i = 0; i < THREADS; i++)
        pthread_join(targets[i], NULL);
    printf("     %ld signals caught\n", caught);
    CHECK(caught > 0, "expected signals");
    expect_descriptors_back(before);
}

static void calls_succeed_with_restart(void)
{
    run_in_storm(make_calls, SA_RESTART);
}

static void calls_succeed_without_restart(void)
{
    run_in_storm(make_calls, 0);
}

static void events_come_once(void)
{
    run_in_storm(read_in_turn, SA_RESTART);
}

int main(int argc, char **argv)
{
    static const struct guest_case cases[] = {
        GUEST_CASE(calls_succeed_with_restart),
        GUEST_CASE(calls_succeed_without_restart),
        GUEST_CASE(events_come_once),
    };
    return guest_main(argc, argv, cases, GUEST_COUNT(cases));
}
