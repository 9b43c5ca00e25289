/*
 * guest-home.h - whether a thread of the guest is where we are
 *
 * In our root and in our user namespace, that is.  To look takes 8 us, a tenth
 * of an inotify_add_watch of a guest; but once seen there, a thread stays, unless
 * somebody in the guest calls chroot, pivot_root, setns or unshare, which are
 * trapped (calls.h) and end all trust.  What clone makes elsewhere is another
 * thread, which has not been seen yet.  (Unless, of one process, it has a mount
 * namespace of its own and runs another program: that has the number of the
 * first thread then.  Nobody does; a mount of its own would not be seen.)
 *
 * Threads:  any; guest_home_settle in the thread of guest_home_seen.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

/*
 * From now on a thread that was seen counts, if those calls are told: true if
 * they must be.  False where Linux, before 6.9, or before 6.13 if it is root's,
 * does not let us know a thread again.  After guest_rights_follow.
 */
bool guest_home_follow(void);

/* One of those calls is about to go on. */
void guest_home_left(void);

/* False: it may be, look.  `tid` waits for us. */
bool guest_home_is_ours(pid_t tid);

/* The calling thread has just seen it there, or found that it had. */
void guest_home_seen(pid_t tid);

/* What was seen since was that thread's, if `tid` has waited for us all the
   time (`sure`): then it counts. */
void guest_home_settle(pid_t tid, bool sure);
