/*
 * outlet-read.h - reads of an outlet that the filter trapped
 *
 * A read() of a packet pipe with a short buffer loses the packet's tail, where
 * Linux gives the whole events that fit, or EINVAL and keeps them.  So short
 * reads are trapped and served here: the outlet is made `single` (one event a
 * packet), the events that fit are taken out of the pipe and then the queue,
 * and the guest's call is answered with them.
 *
 * Nothing there: a buffer that takes any event can wait in the kernel, where
 * signals find it; a smaller one is parked, and the clerk answers it.
 *
 * Threads:  the holder of the outlet's claim, unless said otherwise.
 * Lifetime: a parked call is the outlet's; any other its maker's.
 */
#pragma once

#include "emulator/outlet.h"
#include "syscall/read.h"

enum {
    READ_CALL_IOVECS = 1024, /* UIO_MAXIOV */
};

/* One trapped read or readv. */
struct read_call {
    int listener;
    uint64_t id;
    pid_t tid;
    int guest_fd;
    bool vectored;
    uint64_t doubted_ns; /* since when GUEST_SIGNALS_MAYBE is seen; 0 */
    struct read_call *next;
    size_t count;
    struct inotify_iovec iov[];
};

/* Serves the call and answers it; frees it, now or when it is answered. */
void read_call_serve(struct outlet *, struct read_call *);

/* Serves those that are parked, as far as there are events. */
void read_calls_serve(struct outlet *);

/* The clerk: the outlet ends; answers what is still parked. */
void read_calls_drop(struct outlet *);

/*
 * Stores at the guest's address what a read could return now; or, if its long
 * reads are not trapped, what one read of that many bytes would.
 */
int64_t outlet_fionread(struct outlet *, bool one_read, pid_t tid,
                        uint64_t guest_addr);

/* A read end of our own that never waits, whatever the guest's flags are: the
   caller's to close; or -1. */
int outlet_reader_open(const struct outlet *);

/* What one read of that many bytes would take from the pipe. */
size_t outlet_one_read(const struct outlet *);

/* What a read could return now: pipe, backlog and queue. */
size_t outlet_pending(struct outlet *);

/* An outlet as a source of events (read.h), for one call. */
struct outlet_source {
    struct inotify_source source;
    struct outlet *outlet;
    char *data; /* all that was taken so far */
    size_t data_bytes, data_size;
};

void outlet_source_init(struct outlet_source *, struct outlet *);

/* Puts all that was taken back, in front: the guest never got it. */
void outlet_source_undo(struct outlet_source *);
void outlet_source_fini(struct outlet_source *);
