/*
 * keep.h - a directory's children: knotes on them, or footprints of them
 *
 * Kept by the holder of the directory's claim, after a listing has been told,
 * and by the first add_watch that asks for content, before it returns.
 *
 * Threads: workers but worker 0 (a look at a file may take long), and callers
 *          of add_watch.  Takes the registry's lock for table operations.
 */
#pragma once

#include "pipeline/child.h"
#include "pipeline/vnode.h"

struct delta;
struct offer;

/*
 * Brings the rows up to the directory's current listing and looks after what is
 * due; `offer` is the listing that has just been told, or NULL.  What it finds
 * is in dir->children->findings, for the caller to offer.  0, or -ENOMEM: to be
 * called again later.
 */
int keep_children(struct vnotify *, struct vnode *dir,
                  const struct offer *offer);

/* Something could not be had, as others were at it: it is, when keep_children is
   called again, in KEEP_RETRY_NS at the latest. */
bool keep_misses(const struct vnode *dir);

/* The findings could not be offered: they stay, and are to be offered when
   keep_children has been called again. */
void keep_owe(struct vnotify *, struct vnode *dir);

/*
 * For the changes of a delta that is not told yet: sets `lives` where the child
 * that is gone still has as many names as it had.
 */
void keep_ask_gone(struct vnotify *, struct vnode *dir, struct delta *);

/* Housekeeper, holding the claim of a directory that nobody watches any more:
   hands all children over to be freed. */
void keep_end(struct vnotify *, struct vnode *dir);
