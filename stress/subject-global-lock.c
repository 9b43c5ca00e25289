/*
 * subject-global-lock.c - how it is done elsewhere, to be measured against
 *
 * One mutex for everything.  A thread waits for the kqueue; for each directory
 * with a note it lists all entries and compares every old one with every new
 * one, with the mutex held; read, add_watch, rm_watch and close want it too.
 * An instance has room for 4 KiB of events, then IN_Q_OVERFLOW.
 *
 * In its favour: the lock is given in the order in which it was asked for, and
 * let go after each directory.  With a plain mutex the thread that lists takes
 * it again and again before anybody else has woken up, for minutes.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "port/kq.h"
#include "port/listing.h"
#include "subject.h"
#include "vnotify.h"

enum { QUEUE_BYTES = 4096, LISTING_BYTES = 256 * 1024 };

struct entry {
    uint16_t length;
    uint8_t type;
    char name[];
};

struct entries {
    struct entry **list;
    size_t count, room;
};

struct watch {
    struct watch *next;
    struct instance *instance;
    int wd, host_fd;
    uint32_t mask;
    struct entries entries;
};

struct instance {
    int ready_fd, last_wd;
    struct watch *watches;
    size_t bytes;
    bool overflowed;
    _Alignas(struct vnotify_event) char queue[QUEUE_BYTES];
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turn = PTHREAD_COND_INITIALIZER;
static unsigned long tickets, served; /* under the mutex */
static struct kq *kq;
static uint64_t listing_buf[LISTING_BYTES / sizeof(uint64_t)];

static void lock(void)
{
    unsigned long ticket;

    pthread_mutex_lock(&mutex);
    ticket = tickets++;
    while (ticket != served)
        pthread_cond_wait(&turn, &mutex);
    pthread_mutex_unlock(&mutex);
}

static void unlock(void)
{
    pthread_mutex_lock(&mutex);
    served++;
    pthread_cond_broadcast(&turn);
    pthread_mutex_unlock(&mutex);
}

static void entries_free(struct entries *entries)
{
    for (size_t i = 0; i < entries->count; i++)
        free(entries->list[i]);
    free(entries->list);
    *entries = (struct entries){ 0 };
}

static int entries_add(void *arg, const struct listing_entry *from)
{
    struct entries *entries = arg;
    struct entry *entry;

    if (from == NULL)
        return 0;
    entry = malloc(sizeof(*entry) + from->name_len + 1);
    if (entries->count == entries->room) {
        entries->room = entries->room ? entries->room * 2 : 16;
        entries->list = realloc(entries->list,
                                entries->room * sizeof(*entries->list));
    }
    entry->length = from->name_len;
    entry->type = from->type;
    memcpy(entry->name, from->name, from->name_len);
    entry->name[from->name_len] = '\0';
    entries->list[entries->count++] = entry;
    return 0;
}

static const struct entry *find(const struct entries *in,
                                const struct entry *entry)
{
    for (size_t i = 0; i < in->count; i++)
        if (in->list[i]->length == entry->length &&
            memcmp(in->list[i]->name, entry->name, entry->length) == 0)
            return in->list[i];
    return NULL;
}

static void queue(struct instance *instance, int wd, uint32_t mask,
                  const char *name, size_t length)
{
    size_t padded = length ? (length / 16 + 1) * 16 : 0;
    struct vnotify_event *event = (void *)(instance->queue + instance->bytes);
    uint64_t one = 1;

    if (instance->overflowed)
        return;
    /* One event without a name always fits, for the overflow itself. */
    if (instance->bytes + 2 * sizeof(*event) + padded > QUEUE_BYTES) {
        instance->overflowed = true;
        wd = -1;
        mask = VN_IN_Q_OVERFLOW;
        length = padded = 0;
    }
    *event = (struct vnotify_event){ wd, mask, 0, (uint32_t)padded };
    memset(event->name, 0, padded);
    memcpy(event->name, name, length);
    instance->bytes += sizeof(*event) + padded;
    if (write(instance->ready_fd, &one, sizeof(one)) < 0)
        abort();
}

static void tell(struct watch *watch, const struct entry *entry, uint32_t mask)
{
    if ((watch->mask & mask) != 0)
        queue(watch->instance, watch->wd,
              mask | (entry->type == 4 /* DT_DIR */ ? VN_IN_ISDIR : 0),
              entry->name, entry->length);
}

