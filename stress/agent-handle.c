/*
 * agent-handle.c - the benchmark's side of an agent
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent-protocol.h"
#include "pace.h"

enum { ANSWER_MS_MAX = 120 * 1000 };

static _Noreturn void give_up(const struct agent *agent, const char *what,
                              int error)
{
    fprintf(stderr, "vnotify: the subject %s: %s: %s\n", agent->subject->name,
            what, strerror(error));
    exit(125);
}

static void to_fd(int fd, int wanted)
{
    if (dup2(fd, wanted) < 0)
        _exit(125);
}

/* In the child.  The three descriptors are above where they have to go. */
static _Noreturn void become(const struct agent *agent, const int fds[3])
{
    char self[512], vnotify[600], *slash;
    ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
    const char *name = agent->subject->name;

    if (length < 0)
        _exit(125);
    self[length] = '\0';
    slash = strrchr(self, '/');
    snprintf(vnotify, sizeof(vnotify), "%.*s/../vnotify", (int)(slash - self),
             self);
    to_fd(fds[0], AGENT_SHARED_FD);
    to_fd(fds[1], AGENT_COMMAND_FD);
    to_fd(fds[2], AGENT_ANSWER_FD);
    if (agent->subject->under_vnotify)
        execl(vnotify, vnotify, "run", "--", self, "--agent", name, NULL);
    else
        execl(self, self, "--agent", name, NULL);
    fprintf(stderr, "vnotify: %s: %s\n",
            agent->subject->under_vnotify ? vnotify : self, strerror(errno));
    _exit(125);
}

/* A copy at a number that none of AGENT_*_FD is. */
static int move_up(int fd)
{
    int high = fcntl(fd, F_DUPFD_CLOEXEC, 16);

    close(fd);
    return high;
}

void agent_start(struct agent *agent, enum subject_id id)
{
    int shared_fd = memfd_create("vnotify-bench", MFD_CLOEXEC);
    int commands[2], answers[2], fds[3];

    *agent = (struct agent){ .subject = &subjects[id] };
    signal(SIGPIPE, SIG_IGN);
    if (shared_fd < 0 || pipe2(commands, O_CLOEXEC) != 0 ||
        pipe2(answers, O_CLOEXEC) != 0 ||
        ftruncate(shared_fd, sizeof(struct agent_shared)) != 0)
        give_up(agent, "cannot start", errno);
    agent->shared = mmap(NULL, sizeof(struct agent_shared),
                         PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
                         shared_fd, 0);
    if (agent->shared == MAP_FAILED)
        give_up(agent, "cannot share memory", errno);
    fds[0] = move_up(shared_fd);
    fds[1] = move_up(commands[0]);
    fds[2] = move_up(answers[1]);
    agent->to = move_up(commands[1]);
    agent->from = move_up(answers[0]);
    agent->pid = fork();
    if (agent->pid == 0)
        become(agent, fds);
    for (int i = 0; i < 3; i++)
        close(fds[i]);
    if (agent->pid < 0 || agent->to < 0 || agent->from < 0)
        give_up(agent, "cannot start", errno);
}

unsigned agents_start(const struct options *options, bool relayed,
                      struct agent *agents)
{
    unsigned count = 0;

    options_check("subjects", options->subjects, &subjects[0].name,
                  relayed ? SUBJECTS : RELAY, sizeof(subjects[0]));
    prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
    for (int i = 0; i < SUBJECTS; i++)
        if ((i != RELAY || relayed) && options_want(options, subjects[i].name))
            agent_start(&agents[count++], (enum subject_id)i);
    return count;
}

void agent_stop(struct agent *agent)
{
    uint64_t deadline = now_ns() + UINT64_C(10000000000);

    close(agent->to);
    close(agent->from);
    while (waitpid(agent->pid, NULL, WNOHANG) == 0) {
        if (now_ns() > deadline) {
            fprintf(stderr, "vnotify: the subject %s does not end\n",
                    agent->subject->name);
            kill(agent->pid, SIGKILL);
            waitpid(agent->pid, NULL, 0);
            break;
        }
        sleep_until_ns(now_ns() + 1000000);
    }
    munmap(agent->shared, sizeof(*agent->shared));
}

