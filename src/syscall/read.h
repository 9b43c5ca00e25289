/*
 * read.h - read, readv and FIONREAD of an inotify descriptor
 *
 * Whole events only.  An empty queue is decided before the buffer's size; a
 * buffer too small for the first event is EINVAL and leaves the event where it
 * is; an event whose copy to the guest fails is lost, as on Linux.
 *
 * Threads:  one reader of a source at a time.
 * Blocking: never: -LINUX_EAGAIN where Linux would wait; the emulator decides.
 * Errors:   bytes > 0, or -LINUX_E*.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "syscall/guest.h"

/* Where events come from: an instance's queue, or what stands before it. */
struct inotify_source {
    /*
     * Takes as many whole events as fit into `bytes` and points *data at them,
     * valid until the next take.  Bytes > 0, -EAGAIN, -EINVAL, -ENOMEM.
     */
    ssize_t (*take)(struct inotify_source *, size_t bytes, const void **data);

    /* Bytes that could be taken now. */
    size_t (*pending)(struct inotify_source *);
};

/* One piece of the guest's memory (struct iovec, whatever the guest's ABI). */
struct inotify_iovec {
    uint64_t guest_addr;
    uint64_t bytes;
};

int64_t inotify_read(struct guest *, struct inotify_source *,
                     uint64_t guest_addr, uint64_t bytes);

/* One read per iovec, up to the first that was not filled exactly. */
int64_t inotify_readv(struct guest *, struct inotify_source *,
                      const struct inotify_iovec *, size_t count);

/* Stores an int. */
int64_t inotify_fionread(struct guest *, struct inotify_source *,
                         uint64_t guest_addr);

/* The source that reads an instance's queue directly. */
struct inotify_queue {
    struct inotify_source source;
    struct vnotify_instance *instance;
    void *data;
};

void inotify_queue_init(struct inotify_queue *, struct vnotify_instance *);
void inotify_queue_fini(struct inotify_queue *);
