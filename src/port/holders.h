/*
 * holders.h - does somebody have this file open?
 *
 * Linux tells: a lease is granted only where nobody does.  Other systems do
 * not, and then nobody knows.
 *
 * Threads:  any.
 * Effects:  the lease ends before the call does, so whoever opens the file
 *           meanwhile waits for microseconds (O_NONBLOCK: has EAGAIN).  The
 *           thread that called holders_open may be sent a SIGURG by that, which
 *           is ignored unless a program has a handler for it.
 */
#pragma once

enum holders {
    HOLDERS_UNKNOWN, /* another system or file system, another's file */
    HOLDERS_NONE,
    HOLDERS_SOME,
};

/* host_fd, here and below: from holders_open, and not dup'ed.  Anybody else? */
enum holders holders_any(int host_fd);

/* Anybody for writing. */
enum holders holders_writing(int host_fd);

/*
 * Opens a regular file, O_PATH or not, once more, so that it can be asked
 * about.  It counts as an open: to be done where nobody listens for those.  A
 * descriptor, close-on-exec; -EOPNOTSUPP where nobody knows anyway; -errno.
 */
int holders_open(int host_fd);
