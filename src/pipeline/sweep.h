/*
 * sweep.h - children without a knote: their stat fields, compared
 *
 * A pass looks at every row that has no child.  Passes follow each other
 * quickly while they find something, and else as slowly as the share of a CPU
 * allows that all sweeping may take.  Where the host can note changes of what
 * is not open, rows get a parked child by and by, and passes end.
 *
 * Threads: the holder of the directory's claim, as keep.h.
 */
#pragma once

#include "pipeline/child.h"

struct vnotify;
struct vnode;

struct footprint footprint_of(const struct look *);

/* Does what is due at `now`: a slice of a pass, closes after a quiet time. */
void sweep_children(struct vnotify *, struct vnode *dir, uint64_t now);

/* When to be called again, or 0. */
uint64_t sweep_due_ns(const struct children *);

/* CLOSE_WRITE of this child when it has been quiet.  False: no memory. */
bool sweep_close_later(struct vnotify *, struct children *, uint64_t ino,
                       uint64_t now);

/* The directory is swept no more, for now or for good. */
void sweep_end(struct vnotify *, struct children *);
