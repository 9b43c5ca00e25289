/*
 * guest-task.c - what /proc says about a thread of the guest
 */
#include "emulator/guest-task.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "emulator/proc-status.h"

static int status_groups(const char *status, struct guest_credentials *to)
{
    const char *text = status_find(status, "Groups");
    int room = 0;

    while (text) {
        char *end;
        unsigned long gid;

        text += strspn(text, "\t ");
        if (*text == '\n' || !*text)
            break;
        gid = strtoul(text, &end, 10);
        if (end == text)
            break;
        if (to->group_count == room) {
            gid_t *more;

            room = room ? room * 2 : 32;
            more = realloc(to->groups, (size_t)room * sizeof(*more));
            if (!more)
                return -ENOMEM;
            to->groups = more;
        }
        to->groups[to->group_count++] = (gid_t)gid;
        text = end;
    }
    return 0;
}

/* "user:[4026531837]", say.  To ask for its inode instead makes the kernel find
   that first, which takes three times as long. */
enum { NAMESPACE_MAX = 64 };

static bool user_namespace(const char *path, char text[NAMESPACE_MAX])
{
    ssize_t got = readlink(path, text, NAMESPACE_MAX - 1);

    text[got < 0 ? 0 : got] = '\0';
    return got > 0;
}

/* Our own, which we never change; or "". */
static char our_namespace[NAMESPACE_MAX];

static void read_our_namespace(void)
{
    (void)user_namespace("/proc/self/ns/user", our_namespace);
}

bool guest_task_in_our_user_namespace(pid_t tid)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    char path[PROC_PATH_MAX], theirs[NAMESPACE_MAX];

    pthread_once(&once, read_our_namespace);
    snprintf(path, sizeof(path), "/proc/%d/ns/user", tid);
    return user_namespace(path, theirs) && !strcmp(theirs, our_namespace);
}

static void status_parse(pid_t tid, const char *status,
                         struct guest_credentials *to)
{
    to->tgid = (pid_t)status_number(status, "Tgid", 0);
    to->tid = tid;
    to->tgid_inside = (pid_t)status_number(status, "NStgid", -1);
    to->tid_inside = (pid_t)status_number(status, "NSpid", -1);
    to->fsuid = (uid_t)status_number(status, "Uid", 3);
    to->fsgid = (gid_t)status_number(status, "Gid", 3);
    to->cap_effective = status_hex(status, "CapEff");
    /* Capabilities of another user namespace say nothing about our files. */
    if (to->cap_effective && !guest_task_in_our_user_namespace(tid))
        to->cap_effective = 0;
}

int guest_credentials_get(pid_t tid, struct guest_credentials *to)
{
    size_t size = STATUS_BYTES;
    char *status = malloc(size);
    int got;

    *to = (struct guest_credentials){ 0 };
    while (status) {
        char *more;

        got = proc_read(tid, "status", status, size);
        if (got < 0 || (size_t)got < size - 1)
            break;
        size *= 2; /* a great many groups */
        more = realloc(status, size);
        if (!more)
            free(status);
        status = more;
    }
    if (!status)
        return -ENOMEM;
    if (got >= 0) {
        status_parse(tid, status, to);
        got = status_groups(status, to);
    }
    free(status);
    if (got < 0)
        guest_credentials_fini(to);
    return got < 0 ? got : 0;
}

void guest_credentials_fini(struct guest_credentials *credentials)
{
    free(credentials->groups);
    credentials->groups = NULL;
}

int guest_task_fd_in_use(pid_t tid, int guest_fd)
{
    char path[PROC_PATH_MAX];
    struct stat link;

    snprintf(path, sizeof(path), "/proc/%d/fd/%d", tid, guest_fd);
    if (lstat(path, &link) == 0)
        return 1;
    return errno == ENOENT ? 0 : -errno;
}

/* The entries of a directory in /proc, which are numbers. */
static int count_entries(const char *path)
{
    DIR *directory = opendir(path);
    struct dirent *entry;
    int count = 0;

    if (!directory)
        return -errno;
    while ((entry = readdir(directory)) != NULL)
        count += entry->d_name[0] != '.';
    closedir(directory);
    return count;
}

