/*
 * front.c - the process that the shell started: looks as the guest would
 */
#include "emulator/front.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "emulator/channel.h"
#include "emulator/inherited.h"
#include "emulator/launch.h"

/*
 * The terminal, and the kernel on its behalf, signals the whole process group,
 * which the guest is in: passed on, it would come twice.  But a terminal that
 * hangs up tells the session's leader alone, by SIGHUP and SIGCONT.
 */
static bool guest_had_it(const struct signalfd_siginfo *info,
                         pid_t supervisor_pid)
{
    if (info->ssi_signo == SIGCHLD)
        return true; /* our own business */
    if (info->ssi_signo == SIGCONT && info->ssi_code == SI_USER &&
        (pid_t)info->ssi_pid == supervisor_pid)
        return true; /* the guest runs already */
    if (info->ssi_code != SI_KERNEL)
        return false;
    switch (info->ssi_signo) {
    case SIGINT:
    case SIGQUIT:
    case SIGTSTP:
    case SIGTTIN:
    case SIGTTOU:
    case SIGWINCH:
        return true;
    case SIGHUP:
    case SIGCONT:
        return getsid(0) != getpid();
    default:
        return false; /* an alarm set before exec, say */
    }
}

/*
 * Stops as the guest was stopped by the terminal, so that the shell sees it.
 * The guest may run again by now, and nobody else would continue us then.  The
 * supervisor says so first and then sends SIGCONT, which also takes back a stop
 * that is pending.  So one of the two comes after raise() and is noticed.
 */
static void stop_too(int supervisor, int signal)
{
    struct pollfd newer = { .fd = supervisor, .events = POLLIN };
    const struct timespec now = { 0 };
    sigset_t only;

    sigemptyset(&only);
    sigaddset(&only, signal);
    raise(signal); /* blocked as yet */
    if (poll(&newer, 1, 0) > 0) {
        sigtimedwait(&only, NULL, &now);
        return;
    }
    sigprocmask(SIG_UNBLOCK, &only, NULL); /* here we stop */
    sigprocmask(SIG_BLOCK, &only, NULL);
}

/* The supervisor has ended, or is about to: its own status counts as well. */
static int final_status(pid_t supervisor_pid, int guest_status)
{
    int status = 0;

    while (waitpid(supervisor_pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (status == 0)
        return guest_status;
    if (WIFEXITED(status) && WEXITSTATUS(status) == LAUNCH_FAILED)
        return LAUNCH_FAILED; /* it has said why */
    fprintf(stderr, "vnotify: the supervisor ended with %s %d\n",
            WIFSIGNALED(status) ? "signal" : "status",
            WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    return LAUNCH_FAILED;
}

/* A message of the supervisor: true if the guest has ended. */
static bool take_message(int supervisor, pid_t supervisor_pid, int *status)
{
    struct channel_message message;

    if (channel_receive(supervisor, &message, NULL) < 0) {
        *status = final_status(supervisor_pid, LAUNCH_FAILED);
        return true;
    }
    switch (message.kind) {
    case CHANNEL_STOPPED:
        stop_too(supervisor, message.value);
        return false;
    case CHANNEL_FINAL:
        *status = final_status(supervisor_pid, message.value);
        return true;
    case CHANNEL_EXITED:
        *status = message.value;
        return true;
    default:
        return false;
    }
}

int front_run(int supervisor, pid_t supervisor_pid)
{
    struct signalfd_siginfo info;
    sigset_t all;
    int status = LAUNCH_FAILED;
    struct pollfd from[2] = {
        { .fd = supervisor, .events = POLLIN },
        { .events = POLLIN },
    };

    inherited_close(&supervisor, 1);
    inherited_to_null(STDIN_FILENO, STDOUT_FILENO); /* messages still come */
    sigfillset(&all);
    from[1].fd = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
    for (;;) {
        poll(from, from[1].fd < 0 ? 1 : 2, -1);
        if (from[0].revents &&
            take_message(supervisor, supervisor_pid, &status))
            break;
        if (from[1].revents &&
            read(from[1].fd, &info, sizeof(info)) == sizeof(info) &&
            !guest_had_it(&info, supervisor_pid))
            channel_send(supervisor, CHANNEL_SIGNAL, (int)info.ssi_signo, -1);
    }
    if (from[1].fd >= 0)
        close(from[1].fd);
    return status;
}