static void look(struct watch *watch)
{
    struct entries now = { 0 };

    if (listing_read(watch->host_fd, listing_buf, LISTING_BYTES, entries_add,
                     &now) < 0) {
        entries_free(&now);
        return;
    }
    for (size_t i = 0; i < watch->entries.count; i++)
        if (find(&now, watch->entries.list[i]) == NULL)
            tell(watch, watch->entries.list[i], VN_IN_DELETE);
    for (size_t i = 0; i < now.count; i++)
        if (find(&watch->entries, now.list[i]) == NULL)
            tell(watch, now.list[i], VN_IN_CREATE);
    entries_free(&watch->entries);
    watch->entries = now;
}

static void *collector(void *arg)
{
    struct kevent event;

    (void)arg;
    for (;;) {
        kq_wait(kq, NULL);
        lock();
        if (kq_event(kq, NULL, 0, &event, 1) > 0 &&
            (event.fflags & NOTE_WRITE) != 0)
            look(event.udata);
        unlock();
    }
    return NULL;
}

static int lock_start(void)
{
    pthread_t thread;
    int error = kq_create(&kq, KQ_NOTES_MACOS);

    return error < 0 ? error : -pthread_create(&thread, NULL, collector, NULL);
}

static int lock_open(void **made)
{
    struct instance *instance = calloc(1, sizeof(*instance));

    if (instance == NULL)
        return -ENOMEM;
    instance->ready_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (instance->ready_fd < 0) {
        free(instance);
        return -EMFILE;
    }
    *made = instance;
    return 0;
}

static int lock_fd(void *instance)
{
    return ((struct instance *)instance)->ready_fd;
}

static int start_watch(struct watch *watch)
{
    struct kevent change;
    int error;

    EV_SET(&change, watch->host_fd, EVFILT_VNODE, EV_ADD | EV_CLEAR,
           NOTE_WRITE, 0, watch);
    error = kq_event(kq, &change, 1, NULL, 0);
    if (error < 0)
        return error;
    return listing_read(watch->host_fd, listing_buf, LISTING_BYTES,
                        entries_add, &watch->entries);
}

static void end_watch(struct watch *watch)
{
    kq_close(kq, watch->host_fd);
    entries_free(&watch->entries);
    free(watch);
}

static int lock_add(void *arg, const char *path, uint32_t mask)
{
    struct instance *instance = arg;
    struct watch *watch = calloc(1, sizeof(*watch));
    int error;

    if (watch == NULL)
        return -ENOMEM;
    lock();
    watch->host_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    error = watch->host_fd < 0 ? -errno : 0;
    if (error == 0) {
        *watch = (struct watch){ instance->watches, instance,
                                 ++instance->last_wd, watch->host_fd, mask,
                                 { 0 } };
        error = start_watch(watch);
        if (error < 0)
            end_watch(watch);
        else
            instance->watches = watch;
    } else {
        free(watch);
    }
    unlock();
    return error < 0 ? error : watch->wd;
}

static int lock_remove(void *arg, int wd)
{
    struct instance *instance = arg;
    int error = -EINVAL;

    lock();
    for (struct watch **at = &instance->watches; *at; at = &(*at)->next) {
        struct watch *watch = *at;

        if (watch->wd != wd)
            continue;
        *at = watch->next;
        end_watch(watch);
        queue(instance, wd, VN_IN_IGNORED, "", 0);
        error = 0;
        break;
    }
    unlock();
    return error;
}

/* The reader's buffer is never smaller than the queue. */
static ssize_t lock_read(void *arg, void *buf, size_t bytes)
{
    struct instance *instance = arg;
    uint64_t count;
    ssize_t got = -EAGAIN;

    lock();
    if (bytes < instance->bytes) {
        got = -EINVAL;
    } else if (instance->bytes > 0) {
        got = (ssize_t)instance->bytes;
        memcpy(buf, instance->queue, instance->bytes);
        instance->bytes = 0;
        instance->overflowed = false;
        if (read(instance->ready_fd, &count, sizeof(count)) < 0)
            got = -errno;
    }
    unlock();
    return got;
}

static void lock_close(void *arg)
{
    struct instance *instance = arg;

    lock();
    while (instance->watches != NULL) {
        struct watch *watch = instance->watches;

        instance->watches = watch->next;
        end_watch(watch);
    }
    unlock();
    close(instance->ready_fd);
    free(instance);
}

const struct subject_ops subject_global_lock = {
    .start = lock_start,
    .open = lock_open,
    .fd = lock_fd,
    .add = lock_add,
    .remove = lock_remove,
    .read = lock_read,
    .close = lock_close,
};
