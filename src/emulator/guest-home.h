/*
 * guest-home.h - whether a thread of the guest is where we are
 *
 * In our root and in our user namespace, that is.  To look takes 8 us, a tenth of
 * an inotify_add_watch of a guest; but once seen there, a thread stays, unless
 * somebody in the guest calls chroot, pivot_root, setns or unshare, which are
 * trapped (calls.h) and end all trust.  What clone makes elsewhere is another
 * thread, which has not been seen yet.
 *
 * Threads:  any.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

/* From now on a thread that was seen counts: those calls will be told. */
void guest_home_follow(void);

/* One of those calls is about to go on. */
void guest_home_left(void);

/* False: it may be, look.  `tid` waits for us. */
bool guest_home_is_ours(pid_t tid);

/* The calling thread has just seen it there, after guest_home_is_ours. */
void guest_home_was_ours(pid_t tid);
