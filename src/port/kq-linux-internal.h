/*
 * kq-linux-internal.h - what the files of the Linux port share
 *
 *     caller ---- kq-linux.c, kq-linux-change.c   the API of kq.h
 *                   kq-linux-knote.c  knotes by descriptor number, the queue
 *                   kq-linux-parked.c, kq-linux-mount.c, kq-linux-keeper.c
 *                                     knotes without a descriptor
 *                   kq-linux-node.c   kernel watches by wd, children by name
 *     kernel <--- kq-linux-watch.c                   inotify_add_watch
 *            <--- kq-linux-host.c, kq-linux-above.c  fstat, the directory above
 *            ---> kq-linux-notes.c, kq-linux-overflow.c   events -> notes
 *
 * A *knote* belongs to a descriptor number, a *node* to a kernel watch, that is
 * to an inode.  The knotes of one inode share its node.  A directory's node
 * also refers to the node of its parent directory, because Linux tells nothing
 * on a directory that was removed while someone has it open: only its parent
 * knows.
 *
 * OWNER:    everything below is guarded by kq->lock, except where it says
 *           otherwise.  The lock is never held across fstat, readlink or
 *           inotify_add_watch, which may wait for a file system; after them
 *           all is looked up again, by wd and by descriptor number.
 * LIFETIME: knotes and nodes live in chunks that stay until kq_destroy, so a
 *           stale index reads a wrong object at worst, never freed memory.
 * MEMORY:   knote 40 bytes, parked 64, node 64, hash buckets 8 to 16 per node.
 */
#pragma once

#include "port/kq-linux-keeper.h"
#include "port/kq.h"
#include "port/look.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/stat.h>

enum {
    KQ_CHUNK = 1024,       /* knotes or nodes that are allocated at once: an
                              allocator may spend a page more on each */
    KQ_SPARE_NODES = 64,   /* kept for the collector, which does not allocate */
    KQ_USERS = 16,         /* EVFILT_USER knotes; more: -ENOMEM */
    KQ_MOVES = 16,         /* renames whose second half has not been seen */
    KQ_CANDIDATES = 16,    /* children of one name hash, else sweep them all */
    KQ_READ_BYTES = 65536, /* about 2,000 kernel events */
    KQ_HANDLE_BYTES = 32,  /* of a file handle; longer: not parked */
    KQ_HANDLE_NEAR = 16,   /* most are no longer */
    KQ_MOUNTS = 16,        /* file systems with parked knotes */
    KQ_ABOVE = 8,          /* parents of directories that are known again */
    KQ_STAND_INS = 4,      /* threads that add at once; others do without */
};

/* Knote ids: a descriptor number, KQ_PARKED_FIRST + i for the parked one of
   index i, or -2 - i for users[i]. */
enum { KNOTE_NONE = -1 };

enum { /* knote.status */
       KNOTE_LIVE = 1,
       KNOTE_ACTIVE = 2,
       KNOTE_QUEUED = 4,
       KNOTE_DISABLED = 8,
       KNOTE_GONE_EOF = 16, /* revoked, and not told yet */
};

struct knote {
    int32_t queue_next, queue_prev;
    int32_t node;                 /* 0: none (user) */
    int32_t node_next, node_prev; /* knotes of the node, last attached first */
    uint32_t serial;              /* of this one, should the number be reused */
    uint16_t asked;               /* kn_sfflags; NOTE_* of files fit */
    uint16_t fflags;              /* pending */
    uint16_t flags;               /* EV_CLEAR and friends, EV_EOF */
    uint16_t status;
    void *udata;
};

enum { /* node.state */
       NODE_DIR = 1,
       NODE_IDLE = 2,     /* no knotes, no children; on the idle list */
       NODE_DEAD = 4,     /* the kernel watch is gone; not in the wd table */
       NODE_REMOVED = 8,  /* that its last name went has been told */
       NODE_ORPHAN = 16,  /* wants a parent; no kernel watch was to be had */
       NODE_NAMELESS = 32 /* has, or had, a child whose name is not known */
};

