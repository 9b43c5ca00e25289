/*
 * learn.h - what is asked of the names that have come into a directory
 *
 * Threads:  the holder of the vnode's claim; opens a parked vnode.
 *
 * Looking at what has come does one thing more: it makes a kernel with
 * multigrain timestamps (Linux 6.13) stamp the next change, a rename say,
 * distinctly.
 */
#pragma once

#include <stdbool.h>

struct delta;
struct vnode;
struct vnotify;

/* `crossed`: the host has said that an entry crossed directories. */
void learn_newcomers(struct vnotify *, struct vnode *, struct delta *,
                     bool crossed);
