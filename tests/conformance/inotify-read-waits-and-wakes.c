/*
 * A blocking read sleeps until there is an event, and a signal interrupts it
 * as its handler asked; both for long reads and for short ones.
 */
#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define SHORT_READ 42
#define LONG_READ 65536

static volatile sig_atomic_t signals;

/* A thread that makes one read. */
struct reader {
    pthread_t thread;
    int inotify_fd, error;
    size_t size;
    ssize_t got;
    _Atomic pid_t id;
    _Atomic bool done;
    char bytes[LONG_READ];
};

static void *reader_run(void *argument)
{
    struct reader *reader = argument;
    reader->id = (pid_t)syscall(SYS_gettid);
    reader->got = read(reader->inotify_fd, reader->bytes, reader->size);
    reader->error = errno;
    reader->done = true;
    return NULL;
}

static void reader_start(struct reader *reader, int inotify_fd, size_t size)
{
    reader->inotify_fd = inotify_fd;
    reader->size = size;
    reader->id = 0;
    reader->done = false;
    CHECK(pthread_create(&reader->thread, NULL, reader_run, reader) == 0,
          "pthread_create");
    while (reader->id == 0)
        usleep(200);
    guest_await_asleep(reader->id);
    CHECK(!reader->done, "expected read(%zu) to wait, seen %zd (%s)", size,
          reader->got, strerror(reader->error));
}

/* Joins; what was read must be this one file's IN_CREATE. */
static void reader_expect(struct reader *reader, const char *name)
{
    struct guest_event event = {0};
    CHECK(pthread_join(reader->thread, NULL) == 0, "pthread_join");
    CHECK(reader->got == 32, "expected one event of 32 bytes, seen %zd (%s)",
          reader->got, strerror(reader->error));
    guest_parse(reader->bytes, 32, &event, 1);
    CHECK(event.mask == IN_CREATE && strcmp(event.name, name) == 0,
          "expected IN_CREATE %s, seen 0x%x %s", name, event.mask, event.name);
}

static int open_blocking(void)
{
    int inotify_fd = inotify_init1(IN_CLOEXEC);
    CHECK(inotify_fd >= 0, "inotify_init1: %s", strerror(errno));
    guest_mkdir("d");
    CHECK(inotify_add_watch(inotify_fd, "d", IN_CREATE) == 1, "add_watch: %s",
          strerror(errno));
    return inotify_fd;
}

static void finish(int inotify_fd)
{
    struct guest_queue q;
    CHECK(fcntl(inotify_fd, F_SETFL, O_NONBLOCK) == 0, "F_SETFL");
    guest_adopt(&q, inotify_fd);
    guest_close(&q);
}

static void on_signal(int number)
{
    (void)number;
    signals++;
}

static void handle_signal(int flags)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = flags};
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0, "sigaction");
    signals = 0;
}

static void event_wakes_it(void)
{
    static const size_t sizes[] = {SHORT_READ, LONG_READ};
    static struct reader reader;
    int inotify_fd = open_blocking();
    for (size_t i = 0; i < GUEST_COUNT(sizes); i++) {
        reader_start(&reader, inotify_fd, sizes[i]);
        guest_touch(i == 0 ? "d/first" : "d/second");
        reader_expect(&reader, i == 0 ? "first" : "second");
    }
    finish(inotify_fd);
}

static void interrupt(size_t size)
{
    static struct reader reader;
    int inotify_fd = open_blocking();
    handle_signal(0);
    reader_start(&reader, inotify_fd, size);
    int64_t end_ms = guest_now_ms() + GUEST_DEADLINE_MS;
    while (!reader.done) {
        CHECK(guest_now_ms() < end_ms, "expected a signal to end the read");
        pthread_kill(reader.thread, SIGUSR1);
        usleep(20000);
    }
    pthread_join(reader.thread, NULL);
    CHECK(signals > 0, "expected the handler to run");
    CHECK(reader.got == -1 && reader.error == EINTR,
          "expected EINTR, seen %zd (%s)", reader.got, strerror(reader.error));
    finish(inotify_fd);
}

static void signal_interrupts_a_long_read(void)
{
    interrupt(LONG_READ);
}

static void signal_interrupts_a_short_read(void)
{
    interrupt(SHORT_READ);
}

static void restart(size_t size)
{
    static struct reader reader;
    int inotify_fd = open_blocking();
    handle_signal(SA_RESTART);
    reader_start(&reader, inotify_fd, size);
    for (int sent = 1; sent <= 5; sent++) {
        int64_t end_ms = guest_now_ms() + GUEST_DEADLINE_MS;
        pthread_kill(reader.thread, SIGUSR1);
        while (signals < sent) {
            CHECK(guest_now_ms() < end_ms, "expected the handler to run");
            usleep(200);
        }
        guest_await_asleep(reader.id);
        CHECK(!reader.done, "expected the read to go on, seen %zd (%s)",
              reader.got, strerror(reader.error));
    }
    guest_touch("d/file");
    reader_expect(&reader, "file");
    finish(inotify_fd);
}

