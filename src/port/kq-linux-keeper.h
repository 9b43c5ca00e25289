/*
 * kq-linux-keeper.h - descriptors beyond the process' limit
 *
 *     somebody with a descriptor             keeper, a thread
 *       keepers_take(its number) ---------->   opens the same inode, O_PATH, in
 *       closes it                              a table of its own
 *       keeper_open(tid, number): a descriptor again
 *       keepers_drop ---------------------->   closes its own
 *
 * RLIMIT_NOFILE bounds each table of descriptors, and a thread may have one to
 * itself: close_range(2) with CLOSE_RANGE_UNSHARE gives it one, an empty one.
 * So a keeper holds as many as the process may have open.  What it holds keeps
 * its inode, and the inode's number, whatever is renamed or removed; it is had
 * again through /proc/self/task/TID/fd.
 *
 * Why not a process, which has a table of its own, too: it may be killed alone,
 * and all that it holds is lost; it may outlive us; it is a child that a
 * program around us would have to know of; it has our memory, or a copy; and
 * /proc shows its descriptors to no process that has changed its user or may
 * not be dumped.  A thread of our own ends when we do and not before, and its
 * descriptors are shown to us always (proc(5): within a thread group nothing is
 * checked).
 *
 * Threads:  any.  One is served at a time.
 * Blocks:   keepers_take and keepers_drop, until the keeper has opened or
 *           closed, as open(2) and close(2) would.  Take no lock of the port's.
 * Lifetime: keepers are started at need, the next when all are full, and end
 *           with keepers_fini.
 */
#pragma once

#include <pthread.h>
#include <stdint.h>

enum { KQ_KEEPERS = 256 }; /* an index fits struct held */

struct keeper;

struct keepers {
    pthread_mutex_t lock; /* of who asks; holds while a keeper is at it */
    struct keeper *all[KQ_KEEPERS];
    uint32_t count;
    int refused; /* 0; or -errno: this kernel gives no thread its own table */
};

struct held {
    uint8_t keeper; /* its index */
    int32_t number; /* of the descriptor, in the keeper's table */
};

void keepers_init(struct keepers *);

/* Nobody uses them any more.  All that is held is closed when it returns. */
void keepers_fini(struct keepers *);

/*
 * Takes hold of what is open at host_fd.  0, or -errno: -EMFILE, KQ_KEEPERS are
 * full; -ENFILE; -EAGAIN, no more threads; -ENOSYS or -EPERM, see `refused`.
 */
int keepers_take(struct keepers *, int host_fd, struct held *);
void keepers_drop(struct keepers *, const struct held *);

/* The thread, for keeper_open: fixed while something is held there. */
int32_t keepers_tid(const struct keepers *, const struct held *);

/*
 * A new descriptor of what is held, or -errno.  Neither locks nor waits for the
 * keeper.  What may be done to the inode is asked now: -EACCES, if it may not
 * be opened like this any more, and -ESTALE, if it is a directory without links
 * as well.
 */
int keeper_open(int32_t tid, int32_t number, int flags);
