/*
 * Every copy of the descriptor, in whatever process and by whatever way it got
 * there, is the same instance; the instance ends with the last copy.
 */
#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define SHORT_EVENT 32
#define AFTER_EXEC "--after-exec"

static char self_path[4096];

static void open_watching(struct guest_queue *q)
{
    guest_mkdir("d");
    guest_open(q);
    CHECK(guest_watch(q, "d", IN_CREATE | IN_DELETE) == 1, "expected wd 1");
}

static void finish_child(void)
{
    fflush(stdout);
    _exit(0);
}

static pid_t start_child(void)
{
    fflush(stdout);
    pid_t child = fork();
    CHECK(child >= 0, "fork: %s", strerror(errno));
    return child;
}

static void dup_shares_queue_and_watches(void)
{
    struct guest_queue q, copy;
    open_watching(&q);
    guest_adopt(&copy, dup(q.fd));
    guest_mkdir("e");
    CHECK(guest_watch(&copy, "e", IN_CREATE) == 2, "expected the next wd");
    guest_touch("d/a");
    guest_expect(&copy, 1, IN_CREATE, "a");
    guest_touch("e/b");
    guest_expect(&q, 2, IN_CREATE, "b");
    guest_expect_quiet(&q);
    CHECK(close(q.fd) == 0, "close");
    guest_unlink("d/a");
    guest_expect(&copy, 1, IN_DELETE, "a");
    free(q.events);
    free(q.masks);
    guest_close(&copy);
}

static void short_read_through_a_dup_is_exact(void)
{
    struct guest_queue q;
    char bytes[64];
    open_watching(&q);
    int copy = dup2(q.fd, 100);
    CHECK(copy == 100, "dup2: %s", strerror(errno));
    guest_touch("d/a");
    guest_await_pending(copy, SHORT_EVENT);
    CHECK_FAILS(read(copy, bytes, 31), EINVAL);
    CHECK(read(copy, bytes, 42) == SHORT_EVENT, "expected the event: %s",
          strerror(errno));
    close(copy);
    guest_close(&q);
}

static void limit_descriptors(rlim_t soft)
{
    struct rlimit limit;
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0, "getrlimit");
    limit.rlim_cur = soft;
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0, "setrlimit");
}

/* F_DUPFD asks for a number that is no less than its argument. */
static void copies_have_the_least_number_asked_for(void)
{
    static const int commands[] = {F_DUPFD, F_DUPFD_CLOEXEC};
    static const struct {
        rlim_t limit;
        int least;
    } can[] = {{1024, 0}, {1024, 900}, {1024, 1000}, {64, 10}, {64, 60}},
      cannot[] = {{1024, -1}, {1024, INT_MIN}, {1024, 1024}, {1024, 1 << 30},
                  {64, 64}, {64, 100}, {64, 900}};
    struct guest_queue q;
    open_watching(&q);
    for (size_t c = 0; c < GUEST_COUNT(commands); c++) {
        for (size_t i = 0; i < GUEST_COUNT(can); i++) {
            limit_descriptors(can[i].limit);
            int copy = fcntl(q.fd, commands[c], can[i].least);
            CHECK(copy >= can[i].least && copy < (int)can[i].limit,
                  "limit %d: asked for %d, seen %d (%s)", (int)can[i].limit,
                  can[i].least, copy, strerror(errno));
            CHECK((fcntl(copy, F_GETFD) & FD_CLOEXEC) == (c ? FD_CLOEXEC : 0),
                  "FD_CLOEXEC is not as asked for");
            CHECK(guest_pending(copy) == 0, "expected a copy of the queue");
            close(copy);
        }
        for (size_t i = 0; i < GUEST_COUNT(cannot); i++) {
            limit_descriptors(cannot[i].limit);
            CHECK_FAILS(fcntl(q.fd, commands[c], cannot[i].least), EINVAL);
        }
    }
    guest_close(&q);
}

static void child_adds_and_parent_sees(void)
{
    struct guest_queue q;
    open_watching(&q);
    guest_mkdir("e");
    pid_t child = start_child();
    if (child == 0) {
        CHECK(inotify_add_watch(q.fd, "e", IN_CREATE) == 2, "add_watch: %s",
              strerror(errno));
        close(q.fd);
        finish_child();
    }
    guest_wait_child(child);
    guest_touch("e/a");
    guest_expect(&q, 2, IN_CREATE, "a");
    guest_touch("d/b");
    guest_expect(&q, 1, IN_CREATE, "b");
    guest_close(&q);
}

