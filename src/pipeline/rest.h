/*
 * rest.h - how long a directory is left alone after it was listed
 *
 * Threads:  the holder of the vnode's claim.
 * Protocol: E1, E3; what all listings share is of cost alone.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct vnotify;
struct vnode;

/* It was served, from begun_ns until now. */
void rest_begin(struct vnotify *, struct vnode *, uint64_t begun_ns);

/* Until when it rests. */
uint64_t rest_until(const struct vnotify *, const struct vnode *);

/* Any thread: may anything rest for longer than its own cost?  Of cost alone,
   and about right. */
bool rest_goes_on(const struct vnotify *);

/* Any thread: when a storm will have ended, if nothing more is noted. */
uint64_t rest_calm_ns(const struct vnotify *);

/* Counts it among the slow directories that something is pending for, if it is
   one; or no more. */
void rest_count_slow(struct vnotify *, struct vnode *, bool pending);
