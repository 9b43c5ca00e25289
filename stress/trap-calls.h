/*
 * trap-calls.h - the system calls that bench-trap makes, in loops
 *
 * Threads: one.
 */
#pragma once

#include <stdbool.h>

enum { TRAP_CALLS_MAX = 32 };

struct trap_call {
    const char *name;
    bool in_guest, in_strict; /* trapped there */
    bool (*once)(void);       /* false: it did not do what it must */
};

/* NULL past the last. */
const struct trap_call *trap_call_at(unsigned index);

/*
 * The guest's side: makes each call for so many seconds and prints a line for
 * each, its index and the nanoseconds of one (the median of batches).  Returns
 * main's value: 1 if a call did not do what it must.
 */
int trap_calls_run(const char *directory, double seconds);
