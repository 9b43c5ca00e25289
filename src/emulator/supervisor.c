/*
 * supervisor.c - the process that serves the guest, and what it leaves behind
 *
 *     start     fork the guest; then the engine and its threads; then GO
 *     serve     until the main guest ends: tell the front, print the table
 *     linger    until no task has the filter (the listener hangs up)
 *     end       join all threads; or, if that takes too long, without them
 *
 * The guest is forked before there are threads, limits or descriptors of ours
 * that it could inherit.
 */
#include "emulator/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "emulator/calls.h"
#include "emulator/channel.h"
#include "emulator/filter.h"
#include "emulator/guest-home.h"
#include "emulator/guest-rights.h"
#include "emulator/guest-root.h"
#include "emulator/guest-task.h"
#include "emulator/inherited.h"
#include "emulator/launch.h"
#include "emulator/notify.h"
#include "emulator/repeats.h"
#include "emulator/service.h"

enum {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    END_GRACE_S = 60, /* what they have found is said at the very end */
#else
    END_GRACE_S = 2,
#endif
};

struct supervisor {
    struct service service;
    struct notify *notify;
    struct filter filter;
    const struct options *options;
    struct vnotify_config config;
    struct supervisor_front front; /* .channel -1: gone */
    int guest_channel;
    int child_fd; /* signalfd: SIGCHLD */
    pid_t guest;  /* 0: it has ended */
    bool stopped; /* the guest, and so the front */
    int status;   /* then: what it ended with, as a shell says it */
    pthread_mutex_t printing; /* holds what follows, and its effect */
    bool printed;             /* the table of --stats, or it is not wanted */
};

static int complain(const char *what, int error)
{
    fprintf(stderr, "vnotify: %s: %s\n", what, strerror(-error));
    return LAUNCH_FAILED;
}

/* Before the guest is forked */

static int prepare(struct supervisor *self)
{
    const char *trace = self->options->trace_path;
    struct rlimit limit;
    unsigned also;
    int error;

    error = guest_rights_init();
    if (error < 0)
        return complain("/proc/self/status (is /proc mounted?)", error);
    getrlimit(RLIMIT_NOFILE, &limit);
    window_init(&self->service.window, limit.rlim_cur);
    also = guest_rights_follow() ? FILTER_GROUPS : 0;
    if (guest_home_follow())
        also |= FILTER_HOME;
    if (self->options->strict)
        also |= FILTER_STRICT;
    error = filter_build(&self->filter, &self->service.window, also);
    if (error < 0)
        return complain("cannot build the seccomp filter (libseccomp)",
                        error);
    self->config = self->options->config;
    if (trace) {
        self->config.trace_fd = open(
            trace, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0666);
        if (self->config.trace_fd < 0)
            return complain(trace, -errno);
    }
    return 0;
}

/* After it: what only the supervisor has */

/*
 * Where Yama lets only ancestors look into a process, daemons must stay our
 * descendants.  Elsewhere they become init's, as without us.
 */
static void adopt_orphans_if_needed(void)
{
    char scope = '0';
    int host_fd = open("/proc/sys/kernel/yama/ptrace_scope",
                       O_RDONLY | O_CLOEXEC);

    if (host_fd < 0)
        return;
    if (read(host_fd, &scope, 1) == 1 && scope != '0' &&
        !guest_rights_see_all())
        prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    close(host_fd);
}

static void become_supervisor(const struct supervisor *self)
{
    const int ours[] = { self->front.channel, self->front.pidfd,
                         self->guest_channel,
                         self->options->trace_path ? self->config.trace_fd
                                                   : -1 };
    struct sigaction ignore = { .sa_handler = SIG_IGN };
    struct sigaction dflt = { .sa_handler = SIG_DFL };
    struct rlimit limit;

    setsid(); /* the terminal's signals are the guest's */
    sigaction(SIGPIPE, &ignore, NULL);
    sigaction(SIGCHLD, &dflt, NULL); /* a parent may have had it ignored */
    guest_task_forget(); /* what it keeps would be closed, and used later */
    inherited_close(ours, sizeof(ours) / sizeof(ours[0]));
    inherited_to_null(STDIN_FILENO, STDOUT_FILENO); /* messages still come */
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    adopt_orphans_if_needed();
}

