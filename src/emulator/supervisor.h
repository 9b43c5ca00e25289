/*
 * supervisor.h - the process that serves the guest, and what it leaves behind
 *
 * Threads: called in a process with one thread; makes all the others.
 */
#pragma once

#include <signal.h>

#include "emulator/foreign.h"
#include "emulator/options.h"

/* The front, as its child is told of it. */
struct supervisor_front {
    int channel;
    int pidfd; /* its pid may be another's when it is gone */
};

/* An exit status, when no task has the filter any more. */
int supervisor_run(const struct options *, const struct foreign_plan *,
                   const sigset_t *guest_signal_mask,
                   const struct supervisor_front *);
