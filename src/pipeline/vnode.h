/*
 * vnode.h - one watched inode, shared by every watch of every instance
 *
 * OWNER     the holder of its claim, for all fields below "holder's".
 * REFCNT    users: its watches, and add_watch calls in progress (registry
 *           lock).  At zero it leaves the registry and is released.
 * LIFETIME  slots are type-stable: they are reused, never freed before the
 *           engine is, and each use is one generation of the claim.  So a
 *           stale note can look at any slot and be told that it is stale.
 * Protocol  V1 armed, V2 who watches it and the list of parents, V3 begun,
 *           V5 kept, V6 newest_ns, V7 ask_fd, V8 by_inode, V9 rows_ended.
 */
#pragma once

#include <stdbool.h>

#include "pipeline/chain.h"
#include "pipeline/claim.h"
#include "pipeline/handoff.h"
#include "pipeline/roster.h"
#include "pipeline/snapshot.h"
#include "port/look.h"

struct vnotify;
struct children;

enum arm_state {
    ARM_BUSY,    /* somebody opens it, or asks the kqueue for more */
    ARM_DONE,    /* the knote is there */
    ARM_AWAITED, /* ARM_BUSY, and others sleep on it */
};

/* What of a look is compared with the next one. */
struct seen {
    int64_t size, modified, changed;
    uint32_t mode, uid, gid, links;
};

/*
 * There is one for each watched inode.  What most of them never write to, as
 * nothing happens to them, lies apart (struct more).
 */
struct vnode {
    struct claim claim; /* bits: enum note_hint */
    uint32_t slot;
    uint32_t users;     /* registry lock */
    uint64_t dev, ino;  /* fixed while registered */
    _Atomic uint32_t by_inode; /* V8, registry lock: slot of the next of this
                                  hash; 0 */
    int host_fd;        /* fixed once armed: a descriptor, or what stands for
                           a parked one (kq.h); see descriptor.h */
    _Atomic int32_t armed; /* V1: enum arm_state, or -errno */
    _Atomic uint32_t wanted; /* V1: what the kqueue was asked for, as IN_* and
                                NOTE_WANT_SELF, by whoever is at it */
    struct roster watches; /* V2, registry lock: who watches it */
    struct chain parents; /* V2, registry lock: of struct child: the
                             directories that keep it as one */
    _Atomic uint64_t joined; /* V3: drawn after the newest watch's entry */
    struct handoff_link link; /* deferred, bulk, housekeeper, free list */
    bool is_dir, is_file;      /* fixed while registered; a regular file */
    bool displaced;            /* registry lock: another has its number now */

    /* holder's */
    bool unlinked;             /* its last name is gone, somebody has it open */
    bool counted;              /* in engine.child_fds */
    bool open;                 /* in engine.open_fds */
    bool pinned;               /* parked, but lent_fd stays open */
    bool failing;              /* counted in engine.failing */
    bool slow_counted;         /* in engine.slow_busy */
    int lent_fd;               /* parked: open while it is served; -ESTALE: it
                                  has ended; < 0 */
    uint32_t cost_ns;          /* of the last listing; at most 4 s */
    uint32_t least_cost_ns;    /* of the last two: one may have been
                                  preempted */
    struct snapshot *current;  /* the newest listing, or NULL */
    struct seen seen;          /* when last looked at */
};

/*
 * More of a vnode: all zero until something happens to it.  Idle vnodes write
 * nothing here, so that the pages are never touched and cost no memory.
 */
struct more {
    _Atomic uint64_t begun; /* V3: ticket of the newest listing's begin */
    _Atomic uint64_t noted_ns; /* when the oldest note that is pending was
                                  read; relaxed: an order among vnodes */
    _Atomic uint64_t newest_ns; /* when the newest note of all was read: V6 */
    _Atomic uint64_t crossed_ns; /* when the newest note of a rename across
                                    directories was read; relaxed: the claim
                                    orders it, as V6, or E6 */
    _Atomic uint64_t alarm_ns; /* A1: holder's; 0: no alarm is set */
    struct handoff_link alarm_link;
    struct vnode *alarm_vnode; /* A1: whose this is, while it is listed */
    _Atomic uint32_t alarm_listed; /* A1 */
    _Atomic uint32_t content; /* V5: what its children are wanted for
                                 (note_children_wanted) by its watches */
    _Atomic uint32_t rows_ended; /* V9: some of its children have ended */
    _Atomic uint32_t kept;    /* V5: those that its children are kept for */
    _Atomic uint32_t most_links; /* of what is somebody's child, that it ever
                                    had; 0: one; relaxed: a hint */
    _Atomic int32_t ask_fd; /* V7: of a file, for holders.h: 1 + a descriptor,
                               which may be host_fd, set once, by whoever has it
                               open first; 0: none */

