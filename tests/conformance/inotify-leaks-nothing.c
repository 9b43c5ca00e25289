/*
 * Instances opened and closed a thousand times, with watches on them, cost
 * nothing that stays: no descriptor here, none and no thread in the supervisor.
 */
#include "guest.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define INSTANCES 1000
#define DIRS 20
#define MEMORY_KIB_MAX (24 * 1024)
#define MEMBERS (IN_CREATE | IN_DELETE | IN_MOVE)

struct cost {
    int descriptors, threads;
    long kib;
};

static struct cost cost_now(void)
{
    return (struct cost){guest_supervisor_descriptors(),
                         guest_supervisor_threads(), guest_supervisor_kib()};
}

/* Its handlers start one after the other, beside the guest: all of them are
   there when there have been no more for a while. */
static struct cost cost_at_first(void)
{
    struct cost cost = cost_now(), last;
    int looks = 0;
    do {
        last = cost;
        usleep(2000);
        cost = cost_now();
        looks = cost.threads == last.threads ? looks + 1 : 0;
    } while (looks < 50);
    return cost;
}

/* The supervisor lets go a little after the last close; that is a state. */
static void expect_cost_back(const struct cost *before)
{
    int64_t end_ms = guest_now_ms() + GUEST_DEADLINE_MS;
    struct cost now = cost_now();
    while ((now.descriptors > before->descriptors ||
            now.threads > before->threads) &&
           guest_now_ms() < end_ms) {
        usleep(1000);
        now = cost_now();
    }
    if (!guest_native())
        printf("     supervisor: %d descriptors, %d threads, %ld KiB before; "
               "%d, %d, %ld after\n",
               before->descriptors, before->threads, before->kib,
               now.descriptors, now.threads, now.kib);
    CHECK(now.descriptors <= before->descriptors,
          "supervisor: expected %d descriptors, seen %d", before->descriptors,
          now.descriptors);
    CHECK(now.threads <= before->threads,
          "supervisor: expected %d threads, seen %d", before->threads,
          now.threads);
    CHECK(now.kib - before->kib < MEMORY_KIB_MAX,
          "supervisor: expected at most %d KiB more, seen %ld", MEMORY_KIB_MAX,
          now.kib - before->kib);
}

static void make_tree(void)
{
    char path[32];
    for (int i = 0; i < DIRS; i++) {
        snprintf(path, sizeof path, "d%d", i);
        guest_mkdir(path);
        snprintf(path, sizeof path, "d%d/file", i);
        guest_touch(path);
    }
}

static int open_with_watches(int round)
{
    char path[32];
    int inotify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    CHECK(inotify_fd >= 0, "instance %d: %s", round, strerror(errno));
    for (int i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "d%d%s", (round + i) % DIRS,
                 i == 3 ? "/file" : "");
        CHECK(inotify_add_watch(inotify_fd, path, MEMBERS | IN_ATTRIB) == i + 1,
              "instance %d: %s: %s", round, path, strerror(errno));
    }
    return inotify_fd;
}

/* Memory that the first uses take stays; it is no leak. */
static struct cost cost_when_warm(void)
{
    struct cost before = cost_at_first();
    for (int i = 0; i < 32; i++)
        close(open_with_watches(i));
    before.kib = cost_now().kib;
    return before;
}

static void a_thousand_opened_and_closed(void)
{
    char path[32];
    make_tree();
    struct cost before = cost_when_warm();
    for (int round = 0; round < INSTANCES; round++) {
        int inotify_fd = open_with_watches(round);
        snprintf(path, sizeof path, "d%d/new", round % DIRS);
        guest_touch(path); /* unread, or still on its way */
        guest_unlink(path);
        CHECK(close(inotify_fd) == 0, "close: %s", strerror(errno));
    }
    expect_cost_back(&before);
}

static void many_open_at_once(void)
{
    int opened[64];
    make_tree();
    struct cost before = cost_at_first();
    for (int round = 0; round < 5; round++) {
        for (size_t i = 0; i < GUEST_COUNT(opened); i++)
            opened[i] = open_with_watches((int)i);
        guest_touch("d0/new");
        for (size_t i = 0; i < GUEST_COUNT(opened); i++)
            CHECK(close(opened[i]) == 0, "close: %s", strerror(errno));
        guest_unlink("d0/new");
    }
    expect_cost_back(&before);
}

static void watches_added_and_removed(void)
{
    struct guest_queue q;
    char path[32];
    make_tree();
    struct cost before = cost_at_first();
    guest_open(&q);
    for (int round = 0; round < INSTANCES; round++) {
        snprintf(path, sizeof path, "d%d", round % DIRS);
        guest_unwatch(&q, guest_watch(&q, path, MEMBERS));
    }
    guest_close(&q);
    expect_cost_back(&before);
}

static void watches_that_end_with_their_inode(void)
{
    struct guest_queue q;
    struct cost before = cost_at_first();
    guest_open(&q);
    for (int round = 0; round < 200; round++) {
        guest_mkdir("d");
        int wd = guest_watch(&q, "d", IN_DELETE_SELF);
        guest_rmdir("d");
        guest_expect(&q, wd, IN_DELETE_SELF, NULL);
        guest_expect(&q, wd, IN_IGNORED, NULL);
    }
    guest_close(&q);
    expect_cost_back(&before);
}

static void children_killed_with_instances_open(void)
{
    int status;
    make_tree();
    struct cost before = cost_at_first();
    for (int round = 0; round < 30; round++) {
        int ready[2];
        CHECK(pipe(ready) == 0, "pipe: %s", strerror(errno));
        fflush(stdout);
        pid_t child = fork();
        CHECK(child >= 0, "fork: %s", strerror(errno));
        if (child == 0) {
            for (int i = 0; i < 4; i++)
                open_with_watches(i);
            CHECK(write(ready[1], "", 1) == 1, "write");
            for (;;) /* killed in the middle of a call */
                close(open_with_watches(0));
        }
        CHECK(read(ready[0], &(char){0}, 1) == 1, "the child has failed");
        CHECK(kill(child, SIGKILL) == 0, "kill: %s", strerror(errno));
        CHECK(waitpid(child, &status, 0) == child, "waitpid");
        close(ready[0]);
        close(ready[1]);
    }
    expect_cost_back(&before);
}

int main(int argc, char **argv)
{
    static const struct guest_case cases[] = {
        GUEST_CASE(a_thousand_opened_and_closed),
        GUEST_CASE(many_open_at_once),
        GUEST_CASE(watches_added_and_removed),
        GUEST_CASE(watches_that_end_with_their_inode),
        GUEST_CASE(children_killed_with_instances_open),
    };
    return guest_main(argc, argv, cases, GUEST_COUNT(cases));
}
