/*
 * inotify.c - decode, validate in Linux's order, call
 */
#include "syscall/inotify.h"

#include <errno.h>
#include <unistd.h>

#include "abi/linux-inotify.h"
#include "syscall/linux-errno.h"

int64_t inotify_serve_init(struct guest *guest)
{
    return inotify_serve_init1(guest, 0);
}

int64_t inotify_serve_init1(struct guest *guest, int flags)
{
    if (flags & ~(INOTIFY_NONBLOCK | INOTIFY_CLOEXEC))
        return -LINUX_EINVAL;
    return linux_result(guest->ops->create_instance(
        guest, flags & INOTIFY_NONBLOCK, flags & INOTIFY_CLOEXEC));
}

/* From the path's copy to the watch: what Linux does once the fd is good. */
static int add_watch_path(struct guest *guest,
                          struct vnotify_instance *instance,
                          uint64_t path_addr, uint32_t mask)
{
    char path[GUEST_PATH_MAX];
    unsigned how = 0;
    int host_fd;
    int wd;
    int error = guest->ops->copy_path(guest, path_addr, path);

    if (error < 0)
        return error;
    if (mask & VN_IN_DONT_FOLLOW)
        how |= GUEST_OPEN_NOFOLLOW;
    if (mask & VN_IN_ONLYDIR)
        how |= GUEST_OPEN_DIRECTORY;
    host_fd = guest->ops->open_path(guest, path, how);
    if (host_fd < 0)
        return host_fd;
    wd = vnotify_add_watch_opened(instance, host_fd, path, mask);
    close(host_fd);
    return wd;
}

int64_t inotify_serve_add_watch(struct guest *guest, int guest_fd,
                                uint64_t path_addr, uint32_t mask)
{
    struct vnotify_instance *instance = NULL;
    int found;

    if ((mask & ~(uint32_t)ABI_ADD_BITS) || !mask)
        return -LINUX_EINVAL;
    found = guest->ops->find_instance(guest, guest_fd, &instance);
    if (found == -EBADF)
        return -LINUX_EBADF;
    /* Beats "not inotify" in Linux's code; both say EINVAL. */
    if ((mask & VN_IN_MASK_ADD) && (mask & VN_IN_MASK_CREATE))
        return -LINUX_EINVAL;
    if (found < 0)
        return linux_result(found);
    return linux_result(add_watch_path(guest, instance, path_addr, mask));
}

int64_t inotify_serve_rm_watch(struct guest *guest, int guest_fd, int32_t wd)
{
    struct vnotify_instance *instance = NULL;
    int found = guest->ops->find_instance(guest, guest_fd, &instance);

    if (found < 0)
        return linux_result(found);
    return linux_result(vnotify_rm_watch(instance, wd));
}
