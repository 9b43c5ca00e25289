/*
 * outlet.c - where an instance's events leave for the guest: a packet pipe
 *
 * The claim word: HELD, AGAIN (events came while it was held) and the number
 * of handlers that wait for it.
 *
 *     engine thread (outlet_kick)         holder
 *       event is in the queue               pump: queue to pipe
 *       O1 word |= HELD|AGAIN               O2 word: HELD|AGAIN -> HELD, pump
 *       was free: it is the holder             once more; or HELD -> free
 *
 *     state        event     to                   who
 *     free         kick      held+again           the kicker holds it
 *     held         kick      held+again           left to the holder
 *     held+again   unclaim   held, pump           holder, if nobody waits
 *     held*        unclaim   free*, wake          holder, if somebody waits
 *     held         unclaim   free                 holder
 *     free*        claim     held*                a handler that waited
 *
 * O1 pairs with O2: a queue that was found empty before O2 is looked at again
 *    if an event came since, because the release fails on AGAIN.  Whoever gets
 *    the word with AGAIN set pumps before it gives it back.
 * O3 references: the last release sees all that was done under the others.
 */
#include "emulator/outlet.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "emulator/filter.h"
#include "emulator/outlet-limit.h"
#include "emulator/outlets.h"
#include "port/park.h"

enum {
    CLAIM_HELD = 1,
    CLAIM_AGAIN = 2,
    CLAIM_WAITER = 4, /* one; the rest of the word counts them */
    PIPE_BYTES = 1 << 20,
    /* So many are large.  All pipes of a user share fs.pipe-user-pages-soft, 64
       MiB; past that, each new one of theirs has two pages. */
    PIPES_LARGE = 8,
};

size_t outlet_event_bytes(const char *events)
{
    struct vnotify_event event;

    memcpy(&event, events, sizeof(event));
    return sizeof(event) + event.len;
}

unsigned outlet_count_events(const char *events, size_t bytes)
{
    unsigned count = 0;

    for (size_t at = 0; at < bytes; count++)
        at += outlet_event_bytes(events + at);
    return count;
}

/* The claim */

static bool claim_waited_for(struct outlet *outlet)
{
    /* relaxed: a hint; who waits is woken by the release in any case */
    return atomic_load_explicit(&outlet->claim, memory_order_relaxed) >=
           CLAIM_WAITER;
}

/* Holder: false if the claim could not be given up, for events came. */
static bool claim_release(struct outlet *outlet)
{
    /* relaxed: the compare-and-swap confirms it */
    uint32_t word = atomic_load_explicit(&outlet->claim, memory_order_relaxed);
    uint32_t next;

    do {
        bool again = word & CLAIM_AGAIN;

        next = word & ~(uint32_t)CLAIM_HELD;
        if (again && word < CLAIM_WAITER)
            next = CLAIM_HELD;
        /* O2, pairs with O1. */
    } while (!atomic_compare_exchange_weak_explicit(
        &outlet->claim, &word, next, memory_order_acq_rel,
        memory_order_relaxed));
    if (next & CLAIM_HELD)
        return false;
    if (next >= CLAIM_WAITER)
        park_wake(&outlet->claim, INT_MAX);
    return true;
}

void outlet_kick(struct outlet *outlet)
{
    /* O1, pairs with O2. */
    uint32_t before = atomic_fetch_or_explicit(
        &outlet->claim, CLAIM_HELD | CLAIM_AGAIN, memory_order_acq_rel);

    if (!(before & CLAIM_HELD))
        outlet_unclaim(outlet);
}

void outlet_claim(struct outlet *outlet)
{
    /* O1: counted first, so that no release overlooks us. */
    uint32_t word = CLAIM_WAITER +
                    atomic_fetch_add_explicit(&outlet->claim, CLAIM_WAITER,
                                              memory_order_relaxed);

    for (;;) {
        if (word & CLAIM_HELD) {
            park_wait(&outlet->claim, word, NULL);
            /* relaxed: the compare-and-swap confirms it */
            word = atomic_load_explicit(&outlet->claim, memory_order_relaxed);
            continue;
        }
        /* O1, pairs with O2: what the last holder did is seen. */
        if (atomic_compare_exchange_weak_explicit(
                &outlet->claim, &word, (word | CLAIM_HELD) - CLAIM_WAITER,
                memory_order_acquire, memory_order_relaxed))
            return;
    }
}

