/*
 * calls.h - the system calls that are trapped, and their numbers on every ABI
 *
 * Threads:  calls_init before any other; then read-only.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Calls with the same meaning of every argument share a kind. */
enum call_kind {
    CALL_NONE,
    CALL_INOTIFY_INIT,
    CALL_INOTIFY_INIT1,
    CALL_INOTIFY_ADD_WATCH,
    CALL_INOTIFY_RM_WATCH,
    CALL_SETGROUPS, /* where that matters: guest-rights.h */
    CALL_LEAVE_HOME, /* guest-home.h */
    CALL_READ,
    CALL_READV,
    CALL_DUP,
    CALL_FCNTL,  /* F_DUPFD and F_DUPFD_CLOEXEC */
    CALL_IOCTL,  /* FIONREAD */
    /* --strict from here on */
    CALL_POLL_MS,    /* the timeout is an argument: nothing to read */
    CALL_SELECT,     /* arg 4 points at a struct timeval */
    CALL_OLD_SELECT, /* arg 0 points at i386's arguments */
    CALL_PPOLL,      /* arg 2 points at a struct timespec */
    CALL_PSELECT,    /* arg 4 does */
    CALL_EPOLL_PWAIT2, /* arg 3 does */
};

/* One trapped call on one ABI. */
struct call {
    enum call_kind kind;
    bool narrow; /* 32-bit pointers and longs */
    bool time64; /* 64-bit times even so */
};

/* ABIs of this CPU, as libseccomp names them; ends with 0. */
const uint32_t *calls_abis(void);

/* Name and kind of the index-th call; NULL past the last one. */
const char *calls_name(size_t index, enum call_kind *kind);

void calls_init(void);

/* What the notification's architecture and number mean. */
struct call calls_find(uint32_t audit_arch, int number);
