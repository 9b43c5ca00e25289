#include "port/child-open.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>

int child_open(int dir_fd, const char *name, uint8_t type)
{
    int flags = O_CLOEXEC | O_NOFOLLOW, fd;

#if defined(O_PATH)
    flags |= O_PATH;
    (void)type;
#else
    if (type != DT_REG && type != DT_DIR)
        return -EOPNOTSUPP;
    flags |= O_NONBLOCK;
#ifdef O_EVTONLY
    flags |= O_EVTONLY;
#endif
#endif
    fd = openat(dir_fd, name, flags);
    return fd < 0 ? -errno : fd;
}
