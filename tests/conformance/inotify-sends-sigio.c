/*
 * O_ASYNC: a signal for every event that arrives, with F_SETSIG one that says
 * which descriptor.
 */
#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void open_async(struct guest_queue *q, int number)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, number);
    CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0, "sigprocmask");
    guest_mkdir("d");
    guest_open(q);
    CHECK(guest_watch(q, "d", IN_CREATE) == 1, "expected wd 1");
    CHECK(fcntl(q->fd, F_SETOWN, getpid()) == 0, "F_SETOWN: %s",
          strerror(errno));
}

static siginfo_t await_signal(int number)
{
    struct timespec wait = {GUEST_DEADLINE_MS / 1000, 0};
    siginfo_t info = {0};
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, number);
    if (guest_native())
        wait.tv_sec = 0; /* a signal may lag even where reading does not */
    CHECK(sigtimedwait(&set, &info, &wait) == number,
          "expected signal %d, seen none", number);
    return info;
}

static void sigio_for_each_event(void)
{
    struct guest_queue q;
    char path[16], name[8];
    open_async(&q, SIGIO);
    CHECK(fcntl(q.fd, F_SETFL, O_NONBLOCK | O_ASYNC) == 0, "F_SETFL: %s",
          strerror(errno));
    for (int i = 0; i < 5; i++) {
        snprintf(name, sizeof name, "%d", i);
        snprintf(path, sizeof path, "d/%d", i);
        guest_touch(path);
        siginfo_t info = await_signal(SIGIO);
        CHECK(info.si_code == SI_KERNEL, "expected SI_KERNEL, seen %d",
              info.si_code);
    }
    for (int i = 0; i < 5; i++) {
        snprintf(name, sizeof name, "%d", i);
        guest_expect(&q, 1, IN_CREATE, name);
    }
    guest_close(&q);
}

static void chosen_signal_tells_the_descriptor(void)
{
    struct guest_queue q;
    int number = SIGRTMIN + 3;
    if (guest_foreign())
        guest_skip("QEMU moves real-time signals");
    open_async(&q, number);
    CHECK(fcntl(q.fd, F_SETSIG, number) == 0, "F_SETSIG: %s", strerror(errno));
    CHECK(fcntl(q.fd, F_SETFL, O_NONBLOCK | O_ASYNC) == 0, "F_SETFL: %s",
          strerror(errno));
    guest_touch("d/a");
    siginfo_t info = await_signal(number);
    CHECK(info.si_fd == q.fd && info.si_code == POLL_IN &&
              info.si_band == (POLLIN | POLLRDNORM),
          "expected fd %d, POLL_IN, band 0x41, seen %d, %d, 0x%lx", q.fd,
          info.si_fd, info.si_code, (unsigned long)info.si_band);
    guest_expect(&q, 1, IN_CREATE, "a");
    guest_close(&q);
}

int main(int argc, char **argv)
{
    static const struct guest_case cases[] = {
        GUEST_CASE(sigio_for_each_event),
        GUEST_CASE(chosen_signal_tells_the_descriptor),
    };
    return guest_main(argc, argv, cases, GUEST_COUNT(cases));
}