/* It watches files through the kernel's inotify itself, one instance. */
static int complain_of_engine(int error)
{
    return complain(error == -EMFILE
                        ? "cannot start the engine: no inotify instance (see "
                          "/proc/sys/fs/inotify/max_user_instances) or no "
                          "descriptor is left"
                        : "cannot start the engine",
                    error);
}

static int start_engine(struct supervisor *self)
{
    struct service *service = &self->service;
    sigset_t child;
    int error = vnotify_create(&service->engine, &self->config);

    if (error < 0)
        return complain_of_engine(error);
    error = outlets_create(service->engine, self->options->strict,
                           self->options->queue_limit,
                           &service->outlets);
    if (error < 0)
        return complain("cannot start the outlets", error);
    service->repeats = repeats_create();
    if (!service->repeats)
        return complain("cannot start", -ENOMEM);
    calls_init();
    guest_root_init();
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    self->child_fd = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
    if (self->child_fd < 0)
        return complain("signalfd", -errno);
    return 0;
}

/* Lets the guest go on and gets the listener; it says itself what it lacks. */
static int start_guest(struct supervisor *self)
{
    struct channel_message message;
    int error = channel_send(self->guest_channel, CHANNEL_GO, 0, -1);

    if (error == 0)
        error = channel_receive(self->guest_channel, &message,
                                &self->service.listener);
    close(self->guest_channel);
    self->guest_channel = -1;
    if (error < 0 || self->service.listener < 0)
        return LAUNCH_FAILED;
    error = notify_start(&self->service, &self->notify);
    return error < 0 ? complain("cannot start the handlers", error) : 0;
}

/* Once. */
static void print_stats(struct supervisor *self)
{
    struct vnotify_stats stats;

    pthread_mutex_lock(&self->printing);
    if (self->options->stats && !self->printed) {
        vnotify_stats(self->service.engine, &stats);
        vnotify_stats_print(&stats, stderr);
        fflush(stderr);
    }
    self->printed = true;
    pthread_mutex_unlock(&self->printing);
}

/* The front */

static void tell_front(struct supervisor *self, enum channel_kind kind,
                       int value)
{
    channel_send(self->front.channel, kind, value, -1);
}

static void signal_front(struct supervisor *self, int signal)
{
    syscall(SYS_pidfd_send_signal, self->front.pidfd, signal, NULL, 0);
}

/* Not by the shell, maybe, which would have continued the front as well. */
static void continue_front(struct supervisor *self, enum channel_kind why,
                           int value)
{
    tell_front(self, why, value); /* first: see stop_too in front.c */
    if (self->stopped)
        signal_front(self, SIGCONT);
    self->stopped = false;
}

/* The end */

/*
 * A thread that asks a file system which does not answer cannot be joined.
 * After a while the process ends as it is: what a trace holds has been written,
 * and the rest is the kernel's to clean up.  Whoever waits for us is let go
 * first, since the kernel may wait for that file system, too.
 */
static void *end_anyway(void *arg) /* until it is cancelled */
{
    const struct timespec grace = { .tv_sec = END_GRACE_S };
    struct supervisor *self = arg;

    nanosleep(&grace, NULL);
    print_stats(self); /* before the engine goes: main comes by here as well */
    inherited_to_null(STDERR_FILENO, STDERR_FILENO);
    continue_front(self, CHANNEL_EXITED, self->status);
    _exit(0);
}

static void finish(struct supervisor *self)
{
    struct service *service = &self->service;
    pthread_t other_end;
    bool bounded = pthread_create(&other_end, NULL, end_anyway, self) == 0;

    if (self->notify)
        notify_stop(self->notify);
    self->notify = NULL;
    if (service->outlets)
        outlets_destroy(service->outlets);
    print_stats(self);
    if (service->engine)
        vnotify_destroy(service->engine);
    repeats_destroy(service->repeats);
    guest_rights_fini();
    if (self->config.trace_fd > 0)
        close(self->config.trace_fd);
    close(self->child_fd);
    close(service->listener);
    if (bounded) {
        pthread_cancel(other_end);
        pthread_join(other_end, NULL);
    }
}

