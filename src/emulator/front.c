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
#include "emulator/guest-task.h"
#include "emulator/inherited.h"
#include "emulator/launch.h"

enum {
    ANCESTORS_MAX = 1000, /* more are not looked at */
};

struct front {
    int supervisor;        /* the channel */
    pid_t supervisor_pid;  /* 0: it has been reaped */
    int supervisor_status; /* then; else 0 */
    int status;            /* to exit with */
};

/*
 * By the guest or a descendant to their own process group, as "kill 0" does it:
 * the guest has had it.  They mean us alone hardly ever.  Of others nobody can
 * tell: a script's "kill $!", from our group too, must reach the guest.
 */
static bool guest_sent_it(const struct front *front,
                          const struct signalfd_siginfo *info)
{
    pid_t pid = (pid_t)info->ssi_pid;

    if (info->ssi_code != SI_USER || pid <= 1 || getpgid(pid) != getpgrp())
        return false;
    for (int i = 0; i < ANCESTORS_MAX && pid > 1; i++) {
        if (pid == front->supervisor_pid)
            return true;
        pid = guest_task_parent(pid); /* 0: gone */
    }
    return false;
}

/*
 * The terminal, and the kernel on its behalf, signals the whole process group,
 * which the guest is in: passed on, it would come twice.  But a terminal that
 * hangs up tells the session's leader alone, by SIGHUP and SIGCONT.
 */
static bool guest_had_it(const struct front *front,
                         const struct signalfd_siginfo *info)
{
    if (info->ssi_signo == SIGCONT && info->ssi_code == SI_USER &&
        (pid_t)info->ssi_pid == front->supervisor_pid)
        return true; /* the guest runs already */
    if (guest_sent_it(front, info))
        return true;
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
static void stop_too(const struct front *front, int signal)
{
    struct pollfd newer = { .fd = front->supervisor, .events = POLLIN };
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

/* As PID 1, or made a subreaper before, we are the parent of any orphan. */
static void reap(struct front *front)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (pid != front->supervisor_pid)
            continue;
        front->supervisor_pid = 0;
        front->supervisor_status = status;
    }
}

/* The supervisor has ended, or is about to: its own status counts as well. */
static int final_status(struct front *front, int guest_status)
{
    int status;

    while (front->supervisor_pid &&
           waitpid(front->supervisor_pid, &front->supervisor_status, 0) < 0 &&
           errno == EINTR)
        ;
    status = front->supervisor_status;
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
static bool take_message(struct front *front)
{
    struct channel_message message;

    if (channel_receive(front->supervisor, &message, NULL) < 0) {
        front->status = final_status(front, LAUNCH_FAILED);
        return true;
    }
    switch (message.kind) {
    case CHANNEL_STOPPED:
        stop_too(front, message.value);
        return false;
    case CHANNEL_FINAL:
        front->status = final_status(front, message.value);
        return true;
    case CHANNEL_EXITED:
        front->status = message.value;
        return true;
    default:
        return false;
    }
}

static void take_signal(struct front *front, int signal_fd)
{
    struct signalfd_siginfo info;

    if (read(signal_fd, &info, sizeof(info)) != sizeof(info))
        return;
    if (info.ssi_signo == SIGCHLD)
        reap(front); /* our own business */
    else if (!guest_had_it(front, &info))
        channel_send(front->supervisor, CHANNEL_SIGNAL, (int)info.ssi_signo,
                     -1);
}

int front_run(int supervisor, pid_t supervisor_pid)
{
    struct front front = {
        .supervisor = supervisor,
        .supervisor_pid = supervisor_pid,
        .status = LAUNCH_FAILED,
    };
    sigset_t all;
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
        if (from[0].revents && take_message(&front))
            break;
        if (from[1].revents)
            take_signal(&front, from[1].fd);
    }
    if (from[1].fd >= 0)
        close(from[1].fd);
    return front.status;
}
