/*
 * guest-path.h - a guest's path, resolved as the guest would resolve it
 *
 * The walk starts in the guest's working directory or root, never leaves its
 * root, and takes /proc/self and /proc/thread-self (and so /dev/fd and
 * /dev/stdin) to mean the guest.  Every step, and the final check for read
 * permission, is made with the guest's file-system credentials, which are the
 * calling thread's own for that while.
 *
 * Nothing is opened but with O_PATH: no FIFO waits, no device reacts, and no
 * watcher of the directory is told of an open that no program made.
 *
 * Threads:  any; changes credentials of the calling thread only, and back.
 * Errors:   negative errno, as Linux's own look-up gives.
 */
#pragma once

#include <sys/types.h>

/* An O_PATH descriptor; `how` is of enum guest_open (syscall/guest.h). */
int guest_path_open(pid_t tid, const char *path, unsigned how);
