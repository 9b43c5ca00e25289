/*
 * event.h - struct kevent and its constants for hosts without <sys/event.h>
 *
 * Values are FreeBSD's (sys/sys/event.h), so that traces read alike.  Only
 * what the pipeline uses is here.
 */
#pragma once

#include <stdint.h>

struct kevent {
    uintptr_t ident; /* EVFILT_VNODE: descriptor; EVFILT_USER: any number */
    short filter;
    unsigned short flags;
    unsigned int fflags;
    int64_t data;
    void *udata;
};

#define EVFILT_VNODE (-4)
#define EVFILT_USER (-11)

#define EV_ADD 0x0001
#define EV_DELETE 0x0002
#define EV_ENABLE 0x0004
#define EV_DISABLE 0x0008
#define EV_ONESHOT 0x0010
#define EV_CLEAR 0x0020
#define EV_RECEIPT 0x0040
#define EV_DISPATCH 0x0080
#define EV_ERROR 0x4000
#define EV_EOF 0x8000

#define NOTE_TRIGGER 0x01000000 /* EVFILT_USER */
#define NOTE_FFNOP 0x00000000

#define NOTE_DELETE 0x0001 /* EVFILT_VNODE */
#define NOTE_WRITE 0x0002
#define NOTE_EXTEND 0x0004
#define NOTE_ATTRIB 0x0008
#define NOTE_LINK 0x0010
#define NOTE_RENAME 0x0020
#define NOTE_REVOKE 0x0040
#define NOTE_OPEN 0x0080
#define NOTE_CLOSE 0x0100
#define NOTE_CLOSE_WRITE 0x0200
#define NOTE_READ 0x0400

#define EV_SET(kev, a, b, c, d, e, f)                                          \
    do {                                                                       \
        struct kevent *ev_set_kev = (kev);                                     \
        ev_set_kev->ident = (uintptr_t)(a);                                    \
        ev_set_kev->filter = (b);                                              \
        ev_set_kev->flags = (c);                                               \
        ev_set_kev->fflags = (d);                                              \
        ev_set_kev->data = (e);                                                \
        ev_set_kev->udata = (f);                                               \
    } while (0)
