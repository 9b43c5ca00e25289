#include "port/holders.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

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

int holders_open(int host_fd)
{
    char link[64];
    int fd;

    snprintf(link, sizeof(link), "/proc/self/fd/%d", host_fd);
    fd = open(link, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
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
