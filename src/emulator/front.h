/*
 * front.h - the process that the shell started: looks as the guest would
 *
 * Threads: its only one.
 */
#pragma once

#include <sys/types.h>

/*
 * With all signals blocked, until the guest ends; returns its exit status, or
 * 125.  Signals that were sent to us are passed on; those that the terminal
 * sends have reached the guest, too.
 */
int front_run(int supervisor, pid_t supervisor_pid);
