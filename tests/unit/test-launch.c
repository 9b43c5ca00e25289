/*
 * test-launch.c - `vnotify run` from outside: as if the program ran alone
 *
 * Each test runs a shell command, or something like it, by launch_run in a
 * child, as main would, and looks at its status and output.
 */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "emulator/launch.h"

static char dir[] = "/tmp/vnotify-unit-XXXXXX";
static char output[4096]; /* stdout and stderr of the last run */
static int from_guest;
static bool natively; /* without launch_run, to compare */

static pid_t start(char *program, char *option, char *argument)
{
    char *argv[] = { program, option, argument, NULL };
    struct options options = { .operands = argv, .operand_count = 3 };
    int ends[2];
    pid_t pid;

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        int status;

        dup2(ends[1], STDOUT_FILENO);
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        if (natively) {
            execvp(program, argv);
            _exit(LAUNCH_FAILED);
        }
        status = launch_run(&options);
        fflush(NULL);
        _exit(status);
    }
    close(ends[1]);
    from_guest = ends[0];
    return pid;
}

static void read_output(size_t enough)
{
    size_t used = 0;
    ssize_t got = 1;

    while (got > 0 && used < enough && used < sizeof(output) - 1) {
        got = read(from_guest, output + used, sizeof(output) - 1 - used);
        used += got > 0 ? (size_t)got : 0;
    }
    output[used] = '\0';
}

static int finish(pid_t pid)
{
    int status;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    close(from_guest);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* To the end: of the run, and of what holds its output. */
static int run(char *program, char *option, char *argument)
{
    pid_t pid = start(program, option, argument);

    read_output(sizeof(output));
    return finish(pid);
}

static int shell(const char *command)
{
    static char name[] = "sh";
    static char option[] = "-c";
    char copy[512];

    strcpy(copy, command);
    return run(name, option, copy);
}

static void make_file(const char *text, mode_t mode, char *path, size_t size)
{
    int host_fd;

    snprintf(path, size, "%s/program", dir);
    unlink(path);
    host_fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0700);
    assert_int_equal(write(host_fd, text, strlen(text)), strlen(text));
    assert_int_equal(fchmod(host_fd, mode), 0);
    close(host_fd);
}

static void test_launch_status_is_the_programs(void **state)
{
    (void)state;
    assert_int_equal(shell("exit 0"), 0);
    assert_int_equal(shell("exit 7"), 7);
    assert_int_equal(shell("kill -KILL $$"), 128 + SIGKILL);
    assert_int_equal(shell("kill -TERM $$"), 128 + SIGTERM);
    assert_string_equal(output, "");
}

static void test_launch_says_what_cannot_be_run(void **state)
{
    char path[64];

    (void)state;
    strcpy(path, "/no/such/program");
    assert_int_equal(run(path, NULL, NULL), 127);
    assert_non_null(strstr(output, "vnotify: /no/such/program: "));
    make_file("not executable", 0600, path, sizeof(path));
    assert_int_equal(run(path, NULL, NULL), 126);
    make_file("\177ELF nonsense", 0700, path, sizeof(path));
    assert_int_not_equal(run(path, NULL, NULL), 0);
    /* No #!: the shell's, as for env. */
    make_file("echo script $1; exit 3\n", 0700, path, sizeof(path));
    strcpy(output, "argument");
    assert_int_equal(run(path, output, NULL), 3);
    assert_string_equal(output, "script argument\n");
}

static void test_launch_passes_signals_on(void **state)
{
    static char name[] = "sh";
    static char option[] = "-c";
    static char command[] = "trap 'exit 9' USR1; echo ready; "
                            "while :; do sleep 0.01; done";
    pid_t pid = start(name, option, command);

    (void)state;
    read_output(1);
    kill(pid, SIGUSR1);
    assert_int_equal(finish(pid), 9);
    pid = start(name, option, command);
    read_output(1);
    kill(pid, SIGTERM);
    assert_int_equal(finish(pid), 128 + SIGTERM);
}

