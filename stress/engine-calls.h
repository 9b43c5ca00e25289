/*
 * engine-calls.h - the system calls of the engine's add_watch, and nothing else
 *
 * What they take is the kernel's part of an add_watch of the engine: its floor,
 * as long as it makes these calls.
 *
 * Threads: one.  Errors: a message, and exit with 125.
 */
#pragma once

#include <stdint.h>

struct engine_calls;

/* With node's mask so many files of each directory, as make_directory names
   them, are looked at as well; without it none. */
struct engine_calls *engine_calls_create(unsigned files);

/* Ends all watches and closes what was kept open. */
void engine_calls_destroy(struct engine_calls *);

/* The nanoseconds of one add_watch of PATH/NAME. */
uint64_t engine_calls_add(struct engine_calls *, const char *path,
                          const char *name);