void outlet_unclaim(struct outlet *outlet)
{
    do
        outlet_pump(outlet);
    while (!claim_release(outlet));
}

/* The backlog and the pipe */

int outlet_backlog_add(struct outlet *outlet, const void *events, size_t bytes)
{
    size_t end = outlet->backlog_start + outlet->backlog_bytes;

    if (outlet->backlog_start && end + bytes > outlet->backlog_size) {
        memmove(outlet->backlog, outlet->backlog + outlet->backlog_start,
                outlet->backlog_bytes);
        outlet->backlog_start = 0;
        end = outlet->backlog_bytes;
    }
    if (!outlet->backlog || end + bytes > outlet->backlog_size) {
        size_t size = end + bytes < FILTER_PACKET_MAX ? FILTER_PACKET_MAX
                                                      : (end + bytes) * 2;
        char *more = realloc(outlet->backlog, size);

        if (!more)
            return -ENOMEM;
        outlet->backlog = more;
        outlet->backlog_size = size;
    }
    if (bytes)
        memcpy(outlet->backlog + end, events, bytes);
    outlet->backlog_bytes += bytes;
    outlet->backlog_events += outlet_count_events(events, bytes);
    return 0;
}

size_t outlet_pipe_bytes(const struct outlet *outlet)
{
    int bytes = 0;

    ioctl(outlet->write_fd, FIONREAD, &bytes);
    return (size_t)bytes;
}

bool outlet_same_event(const char *a, size_t a_bytes, const char *b,
                       size_t b_bytes)
{
    const size_t cookie = offsetof(struct vnotify_event, cookie);
    const size_t len = offsetof(struct vnotify_event, len);

    return a_bytes == b_bytes && !memcmp(a, b, cookie) &&
           !memcmp(a + len, b + len, a_bytes - len);
}

/*
 * The engine drops an event that equals the last one in the queue; when we have
 * taken that one, but no guest has read it yet, it is for us to do.  (A guest
 * that reads it just now reads it after the repeat had come.)
 */
static void backlog_merge(struct outlet *outlet)
{
    size_t first = outlet_event_bytes(outlet->backlog);
    const char *last = outlet->backlog;
    size_t left = outlet->backlog_bytes;

    while (outlet_event_bytes(last) < left) {
        left -= outlet_event_bytes(last);
        last += outlet_event_bytes(last);
    }
    if (outlet_same_event(outlet->last, outlet->last_bytes, outlet->backlog,
                          first) &&
        outlet_pipe_bytes(outlet)) {
        outlet->backlog_start = first;
        outlet->backlog_bytes -= first;
        outlet->backlog_events--;
    }
    memcpy(outlet->last, last, left);
    outlet->last_bytes = left;
}

/* Makes sure that the backlog has events, if there are any at all. */
static bool backlog_refill(struct outlet *outlet)
{
    while (!outlet->backlog_bytes) {
        ssize_t got = vnotify_read(outlet->instance, outlet->backlog,
                                   FILTER_PACKET_MAX);

        if (got <= 0)
            return false;
        outlet->backlog_start = 0;
        outlet->backlog_bytes = (size_t)got;
        outlet->backlog_events =
            outlet_count_events(outlet->backlog, (size_t)got);
        backlog_merge(outlet);
    }
    return true;
}

static size_t packet_bytes(const struct outlet *outlet)
{
    const char *events = outlet->backlog + outlet->backlog_start;
    size_t bytes = outlet_event_bytes(events);

    while (!outlet->single && bytes < outlet->backlog_bytes) {
        size_t next = outlet_event_bytes(events + bytes);

        if (bytes + next > FILTER_PACKET_MAX)
            break;
        bytes += next;
    }
    return bytes;
}

