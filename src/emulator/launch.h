/*
 * launch.h - starts the processes of `vnotify run`
 *
 * Threads: main's, before there are others.
 */
#pragma once

#include <signal.h>
#include <sys/types.h>

#include "emulator/filter.h"
#include "emulator/foreign.h"
#include "emulator/options.h"

enum {
    LAUNCH_FAILED = 125, /* ours; 126 and 127 are as a shell's */
    LAUNCH_CANNOT_RUN = 126,
    LAUNCH_NOT_FOUND = 127,
    LAUNCH_SIGNAL = 128,
};

/* The whole of `vnotify run`; an exit status. */
int launch_run(const struct options *);

/* How the guest is to be started. */
struct launch_guest {
    const struct foreign_plan *plan;
    const char *name; /* as the user wrote it */
    const struct filter *filter;
    const sigset_t *signal_mask; /* as vnotify was started with */
};

/*
 * Forks the guest, which waits for CHANNEL_GO on *channel, loads the filter,
 * sends the listener and executes its program.  Its pid, or -errno.
 */
pid_t launch_guest(const struct launch_guest *, int *channel);