static void event_read_by_one_is_gone_for_all(void)
{
    struct guest_queue q;
    open_watching(&q);
    guest_touch("d/a");
    guest_await_pending(q.fd, SHORT_EVENT);
    pid_t child = start_child();
    if (child == 0) {
        guest_expect(&q, 1, IN_CREATE, "a");
        finish_child();
    }
    guest_wait_child(child);
    guest_expect_quiet(&q);
    guest_close(&q);
}

/* A child that sleeps in read() goes on when the parent has closed its copy. */
static void close_here_while_another_reads(void)
{
    struct guest_queue q;
    char bytes[4096];
    open_watching(&q);
    CHECK(fcntl(q.fd, F_SETFL, 0) == 0, "F_SETFL");
    pid_t child = start_child();
    if (child == 0) {
        struct guest_event event;
        CHECK(read(q.fd, bytes, sizeof bytes) == SHORT_EVENT, "read: %s",
              strerror(errno));
        guest_parse(bytes, SHORT_EVENT, &event, 1);
        CHECK(event.mask == IN_CREATE && strcmp(event.name, "a") == 0,
              "expected IN_CREATE a, seen 0x%x %s", event.mask, event.name);
        finish_child();
    }
    guest_await_asleep(child);
    CHECK(close(q.fd) == 0, "close");
    free(q.masks);
    guest_touch("d/a");
    guest_wait_child(child);
}

static void child_can_have_its_own(void)
{
    struct guest_queue q;
    open_watching(&q);
    pid_t child = start_child();
    if (child == 0) {
        struct guest_queue own;
        guest_open(&own);
        CHECK(guest_watch(&own, "d", IN_CREATE) == 1, "expected wd 1");
        guest_touch("d/a");
        guest_expect(&own, 1, IN_CREATE, "a");
        guest_close(&own);
        finish_child();
    }
    guest_wait_child(child);
    guest_expect(&q, 1, IN_CREATE, "a");
    guest_close(&q);
}

/* What the program does after the exec of the next two cases. */
static int after_exec(int inotify_fd, bool cloexec)
{
    struct guest_queue q;
    if (cloexec) {
        CHECK_FAILS(fcntl(inotify_fd, F_GETFD), EBADF);
        return 0;
    }
    guest_adopt(&q, inotify_fd);
    guest_expect(&q, 1, IN_CREATE, "before");
    guest_touch("d/after");
    guest_expect(&q, 1, IN_CREATE, "after");
    CHECK(guest_watch(&q, ".", IN_CREATE) == 2, "expected wd 2");
    guest_touch("more");
    guest_expect(&q, 2, IN_CREATE, "more");
    guest_close(&q);
    return 0;
}

static void exec_with(int flags, const char *cloexec)
{
    char number[16];
    if (guest_foreign())
        guest_skip("a foreign program's exec needs binfmt_misc");
    guest_mkdir("d");
    int inotify_fd = inotify_init1(IN_NONBLOCK | flags);
    CHECK(inotify_add_watch(inotify_fd, "d", IN_CREATE) == 1, "add_watch: %s",
          strerror(errno));
    guest_touch("d/before");
    guest_await_pending(inotify_fd, SHORT_EVENT);
    snprintf(number, sizeof number, "%d", inotify_fd);
    pid_t child = start_child();
    if (child == 0) {
        execl(self_path, self_path, AFTER_EXEC, number, cloexec, (char *)NULL);
        guest_fail("exec %s: %s", self_path, strerror(errno));
    }
    guest_wait_child(child);
    close(inotify_fd);
}

static void exec_keeps_the_descriptor(void)
{
    exec_with(0, "0");
}

static void cloexec_closes_it(void)
{
    exec_with(IN_CLOEXEC, "1");
}

static void send_descriptor(int socket_fd, int sent_fd)
{
    char byte = 0, control[CMSG_SPACE(sizeof sent_fd)] = {0};
    struct iovec data = {&byte, 1};
    struct msghdr message = {.msg_iov = &data,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof control};
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof sent_fd);
    memcpy(CMSG_DATA(head), &sent_fd, sizeof sent_fd);
    CHECK(sendmsg(socket_fd, &message, 0) == 1, "sendmsg: %s", strerror(errno));
}

