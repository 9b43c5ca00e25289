#include "trap-calls.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "histogram.h"
#include "pace.h"

enum {
    BATCH = 16,
    BATCHES_MAX = 4096,
    SHORT_READ = 42, /* as tail's: shorter than a packet may be */
    LONG_READ = 4096,
};

static const char *watched;
static int inotify_fd; /* no event comes: what is watched rests */
static int pipe_ends[2];
static char buf[LONG_READ];

static bool call_getppid(void)
{
    return syscall(SYS_getppid) > 0;
}

static bool call_pipe_read(void)
{
    return write(pipe_ends[1], "x", 1) == 1 && read(pipe_ends[0], buf, 1) == 1;
}

static bool call_pipe_ask(void)
{
    int bytes = -1;

    return ioctl(pipe_ends[0], FIONREAD, &bytes) == 0 && bytes == 0;
}

static bool call_init(void)
{
    int fd = inotify_init1(IN_CLOEXEC);

    return fd >= 0 && close(fd) == 0;
}

static bool call_add(void)
{
    int wd = inotify_add_watch(inotify_fd, watched, IN_CREATE);

    return wd > 0;
}

static bool call_add_remove(void)
{
    static int other = -1;
    int wd;

    if (other < 0)
        other = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    wd = inotify_add_watch(other, watched, IN_CREATE);
    if (wd <= 0 || inotify_rm_watch(other, wd) != 0)
        return false;
    while (read(other, buf, sizeof(buf)) > 0)
        ; /* IN_IGNORED */
    return true;
}

static bool call_ask(void)
{
    int bytes = -1;

    return ioctl(inotify_fd, FIONREAD, &bytes) == 0 && bytes == 0;
}

static bool call_read(size_t bytes)
{
    return read(inotify_fd, buf, bytes) == -1 && errno == EAGAIN;
}

static bool call_short_read(void)
{
    return call_read(SHORT_READ);
}

static bool call_long_read(void)
{
    return call_read(LONG_READ);
}

static bool call_poll(void)
{
    struct pollfd fd = { .fd = inotify_fd, .events = POLLIN };

    return poll(&fd, 1, 0) == 0;
}

static const struct trap_call calls[] = {
    { "getppid", false, false, call_getppid },
    { "a pipe's write and read", false, false, call_pipe_read },
    { "a pipe's FIONREAD", false, false, call_pipe_ask },
    { "read of 4,096, empty", false, true, call_long_read },
    { "poll without waiting", false, true, call_poll },
    { "FIONREAD", true, true, call_ask },
    { "read of 42, empty", true, true, call_short_read },
    { "add_watch, again", true, true, call_add },
    { "add_watch, rm_watch, reads", true, true, call_add_remove },
    { "inotify_init1, close", true, true, call_init },
};

const struct trap_call *trap_call_at(unsigned index)
{
    return index < sizeof(calls) / sizeof(calls[0]) ? &calls[index] : NULL;
}

/* Of one call, in nanoseconds; negative: it did not do what it must. */
static double measure(const struct trap_call *call, double seconds)
{
    static double batches[BATCHES_MAX];
    uint64_t end = now_ns() + (uint64_t)(seconds * 1e9);
    unsigned count = 0;

    do {
        uint64_t before = now_ns();

        for (int i = 0; i < BATCH; i++)
            if (!call->once())
                return -1;
        batches[count++] = (double)(now_ns() - before) / BATCH;
    } while (now_ns() < end && count < BATCHES_MAX);
    return median(batches, count);
}

int trap_calls_run(const char *directory, double seconds)
{
    const struct trap_call *call;
    int status = 0;

    watched = directory;
    inotify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (inotify_fd < 0 || pipe(pipe_ends) != 0 || !call_add()) {
        fprintf(stderr, "vnotify: cannot watch %s: %s\n", directory,
                strerror(errno));
        return 125;
    }
    for (unsigned i = 0; (call = trap_call_at(i)) != NULL; i++) {
        double took = measure(call, seconds);

        if (took < 0) {
            fprintf(stderr, "vnotify: %s: %s\n", call->name, strerror(errno));
            status = 1;
        }
        printf("%u %.1f\n", i, took);
    }
    return status;
}