/* One event fits the buffer that waits, the two that come together do not. */
static void a_waiting_read_takes_whole_events(void)
{
    enum { NAME = 200, EVENT = 16 + 208, ROOM = 300 };
    static struct reader reader;
    struct guest_event event = {0};
    char from[NAME + 3], to[NAME + 3];
    int inotify_fd = open_blocking();
    snprintf(from, sizeof(from), "d/%0*d", NAME, 1);
    snprintf(to, sizeof(to), "d/%0*d", NAME, 2);
    guest_touch(from);
    CHECK(read(inotify_fd, reader.bytes, ROOM) == EVENT, "read: %s",
          strerror(errno));
    guest_await_age(from);
    CHECK(close(inotify_fd) == 0, "close");
    inotify_fd = inotify_init1(IN_CLOEXEC); /* no read of it was short yet */
    CHECK(inotify_add_watch(inotify_fd, "d", IN_MOVE) == 1, "add_watch: %s",
          strerror(errno));
    reader_start(&reader, inotify_fd, ROOM);
    guest_rename(from, to);
    CHECK(pthread_join(reader.thread, NULL) == 0, "pthread_join");
    CHECK(reader.got == EVENT, "expected one event of %d bytes, seen %zd (%s)",
          EVENT, reader.got, strerror(reader.error));
    guest_parse(reader.bytes, EVENT, &event, 1);
    CHECK(event.mask == IN_MOVED_FROM, "expected MOVED_FROM: 0x%x",
          event.mask);
    CHECK(read(inotify_fd, reader.bytes, ROOM) == EVENT,
          "expected another event: %s", strerror(errno));
    guest_parse(reader.bytes, EVENT, &event, 1);
    CHECK(event.mask == IN_MOVED_TO && strcmp(event.name, to + 2) == 0,
          "expected MOVED_TO: 0x%x %s", event.mask, event.name);
    finish(inotify_fd);
}

static void sa_restart_hides_the_signal_from_a_long_read(void)
{
    restart(LONG_READ);
}

static void sa_restart_hides_the_signal_from_a_short_read(void)
{
    restart(SHORT_READ);
}

static void short_buffer_waits_before_it_is_refused(void)
{
    static struct reader reader;
    int inotify_fd = open_blocking();
    reader_start(&reader, inotify_fd, 8);
    guest_touch("d/file");
    pthread_join(reader.thread, NULL);
    CHECK(reader.got == -1 && reader.error == EINVAL,
          "expected EINVAL, seen %zd (%s)", reader.got, strerror(reader.error));
    CHECK(read(inotify_fd, reader.bytes, SHORT_READ) == 32,
          "expected the event to have stayed: %s", strerror(errno));
    finish(inotify_fd);
}

static void o_nonblock_can_come_and_go(void)
{
    static struct reader reader;
    static const size_t sizes[] = {SHORT_READ, LONG_READ};
    int inotify_fd = open_blocking();
    int flags = fcntl(inotify_fd, F_GETFL);
    for (size_t i = 0; i < GUEST_COUNT(sizes); i++) {
        CHECK(fcntl(inotify_fd, F_SETFL, flags | O_NONBLOCK) == 0, "F_SETFL");
        CHECK_FAILS(read(inotify_fd, reader.bytes, sizes[i]), EAGAIN);
        CHECK(fcntl(inotify_fd, F_SETFL, flags) == 0, "F_SETFL");
        reader_start(&reader, inotify_fd, sizes[i]);
        guest_touch(i == 0 ? "d/first" : "d/second");
        reader_expect(&reader, i == 0 ? "first" : "second");
    }
    finish(inotify_fd);
}

static void one_event_wakes_one_reader(void)
{
    static struct reader readers[2];
    int inotify_fd = open_blocking();
    reader_start(&readers[0], inotify_fd, LONG_READ);
    reader_start(&readers[1], inotify_fd, LONG_READ);
    guest_touch("d/first");
    int64_t end_ms = guest_now_ms() + GUEST_DEADLINE_MS;
    while (!readers[0].done && !readers[1].done) {
        CHECK(guest_now_ms() < end_ms, "expected one reader to wake");
        usleep(200);
    }
    int first = readers[0].done ? 0 : 1;
    guest_await_asleep(readers[1 - first].id);
    CHECK(!readers[1 - first].done, "expected the other reader to sleep on");
    reader_expect(&readers[first], "first");
    guest_touch("d/second");
    reader_expect(&readers[1 - first], "second");
    finish(inotify_fd);
}