static int receive_descriptor(int socket_fd)
{
    char byte, control[CMSG_SPACE(sizeof(int))];
    struct iovec data = {&byte, 1};
    struct msghdr message = {.msg_iov = &data,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof control};
    int received = -1;
    CHECK(recvmsg(socket_fd, &message, 0) == 1, "recvmsg: %s", strerror(errno));
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    CHECK(head != NULL && head->cmsg_type == SCM_RIGHTS, "no descriptor came");
    memcpy(&received, CMSG_DATA(head), sizeof received);
    return received;
}

static void descriptor_passed_over_a_socket_is_the_same(void)
{
    int ends[2];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0, "socketpair");
    pid_t child = start_child(); /* knows the descriptor by the socket alone */
    if (child == 0) {
        struct guest_queue q;
        guest_adopt(&q, receive_descriptor(ends[1]));
        CHECK(read(ends[1], &(char){0}, 1) == 1, "sender has closed");
        guest_expect(&q, 1, IN_CREATE, "before");
        guest_touch("d/after");
        guest_expect(&q, 1, IN_CREATE, "after");
        guest_mkdir("e");
        CHECK(guest_watch(&q, "e", IN_CREATE) == 2, "expected wd 2");
        guest_touch("e/more");
        guest_expect(&q, 2, IN_CREATE, "more");
        CHECK(inotify_rm_watch(q.fd, 1) == 0, "rm_watch: %s", strerror(errno));
        guest_expect(&q, 1, IN_IGNORED, NULL);
        guest_close(&q);
        finish_child();
    }
    struct guest_queue q;
    open_watching(&q);
    guest_touch("d/before");
    guest_await_pending(q.fd, SHORT_EVENT);
    send_descriptor(ends[0], q.fd);
    close(q.fd);
    free(q.masks);
    CHECK(write(ends[0], "", 1) == 1, "write: %s", strerror(errno));
    guest_wait_child(child);
    close(ends[0]);
    close(ends[1]);
}

static void killed_holder_leaves_the_others_their_instance(void)
{
    struct guest_queue q;
    int status;
    open_watching(&q);
    pid_t child = start_child();
    if (child == 0) {
        struct guest_queue own; /* dies with its holder */
        guest_open(&own);
        guest_watch(&own, "d", IN_CREATE);
        guest_touch("ready");
        fcntl(q.fd, F_SETFL, 0);
        for (char bytes[4096];;)
            if (read(q.fd, bytes, sizeof bytes) < 0)
                break;
        _exit(1);
    }
    while (access("ready", F_OK) != 0)
        usleep(200);
    guest_await_asleep(child);
    CHECK(kill(child, SIGKILL) == 0, "kill: %s", strerror(errno));
    CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status),
          "expected the child to be killed, seen status 0x%x", status);
    fcntl(q.fd, F_SETFL, O_NONBLOCK);
    guest_expect_quiet_in(&q, 1, "d");
    guest_touch("d/a");
    guest_expect(&q, 1, IN_CREATE, "a");
    guest_close(&q);
}

int main(int argc, char **argv)
{
    static const struct guest_case cases[] = {
        GUEST_CASE(dup_shares_queue_and_watches),
        GUEST_CASE(short_read_through_a_dup_is_exact),
        GUEST_CASE(copies_have_the_least_number_asked_for),
        GUEST_CASE(child_adds_and_parent_sees),
        GUEST_CASE(event_read_by_one_is_gone_for_all),
        GUEST_CASE(close_here_while_another_reads),
        GUEST_CASE(child_can_have_its_own),
        GUEST_CASE(exec_keeps_the_descriptor),
        GUEST_CASE(cloexec_closes_it),
        GUEST_CASE(descriptor_passed_over_a_socket_is_the_same),
        GUEST_CASE(killed_holder_leaves_the_others_their_instance),
    };
    if (argc == 4 && strcmp(argv[1], AFTER_EXEC) == 0)
        return after_exec(atoi(argv[2]), argv[3][0] == '1');
    if (realpath(argv[0], self_path) == NULL)
        return 1;
    return guest_main(argc, argv, cases, GUEST_COUNT(cases));
}
