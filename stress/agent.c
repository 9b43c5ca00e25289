/*
 * agent.c - the process that runs a subject
 *
 * The main thread serves commands; each open instance has a reader, which
 * waits in poll() for events or for its end.
 */
#include "agent.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "agent-protocol.h"
#include "pace.h"
#include "vnotify.h"

struct reader {
    void *instance; /* NULL: not open */
    int stop_fd;
    pthread_t thread;
};

static const struct subject_ops *ops;
static struct agent_shared *shared;
static struct reader readers[AGENT_INSTANCES_MAX];

static void stamp(const struct vnotify_event *event, uint64_t now)
{
    unsigned long n;

    atomic_fetch_add(&shared->events, 1);
    if ((event->mask & VN_IN_Q_OVERFLOW) != 0)
        atomic_fetch_add(&shared->overflows, 1);
    if (event->len == 0 || event->name[0] != 'e')
        return;
    n = strtoul(event->name + 1, NULL, 10);
    if ((event->mask & (VN_IN_DELETE | VN_IN_MOVED_FROM)) != 0)
        atomic_fetch_add(&shared->deleted, 1);
    if ((event->mask & VN_IN_CREATE) == 0 || n >= AGENT_STAMPS_MAX)
        return;
    if (atomic_exchange(&shared->stamps[n], now) != 0)
        atomic_fetch_add(&shared->repeated, 1);
    else
        atomic_fetch_add(&shared->stamped, 1);
}

static void read_all(struct reader *reader)
{
    _Alignas(struct vnotify_event) char buf[65536];
    ssize_t got;

    while ((got = ops->read(reader->instance, buf, sizeof(buf))) > 0) {
        uint64_t now = now_ns();

        for (ssize_t at = 0; at < got;) {
            const struct vnotify_event *event = (void *)(buf + at);

            stamp(event, now);
            at += (ssize_t)(sizeof(*event) + event->len);
        }
        atomic_store(&shared->last_ns, now);
    }
}

static void *read_events(void *arg)
{
    struct reader *reader = arg;
    struct pollfd fds[2] = {
        { .fd = ops->fd(reader->instance), .events = POLLIN },
        { .fd = reader->stop_fd, .events = POLLIN },
    };

    while (fds[1].revents == 0) {
        if (poll(fds, 2, -1) < 0)
            continue;
        if (fds[0].revents != 0)
            read_all(reader);
    }
    return NULL;
}

static int open_instance(struct reader *reader)
{
    int error = ops->open(&reader->instance);

    if (error < 0)
        return error;
    reader->stop_fd = eventfd(0, EFD_CLOEXEC);
    if (reader->stop_fd < 0)
        return -errno;
    return -pthread_create(&reader->thread, NULL, read_events, reader);
}

static int close_instance(struct reader *reader)
{
    uint64_t one = 1;

    if (write(reader->stop_fd, &one, sizeof(one)) != sizeof(one))
        return -errno;
    pthread_join(reader->thread, NULL);
    ops->close(reader->instance);
    close(reader->stop_fd);
    *reader = (struct reader){ 0 };
    return 0;
}

static int64_t add_many(const struct agent_command *command)
{
    char path[AGENT_PATH_MAX + 32];
    uint64_t i;

    for (i = 0; i < command->count; i++) {
        uint64_t before;
        int wd;

        snprintf(path, sizeof(path), "%s/d%06lu", command->path,
                 (unsigned long)i);
        before = now_ns();
        wd = ops->add(readers[command->instance].instance, path,
                      command->mask);
        shared->calls_ns[i] = now_ns() - before;
        if (wd < 0)
            break;
    }
    return (int64_t)i;
}

/*
 * One timed call after the other, each due at its time.  If they take so long
 * that the schedule cannot be kept by far, the rest is not done: how late each
 * is by then is the least that it would have taken.
 */
static int64_t time_calls(const struct agent_command *command,
                          int (*once)(const struct agent_command *, uint64_t,
                                      uint64_t *))
{
    uint64_t start = now_ns() + 1000000;
    uint64_t planned = command->count * command->interval_ns;
    uint64_t give_up = start + 2 * planned + 500000000, i;
    int error = 0;

    for (i = 0; i < command->count && error >= 0 && now_ns() < give_up; i++)
        error = once(command, start + i * command->interval_ns,
                     &shared->calls_ns[i]);
    for (; i < command->count; i++)
        shared->calls_ns[i] = now_ns() - (start + i * command->interval_ns);
    return error;
}

static int time_add(const struct agent_command *command, uint64_t due,
                    uint64_t *took)
{
    void *instance = readers[command->instance].instance;
    int wd;

    pace_until(due);
    wd = ops->add(instance, command->path, command->mask);
    *took = now_ns() - due;
    return wd < 0 ? wd : ops->remove(instance, wd);
}

static int time_close(const struct agent_command *command, uint64_t due,
                      uint64_t *took)
{
    void *instance;
    int wd, error = ops->open(&instance);

    if (error < 0)
        return error;
    wd = ops->add(instance, command->path, command->mask);
    pace_until(due);
    ops->close(instance);
    *took = now_ns() - due;
    return wd;
}

static int64_t serve(const struct agent_command *command)
{
    struct reader *reader = &readers[command->instance];

    switch (command->op) {
    case AGENT_OPEN:
        return open_instance(reader);
    case AGENT_CLOSE:
        return close_instance(reader);
    case AGENT_ADD:
        return ops->add(reader->instance, command->path, command->mask);
    case AGENT_REMOVE:
        return ops->remove(reader->instance, command->wd);
    case AGENT_ADD_MANY:
        return add_many(command);
    case AGENT_ADDS:
        return time_calls(command, time_add);
    case AGENT_CLOSES:
        return time_calls(command, time_close);
    }
    return -EINVAL;
}

static _Noreturn void run(const char *name)
{
    struct agent_command command;
    int error = -EINVAL;

    for (int i = 0; i < SUBJECTS; i++)
        if (strcmp(subjects[i].name, name) == 0) {
            ops = subjects[i].ops;
            error = ops->start();
        }
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED,
                  AGENT_SHARED_FD, 0);
    if (error < 0 || shared == MAP_FAILED) {
        fprintf(stderr, "vnotify: the subject %s cannot start: %s\n", name,
                strerror(error < 0 ? -error : errno));
        _exit(125);
    }
    while (read(AGENT_COMMAND_FD, &command, sizeof(command)) ==
           sizeof(command)) {
        int64_t answer = serve(&command);

        if (write(AGENT_ANSWER_FD, &answer, sizeof(answer)) != sizeof(answer))
            break;
    }
    _exit(0);
}

void agent_main(int argc, char **argv)
{
    if (argc != 3 || strcmp(argv[1], "--agent") != 0)
        return;
    signal(SIGINT, SIG_IGN); /* it ends when the benchmark has */
    prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
    run(argv[2]);
}