int guest_task_fd_count(pid_t tid)
{
    char path[PROC_PATH_MAX];
    struct stat directory;

    snprintf(path, sizeof(path), "/proc/%d/fd", tid);
    if (stat(path, &directory) != 0)
        return -errno;
    /* Before Linux 6.2 the size is 0. */
    return directory.st_size > 0 ? (int)directory.st_size : count_entries(path);
}

/* A pidfd of the thread, or of its process where Linux has no other. */
static int thread_pidfd(pid_t tid)
{
    char status[STATUS_BYTES];
    long pidfd = syscall(SYS_pidfd_open, tid, O_EXCL); /* PIDFD_THREAD, 6.9 */

    if (pidfd < 0 && proc_read(tid, "status", status, sizeof(status)) > 0)
        pidfd = syscall(SYS_pidfd_open, status_number(status, "Tgid", 0), 0);
    return pidfd < 0 ? -errno : (int)pidfd;
}

/*
 * A pidfd of the thread that the calling thread has asked for last: it serves
 * one for long, and to open one takes as long as all that is asked of it.  It
 * stays that thread's, or fails with ESRCH: unlike a tid it is nobody else's
 * later.  -errno.
 */
static _Thread_local struct {
    pid_t tid; /* 0: of nobody */
    int pidfd;
    bool marked;
} last;

void guest_task_forget(void)
{
    if (last.tid != 0)
        close(last.pidfd);
    last.tid = 0;
}

void guest_task_keep(pid_t tid, int pidfd)
{
    guest_task_forget();
    last.tid = pidfd < 0 ? 0 : tid;
    last.pidfd = pidfd;
    last.marked = false;
}

/* A pidfd of one that has ended and was waited for is not the next one's who
   has that number. */
bool guest_task_is_marked(pid_t tid)
{
    return last.tid == tid && last.marked &&
           syscall(SYS_pidfd_send_signal, last.pidfd, 0, NULL, 0) == 0;
}

void guest_task_mark(pid_t tid)
{
    if (last.tid == tid)
        last.marked = true;
}

bool guest_task_can_mark(void)
{
    int pidfd = (int)syscall(SYS_pidfd_open, getpid(), O_EXCL);

    if (pidfd >= 0)
        close(pidfd);
    return pidfd >= 0;
}

/* What `ask` says of it, asked again where the last one has ended: 0 or -errno. */
static int ask_pidfd(pid_t tid, int (*ask)(int pidfd, void *what), void *what)
{
    int error = last.tid == tid ? ask(last.pidfd, what) : -ESRCH;
    int pidfd;

    if (error != -ESRCH)
        return error;
    pidfd = (int)syscall(SYS_pidfd_open, tid, O_EXCL); /* PIDFD_THREAD */
    if (pidfd < 0)
        return -errno;
    guest_task_keep(tid, pidfd);
    return ask(pidfd, what);
}

/* From linux/pidfd.h, as far as it goes, since headers of Linux 6.13. */
struct pidfd_credentials {
    uint64_t mask;
    uint64_t cgroup;
    uint32_t pid, tgid, ppid;
    uint32_t ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid;
    int32_t exit_code;
};

enum { PIDFD_WITH_CREDENTIALS = 1 << 1 };

#define PIDFD_GET_CREDENTIALS _IOWR(0xff, 11, struct pidfd_credentials)

static int ask_credentials(int pidfd, void *info)
{
    return ioctl(pidfd, PIDFD_GET_CREDENTIALS, info) == 0 ? 0 : -errno;
}

int guest_task_ids(pid_t tid, struct guest_credentials *to)
{
    struct pidfd_credentials info = { .mask = PIDFD_WITH_CREDENTIALS };
    struct __user_cap_header_struct header = {
        .version = _LINUX_CAPABILITY_VERSION_3,
        .pid = tid,
    };
    struct __user_cap_data_struct data[2];
    int error = ask_pidfd(tid, ask_credentials, &info);

    if (error < 0)
        return error;
    if ((info.mask & PIDFD_WITH_CREDENTIALS) == 0)
        return -ENOTSUP;
    if (syscall(SYS_capget, &header, data) != 0)
        return -errno;
    to->fsuid = info.fsuid;
    to->fsgid = info.fsgid;
    to->cap_effective =
        (uint64_t)data[1].effective << 32 | data[0].effective;
    return 0;
}

struct asked_fd {
    int guest_fd;
    struct stat *file;
};

