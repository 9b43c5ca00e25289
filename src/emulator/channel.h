/*
 * channel.h - what the three processes of a run tell each other
 *
 *     front        the process that the shell started: passes signals on, and
 *                  stops and ends as the guest does.
 *     supervisor   its child: the engine, and the guest's trapped calls.  Has
 *                  a session of its own, and stays for daemons that the guest
 *                  left behind.
 *     guest        the supervisor's child, in the front's process group.
 *
 * Threads: each end is used by its process' main thread.
 * Errors:  negative errno; -EPIPE if the other end is gone.
 */
#pragma once

#include <stdbool.h>

enum channel_kind {
    CHANNEL_SIGNAL,    /* front to supervisor: send `value` to the guest */
    CHANNEL_STOPPED,   /* supervisor to front: signal `value` stopped it */
    CHANNEL_CONTINUED, /* supervisor to front: it runs again */
    CHANNEL_EXITED,    /* supervisor to front: `value` is the exit status */
    CHANNEL_FINAL,     /* the same, and the supervisor ends at once, too */
    CHANNEL_GO,        /* supervisor to guest */
    CHANNEL_LISTENER,  /* guest to supervisor, with a descriptor */
};

struct channel_message {
    enum channel_kind kind;
    int value;
};

/* A pair of connected ends, close-on-exec. */
int channel_create(int ends[2]);

/* passed_fd: a descriptor to pass along, or -1. */
int channel_send(int end, enum channel_kind, int value, int passed_fd);

/* *passed_fd is -1 if none came; NULL: none is expected. */
int channel_receive(int end, struct channel_message *, int *passed_fd);
