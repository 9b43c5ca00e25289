/*
 * guest-signals.h - does a signal wait for a thread that is in a parked call?
 *
 * The kernel lets such a thread wait for the supervisor, and only what kills it
 * at once ends that (SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV).  So it is looked
 * for what else would have ended the call natively: a handler to be run, a
 * stop, a core dump.
 *
 * Threads: any.
 */
#pragma once

#include <sys/types.h>

enum guest_signals {
    GUEST_SIGNALS_NONE,
    /* One that any of several threads may take.  Which one the kernel has told
       cannot be seen; but who was told takes it soon, if it does not wait for
       us. */
    GUEST_SIGNALS_MAYBE,
    /* The kernel has told this thread (TIF_SIGPENDING): it may be answered
       ERESTARTSYS, which no other thread may. */
    GUEST_SIGNALS_OWN,
};

enum guest_signals guest_signals(pid_t tid);
