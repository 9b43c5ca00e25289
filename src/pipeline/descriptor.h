/*
 * descriptor.h - a vnode's descriptor, held open or had again
 *
 * A directory or a regular file that is watched itself holds a descriptor while
 * there are no more than engine.open_budget such.  The ones past that are
 * *parked* (kq.h): their knote stays, and a descriptor is had when they are
 * served.  Who holds the claim asks for it with vnode_fd and gives it back with
 * the claim; no other file knows which of the two it is.  So are children that
 * no descriptor is to be spent on (sweep.c).
 *
 * A parked directory whose own opens somebody asks for is *pinned*: having it
 * again would be told.  It costs a descriptor from then on.
 *
 * A held descriptor keeps its inode's number from being used again.  What is
 * parked may have ended, and its number be another's, before that was noted: so
 * who looks for a vnode by its number asks (vnode_find).
 */
#pragma once

#include "pipeline/vnode.h"
#include "port/kq.h"

static inline bool vnode_is_parked(const struct vnode *vnode)
{
    return vnode->host_fd >= KQ_PARKED_FIRST;
}

/*
 * The maker, after the knote is there and before anybody else knows: parks the
 * vnode if it should be, or in any case.  Its descriptor serves until
 * vnode_fd_done.
 */
void vnode_park(struct vnotify *, struct vnode *, const struct look *,
                uint32_t wanted, bool in_any_case);

/* Any thread that keeps the vnode (it is armed): is that the inode of host_fd,
   which has the same number? */
bool vnode_is_open_at(struct vnotify *, const struct vnode *, int host_fd);

/*
 * The holder of the claim: a descriptor to look at, of a directory also to list
 * by and to open children from, good until vnode_fd_done.  -ESTALE: removed for
 * good, and a directory is as an empty one without links.  Other -errno: none to
 * be had now.
 */
int vnode_fd(struct vnotify *, struct vnode *);
void vnode_fd_done(struct vnode *);

/* The holder, by vnode_fd: look_at of the vnode itself; of an entry. */
int vnode_look_held(struct vnotify *, struct vnode *, struct look *);
int vnode_look_below(struct vnotify *, struct vnode *, const char *name,
                     struct look *);

/* Any thread that keeps the vnode (it is armed): look_at of the vnode. */
int vnode_look(struct vnotify *, const struct vnode *, struct look *);

/* Before notes of a file's opens are asked for, in its knote's turn (V1): has
   the vnode a descriptor that tells who has it open. */
void vnode_prepare_to_ask(struct vnotify *, struct vnode *, uint32_t had,
                          uint32_t wanted);

/*
 * Before notes of opens are asked for: has a parked vnode keep a descriptor.
 * 0; -EAGAIN while somebody else holds the claim; -errno.
 */
int vnode_pin(struct vnotify *, struct vnode *, uint32_t wanted);

/* The housekeeper: closes all. */
void vnode_close(struct vnotify *, struct vnode *);
