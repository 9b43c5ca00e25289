#include "port/holders.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifdef F_SETLEASE

static enum holders ask(int host_fd, int lease)
{
    if (fcntl(host_fd, F_SETLEASE, lease) == 0) {
        (void)fcntl(host_fd, F_SETLEASE, F_UNLCK);
        return HOLDERS_NONE;
    }
    return errno == EAGAIN || errno == EBUSY ? HOLDERS_SOME : HOLDERS_UNKNOWN;
}

enum holders holders_any(int host_fd)
{
    return ask(host_fd, F_WRLCK);
}

enum holders holders_writing(int host_fd)
{
    return ask(host_fd, F_RDLCK);
}

/*
 * Who opens the file while we have the lease breaks it, and Linux signals that
 * to the lease's owner: by SIGIO, which ends a process that does not expect it.
 * Nobody needs to be told; so the signal is one that nothing happens by, sent
 * to this thread alone.
 */
static bool be_quiet_about_leases(int fd)
{
    struct f_owner_ex owner = {
        .type = F_OWNER_TID,
        .pid = (pid_t)syscall(SYS_gettid),
    };

    return fcntl(fd, F_SETSIG, SIGURG) == 0 &&
           fcntl(fd, F_SETOWN_EX, &owner) == 0;
}

int holders_open(int host_fd)
{
    char link[64];
    int fd;

    snprintf(link, sizeof(link), "/proc/self/fd/%d", host_fd);
    fd = open(link, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (be_quiet_about_leases(fd))
        return fd;
    close(fd);
    return -EOPNOTSUPP;
}

#else

enum holders holders_any(int host_fd)
{
    (void)host_fd;
    return HOLDERS_UNKNOWN;
}

enum holders holders_writing(int host_fd)
{
    return holders_any(host_fd);
}

int holders_open(int host_fd)
{
    (void)host_fd;
    return -EOPNOTSUPP;
}

#endif
