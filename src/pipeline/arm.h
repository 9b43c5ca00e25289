/*
 * arm.h - a vnode's descriptor and knote
 *
 * Protocol V1: who made a vnode (registry_get) opens it and registers its
 * knote; the others wait for `armed`, or come back.  Who needs more notes than
 * were asked for sets `armed` to ARM_BUSY meanwhile, so one at a time asks.
 */
#pragma once

#include "pipeline/vnode.h"
#include "port/kq.h"

enum { CLAIM_NAP_NS = 50 * 1000 }; /* about what a small listing takes */

/*
 * The maker's part.  Takes over host_fd, a failed open's -errno too.  `park`: it
 * is parked (descriptor.h) in any case, if it can be.  0 or -errno, which the
 * others get as well.  Where what is there behind the knote is asked for, it is
 * had from every port, and -ESTALE says that it is another inode.
 */
int vnode_arm(struct vnotify *, struct vnode *, int host_fd,
              const struct kq_known *, uint32_t wanted, bool park);

/*
 * Waits until it is armed and has what is `wanted` (note.h) asked for.  -ESTALE:
 * it is not, or not any more, the inode that is open at host_fd, by whose number
 * it was found (descriptor.h).
 */
int vnode_join(struct vnotify *, struct vnode *, int host_fd, uint32_t wanted);

/* As vnode_join, but -EAGAIN where that would wait for somebody; and host_fd may
   be -1, where the vnode was not found by its number. */
int vnode_try_join(struct vnotify *, struct vnode *, int host_fd,
                   uint32_t wanted);

/*
 * The vnode of the inode that is open at host_fd, of which `look` was taken:
 * armed by `join`, one of the two above, or *made, for the caller to arm.  One
 * user more.  What has its number and has ended leaves the registry.  0; or,
 * with *vnode NULL, -ENOMEM or an error of `join`, but for -ESTALE.
 */
int vnode_find(struct vnotify *, const struct look *, int host_fd,
               uint32_t wanted,
               int (*join)(struct vnotify *, struct vnode *, int host_fd,
                           uint32_t wanted),
               struct vnode **vnode, bool *made);