static int ask_fd(int pidfd, void *what)
{
    const struct asked_fd *asked = what;
    int host_fd = (int)syscall(SYS_pidfd_getfd, pidfd, asked->guest_fd, 0);
    int flags, error;

    if (host_fd < 0)
        return -errno;
    flags = fcntl(host_fd, F_GETFL);
    error = flags < 0 || (flags & O_PATH) || fstat(host_fd, asked->file) != 0
                ? -EBADF
                : 0;
    close(host_fd);
    return error;
}

/* Why a descriptor is not shown: there is none, or we may not look. */
static int why_not_shown(void)
{
    return errno == EACCES || errno == EPERM ? -errno : -EBADF;
}

int guest_task_fd_stat(pid_t tid, int guest_fd, struct stat *to)
{
    char path[PROC_PATH_MAX];
    struct stat link;

    if (guest_fd < 0)
        return -EBADF;
    snprintf(path, sizeof(path), "/proc/%d/fd/%d", tid, guest_fd);
    if (lstat(path, &link) != 0)
        return why_not_shown();
    /* The link's mode has r for read and w for write: O_PATH has neither. */
    if (!(link.st_mode & (S_IRUSR | S_IWUSR)))
        return -EBADF;
    return stat(path, to) == 0 ? 0 : why_not_shown();
}

int guest_task_pipe_stat(pid_t tid, int guest_fd, struct stat *to)
{
    struct asked_fd asked = { guest_fd, to };
    int error = guest_fd < 0 ? -EBADF : ask_pidfd(tid, ask_fd, &asked);

    /* A thread has no pidfd (Linux before 6.9), or we may not use it. */
    return error == 0 || error == -EBADF
               ? error
               : guest_task_fd_stat(tid, guest_fd, to);
}

int guest_task_fd_copy(pid_t tid, int guest_fd)
{
    int pidfd = thread_pidfd(tid);
    long host_fd;

    if (pidfd < 0)
        return pidfd;
    host_fd = syscall(SYS_pidfd_getfd, pidfd, guest_fd, 0);
    if (host_fd < 0)
        host_fd = -errno;
    close(pidfd);
    return (int)host_fd;
}

int guest_task_fd_blocks(pid_t tid, int guest_fd)
{
    char name[PROC_PATH_MAX];
    char text[512];
    const char *flags;
    int got;

    snprintf(name, sizeof(name), "fdinfo/%d", guest_fd);
    got = proc_read(tid, name, text, sizeof(text));
    if (got < 0)
        return got;
    flags = status_find(text, "flags");
    return flags && !(strtoul(flags, NULL, 8) & O_NONBLOCK);
}

int guest_task_open(pid_t tid, const char *link)
{
    char path[PROC_PATH_MAX];
    int host_fd;

    snprintf(path, sizeof(path), "/proc/%d/%s", tid, link);
    host_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return host_fd < 0 ? -errno : host_fd;
}

int guest_task_place(pid_t tid, const char *link, struct statx *place)
{
    char path[PROC_PATH_MAX];

    snprintf(path, sizeof(path), "/proc/%d/%s", tid, link);
    return statx(AT_FDCWD, path, 0, STATX_INO | STATX_MNT_ID, place) == 0
               ? 0
               : -errno;
}

/* What /proc/PID/stat says after the name: " S PPID ..."; 0 or -errno. */
static int stat_find(pid_t pid, char *state, pid_t *parent)
{
    char text[512];
    const char *after;
    int error = proc_read(pid, "stat", text, sizeof(text));

    if (error < 0)
        return error;
    after = strrchr(text, ')'); /* the name before it may hold anything */
    return after && sscanf(after, ") %c %d", state, parent) == 2 ? 0 : -EPROTO;
}

void guest_task_name(pid_t tid, char name[GUEST_NAME_MAX])
{
    if (proc_read(tid, "comm", name, GUEST_NAME_MAX) <= 0)
        stpcpy(name, "?");
    name[strcspn(name, "\n")] = '\0';
}

char guest_task_state(pid_t pid)
{
    char state;
    pid_t parent;

    return stat_find(pid, &state, &parent) == 0 ? state : 0;
}

pid_t guest_task_parent(pid_t pid)
{
    char state;
    pid_t parent;

    return stat_find(pid, &state, &parent) == 0 ? parent : 0;
}