struct node {
    int32_t wd;      /* 0: free */
    int32_t wd_next; /* chain of the wd table; of the free list */
    int32_t knotes;
    int32_t parent;     /* 0: none */
    int32_t child_next; /* chain of the child table; of the idle list */
    uint32_t name_hash; /* name in parent; NAME_UNKNOWN */
    uint32_t nchildren; /* nodes whose parent this is */
    uint32_t nlink;     /* as last seen; a directory's: as events say */
    uint32_t attr;      /* mode, owner and group, mixed */
    uint32_t state;
    int64_t size, mtime_ns, ctime_ns; /* as last seen */
};

enum { NAME_UNKNOWN = 0 };

struct move { /* IN_MOVED_FROM that waits for its IN_MOVED_TO */
    int32_t wd;
    uint32_t cookie;
    bool is_dir;
};

struct handle { /* by which an inode is had again */
    uint64_t dev;
    uint32_t ino_hash;
    bool is_dir;
    uint8_t type, bytes;
    unsigned char data[KQ_HANDLE_BYTES];
};

struct parked { /* from kq_park to kq_close; its knote may end earlier */
    struct knote knote;
    union {
        uint32_t ino_hash;
        int32_t number; /* kept: struct held */
    };
    uint8_t mount; /* KQ_MOUNTS, kept: none */
    union {
        uint8_t type;
        uint8_t keeper; /* kept: struct held */
    };
    uint8_t bytes; /* of the handle, as in struct handle; 0: kept */
    bool is_dir;
    union {
        unsigned char near[KQ_HANDLE_NEAR];
        unsigned char *far; /* a longer one */
        struct {
            uint64_t dev, ino;
        } kept;
        int32_t free_next; /* index + 1; 0: the last */
    };
};

_Static_assert(sizeof(struct parked) <= 64, "as MEMORY says");

struct mount { /* what open_by_handle_at needs; users == 0: none */
    uint64_t dev;
    int host_fd; /* -1: handles are refused there */
    uint32_t users;
};

struct above { /* a watched parent; wd == 0: none */
    uint64_t dev, ino;
    int64_t born;
    int32_t wd;
};

struct place { /* where a directory is: its parent, and its name there */
    int32_t parent_wd;
    uint32_t name_hash;
};

struct user_knote {
    struct knote knote;
    uintptr_t ident;
};

struct kq {
    pthread_mutex_t lock;
    enum kq_notes notes; /* constant */
    int inotify_fd;      /* constant */
    int wake_fd;         /* constant; an eventfd */
    int sleep_fd;        /* constant; an epoll descriptor over both */

    /* kq-linux-knote.c */
    struct knote **knote_chunks;
    size_t nknote_chunks;
    uint32_t knote_serial;
    struct user_knote users[KQ_USERS];
    int32_t queue_head, queue_tail;
    uint32_t nqueued;
    uint32_t waiting; /* may be asleep: an activation writes wake_fd */
    _Atomic uint32_t queued; /* L4: nqueued, for kq_pending */

    /* kq-linux-parked.c, kq-linux-mount.c */
    struct parked **parked_chunks;
    size_t nparked_chunks;
    int32_t parked_free; /* index + 1; 0: none */
    struct mount mounts[KQ_MOUNTS];
    uint32_t mount_borrowers; /* between parked_borrow and give_back */
    struct keepers keepers;   /* without the lock, but for keepers_tid */

    /* kq-linux-node.c */
    struct node **node_chunks;
    size_t nnode_chunks;
    uint32_t nnodes, nfree;
    int32_t free_head;
    int32_t *wd_table, *child_table; /* heads; both of table_size */
    uint32_t table_size;
    uint32_t adders; /* between inotify_add_watch and node_take */
    int32_t idle_head;

    uint32_t norphans, orphan_cursor;

    /* kq-linux-watch.c */
    int stand_ins[KQ_STAND_INS]; /* constant; 0 or less: none */
    uint32_t stand_ins_taken;    /* bits */

    /* kq-linux-above.c */
    struct above above[KQ_ABOVE];
    uint32_t above_next;

