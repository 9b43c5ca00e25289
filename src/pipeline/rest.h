/*
 * rest.h - how long a directory is left alone after it was listed
 *
 * Threads:  the holder of the vnode's claim.
 * Protocol: E1; what all listings share is of cost alone.
 */
#pragma once

#include <stdint.h>

struct vnotify;
struct vnode;

/* It was served, from begun_ns until now. */
void rest_begin(struct vnotify *, struct vnode *, uint64_t begun_ns);

/* Until when it rests. */
uint64_t rest_until(const struct vnotify *, const struct vnode *);
