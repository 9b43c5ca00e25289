/*
 * guest.c - cases, their processes and directories
 */
#include "guest.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SKIP_STATUS 77
#define CASE_SECONDS 90
#define FD_MAX 20000

static pid_t supervisor;
static char sentinels[500] = "../sentinel"; /* as seen after an exec */

static bool environment_is(const char *name, const char *value)
{
    const char *set = getenv(name);
    return set != NULL && strcmp(set, value) == 0;
}

bool guest_native(void)
{
    return getenv("VNOTIFY_TEST_MODE") == NULL ||
           environment_is("VNOTIFY_TEST_MODE", "native");
}

bool guest_strict(void)
{
    return environment_is("VNOTIFY_TEST_MODE", "strict");
}

bool guest_lags(void)
{
    return !guest_native() && !guest_strict();
}

bool guest_foreign(void)
{
    return environment_is("VNOTIFY_TEST_FOREIGN", "1");
}

bool guest_sees_use(void)
{
    return !environment_is("VNOTIFY_TEST_NOTES", "macos");
}

pid_t guest_supervisor(void)
{
    return supervisor;
}

const char *guest_sentinels(void)
{
    return sentinels;
}

int64_t guest_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

unsigned guest_seed(void)
{
    const char *set = getenv("VNOTIFY_TEST_SEED");
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    unsigned seed = set != NULL
                        ? (unsigned)strtoul(set, NULL, 10)
                        : (unsigned)now.tv_nsec ^ (unsigned)getpid() << 16;
    printf("     seed: VNOTIFY_TEST_SEED=%u\n", seed);
    fflush(stdout);
    return seed;
}

void guest_fail_at(const char *file, int line, const char *format, ...)
{
    const char *base = strrchr(file, '/');
    va_list arguments;
    flockfile(stdout); /* to the end: threads that fail at once are one line */
    va_start(arguments, format);
    printf("     %s:%d: ", base != NULL ? base + 1 : file, line);
    vprintf(format, arguments);
    printf("\n");
    va_end(arguments);
    fflush(stdout);
    _exit(1);
}

void guest_skip(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    printf("     skipped: ");
    vprintf(format, arguments);
    printf("\n");
    va_end(arguments);
    fflush(stdout);
    _exit(SKIP_STATUS);
}

void guest_check_fails(const char *file, int line, const char *call,
                       long result, int error)
{
    int seen = errno;
    if (result >= 0)
        guest_fail_at(file, line, "%s: expected %s, seen success (%ld)", call,
                      strerrorname_np(error), result);
    if (seen != error)
        guest_fail_at(file, line, "%s: expected %s, seen %s", call,
                      strerrorname_np(error), strerrorname_np(seen));
}

static int remove_entry(const char *path, const struct stat *status, int type,
                        struct FTW *walk)
{
    (void)status;
    (void)type;
    (void)walk;
    return remove(path);
}

void guest_remove_tree(const char *path)
{
    if (nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS) != 0)
        guest_fail("cannot remove %s: %s", path, strerror(errno));
}

/* Notes which descriptors are open; with `before`, those must be the same. */
static void list_descriptors(bool *open_now, const bool *before)
{
    DIR *list = opendir("/proc/self/fd");
    CHECK(list != NULL, "/proc/self/fd: %s", strerror(errno));
    for (struct dirent *entry; (entry = readdir(list)) != NULL;) {
        int number = atoi(entry->d_name);
        if (entry->d_name[0] == '.' || number >= FD_MAX ||
            number == dirfd(list))
            continue;
        open_now[number] = true;
        if (before != NULL && !before[number]) {
            char path[300], target[256] = "?";
            snprintf(path, sizeof path, "/proc/self/fd/%s", entry->d_name);
            if (readlink(path, target, sizeof target - 1) < 0)
                target[0] = '?';
            guest_fail("expected no new descriptor, seen %d: %s", number,
                       target);
        }
    }
    closedir(list);
}

static void run_in_child(const struct guest_case *test, const char *dir)
{
    static bool before[FD_MAX], after[FD_MAX];
    alarm(CASE_SECONDS);
    if (mkdir(dir, 0755) != 0 || chdir(dir) != 0 ||
        mkdir("sentinel", 0755) != 0 || mkdir("work", 0755) != 0 ||
        chdir("work") != 0)
        guest_fail("%s: %s", dir, strerror(errno));
    list_descriptors(before, NULL);
    test->run();
    list_descriptors(after, before);
    for (int i = 0; i < FD_MAX; i++)
        CHECK(!before[i] || after[i],
              "expected descriptor %d to be open still, seen closed", i);
    fflush(stdout);
    _exit(0);
}

