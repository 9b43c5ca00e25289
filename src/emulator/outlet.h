/*
 * outlet.h - where an instance's events leave for the guest: a packet pipe
 *
 * The guest's descriptor is the read end of a pipe2(O_DIRECT) pipe, so that
 * reading, waiting, signals, dup, fork and passing it on are the kernel's own.
 * We hold the write end alone.  Events move from the instance's queue into the
 * pipe whenever there are some and there is room (outlet_pump); when the last
 * copy of the guest's end is closed, the write end polls EPOLLERR and the
 * outlet retires.
 *
 *     plain    a packet holds as many whole events as fit FILTER_PACKET_MAX.
 *     single   one event a packet, from the first short read on (or always,
 *              with --strict), so that a short read can be given exactly the
 *              events that fit: see outlet-read.h.
 *
 * Threads:  the claim word's holder alone touches the pipe and the backlog.
 *           Engine threads try for the claim and never wait; handlers and the
 *           clerk may wait for it (outlet_claim).
 * Lifetime: counted references: one of the registry, gone with the guest's
 *           last descriptor; one for each call that is being served.  Who
 *           gives back the last one hands the outlet to the clerk, which
 *           destroys it.
 * Errors:   negative errno.
 * Protocol: O1..O3, explained at the top of outlet.c.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "vnotify.h"

enum {
    OUTLET_SLOTS_MAX = 256, /* packets in a pipe of 1 MiB */
    OUTLET_EVENT_MAX = 16 + 256,
};

struct outlets;
struct read_call;

struct outlet {
    struct outlets *all;
    struct vnotify_instance *instance;
    int write_fd;
    dev_t dev; /* of the pipe: how a guest's descriptor is recognised */
    ino_t ino;

    _Atomic uint32_t claim;      /* O1, O2 */
    _Atomic uint32_t references; /* O3 */

    /* The claim's holder only: */
    bool single;
    bool stalled;  /* a write failed for want of memory: the clerk retries */
    char *backlog; /* taken from the queue, not yet in the pipe */
    size_t backlog_start, backlog_bytes, backlog_size;
    uint16_t sizes[OUTLET_SLOTS_MAX]; /* of the latest packets, in bytes */
    uint16_t counts[OUTLET_SLOTS_MAX]; /* and in events */
    unsigned sizes_next;
    unsigned backlog_events;
    uint64_t after_overflow; /* outlet-limit.c's */
    char last[OUTLET_EVENT_MAX]; /* the latest taken from the queue */
    size_t last_bytes;
    struct read_call *parked; /* short reads that wait for an event */
    int parked_fd; /* while there are any: they have the pipe open, as who reads
                      has, also when the guest has closed its own; or -1 */
    bool attended;            /* the clerk looks after them */

    struct outlet *next;         /* in the registry; under its lock */
    struct outlet *retired_next; /* the clerk's list (outlets.c, O4) */
};

/*
 * A new instance and its pipe, not yet in the registry.  *guest_end is the end
 * for the guest: the caller's to close once the guest has it.
 */
int outlet_create(struct outlets *, bool nonblock, int *guest_end,
                  struct outlet **);

/* Ends the instance; nobody else may know of the outlet any more. */
void outlet_destroy(struct outlet *);

void outlet_acquire(struct outlet *);
void outlet_release(struct outlet *);

/* Moves events along, or leaves that to the claim's holder.  Never waits. */
void outlet_kick(struct outlet *);

/* Waits for the claim; giving it back moves events along. */
void outlet_claim(struct outlet *);
void outlet_unclaim(struct outlet *);

/* Holder: fills the pipe from the backlog and the queue. */
void outlet_pump(struct outlet *);

/* Holder: puts events behind the backlog.  -ENOMEM. */
int outlet_backlog_add(struct outlet *, const void *, size_t bytes);

/* What the guest could read from the pipe now. */
size_t outlet_pipe_bytes(const struct outlet *);

/* The bytes of the event at the start of `events`; events in so many bytes. */
size_t outlet_event_bytes(const char *events);
unsigned outlet_count_events(const char *events, size_t bytes);

/* As Linux compares them: whatever the cookies are. */
bool outlet_same_event(const char *a, size_t a_bytes, const char *b,
                       size_t b_bytes);
