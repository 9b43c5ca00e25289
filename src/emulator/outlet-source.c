/*
 * outlet-source.c - takes events out of the pipe again
 *
 * Only we write to the pipe and it is first in, first out, so what is left in
 * it are the latest packets, whose sizes are known; FIONREAD says how many
 * bytes they are together.  That gives the size of the first without touching
 * it.  (A guest that reads the same pipe at the same time, by a read that is
 * not trapped, can take that packet away: then the next one is read into a
 * buffer of our own and goes behind the others if it does not fit.)
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "emulator/filter.h"
#include "emulator/outlet-read.h"

size_t outlet_pending(struct outlet *outlet)
{
    return outlet_pipe_bytes(outlet) + outlet->backlog_bytes +
           vnotify_pending(outlet->instance);
}

int outlet_reader_open(const struct outlet *outlet)
{
    char path[32];

    snprintf(path, sizeof(path), "/proc/self/fd/%d", outlet->write_fd);
    return open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
}

/* Bytes of the packet that was written so many packets ago. */
static size_t packet_ago(const struct outlet *outlet, unsigned ago)
{
    return outlet->sizes[(outlet->sizes_next - ago) % OUTLET_SLOTS_MAX];
}

/* How many packets ago the first was written that is in the pipe; 0: none. */
static unsigned first_ago(const struct outlet *outlet)
{
    size_t left = outlet_pipe_bytes(outlet);
    unsigned ago = 0;

    while (left && ago < OUTLET_SLOTS_MAX) {
        size_t bytes = packet_ago(outlet, ++ago);

        left -= bytes < left ? bytes : left;
    }
    return ago;
}

/* Bytes of the first packet; 0 if the pipe is empty. */
static size_t first_packet(const struct outlet *outlet)
{
    unsigned ago = first_ago(outlet);

    return ago ? packet_ago(outlet, ago) : 0;
}

/*
 * A read of as many bytes is answered with as many, and some programs count on
 * that: a short one is trapped and takes the packets that fit, and one that is
 * not takes the first packet, which is whole.
 */
size_t outlet_one_read(const struct outlet *outlet)
{
    size_t first = first_packet(outlet), bytes = 0;

    for (unsigned ago = first_ago(outlet); ago; ago--) {
        size_t next = packet_ago(outlet, ago);

        if (bytes + next >= FILTER_PACKET_MAX)
            break;
        bytes += next;
    }
    return bytes ? bytes : first;
}

/*
 * A packet that came out of the pipe again goes behind the backlog.  A guest of
 * the same user may have written to the pipe, by /proc: what is no event is
 * dropped.
 */
static void packet_add(struct outlet *outlet, const char *packet, size_t bytes)
{
    size_t whole = 0;

    while (bytes - whole >= sizeof(struct vnotify_event)) {
        struct vnotify_event event;

        memcpy(&event, packet + whole, sizeof(event));
        if (event.len > bytes - whole - sizeof(event) ||
            event.len > OUTLET_EVENT_MAX - sizeof(event))
            break;
        whole += sizeof(event) + event.len;
    }
    outlet_backlog_add(outlet, packet, whole);
}

/* Puts events before all that is in the pipe; loses none unless -ENOMEM. */
static void pipe_prepend(struct outlet *outlet, const char *events,
                         size_t bytes)
{
    char packet[FILTER_PACKET_MAX];
    char *old = outlet->backlog;
    const char *old_events = old + outlet->backlog_start;
    size_t old_bytes = outlet->backlog_bytes;
    int reader = outlet_reader_open(outlet);
    ssize_t got;

    if (reader < 0)
        return;
    outlet->backlog = NULL;
    outlet->backlog_start = outlet->backlog_bytes = outlet->backlog_size = 0;
    outlet->backlog_events = 0;
    outlet_backlog_add(outlet, events, bytes);
    while ((got = read(reader, packet, sizeof(packet))) > 0)
        packet_add(outlet, packet, (size_t)got);
    outlet_backlog_add(outlet, old_events, old_bytes);
    free(old);
    close(reader);
}

static void outlet_make_single(struct outlet *outlet)
{
    if (outlet->single)
        return;
    outlet->single = true;
    if (first_packet(outlet))
        pipe_prepend(outlet, NULL, 0);
    outlet_pump(outlet);
}

/* One packet, which should fit; 0 if there was none after all. */
static size_t packet_take(struct outlet *outlet, int reader, char *to,
                          size_t room)
{
    char packet[FILTER_PACKET_MAX];
    ssize_t got = read(reader, packet, sizeof(packet));

    if (got <= 0)
        return 0;
    if ((size_t)got > room) { /* not the one that we saw: see the top */
        packet_add(outlet, packet, (size_t)got);
        return 0;
    }
    memcpy(to, packet, (size_t)got);
    return (size_t)got;
}

/* As vnotify_read, over pipe, backlog and queue. */
static ssize_t outlet_take(struct outlet *outlet, char *to, size_t room)
{
    size_t done = 0;
    size_t first;
    int reader;

    outlet_pump(outlet);
    first = first_packet(outlet);
    if (!first)
        return -EAGAIN;
    if (first > room)
        return -EINVAL;
    reader = outlet_reader_open(outlet);
    if (reader < 0)
        return -errno;
    while (first && first <= room - done) {
        size_t got = packet_take(outlet, reader, to + done, room - done);

        if (!got)
            break;
        done += got;
        first = first_packet(outlet);
        if (!first) {
            outlet_pump(outlet);
            first = first_packet(outlet);
        }
    }
    close(reader);
    return done ? (ssize_t)done : -EAGAIN;
}

static size_t source_pending(struct inotify_source *source)
{
    return outlet_pending(((struct outlet_source *)source)->outlet);
}

static ssize_t source_take(struct inotify_source *source, size_t bytes,
                           const void **data)
{
    struct outlet_source *from = (struct outlet_source *)source;
    size_t pending;
    ssize_t got;

    /* Also if there is nothing: the read may wait in the kernel then, and the
       first packet that comes must fit it. */
    outlet_make_single(from->outlet);
    pending = source_pending(source);
    if (!pending)
        return -EAGAIN;
    if (bytes > pending)
        bytes = pending; /* a guest may ask for gigabytes */
    if (from->data_bytes + bytes > from->data_size) {
        size_t size = from->data_bytes + bytes;
        char *more = realloc(from->data, size);

        if (!more)
            return -ENOMEM;
        from->data = more;
        from->data_size = size;
    }
    got = outlet_take(from->outlet, from->data + from->data_bytes, bytes);
    *data = from->data + from->data_bytes;
    if (got > 0)
        from->data_bytes += (size_t)got;
    return got;
}

void outlet_source_init(struct outlet_source *source, struct outlet *outlet)
{
    *source = (struct outlet_source){
        .source = { .take = source_take, .pending = source_pending },
        .outlet = outlet,
    };
}

void outlet_source_undo(struct outlet_source *source)
{
    if (source->data_bytes)
        pipe_prepend(source->outlet, source->data, source->data_bytes);
    source->data_bytes = 0;
}

void outlet_source_fini(struct outlet_source *source)
{
    free(source->data);
}
