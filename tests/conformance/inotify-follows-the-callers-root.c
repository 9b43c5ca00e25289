/*
 * inotify_add_watch starts at the root that the calling thread has by then,
 * whoever has changed it: a thread that has watched something before is no longer
 * where it was seen.
 */
#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* So that whoever may serve it has seen the thread. */
enum { OFTEN = 64 };

static char before[4096]; /* the absolute path of "watched" */
static int root_fd;       /* where that starts */

/* Two directories of that path, one of them in "jail"; the outer one is watched
   by it. */
static int watch_before(struct guest_queue *q)
{
    char inner[sizeof(before) + 8] = "jail";
    char *slash = inner + strlen(inner);
    int wd = -1;

    if (geteuid() != 0)
        guest_skip("only root has another root");
    guest_mkdir("jail");
    guest_mkdir("watched");
    CHECK(realpath("watched", before) != NULL, "watched: %s", strerror(errno));
    strcpy(slash, before);
    for (slash++; (slash = strchr(slash, '/')) != NULL; *slash++ = '/') {
        *slash = '\0';
        CHECK(mkdir(inner, 0755) == 0, "%s: %s", inner, strerror(errno));
    }
    guest_mkdir(inner);
    root_fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHECK(root_fd >= 0, "/: %s", strerror(errno));
    guest_open(q);
    for (int i = 0; i < OFTEN; i++)
        wd = guest_watch(q, before, IN_CREATE);
    return wd;
}

/* The same path is another directory now, and to the old root, too, if something
   was mounted over it. */
static void expect_other(struct guest_queue *q, int wd, bool is_hidden)
{
    int other = guest_watch(q, before, IN_CREATE);
    char path[sizeof(before) + 4];

    CHECK(other != wd, "still where it was");
    snprintf(path, sizeof(path), "%s/a", before);
    guest_touch(path);
    guest_expect(q, other, IN_CREATE, "a");
    /* And back. */
    CHECK(fchdir(root_fd) == 0 && chroot(".") == 0, "/: %s", strerror(errno));
    close(root_fd);
    if (!is_hidden)
        CHECK(guest_watch(q, before, IN_CREATE) == wd, "not where it was");
    guest_expect_quiet(q);
    guest_close(q);
}

static void after_chroot(void)
{
    struct guest_queue q;
    int wd = watch_before(&q);

    CHECK(chroot("jail") == 0, "chroot: %s", strerror(errno));
    expect_other(&q, wd, false);
}

static void *change_root(void *unused)
{
    (void)unused;
    CHECK(chroot("jail") == 0, "chroot: %s", strerror(errno));
    return NULL;
}

static void after_another_threads_chroot(void)
{
    struct guest_queue q;
    int wd = watch_before(&q);
    pthread_t thread;

    CHECK(pthread_create(&thread, NULL, change_root, NULL) == 0, "thread");
    pthread_join(thread, NULL);
    expect_other(&q, wd, false);
}

/* In a mount namespace of our own. */
static void mount_jail(const char *where)
{
    if (unshare(CLONE_NEWNS) != 0 ||
        mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("jail", where, NULL, MS_BIND, NULL) != 0)
        guest_skip("no mount namespace: %s", strerror(errno));
}

static void after_pivot_root(void)
{
    struct guest_queue q;
    int wd = watch_before(&q);

    mount_jail("jail");
    CHECK(chdir("jail") == 0, "jail: %s", strerror(errno));
    if (syscall(SYS_pivot_root, ".", ".") != 0)
        guest_skip("pivot_root: %s", strerror(errno)); /* in an initramfs */
    expect_other(&q, wd, false);
}

/* And what is mounted over a directory afterwards is seen, too. */
static void after_unshare(void)
{
    struct guest_queue q;
    int wd = watch_before(&q);

    mount_jail("watched");
    expect_other(&q, wd, true);
}

/* Of a child that was made with it: nobody has called unshare. */
static void after_setns(void)
{
    struct guest_queue q;
    int wd = watch_before(&q), ready[2], namespace_fd;
    char path[64], byte;
    long child;

    CHECK(pipe(ready) == 0, "pipe");
    child = syscall(SYS_clone, CLONE_NEWNS | SIGCHLD, 0, 0, 0, 0);
    if (child < 0)
        guest_skip("no mount namespace: %s", strerror(errno));
    if (child == 0) { /* a clone of its own: no stdio, no locks */
        byte = mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
                       mount("jail", "watched", NULL, MS_BIND, NULL) == 0
                   ? 'y'
                   : 'n';
        if (write(ready[1], &byte, 1) == 1)
            pause();
        _exit(1);
    }
    CHECK(read(ready[0], &byte, 1) == 1, "read");
    snprintf(path, sizeof(path), "/proc/%ld/ns/mnt", child);
    namespace_fd = open(path, O_RDONLY | O_CLOEXEC);
    CHECK(namespace_fd >= 0, "%s: %s", path, strerror(errno));
    if (byte == 'y')
        CHECK(setns(namespace_fd, CLONE_NEWNS) == 0, "setns: %s",
              strerror(errno));
    close(namespace_fd);
    close(ready[0]);
    close(ready[1]);
    kill((pid_t)child, SIGKILL);
    CHECK(waitpid((pid_t)child, NULL, 0) == child, "wait");
    if (byte != 'y')
        guest_skip("cannot mount");
    expect_other(&q, wd, true);
}

int main(int argc, char **argv)
{
    static const struct guest_case cases[] = {
        GUEST_CASE(after_chroot),
        GUEST_CASE(after_another_threads_chroot),
        GUEST_CASE(after_pivot_root),
        GUEST_CASE(after_unshare),
        GUEST_CASE(after_setns),
    };
    return guest_main(argc, argv, cases, GUEST_COUNT(cases));
}