/* A hung-up listener: no task has the filter. */
static bool nobody_left(const struct supervisor *self)
{
    struct pollfd listener = { .fd = self->service.listener };

    return poll(&listener, 1, 0) > 0 && (listener.revents & POLLHUP);
}

/* The front stops as the terminal stopped the guest; else we stop it. */
static void guest_stopped(struct supervisor *self, int signal)
{
    self->stopped = true;
    if (signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU)
        tell_front(self, CHANNEL_STOPPED, signal);
    else
        signal_front(self, SIGSTOP);
}

/* The main guest ended: the front may go, daemons are served on. */
static void guest_ended(struct supervisor *self, int status)
{
    int value = WIFSIGNALED(status) ? LAUNCH_SIGNAL + WTERMSIG(status)
                                    : WEXITSTATUS(status);

    self->guest = 0;
    self->status = value;
    if (nobody_left(self)) {
        finish(self);
        continue_front(self, CHANNEL_FINAL, value);
        return;
    }
    print_stats(self);
    /* Whoever waits for the end of the guest's output must not wait for us. */
    inherited_to_null(STDERR_FILENO, STDERR_FILENO);
    continue_front(self, CHANNEL_EXITED, value);
}

static void reap(struct supervisor *self)
{
    struct signalfd_siginfo info;
    int status;
    pid_t pid;

    while (read(self->child_fd, &info, sizeof(info)) > 0)
        ;
    while ((pid = waitpid(-1, &status,
                          WNOHANG | WUNTRACED | WCONTINUED)) > 0) {
        if (pid != self->guest)
            continue;
        if (WIFSTOPPED(status)) {
            guest_stopped(self, WSTOPSIG(status));
        } else if (WIFCONTINUED(status)) {
            continue_front(self, CHANNEL_CONTINUED, 0);
        } else {
            guest_ended(self, status);
            return;
        }
    }
}

/* While there is a guest: not reaped, so its pid is still its own. */
static void pass_signal(struct supervisor *self)
{
    struct channel_message message;

    if (channel_receive(self->front.channel, &message, NULL) < 0) {
        /* Killed: who did that meant the program. */
        self->front.channel = -1;
        kill(self->guest, SIGKILL);
        return;
    }
    /* The shell continues the whole group: the guest runs already, then. */
    if (message.value == SIGCONT && guest_task_state(self->guest) != 'T')
        return;
    kill(self->guest, message.value);
}

/* Until nobody is left and the main guest has been reaped. */
static void serve_all(struct supervisor *self)
{
    bool hung_up = false;

    while (self->guest || !hung_up) {
        struct pollfd from[] = {
            { .fd = self->child_fd, .events = POLLIN },
            { .fd = self->guest ? self->front.channel : -1,
              .events = POLLIN },
            { .fd = hung_up ? -1 : self->service.listener },
        };

        poll(from, sizeof(from) / sizeof(from[0]), -1);
        if (from[2].revents & POLLHUP)
            hung_up = true;
        if (from[0].revents) {
            bool had_guest = self->guest;

            reap(self);
            if (had_guest && !self->guest && !self->notify)
                return; /* finished with it */
        }
        if (self->guest && from[1].revents)
            pass_signal(self);
    }
    finish(self);
}

int supervisor_run(const struct options *options,
                   const struct foreign_plan *plan,
                   const sigset_t *guest_signal_mask,
                   const struct supervisor_front *front)
{
    struct supervisor self = {
        .service = { .listener = -1, .strict = options->strict },
        .options = options,
        .front = *front,
        .child_fd = -1,
        .printing = PTHREAD_MUTEX_INITIALIZER,
    };
    struct launch_guest guest = {
        .plan = plan,
        .name = options->operands[0],
        .filter = &self.filter,
        .signal_mask = guest_signal_mask,
    };
    int status = prepare(&self);

    if (status != 0)
        return status;
    self.guest = launch_guest(&guest, &self.guest_channel);
    if (self.guest < 0)
        return complain("cannot start the guest", self.guest);
    filter_fini(&self.filter);
    become_supervisor(&self);
    status = start_engine(&self);
    if (status == 0)
        status = start_guest(&self);
    if (status != 0)
        return status;
    serve_all(&self);
    return 0;
}