    /* kq-linux-notes.c, kq-linux.c */
    _Atomic bool draining;               /* L1, L2 */
    uint64_t translated;                 /* batches of events */
    _Atomic uint64_t overflows;          /* relaxed: a counter */
    struct move moves[KQ_MOVES];         /* collector only */
    uint32_t nmoves;                     /* collector only */
    bool move_is_last;                   /* collector only */
    size_t filled;                       /* of buf; collector only */
    _Alignas(8) char buf[KQ_READ_BYTES]; /* collector only */
};

/*** kq-linux-change.c ***/

/* Without the lock: 0 or -errno. */
int change_apply(struct kq *kq, const struct kevent *change);

/*** kq-linux-above.c ***/

/* With the lock: the parent of this wd. */
void above_remember(struct kq *kq, const struct look *parent, int32_t wd);

/*
 * Without the lock, by a copy of kq->above that was taken since node_begin_add:
 * true if the directory, which is watched, is in one of those, by its supposed
 * name if there is one.
 */
bool above_guess(const struct above above[KQ_ABOVE], int host_fd,
                 const struct kq_known *known, struct place *place);

/*** kq-linux-knote.c ***/

/* NULL: no live knote of this number. */
struct knote *knote_find(struct kq *kq, int host_fd);
struct knote *knote_at(struct kq *kq, int32_t id);
struct user_knote *knote_find_user(struct kq *kq, uintptr_t ident);

/* Has this number had a knote, ever? */
bool knote_had_number(struct kq *kq, int host_fd);

/* A fresh, live, unattached knote; NULL without memory or number. */
struct knote *knote_create(struct kq *kq, int host_fd);
struct user_knote *knote_create_user(struct kq *kq, uintptr_t ident);
void knote_attach(struct kq *kq, int host_fd, int32_t node);

/* Off its queue and its node, which is released. */
void knote_destroy(struct kq *kq, int32_t id);

/* Queues it at the tail if it has something to tell and may. */
void knote_activate(struct kq *kq, int32_t id);

/* Off the queue until it is enabled again; what is pending stays. */
void knote_disable(struct kq *kq, int32_t id);

/* ORs the whole hint into every knote of the node that asked for part of it. */
void knote_post(struct kq *kq, struct node *node, uint32_t hint);
void knote_revoke(struct kq *kq, struct node *node);

/* Hands out at most `max` queued knotes, each at most once. */
int knote_collect(struct kq *kq, struct kevent *events, int max);

/* Moves what it has to tell to a new one, and ends it. */
void knote_move(struct kq *kq, int32_t from, int32_t to);

/*** kq-linux-parked.c ***/

/* Of an id >= KQ_PARKED_FIRST; NULL: there never was one. */
struct parked *parked_at(struct kq *kq, int32_t id);

/*
 * With the lock: what parked_open needs.  Until parked_give_back no mount's
 * descriptor is closed.
 */
struct parked_ref {
    struct handle handle; /* bytes == 0: kept, by this number of this thread */
    int mount_fd;
    int32_t keeper_tid, number;
};

void parked_borrow(struct kq *kq, int32_t id, struct parked_ref *ref);
void parked_give_back(struct kq *kq);

/* Without the lock: a descriptor, or -errno. */
int parked_open(const struct parked_ref *ref, int flags);

/* kq_close of a parked id. */
void parked_end(struct kq *kq, int32_t id);

/* kq_destroy */
void parked_free_all(struct kq *kq);

/*** kq-linux-mount.c ***/

/* With the lock: the file system's index in kq->mounts, or -1. */
int mount_find(struct kq *kq, uint64_t dev);

/* With the lock: whether it is known to refuse handles; puts down that it does
   unless it is known, and has its index (KQ_MOUNTS: no room). */
bool mount_refuses(struct kq *kq, uint64_t dev);
int mount_add_refusing(struct kq *kq, uint64_t dev);

/*
 * Without the lock: a descriptor by which the handle can be opened, or -errno.
 * host_fd is the handle's, mount_id what name_to_handle_at said.
 */
int mount_try(int host_fd, const struct handle *handle, int mount_id);

