/*
 * trap-only - the least that serving a guest's inotify_add_watch by listing takes
 *
 *     trap-only PROGRAM [ARG...]
 *
 * The program runs natively, but each inotify_add_watch of its is trapped, as
 * vnotify's guests' are.  Before the kernel does it, this process reads the
 * path, opens what it names, looks at it and, if it is a directory, lists it;
 * and if changes inside of its files are to be told, looks at each of them: with
 * the call itself, what an emulator that learns by listing and comparing has to
 * do, and nothing else.  A floor for benchmarks; it takes absolute paths.
 *
 * Threads: one.  Exits with the program's status, 128 + N for signal N.  SIGTERM
 * goes to the program.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "emulator/channel.h"
#include "emulator/filter.h"
#include "variant.h"

enum { OURS = 125, LISTING_BYTES = 32768 };

static pid_t program;

static void pass_on(int signal)
{
    kill(program, signal);
}

static _Noreturn void give_up(const char *what, int error)
{
    fprintf(stderr, "vnotify: trap-only: %s: %s\n", what, strerror(error));
    exit(OURS);
}

/* From here on the calling thread's add_watch goes to the descriptor's owner,
   and so does that of all that it starts. */
static int trap_add_watch(void)
{
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
    int error = ctx == NULL ? -ENOMEM : 0;

    if (error == 0)
        error = seccomp_rule_add(ctx, SCMP_ACT_NOTIFY,
                                 SCMP_SYS(inotify_add_watch), 0);
    if (error == 0)
        error = seccomp_load(ctx);
    return error == 0 ? seccomp_notify_fd(ctx) : error;
}

static _Noreturn void run(int end, char **argv)
{
    int listener = trap_add_watch();
    int error = listener < 0
                    ? listener
                    : channel_send(end, CHANNEL_LISTENER, 0, listener);

    if (error < 0)
        give_up("trap", -error);
    close(end);
    close(listener);
    execvp(argv[0], argv);
    give_up(argv[0], errno);
}

static void look(int dir_fd, const char *name)
{
    struct statx status;

    statx(dir_fd, name, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, &status);
}

/* Whoever looks later cannot tell what has changed since. */
static void list(int fd, bool of_files)
{
    static _Alignas(struct dirent64) char buf[LISTING_BYTES];
    ssize_t got;

    while ((got = getdents64(fd, buf, sizeof(buf))) > 0) {
        const struct dirent64 *entry;

        for (ssize_t at = 0; of_files && at < got; at += entry->d_reclen) {
            entry = (const struct dirent64 *)(buf + at);
            if (entry->d_type == DT_REG)
                look(fd, entry->d_name);
        }
    }
}

/* Failures are the program's to see, when the kernel does it. */
static void do_as_an_emulator(const struct seccomp_notif *call)
{
    char path[PATH_MAX];
    struct iovec to = { path, sizeof(path) - 1 };
    struct iovec from = { (void *)(uintptr_t)call->data.args[1],
                          sizeof(path) - 1 };
    ssize_t length =
        process_vm_readv((pid_t)call->pid, &to, 1, &from, 1, 0);
    struct stat what;
    int fd;

    if (length <= 0)
        return;
    path[length] = '\0';
    fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return;
    if (fstat(fd, &what) == 0 && S_ISDIR(what.st_mode))
        list(fd, (call->data.args[2] & (IN_MODIFY | IN_ATTRIB)) != 0);
    close(fd);
}

/* Until no task has the filter any more. */
static void serve(int listener)
{
    struct seccomp_notif *call;
    struct seccomp_notif_resp *answer;
    struct pollfd from = { .fd = listener, .events = POLLIN };

    if (seccomp_notify_alloc(&call, &answer) != 0)
        give_up("memory", ENOMEM);
    ioctl(listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS,
          SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
    for (;;) {
        memset(call, 0, sizeof(*call));
        if (seccomp_notify_receive(listener, call) != 0) {
            if (poll(&from, 1, 0) > 0 && (from.revents & POLLHUP) != 0)
                break;
            continue;
        }
        do_as_an_emulator(call);
        *answer = (struct seccomp_notif_resp){
            .id = call->id,
            .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE,
        };
        seccomp_notify_respond(listener, answer);
    }
    seccomp_notify_free(call, answer);
}

int main(int argc, char **argv)
{
    struct channel_message message;
    int ends[2], listener = -1;
    int error = argc < 2 ? -EINVAL : channel_create(ends);
    const struct sigaction passing = { .sa_handler = pass_on };

    if (error < 0)
        give_up("give a program to run", -error);
    program = fork();
    if (program < 0)
        give_up("fork", errno);
    if (program == 0)
        run(ends[1], argv + 1);
    sigaction(SIGTERM, &passing, NULL);
    close(ends[1]);
    if (channel_receive(ends[0], &message, &listener) == 0 && listener >= 0)
        serve(listener);
    return variant_end(program);
}