static void test_launch_stops_with_the_guest(void **state)
{
    static char name[] = "sh";
    static char option[] = "-c";
    static char command[] = "kill -STOP $$; exit 4";
    pid_t pid = start(name, option, command);
    int status;

    (void)state;
    assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
    assert_true(WIFSTOPPED(status));
    kill(pid, SIGCONT);
    assert_int_equal(finish(pid), 4);
}

/* Descriptors, limits, signals, group and terminal: as without us. */
static void test_launch_adds_nothing_to_the_guest(void **state)
{
    static const char command[] =
        "ulimit -n; ulimit -Hn; ls /proc/self/fd; umask; pwd; tty; "
        "grep -E 'Sig(Blk|Ign|Cgt)|NoNewPrivs|Cap' /proc/self/status; "
        "ps -o pgid=,sid= $$";
    char alone[sizeof(output)];
    struct rlimit limit;
    struct rlimit lower;

    (void)state;
    getrlimit(RLIMIT_NOFILE, &limit);
    lower = limit;
    lower.rlim_cur = 500;
    setrlimit(RLIMIT_NOFILE, &lower);
    natively = true;
    assert_int_equal(shell(command), 0);
    natively = false;
    strcpy(alone, output);
    assert_int_equal(shell(command), 0);
    setrlimit(RLIMIT_NOFILE, &limit);
    if (geteuid() == 0) /* else no_new_privs shows */
        assert_string_equal(output, alone);
    assert_int_equal(strncmp(output, "500\n", 4), 0);
}

/* A daemon has closed our output; what it does shows in a file. */
static void test_launch_serves_daemons_on(void **state)
{
    char command[512];
    char path[64];
    struct stat file;

    (void)state;
    snprintf(path, sizeof(path), "%s/daemon", dir);
    snprintf(command, sizeof(command),
             "cd %s; mkfifo go; mkdir watched;"
             "(cat go; inotifywait -qq -t 1 watched; echo $? > daemon.new;"
             " mv daemon.new daemon) > /dev/null 2>&1 & exit 6",
             dir);
    assert_int_equal(shell(command), 6);
    assert_int_equal(stat(path, &file), -1);
    snprintf(command, sizeof(command), "echo > %s/go", dir);
    assert_int_equal(system(command), 0);
    while (stat(path, &file) != 0)
        sched_yield();
    snprintf(command, sizeof(command), "grep -qx 2 %s", path);
    assert_int_equal(system(command), 0); /* 2: timed out, 1: no inotify */
}

static void test_launch_refuses_to_nest(void **state)
{
    char command[512];
    char self[256];
    ssize_t got = readlink("/proc/self/exe", self, sizeof(self) - 1);

    (void)state;
    assert_true(got > 0);
    self[got] = '\0';
    snprintf(command, sizeof(command), "%s nested", self);
    assert_int_equal(shell(command), LAUNCH_FAILED);
    assert_non_null(strstr(output, "vnotify: cannot trap system calls: another "
                                   "supervisor"));
}

static int setup(void **state)
{
    (void)state;
    return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
    char command[64];

    (void)state;
    snprintf(command, sizeof(command), "rm -r %s", dir);
    return system(command);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_launch_status_is_the_programs),
        cmocka_unit_test(test_launch_says_what_cannot_be_run),
        cmocka_unit_test(test_launch_passes_signals_on),
        cmocka_unit_test(test_launch_stops_with_the_guest),
        cmocka_unit_test(test_launch_adds_nothing_to_the_guest),
        cmocka_unit_test(test_launch_serves_daemons_on),
        cmocka_unit_test(test_launch_refuses_to_nest),
    };

    (void)argv;
    if (argc > 1) { /* test_launch_refuses_to_nest runs this program */
        static char name[] = "true";
        char *guest[] = { name, NULL };
        struct options options = { .operands = guest, .operand_count = 1 };

        return launch_run(&options);
    }
    return cmocka_run_group_tests(tests, setup, teardown);
}
