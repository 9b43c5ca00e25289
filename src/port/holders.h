/*
 * holders.h - does somebody have this file open?
 *
 * Linux tells: a lease is granted only where nobody does.  Other systems do
 * not, and then nobody knows.
 *
 * Threads:  any.
 * Effects:  none is left.  host_fd must be open for reading, not for writing;
 *           the lease ends before the call does, so whoever opens the file
 *           meanwhile waits for microseconds.
 */
#pragma once

enum holders {
    HOLDERS_UNKNOWN, /* another system or file system, another's file */
    HOLDERS_NONE,
    HOLDERS_SOME,
};

/* Anybody but host_fd itself (one open, not dup'ed). */
enum holders holders_any(int host_fd);

/* Anybody for writing. */
enum holders holders_writing(int host_fd);

/*
 * Opens a regular file, O_PATH or not, once more, so that it can be asked
 * about.  It counts as an open: to be done where nobody listens for those.  A
 * descriptor, close-on-exec; -EOPNOTSUPP where nobody knows anyway; -errno.
 */
int holders_open(int host_fd);
