/*
 * read.c - whole events from a source to the guest
 */
#include "syscall/read.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "syscall/linux-errno.h"

int64_t inotify_read(struct guest *guest, struct inotify_source *source,
                     uint64_t guest_addr, uint64_t bytes)
{
    const void *data = NULL;
    ssize_t taken = source->take(source, (size_t)bytes, &data);

    if (taken < 0)
        return linux_result(taken);
    if (guest->ops->copy_out(guest, guest_addr, data, (size_t)taken) < 0)
        return -LINUX_EFAULT;
    return taken;
}

int64_t inotify_readv(struct guest *guest, struct inotify_source *source,
                      const struct inotify_iovec *iov, size_t count)
{
    int64_t total = 0;
    uint64_t room = 0;

    for (size_t i = 0; i < count; i++)
        room += iov[i].bytes;
    if (!room)
        return 0; /* decided before the queue is looked at */
    for (size_t i = 0; i < count; i++) {
        int64_t got =
            inotify_read(guest, source, iov[i].guest_addr, iov[i].bytes);

        if (got < 0)
            return total ? total : got;
        total += got;
        if ((uint64_t)got != iov[i].bytes)
            break;
    }
    return total;
}

int64_t inotify_fionread(struct guest *guest, struct inotify_source *source,
                         uint64_t guest_addr)
{
    size_t pending = source->pending(source);
    int32_t value = pending > INT_MAX ? INT_MAX : (int32_t)pending;

    return linux_result(
        guest->ops->copy_out(guest, guest_addr, &value, sizeof(value)));
}

static size_t queue_pending(struct inotify_source *source)
{
    struct inotify_queue *queue = (struct inotify_queue *)source;

    return vnotify_pending(queue->instance);
}

static ssize_t queue_take(struct inotify_source *source, size_t bytes,
                          const void **data)
{
    struct inotify_queue *queue = (struct inotify_queue *)source;
    size_t pending = queue_pending(source);

    if (!pending)
        return -EAGAIN;
    /* A guest may ask for gigabytes; what is there is bounded. */
    if (bytes > pending)
        bytes = pending;
    free(queue->data);
    queue->data = malloc(bytes ? bytes : 1);
    if (!queue->data)
        return -ENOMEM;
    *data = queue->data;
    return vnotify_read(queue->instance, queue->data, bytes);
}

void inotify_queue_init(struct inotify_queue *queue,
                        struct vnotify_instance *instance)
{
    *queue = (struct inotify_queue){
        .source = { .take = queue_take, .pending = queue_pending },
        .instance = instance,
    };
}

void inotify_queue_fini(struct inotify_queue *queue)
{
    free(queue->data);
}
