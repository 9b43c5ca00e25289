/*
 * Operations succeed or fail as the file system says; either is part of the
 * transcript.
 */
#include "player.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

enum { HELD_MAX = 16, AGE_NS = 25 * 1000 * 1000 };

static struct {
    char label[32];
    int fd;
} held[HELD_MAX];

static int result(long value)
{
    return value < 0 ? errno : 0;
}

static int close_after(int fd, long value)
{
    int err = result(value);

    close(fd);
    return err;
}

/* Opens, writes `bytes` bytes if any, closes. */
static int write_file(const char *path, int flags, long bytes)
{
    static const char text[] = "0123456789abcdef";
    /* O_NONBLOCK: not to wait for a reader of a FIFO */
    int fd = open(path, flags | O_WRONLY | O_NONBLOCK | O_CLOEXEC, 0644);
    long done = 0;

    if (fd < 0)
        return errno;
    while (bytes > 0 && done >= 0) {
        done = write(fd, text, bytes < 16 ? (size_t)bytes : 16);
        bytes -= done;
    }
    return close_after(fd, done);
}

static int list_directory(const char *path)
{
    DIR *dir = opendir(path);

    if (!dir)
        return errno;
    while (readdir(dir))
        continue;
    return result(closedir(dir));
}

static int set_times(const char *path, const char *which)
{
    struct timespec now = { .tv_nsec = UTIME_NOW };
    struct timespec omit = { .tv_nsec = UTIME_OMIT };
    struct timespec then = { .tv_sec = 1000000000 };
    struct timespec times[2] = { now, now };

    if (!strcmp(which, "access")) {
        times[0] = then;
        times[1] = omit;
    } else if (!strcmp(which, "modify")) {
        times[0] = omit;
        times[1] = then;
    } else if (!strcmp(which, "then")) {
        times[0] = times[1] = then;
    }
    return result(utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW));
}

static int await_age(void)
{
    struct timespec pause = { .tv_nsec = AGE_NS };

    return result(nanosleep(&pause, NULL));
}

static int held_of(const char *label)
{
    for (int i = 0; i < HELD_MAX; i++)
        if (held[i].fd > 0 && !strcmp(held[i].label, label))
            return i;
    return -1;
}

static int hold(const char *label, const char *path, const char *how)
{
    int flags = !strcmp(how, "read")    ? O_RDONLY
                : !strcmp(how, "write") ? O_WRONLY
                : !strcmp(how, "path")  ? O_PATH
                : !strcmp(how, "make")  ? O_WRONLY | O_CREAT
                                        : O_RDWR;
    int fd, at = 0;

    if (held_of(label) >= 0)
        return EBUSY;
    while (at < HELD_MAX && held[at].fd > 0)
        at++;
    if (at == HELD_MAX)
        return EMFILE;
    fd = open(path, flags | O_NONBLOCK | O_CLOEXEC, 0644);
    if (fd < 0)
        return errno;
    held[at].fd = fd;
    snprintf(held[at].label, sizeof(held[at].label), "%s", label);
    return 0;
}

/* What is done to a held descriptor: use LABEL WHAT [NUMBER]. */
static int use(const char *label, const char *what, long number)
{
    int at = held_of(label), fd;
    char byte;

    if (at < 0)
        return EBADF;
    fd = held[at].fd;
    if (!strcmp(what, "close")) {
        held[at].fd = 0;
        return result(close(fd));
    }
    if (!strcmp(what, "read"))
        return result(pread(fd, &byte, 1, 0));
    if (!strcmp(what, "write"))
        return result(write(fd, "0123456789", number > 10 ? 10
                                                          : (size_t)number));
    if (!strcmp(what, "truncate"))
        return result(ftruncate(fd, number));
    if (!strcmp(what, "chmod"))
        return result(fchmod(fd, (mode_t)number));
    if (!strcmp(what, "touch"))
        return result(futimens(fd, NULL));
    return -1;
}

void operations_reset(void)
{
    for (int i = 0; i < HELD_MAX; i++)
        if (held[i].fd > 0) {
            close(held[i].fd);
            held[i].fd = 0;
        }
}

static int rename_with(const char *from, const char *to, unsigned flags)
{
    return result(syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, flags));
}

static int on_one(const char *name, const char *path)
{
    if (!strcmp(name, "mkdir"))
        return result(mkdir(path, 0755));
    if (!strcmp(name, "create"))
        return write_file(path, O_CREAT, 0);
    if (!strcmp(name, "empty"))
        return write_file(path, O_TRUNC, 0);
    if (!strcmp(name, "mknod"))
        return result(mknod(path, S_IFREG | 0644, 0));
    if (!strcmp(name, "mkfifo"))
        return result(mkfifo(path, 0644));
    if (!strcmp(name, "setxattr"))
        return result(lsetxattr(path, "user.vnotify", "1", 1, 0));
    if (!strcmp(name, "unlink"))
        return result(unlink(path));
    if (!strcmp(name, "rmdir"))
        return result(rmdir(path));
    if (!strcmp(name, "list"))
        return list_directory(path);
    return -1;
}

static int on_two(const char *name, const char *first, const char *second)
{
    if (!strcmp(name, "symlink"))
        return result(symlink(first, second));
    if (!strcmp(name, "link"))
        return result(link(first, second));
    if (!strcmp(name, "rename"))
        return result(rename(first, second));
    if (!strcmp(name, "exchange"))
        return rename_with(first, second, 2 /* RENAME_EXCHANGE */);
    if (!strcmp(name, "norename")) /* fails if there is something */
        return rename_with(first, second, 1 /* RENAME_NOREPLACE */);
    if (!strcmp(name, "append"))
        return write_file(first, O_APPEND, atol(second));
    if (!strcmp(name, "write"))
        return write_file(first, 0, atol(second));
    if (!strcmp(name, "save"))
        return write_file(first, O_CREAT | O_TRUNC, atol(second));
    if (!strcmp(name, "truncate"))
        return result(truncate(first, atol(second)));
    if (!strcmp(name, "chmod"))
        return result(chmod(first, (mode_t)strtol(second, NULL, 8)));
    if (!strcmp(name, "times"))
        return set_times(first, second);
    return -1;
}

int operation_perform(const struct operation *op)
{
    char *const *words = op->words;

    if (op->count == 1 && !strcmp(words[0], "age"))
        return await_age();
    if (op->count == 4 && !strcmp(words[0], "watch"))
        return events_watch(words[1], words[2], words[3]);
    if (op->count == 2 && !strcmp(words[0], "unwatch"))
        return events_unwatch(words[1]);
    if (op->count == 4 && !strcmp(words[0], "hold"))
        return hold(words[1], words[2], words[3]);
    if (op->count >= 3 && !strcmp(words[0], "use"))
        return use(words[1], words[2],
                   op->count == 4 ? strtol(words[3], NULL, 0) : 0);
    if (op->count == 2)
        return on_one(words[0], words[1]);
    if (op->count == 3)
        return on_two(words[0], words[1], words[2]);
    return -1;
}