static void close_below(size_t size)
{
    static struct reader reader;
    int inotify_fd = open_blocking();
    reader_start(&reader, inotify_fd, size);
    CHECK(close(inotify_fd) == 0, "close");
    guest_await_asleep(reader.id);
    CHECK(!reader.done, "expected the read to sleep on, seen %zd (%s)",
          reader.got, strerror(reader.error));
    guest_touch("d/file");
    reader_expect(&reader, "file");
}

static void closing_does_not_wake_a_reader(void)
{
    close_below(LONG_READ);
}

static void closing_does_not_wake_a_short_reader(void)
{
    close_below(SHORT_READ);
}

/* A process that makes a read. */
static pid_t fork_reader(size_t size)
{
    static char bytes[LONG_READ];
    int inotify_fd = open_blocking();
    pid_t pid = fork();
    CHECK(pid >= 0, "fork: %s", strerror(errno));
    if (pid == 0) {
        const struct rlimit none = {0, 0};
        ssize_t got;
        setrlimit(RLIMIT_CORE, &none);
        /* In a process of several threads, as QEMU's, it may be EINTR. */
        do
            got = read(inotify_fd, bytes, size);
        while (got < 0 && errno == EINTR);
        _exit(got < 0 ? 1 : 2);
    }
    close(inotify_fd);
    guest_await_asleep(pid);
    return pid;
}

/* By default it stops the process, goes on, and dumps core. */
static void stop_and_end(size_t size)
{
    pid_t pid = fork_reader(size);
    int status;
    CHECK(kill(pid, SIGSTOP) == 0, "kill");
    CHECK(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status),
          "expected it to stop: 0x%x", status);
    CHECK(kill(pid, SIGCONT) == 0, "kill");
    CHECK(waitpid(pid, &status, WCONTINUED) == pid && WIFCONTINUED(status),
          "expected it to go on: 0x%x", status);
    guest_await_asleep(pid);
    CHECK(kill(pid, SIGQUIT) == 0, "kill");
    CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) &&
              WTERMSIG(status) == SIGQUIT,
          "expected SIGQUIT to end it: 0x%x", status);
    guest_remove_tree("d");
}

static void stops_and_cores_reach_a_long_read(void)
{
    stop_and_end(LONG_READ);
}

static void stops_and_cores_reach_a_short_read(void)
{
    stop_and_end(SHORT_READ);
}

/* Reads again when interrupted, which under load it may be for nothing. */
static void *read_on(void *argument)
{
    struct reader *reader = argument;
    do {
        reader->got = read(reader->inotify_fd, reader->bytes, reader->size);
        reader->error = errno;
    } while (reader->got < 0 && reader->error == EINTR);
    return NULL;
}

/* Of the process' signals each is taken by one thread, and concerns no other. */
static void signals_of_others_leave_a_short_read_alone(void)
{
    const struct itimerval often = {{0, 500}, {0, 500}}, never = {0};
    static struct reader reader;
    struct sigaction action = {.sa_handler = on_signal,
                               .sa_flags = SA_RESTART};
    reader.inotify_fd = open_blocking();
    reader.size = SHORT_READ;
    CHECK(sigaction(SIGALRM, &action, NULL) == 0, "sigaction");
    CHECK(pthread_create(&reader.thread, NULL, read_on, &reader) == 0,
          "pthread_create");
    signals = 0;
    CHECK(setitimer(ITIMER_REAL, &often, NULL) == 0, "setitimer");
    int64_t end_ms = guest_now_ms() + 300;
    while (guest_now_ms() < end_ms || signals == 0)
        ;
    CHECK(setitimer(ITIMER_REAL, &never, NULL) == 0, "setitimer");
    guest_touch("d/file");
    reader_expect(&reader, "file");
    finish(reader.inotify_fd);
}

int main(int argc, char **argv)
{
    static const struct guest_case cases[] = {
        GUEST_CASE(event_wakes_it),
        GUEST_CASE(a_waiting_read_takes_whole_events),
        GUEST_CASE(signal_interrupts_a_long_read),
        GUEST_CASE(signal_interrupts_a_short_read),
        GUEST_CASE(sa_restart_hides_the_signal_from_a_long_read),
        GUEST_CASE(sa_restart_hides_the_signal_from_a_short_read),
        GUEST_CASE(short_buffer_waits_before_it_is_refused),
        GUEST_CASE(o_nonblock_can_come_and_go),
        GUEST_CASE(one_event_wakes_one_reader),
        GUEST_CASE(closing_does_not_wake_a_reader),
        GUEST_CASE(closing_does_not_wake_a_short_reader),
        GUEST_CASE(stops_and_cores_reach_a_long_read),
        GUEST_CASE(stops_and_cores_reach_a_short_read),
        GUEST_CASE(signals_of_others_leave_a_short_read_alone),
    };
    return guest_main(argc, argv, cases, GUEST_COUNT(cases));
}
