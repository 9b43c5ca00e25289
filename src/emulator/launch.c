/*
 * launch.c - starts the processes of `vnotify run`
 */
#include "emulator/launch.h"

#include <errno.h>
#include <paths.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "emulator/channel.h"
#include "emulator/front.h"
#include "emulator/supervisor.h"

/* A script without #!: the shell runs it, as for env and the shells. */
static void exec_by_shell(const struct foreign_plan *plan)
{
    static char shell[] = "sh";
    size_t count = 0;
    char **argv;

    while (plan->argv[count])
        count++;
    argv = calloc(count + 2, sizeof(char *));
    if (!argv)
        return;
    argv[0] = shell;
    argv[1] = plan->path;
    memcpy(argv + 2, plan->argv + 1, (count - 1) * sizeof(char *));
    execv(_PATH_BSHELL, argv);
    free(argv);
}

/* Why the program could not be executed; an exit status. */
static int complain_of(const struct launch_guest *guest, int error)
{
    bool is_there = access(guest->plan->path, F_OK) == 0;

    fprintf(stderr, "vnotify: %s: %s\n", guest->name,
            error == ENOENT && is_there
                ? "what is to run it, its #! line's program or its loader, "
                  "was not found"
                : strerror(error));
    return error == ENOENT ? LAUNCH_NOT_FOUND : LAUNCH_CANNOT_RUN;
}

/* The guest's process until it is the guest. */
static _Noreturn void guest_run(const struct launch_guest *guest, int channel)
{
    struct channel_message message;
    const char *why;
    int listener;
    int error;

    if (channel_receive(channel, &message, NULL) < 0)
        _exit(LAUNCH_FAILED); /* the supervisor has said why */
    listener = filter_load(guest->filter);
    if (listener < 0) {
        why = filter_explain(listener);
        fprintf(stderr, "vnotify: cannot trap system calls: %s\n",
                why ? why : strerror(-listener));
        _exit(LAUNCH_FAILED);
    }
    if (channel_send(channel, CHANNEL_LISTENER, 0, listener) < 0)
        _exit(LAUNCH_FAILED);
    close(listener);
    close(channel);
    sigprocmask(SIG_SETMASK, guest->signal_mask, NULL);
    execv(guest->plan->path, guest->plan->argv);
    error = errno;
    if (error == ENOEXEC && foreign_is_text(guest->plan->path))
        exec_by_shell(guest->plan);
    _exit(complain_of(guest, error));
}

pid_t launch_guest(const struct launch_guest *guest, int *channel)
{
    int ends[2];
    int error = channel_create(ends);
    pid_t pid;

    if (error < 0)
        return error;
    pid = fork();
    if (pid == 0) {
        close(ends[0]); /* or the supervisor's end would not be noticed */
        guest_run(guest, ends[1]);
    }
    error = -errno;
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return error;
    }
    *channel = ends[0];
    return pid;
}

/* With all signals blocked: the front waits for them, the rest never sees. */
static int launch_processes(const struct options *options,
                            const struct foreign_plan *plan,
                            const sigset_t *signal_mask)
{
    struct supervisor_front front;
    int ends[2];
    int error = channel_create(ends);
    int status;
    pid_t pid;

    front.pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
    if (front.pidfd < 0 && error == 0)
        error = -errno;
    if (error < 0) {
        fprintf(stderr, "vnotify: %s\n", strerror(-error));
        return LAUNCH_FAILED;
    }
    front.channel = ends[1];
    pid = fork();
    if (pid == 0) {
        close(ends[0]);
        return supervisor_run(options, plan, signal_mask, &front);
    }
    close(ends[1]);
    close(front.pidfd);
    if (pid < 0) {
        fprintf(stderr, "vnotify: fork: %s\n", strerror(errno));
        status = LAUNCH_FAILED;
    } else {
        status = front_run(ends[0], pid);
    }
    close(ends[0]);
    return status;
}

/* All but those that a fault of our own raises: blocked, they are silent. */
static void fill_blockable(sigset_t *set)
{
    static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE,
                                  SIGILL,  SIGTRAP, SIGSYS, SIGABRT };

    sigfillset(set);
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
        sigdelset(set, faults[i]);
}

int launch_run(const struct options *options)
{
    struct foreign_plan plan;
    sigset_t all;
    sigset_t before;
    int status = foreign_plan(options->operands, &plan);

    if (status == 0) {
        fill_blockable(&all);
        sigprocmask(SIG_SETMASK, &all, &before);
        status = launch_processes(options, &plan, &before);
    }
    foreign_plan_fini(&plan);
    return status;
}
