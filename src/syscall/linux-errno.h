/*
 * linux-errno.h - the host's errno values as Linux's
 *
 * On Linux the two are the same and this compiles to nothing.  Elsewhere the
 * values up to 34 agree as well, but for EAGAIN (35 on the BSDs and macOS).
 */
#pragma once

#include <errno.h>
#include <stdint.h>

enum {
    LINUX_EINTR = 4,
    LINUX_EIO = 5,
    LINUX_EBADF = 9,
    LINUX_EAGAIN = 11,
    LINUX_EFAULT = 14,
    LINUX_EINVAL = 22,
    LINUX_ENAMETOOLONG = 36,
    LINUX_ELOOP = 40,
};

/* 0 or more as it is; a negative errno of the host as Linux's. */
static inline int64_t linux_result(int64_t host_result)
{
#ifndef __linux__
    enum { SHARED_MAX = 34 };

    if (host_result == -EAGAIN)
        return -LINUX_EAGAIN;
    if (host_result == -ENAMETOOLONG)
        return -LINUX_ENAMETOOLONG;
    if (host_result == -ELOOP)
        return -LINUX_ELOOP;
    if (host_result < -SHARED_MAX)
        return -LINUX_EIO;
#endif
    return host_result;
}
