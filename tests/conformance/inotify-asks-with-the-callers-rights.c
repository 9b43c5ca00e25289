/*
 * inotify_add_watch looks its path up with the rights that the calling thread
 * has by then, whichever way it came to them.  No case calls setgroups, which
 * vnotify is told of, as it is of unshare: what changes rights otherwise it must
 * see.
 */
#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NOBODY 65534
#define EXPECT "--expect-no-access"

static char *self;

/* "closed" is nobody's: to root open by a capability alone; "private" is
   root's. */
static void make_closed(void)
{
    if (geteuid() != 0)
        guest_skip("only root's rights change in all these ways");
    guest_mkdir("closed");
    guest_touch("private");
    guest_chmod("private", 0600);
    CHECK(chmod("closed", 0700) == 0 && chown("closed", NOBODY, NOBODY) == 0,
          "closed: %s", strerror(errno));
}

static int add(const char *path)
{
    int inotify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    int result, error;

    CHECK(inotify_fd >= 0, "inotify_init1: %s", strerror(errno));
    result = inotify_add_watch(inotify_fd, path, IN_ATTRIB);
    error = errno;
    close(inotify_fd);
    errno = error;
    return result;
}

static void expect_access(void)
{
    CHECK(add("closed") == 1, "closed: %s", strerror(errno));
    CHECK(add("private") == 1, "private: %s", strerror(errno));
}

/* In a process of its own: `become`, then one of the two is out of reach. */
static void expect_none_after(void (*become)(void), const char *path)
{
    pid_t child;

    make_closed();
    expect_access();
    child = fork();
    if (child == 0) {
        become();
        CHECK_FAILS(add(path), EACCES);
        fflush(stdout);
        _exit(0);
    }
    guest_wait_child(child);
}

static void root_of_another_user_namespace(void)
{
    int status_fd[2];
    char byte = 0;
    long child;

    make_closed();
    expect_access();
    CHECK(pipe(status_fd) == 0, "pipe");
    child = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
    if (child == 0) { /* a clone of its own: no stdio, no locks */
        int inotify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
        int result = inotify_add_watch(inotify_fd, "closed", IN_ATTRIB);

        byte = result == -1 && errno == EACCES ? 'y' : 'n';
        _exit(write(status_fd[1], &byte, 1) != 1);
    }
    if (child < 0)
        guest_skip("no user namespaces here: %s", strerror(errno));
    guest_wait_child((pid_t)child);
    CHECK(read(status_fd[0], &byte, 1) == 1 && byte == 'y',
          "no EACCES in a namespace of its own");
    close(status_fd[0]);
    close(status_fd[1]);
}

/* Entered by a thread that was seen before. */
static void another_user_namespace_is_entered(void)
{
    make_closed();
    for (int i = 0; i < 16; i++)
        expect_access();
    if (unshare(CLONE_NEWUSER) != 0)
        guest_skip("no user namespaces here: %s", strerror(errno));
    CHECK_FAILS(add("closed"), EACCES);
}

static void copy_self(const char *path)
{
    char bytes[65536];
    int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    int to = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
    ssize_t got;

    CHECK(from >= 0 && to >= 0, "%s: %s", path, strerror(errno));
    while ((got = read(from, bytes, sizeof bytes)) > 0)
        CHECK(write(to, bytes, (size_t)got) == got, "%s", path);
    close(from);
    close(to);
}

/* It would be run by the kernel, which knows only programs of this CPU. */
static void skip_programs_if_foreign(void)
{
    if (guest_foreign())
        guest_skip("starts a program");
}

/* Instead of this one: a program that is this one, or a copy. */
static void run_and_expect_no_access(const char *program, const char *path)
{
    execl(program, program, EXPECT, path, NULL);
    guest_fail("exec: %s", strerror(errno));
}

static void set_user_id_program(void)
{
    pid_t child;

    skip_programs_if_foreign();
    make_closed();
    expect_access();
    copy_self("program");
    CHECK(chown("program", NOBODY, 0) == 0 && chmod("program", 04755) == 0,
          "program: %s", strerror(errno));
    child = fork();
    if (child == 0)
        run_and_expect_no_access("./program", "private");
    guest_wait_child(child);
}

static void drop_file_capabilities(void)
{
    struct __user_cap_header_struct header = {
        .version = _LINUX_CAPABILITY_VERSION_3,
    };
    struct __user_cap_data_struct data[2];
    const uint32_t files = 1u << CAP_DAC_OVERRIDE | 1u << CAP_DAC_READ_SEARCH;

    CHECK(syscall(SYS_capget, &header, data) == 0, "capget");
    data[0].effective &= ~files;
    CHECK(syscall(SYS_capset, &header, data) == 0, "capset");
}

static void capabilities_that_were_dropped(void)
{
    expect_none_after(drop_file_capabilities, "closed");
}

static void file_system_user(void)
{
    make_closed();
    expect_access();
    setfsuid(NOBODY);
    CHECK_FAILS(add("private"), EACCES);
    CHECK(add("closed") == 1, "closed, as its owner: %s", strerror(errno));
    setfsuid(0);
    expect_access();
}

static void *become_nobody(void *done)
{
    CHECK(syscall(SYS_setresuid, NOBODY, NOBODY, NOBODY) == 0, "setresuid");
    CHECK_FAILS(add("private"), EACCES);
    return done;
}

static void one_thread_alone(void)
{
    pthread_t thread;

    make_closed();
    CHECK(pthread_create(&thread, NULL, become_nobody, NULL) == 0, "thread");
    pthread_join(thread, NULL);
    expect_access();
}

static void without_bounding_capabilities(void)
{
    CHECK(prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0) == 0 &&
              prctl(PR_CAPBSET_DROP, CAP_DAC_READ_SEARCH, 0, 0, 0) == 0,
          "PR_CAPBSET_DROP: %s", strerror(errno));
    run_and_expect_no_access(self, "closed");
}

static void program_of_a_smaller_bounding_set(void)
{
    skip_programs_if_foreign();
    expect_none_after(without_bounding_capabilities, "closed");
}

static void without_root(void)
{
    CHECK(prctl(PR_SET_SECUREBITS, SECBIT_NOROOT, 0, 0, 0) == 0,
          "PR_SET_SECUREBITS: %s", strerror(errno));
    run_and_expect_no_access(self, "closed");
}

static void program_of_a_root_without_powers(void)
{
    skip_programs_if_foreign();
    expect_none_after(without_root, "closed");
}

/* As the program that another case has started. */
static int expect_no_access(const char *path)
{
    int result = add(path);

    if (result == -1 && errno == EACCES)
        return 0;
    printf("%s: %d (%s), expected EACCES\n", path, result, strerror(errno));
    return 1;
}

int main(int argc, char **argv)
{
    static const struct guest_case cases[] = {
        GUEST_CASE(root_of_another_user_namespace),
        GUEST_CASE(another_user_namespace_is_entered),
        GUEST_CASE(set_user_id_program),
        GUEST_CASE(capabilities_that_were_dropped),
        GUEST_CASE(file_system_user),
        GUEST_CASE(one_thread_alone),
        GUEST_CASE(program_of_a_smaller_bounding_set),
        GUEST_CASE(program_of_a_root_without_powers),
    };

    if (argc == 3 && !strcmp(argv[1], EXPECT))
        return expect_no_access(argv[2]);
    self = realpath(argv[0], NULL);
    return guest_main(argc, argv, cases, GUEST_COUNT(cases));
}