/* False if no more can be written now. */
static bool packet_write(struct outlet *outlet)
{
    size_t bytes = packet_bytes(outlet);
    ssize_t written = write(outlet->write_fd,
                            outlet->backlog + outlet->backlog_start, bytes);
    unsigned count;

    if (written != (ssize_t)bytes) {
        if (errno == EPIPE) /* no guest has it any more */
            outlet->backlog_bytes = outlet->backlog_events = 0;
        else if (errno != EAGAIN && !outlet->stalled)
            outlets_attend(outlet->all, &outlet->stalled);
        return false; /* full: EPOLLOUT kicks */
    }
    count = outlet_count_events(outlet->backlog + outlet->backlog_start, bytes);
    outlet->sizes[outlet->sizes_next % OUTLET_SLOTS_MAX] = (uint16_t)bytes;
    outlet->counts[outlet->sizes_next++ % OUTLET_SLOTS_MAX] = (uint16_t)count;
    outlet->backlog_events -= count;
    outlet->backlog_start += bytes;
    outlet->backlog_bytes -= bytes;
    return true;
}

void outlet_pump(struct outlet *outlet)
{
    bool wrote = false;

    if (outlets_limit(outlet->all) != 0)
        outlet_limit_take(outlet);
    while (backlog_refill(outlet) && packet_write(outlet)) {
        wrote = true;
        /* It pumps when it is done, so nothing is left behind. */
        if (claim_waited_for(outlet))
            break;
    }
    if (wrote && outlet->parked)
        outlets_wake_clerk(outlet->all);
}

/* Life and death */

static void outlet_ready(void *arg)
{
    outlet_kick(arg);
}

/* Both ends of the pipe; the guest's flags on the guest's end only. */
static int pipe_create(struct outlet *outlet, bool nonblock, int *guest_end)
{
    struct stat file;
    int ends[2];

    if (pipe2(ends, O_DIRECT | O_NONBLOCK | O_CLOEXEC) < 0)
        return -errno;
    /* Refused when this user's pipes hold much already: 16 packets then. */
    if (outlets_count(outlet->all) < PIPES_LARGE)
        fcntl(ends[1], F_SETPIPE_SZ, PIPE_BYTES);
    fcntl(ends[0], F_SETFL, nonblock ? O_NONBLOCK : 0);
    fstat(ends[0], &file);
    outlet->dev = file.st_dev;
    outlet->ino = file.st_ino;
    outlet->write_fd = ends[1];
    *guest_end = ends[0];
    return 0;
}

int outlet_create(struct outlets *all, bool nonblock, int *guest_end,
                  struct outlet **out)
{
    struct outlet *outlet = calloc(1, sizeof(*outlet));
    int error = -ENOMEM;

    if (!outlet)
        return error;
    outlet->all = all;
    outlet->single = outlets_single(all);
    outlet->parked_fd = -1;
    atomic_init(&outlet->claim, 0);
    atomic_init(&outlet->references, 1);
    error = outlet_backlog_add(outlet, NULL, 0);
    if (error == 0)
        error = pipe_create(outlet, nonblock, guest_end);
    if (error < 0)
        goto out_free;
    error = vnotify_instance_create(outlets_engine(all), outlet_ready, outlet,
                                    &outlet->instance);
    if (error < 0)
        goto out_pipe;
    *out = outlet;
    return 0;
out_pipe:
    close(outlet->write_fd);
    close(*guest_end);
out_free:
    free(outlet->backlog);
    free(outlet);
    return error;
}

void outlet_destroy(struct outlet *outlet)
{
    vnotify_instance_destroy(outlet->instance);
    close(outlet->write_fd);
    free(outlet->backlog);
    free(outlet);
}

void outlet_acquire(struct outlet *outlet)
{
    /* O3: relaxed, for the caller's way here keeps it alive. */
    atomic_fetch_add_explicit(&outlet->references, 1, memory_order_relaxed);
}

void outlet_release(struct outlet *outlet)
{
    /* O3, pairs with O3 of the other releases. */
    if (atomic_fetch_sub_explicit(&outlet->references, 1,
                                  memory_order_acq_rel) == 1)
        outlets_retire(outlet->all, outlet);
}
