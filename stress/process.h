/*
 * process.h - what processes use, from /proc (Linux)
 *
 * A group is a process and all that descend from it: for a guest, `vnotify
 * run`, its supervisor and the guest itself.
 *
 * Threads: one.  Processes that end meanwhile count as nothing.
 */
#pragma once

#include <sys/types.h>

struct usage {
    double resident_bytes; /* without memory that processes share */
    double descriptors;
    double cpu_ns;
    double wakeups; /* times that a thread went to sleep, or lost the CPU */
    double threads;
};

void process_group_usage(pid_t first, struct usage *);

/* The same without the processes called `name`. */
void process_group_usage_without(pid_t first, const char *name,
                                 struct usage *);