/* The case's exit status; 1 when a signal ended it. */
static int run_case(const struct guest_case *test, const char *top)
{
    char dir[400];
    int status = 0;
    snprintf(dir, sizeof dir, "%s/%s", top, test->name);
    snprintf(sentinels, sizeof sentinels, "%s/sentinel", dir);
    fflush(stdout);
    pid_t child = fork();
    CHECK(child >= 0, "fork: %s", strerror(errno));
    if (child == 0)
        run_in_child(test, dir);
    while (waitpid(child, &status, 0) < 0)
        CHECK(errno == EINTR, "waitpid: %s", strerror(errno));
    if (WIFSIGNALED(status))
        printf("     ended by SIG%s%s\n", sigabbrev_np(WTERMSIG(status)),
               WTERMSIG(status) == SIGALRM ? " (it hung)" : "");
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static bool is_wanted(int argc, char **argv, const char *name)
{
    bool wanted = argc < 2;
    for (int i = 1; i < argc; i++)
        wanted |= strcmp(argv[i], name) == 0;
    return wanted;
}

int guest_main(int argc, char **argv, const struct guest_case *cases,
               size_t count)
{
    const char *base = getenv("VNOTIFY_TEST_DIR");
    const char *named = getenv("VNOTIFY_SUPERVISOR_PID");
    char top[256];
    size_t ran = 0, failed = 0, skipped = 0;
    if (argc == 2 && strcmp(argv[1], "--list") == 0) {
        for (size_t i = 0; i < count; i++)
            printf("%s\n", cases[i].name);
        return 0;
    }
    if (!guest_native())
        supervisor = named != NULL ? (pid_t)atoi(named) : getppid();
    snprintf(top, sizeof top, "%s/guest-XXXXXX", base != NULL ? base : "/tmp");
    CHECK(mkdtemp(top) != NULL, "%s: %s", top, strerror(errno));
    for (size_t i = 0; i < count; i++) {
        if (!is_wanted(argc, argv, cases[i].name))
            continue;
        int64_t start_ms = guest_now_ms();
        int status = run_case(&cases[i], top);
        ran++;
        failed += status != 0 && status != SKIP_STATUS;
        skipped += status == SKIP_STATUS;
        printf("%-4s %s (%lld ms)\n",
               status == 0             ? "ok"
               : status == SKIP_STATUS ? "skip"
                                       : "FAIL",
               cases[i].name, (long long)(guest_now_ms() - start_ms));
    }
    fflush(stdout);
    guest_remove_tree(top);
    if (failed > 0 || ran == 0)
        return 1;
    return skipped == ran ? SKIP_STATUS : 0;
}

void guest_touch(const char *path)
{
    CHECK(mknod(path, S_IFREG | 0644, 0) == 0, "mknod %s: %s", path,
          strerror(errno));
}

static bool is_newborn(const struct statx *stx)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME_COARSE, &now);
    int64_t age_ns = (now.tv_sec - stx->stx_ctime.tv_sec) * 1000000000LL
        + ((int64_t)now.tv_nsec - stx->stx_ctime.tv_nsec);
    return stx->stx_ctime.tv_sec == stx->stx_btime.tv_sec
        && stx->stx_ctime.tv_nsec == stx->stx_btime.tv_nsec
        && age_ns < 30 * 1000000LL;
}

void guest_await_age(const char *path)
{
    struct statx stx;
    struct timespec step = { .tv_nsec = 1000000 };
    while (statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW,
                 STATX_BTIME | STATX_CTIME, &stx) == 0
           && (stx.stx_mask & STATX_BTIME) != 0 && is_newborn(&stx))
        nanosleep(&step, NULL);
}

void guest_write(const char *path, const char *text)
{
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    CHECK(file >= 0, "open %s: %s", path, strerror(errno));
    CHECK(write(file, text, strlen(text)) == (ssize_t)strlen(text),
          "write %s: %s", path, strerror(errno));
    close(file);
}

void guest_mkdir(const char *path)
{
    CHECK(mkdir(path, 0755) == 0, "mkdir %s: %s", path, strerror(errno));
}

void guest_unlink(const char *path)
{
    CHECK(unlink(path) == 0, "unlink %s: %s", path, strerror(errno));
}

void guest_rmdir(const char *path)
{
    CHECK(rmdir(path) == 0, "rmdir %s: %s", path, strerror(errno));
}

void guest_rename(const char *from, const char *to)
{
    guest_await_age(from);
    CHECK(rename(from, to) == 0, "rename %s %s: %s", from, to, strerror(errno));
}

void guest_chmod(const char *path, mode_t mode)
{
    CHECK(chmod(path, mode) == 0, "chmod %s: %s", path, strerror(errno));
}