static void send(struct agent *agent, const struct agent_command *command)
{
    if (write(agent->to, command, sizeof(*command)) != sizeof(*command))
        give_up(agent, "has ended", errno);
}

static int64_t receive(struct agent *agent)
{
    struct pollfd answered = { .fd = agent->from, .events = POLLIN };
    int64_t answer;

    if (poll(&answered, 1, ANSWER_MS_MAX) == 0)
        give_up(agent, "does not answer", ETIMEDOUT);
    if (read(agent->from, &answer, sizeof(answer)) != sizeof(answer))
        give_up(agent, "has ended", EPIPE);
    return answer;
}

static int64_t call(struct agent *agent, const struct agent_command *command,
                    const char *what)
{
    int64_t answer;

    send(agent, command);
    answer = receive(agent);
    if (answer < 0)
        give_up(agent, what, (int)-answer);
    return answer;
}

static void set_path(struct agent_command *command, const char *path)
{
    snprintf(command->path, sizeof(command->path), "%s", path);
}

void agent_forget(struct agent *agent)
{
    memset(agent->shared, 0, sizeof(*agent->shared));
}

void agent_open(struct agent *agent, int instance)
{
    struct agent_command command = { .op = AGENT_OPEN, .instance = instance };

    call(agent, &command, "cannot open an instance");
}

void agent_close(struct agent *agent, int instance)
{
    struct agent_command command = { .op = AGENT_CLOSE, .instance = instance };

    call(agent, &command, "cannot close an instance");
}

int agent_add(struct agent *agent, int instance, const char *path,
              uint32_t mask)
{
    struct agent_command command = { .op = AGENT_ADD,
                                     .instance = instance,
                                     .mask = mask };

    set_path(&command, path);
    return (int)call(agent, &command, "cannot add a watch");
}

void agent_remove(struct agent *agent, int instance, int wd)
{
    struct agent_command command = { .op = AGENT_REMOVE,
                                     .instance = instance,
                                     .wd = wd };

    call(agent, &command, "cannot remove a watch");
}

unsigned long agent_add_many(struct agent *agent, int instance,
                             const char *path, uint32_t mask,
                             unsigned long count)
{
    struct agent_command command = { .op = AGENT_ADD_MANY,
                                     .instance = instance,
                                     .mask = mask,
                                     .count = count };

    set_path(&command, path);
    return (unsigned long)call(agent, &command, "cannot add watches");
}

void agent_start_adds(struct agent *agent, int instance, const char *path,
                      uint32_t mask, unsigned long count, uint64_t interval_ns)
{
    struct agent_command command = { .op = AGENT_ADDS,
                                     .instance = instance,
                                     .mask = mask,
                                     .count = count,
                                     .interval_ns = interval_ns };

    set_path(&command, path);
    memset(agent->shared->calls_ns, 0, sizeof(agent->shared->calls_ns));
    send(agent, &command);
}

void agent_start_closes(struct agent *agent, const char *path, uint32_t mask,
                        unsigned long count, uint64_t interval_ns)
{
    struct agent_command command = { .op = AGENT_CLOSES,
                                     .mask = mask,
                                     .count = count,
                                     .interval_ns = interval_ns };

    set_path(&command, path);
    memset(agent->shared->calls_ns, 0, sizeof(agent->shared->calls_ns));
    send(agent, &command);
}

void agent_take(struct agent *agent, struct histogram *histogram)
{
    int64_t answer = receive(agent);

    if (answer < 0)
        give_up(agent, "a timed call failed", (int)-answer);
    for (int i = 0; i < AGENT_CALLS_MAX && agent->shared->calls_ns[i] != 0; i++)
        histogram_record(histogram, agent->shared->calls_ns[i]);
}

int agent_wait(const atomic_ulong *counter, unsigned long value,
               double seconds)
{
    uint64_t deadline = now_ns() + (uint64_t)(seconds * 1e9);

    while (atomic_load(counter) < value) {
        if (now_ns() > deadline)
            return -1;
        sleep_until_ns(now_ns() + 500000);
    }
    return 0;
}
