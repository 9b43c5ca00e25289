/*
 * trace.h - one line per note, listing, delta and event
 *
 * Each line is one write(2) of a whole line, so lines of several threads do
 * not mix.  Off (fd 0) it costs a comparison.
 */
#pragma once

#include "pipeline/sync.h"

struct trace {
    int fd; /* 0: off */
    uint64_t start_ns;
};

#define TRACE(trace, ...)                                                      \
    do {                                                                       \
        if ((trace)->fd > 0)                                                   \
            trace_line((trace), __VA_ARGS__);                                  \
    } while (0)

__attribute__((format(printf, 2, 3))) void
trace_line(const struct trace *, const char *format, ...);
