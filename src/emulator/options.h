/*
 * options.h - the command line
 *
 * Threads: main's.
 */
#pragma once

#include <stdbool.h>

#include "vnotify.h"

enum options_command {
    OPTIONS_DONE,  /* --help or --version: printed; nothing more to do */
    OPTIONS_ERROR, /* said on stderr */
    OPTIONS_RUN,
    OPTIONS_WATCH,
};

struct options {
    struct vnotify_config config; /* trace_fd is opened from trace_path */
    const char *trace_path;
    bool strict;
    unsigned queue_limit; /* run: 0, none */
    bool stats;
    bool recursive;  /* watch -r */
    char **operands; /* the program and its arguments, or the paths */
    int operand_count;
};

enum options_command options_parse(int argc, char **argv, struct options *);
