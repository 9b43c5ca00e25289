/*
 * pack.h - one event as the guest's bytes
 *
 * Pure.  A name is padded with NULs to a multiple of the header's size, its
 * own NUL included: 1..15 bytes take 16, 16..31 take 32 (Linux 6.18).
 */
#pragma once

#include <stddef.h>

#include "abi/linux-inotify.h"

/* Most bytes that one event takes: 16 + 256. */
enum { PACK_BYTES_MAX = 272 };

/* Bytes that an event with a name of `name_len` bytes takes; 0: no name. */
size_t pack_bytes(size_t name_len);

/* Fills `event`, which has room for pack_bytes(name_len). */
void pack_event(struct vnotify_event *event, int wd, uint32_t mask,
                uint32_t cookie, const char *name, size_t name_len);

/* Would the kernel drop `b` after an unread `a`?  Cookies are not compared. */
bool pack_merges(const struct vnotify_event *a, const struct vnotify_event *b);
