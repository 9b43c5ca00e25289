/*
 * guest.h - what an emulator supplies so that a guest's calls can be served
 *
 * The emulator embeds struct guest in what it knows about the calling thread
 * and fills in the operations; src/syscall does the rest.  An instance belongs
 * to the emulator, which owns the guest's descriptor table: it makes one in
 * create_instance and destroys it when the last descriptor is closed.
 *
 * Threads:  one struct guest is used by one thread at a time.
 * Errors:   0 or more, or a negative errno of the host.
 * Lifetime: for the length of one call.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "vnotify.h"

enum {
    GUEST_PATH_MAX = 4096, /* Linux's PATH_MAX: with the final NUL */
};

/* The size of a buffer: the longest event is a header and a padded name. */
enum {
    GUEST_EVENT_MAX = 16 + 256,
};

/* How guest_ops.open_path resolves. */
enum guest_open {
    GUEST_OPEN_NOFOLLOW = 1, /* the last component, if it is a symlink */
    GUEST_OPEN_DIRECTORY = 2, /* -ENOTDIR for all else, ahead of -EACCES */
};

struct guest;

struct guest_ops {
    /*
     * Copies a NUL-terminated path of at most GUEST_PATH_MAX bytes.  -EFAULT,
     * or -ENAMETOOLONG if it is longer.
     */
    int (*copy_path)(struct guest *, uint64_t guest_addr, char *path);

    /* -EFAULT unless every byte could be copied. */
    int (*copy_in)(struct guest *, uint64_t guest_addr, void *, size_t bytes);
    int (*copy_out)(struct guest *, uint64_t guest_addr, const void *,
                    size_t bytes);

    /*
     * Resolves in the guest's working directory, root and credentials; the
     * target must be readable for them.  A host descriptor, which is the
     * caller's to close; O_PATH will do.  -ENOENT for the empty path.
     */
    int (*open_path)(struct guest *, const char *path, unsigned guest_open);

    /*
     * The instance behind a descriptor, kept alive until the end of the call:
     * 0, -EBADF if there is no such descriptor (or it is good for paths only),
     * -EINVAL if it is something else.
     */
    int (*find_instance)(struct guest *, int guest_fd,
                         struct vnotify_instance **);

    /* A new instance under a new descriptor, which is returned. */
    int (*create_instance)(struct guest *, bool nonblock, bool cloexec);
};

struct guest {
    const struct guest_ops *ops;
};