    /* holder's */
    uint32_t timer_index;
    uint32_t owed;             /* hints whose listing failed */
    uint32_t backoff_us;
    uint32_t close_asks;       /* since a close, whether anybody has it open */
    struct children *children; /* a directory's, if content is wanted */
    uint64_t quiet_ns;         /* CLOSE_WRITE is said then; 0: none is due */
    uint64_t offered;          /* ticket of the newest offer to all */
    uint64_t listed_ns;        /* when the last listing began that was
                                  compared; 0: none yet */
    uint64_t rest_until_ns;
    uint32_t storm_rest_us;    /* beyond that, if nobody is in a hurry */
    uint64_t due_ns;           /* in the timer: when it is served next */
};

/*
 * Vnodes are made by the chunk, and in one piece: the vnodes, and from the next
 * page on what more there is of each.
 */
enum {
    VNODE_CHUNK = 1024,
    VNODE_CHUNKS_MAX = 1 << 14,
    VNODE_PAGE = 16384, /* of any host, or a multiple */
    VNODE_MORE = (VNODE_CHUNK * sizeof(struct vnode) + VNODE_PAGE - 1) /
                 VNODE_PAGE * VNODE_PAGE,
    VNODE_CHUNK_BYTES = VNODE_MORE + VNODE_CHUNK * sizeof(struct more),
};

static inline struct more *more(const struct vnode *vnode)
{
    uint32_t index = vnode->slot % VNODE_CHUNK;
    char *chunk = (char *)(uintptr_t)(vnode - index);

    return (struct more *)(void *)(chunk + VNODE_MORE) + index;
}

struct seen seen_in(const struct look *);

/* Registry lock: its slot begins a new generation, as this inode's. */
void vnode_reset(struct vnode *, const struct look *);

/* Its maker's, before it is armed: what later looks are compared with. */
void vnode_saw(struct vnode *, const struct look *);

/*
 * V6: raised before a note is posted to the claim, looked at after its bits
 * were taken: so no note that is being told was read later.  It never falls,
 * and a stale note may raise it: then a watch is told more than it need be.
 */
void vnode_noted(struct vnode *, uint64_t read_ns);

/* Likewise, of a note with HINT_CROSSED. */
void vnode_crossed(struct vnode *, uint64_t read_ns);

/* When the newest such note was read, if after then, or 0.  One that was read
   and is not posted yet may be missing, but for who has awaited a turn (E6). */
uint64_t vnode_crossed_since(const struct vnode *, uint64_t then_ns);

/* V6, holder: is none of the notes of a time that this concerns? */
static inline bool vnode_is_older(const struct vnode *vnode,
                                  uint64_t joined_ns)
{
    return atomic_load_explicit(&more(vnode)->newest_ns, /* V6 */
                                memory_order_relaxed) < joined_ns;
}

/*
 * V7.  Release in vnode_give_ask_fd, acquire here: the descriptor is open and
 * quiet.  It stays until the vnode is freed.
 */
static inline int vnode_ask_fd(const struct vnode *vnode)
{
    return atomic_load_explicit(&more(vnode)->ask_fd, /* V7 */
                                memory_order_acquire) - 1;
}

/* Takes over fd, or closes it if there is one. */
void vnode_give_ask_fd(struct vnode *, int fd);

/* Is anything wanted of its children? */
static inline bool vnode_has_children(const struct vnode *vnode)
{
    /* relaxed: who sets it posts HINT_KEEP next (V5) */
    return atomic_load_explicit(&more(vnode)->content,
                                memory_order_relaxed) != 0;
}

/* Any thread: is it watched itself, and not only as somebody's child? */
static inline bool vnode_is_watched(const struct vnode *vnode)
{
    struct roster_walk walk = roster_begin(&vnode->watches);

    return roster_next(&walk) != 0;
}
