/*
 * linux-inotify.h - the sets of inotify bits, and proof of the event layout
 *
 * Source: Linux uapi/linux/inotify.h and fs/notify/inotify/inotify_user.c
 * (INOTIFY_USER_MASK, IN_ALL_EVENTS), 6.18.
 */
#pragma once

#include "vnotify.h"

enum {
    /* What inotify_add_watch accepts; any other bit is EINVAL. */
    ABI_ADD_BITS = VN_IN_ALL_EVENTS | VN_IN_UNMOUNT | VN_IN_Q_OVERFLOW |
                   VN_IN_IGNORED | VN_IN_ONLYDIR | VN_IN_DONT_FOLLOW |
                   VN_IN_EXCL_UNLINK | VN_IN_MASK_CREATE | VN_IN_MASK_ADD |
                   VN_IN_ISDIR | (int)VN_IN_ONESHOT,
    /* What a watch keeps of its argument. */
    ABI_KEPT_BITS =
        VN_IN_ALL_EVENTS | VN_IN_EXCL_UNLINK | (int)VN_IN_ONESHOT,
    ABI_MOVES = VN_IN_MOVED_FROM | VN_IN_MOVED_TO,
    ABI_NAME_MAX = 255,
};

_Static_assert(sizeof(struct vnotify_event) == 16, "inotify_event header");
_Static_assert(offsetof(struct vnotify_event, wd) == 0, "wd");
_Static_assert(offsetof(struct vnotify_event, mask) == 4, "mask");
_Static_assert(offsetof(struct vnotify_event, cookie) == 8, "cookie");
_Static_assert(offsetof(struct vnotify_event, len) == 12, "len");
_Static_assert(offsetof(struct vnotify_event, name) == 16, "name");