/* With the lock: the index, with mount_fd put to use (then it is -1) unless the
   file system is known by now.  -EMFILE: so many are; -EAGAIN: no mount_fd. */
int mount_add(struct kq *kq, uint64_t dev, int *mount_fd);

/* With the lock: descriptors, this many, that nobody needs any more. */
int mount_take_unused(struct kq *kq, int fds[KQ_MOUNTS]);

/*** kq-linux-node.c ***/

/* Grows the tables to have spare nodes: false without memory. */
bool node_reserve(struct kq *kq);
struct node *node_at(struct kq *kq, int32_t index);
int32_t node_find(struct kq *kq, int32_t wd); /* 0: none */

/* The node of wd, made if there is none.  0: no memory. */
int32_t node_take(struct kq *kq, int32_t wd);

/* To be called whenever it may have lost its last knote or child. */
void node_release(struct kq *kq, int32_t index);

/* The kernel has dropped the watch by itself. */
void node_bury(struct kq *kq, int32_t index);

void node_set_parent(struct kq *kq, int32_t child, int32_t parent,
                     uint32_t name_hash);
void node_clear_parent(struct kq *kq, int32_t child);
uint32_t node_hash_name(const char *name, size_t len);

/*
 * Wds of the parent's children of this name: their number, or -1 if there are
 * more than KQ_CANDIDATES.
 */
int node_children(struct kq *kq, int32_t parent, uint32_t name_hash,
                  int32_t wds[KQ_CANDIDATES]);

/* NODE_ORPHAN on or off. */
void node_set_orphan(struct kq *kq, struct node *node, bool orphan);

/*
 * Every inotify_add_watch whose wd will be used is enclosed in these.  Between
 * them no kernel watch is removed, so the wd that the kernel gave stays good.
 */
void node_begin_add(struct kq *kq);
void node_end_add(struct kq *kq);

/*** kq-linux-watch.c ***/

void stand_ins_open(struct kq *kq);
void stand_ins_close(struct kq *kq);

/* Both with the lock: one for a descriptor that needs it; KQ_STAND_INS: none. */
int stand_in_take(struct kq *kq, int host_fd);
void stand_in_give(struct kq *kq, int stand_in);

/*
 * Has the kernel tell what a knote asking for `asked` needs: the wd, or -errno.
 * Between node_begin_add and node_end_add, without the lock.
 */
int32_t host_watch(const struct kq *kq, int host_fd, int stand_in,
                   uint32_t asked, bool is_dir);

/*** kq-linux-host.c: looking at inodes ***/

/* Whether the kernel must be asked about the parent as well. */
bool host_wants_parent(uint32_t asked);

/* The hash of the name that the directory has now, or NAME_UNKNOWN. */
uint32_t host_learn_name(int host_fd);

/*
 * Watches the directory above the directory of this wd and learns the name in
 * it, anew if need be.  0 or -errno.  Drops the lock meanwhile.
 */
int host_adopt(struct kq *kq, int32_t wd);

/* As host_adopt; what lacked room in the kernel or memory is tried again. */
void host_adopt_or_owe(struct kq *kq, int32_t wd);
void host_adopt_owed(struct kq *kq);

/*
 * fstat by one of the node's descriptors; drops the lock meanwhile.  The node's
 * index, or 0 if it has no knotes any more or fstat failed.  A parked inode that
 * is gone for good is told to be.
 */
int32_t host_stat(struct kq *kq, int32_t wd, struct stat *st);

/* What later notes will be compared with. */
void host_remember(struct node *node, const struct stat *st);
uint32_t host_attr(const struct stat *st);

/* NOTE_DELETE for a directory, or for what is parked, once. */
void host_tell_removed(struct kq *kq, int32_t index, bool by_rename);

/*** kq-linux-notes.c: one kernel event -> notes ***/

struct inotify_event;

/* Both with the lock, which they may drop meanwhile; collector only. */
void notes_of_event(struct kq *kq, const struct inotify_event *event);
void notes_settle_moves(struct kq *kq);

/*** kq-linux-overflow.c ***/

/* The kernel's queue was full: notes for all that may have changed. */
void notes_of_overflow(struct kq *kq);
