/*
 * kq.h - the slice of kevent(2) that the pipeline uses
 *
 * On macOS and the BSDs, and with VNOTIFY_KQUEUE=system, these are thin calls
 * to kqueue(2) (kq-system.c).  On Linux kq-linux.c carries a port over one
 * kernel inotify descriptor per kqueue.  struct kevent, EV_*, EVFILT_* and
 * NOTE_* come from <sys/event.h>, or from port/event.h with the same meaning.
 *
 * Threads:  kq_event with changes only, kq_pending and kq_close: any.
 *           Collecting (nevents > 0) and kq_wait: one thread at a time.
 * Progress: only kq_wait blocks, and in a file system kq_park, kq_reopen and
 *           kq_close.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#ifdef VNOTIFY_KQUEUE_SYSTEM
#include <sys/event.h>
#else
#include "port/event.h"
#endif

/* What the host posts beyond the notes that every kqueue has. */
enum kq_notes {
    KQ_NOTES_FREEBSD, /* NOTE_OPEN, CLOSE, CLOSE_WRITE, READ; EXTEND of a
                         directory marks a rename across directories */
    KQ_NOTES_MACOS,
};

struct kq;
struct look;

/* 0 or -errno.  `notes` chooses what the Linux port models. */
int kq_create(struct kq **kq, enum kq_notes notes);

/* No other call may be running or follow. */
void kq_destroy(struct kq *kq);

/*
 * kevent(2) with a zero timeout: applies all changes, then collects what is
 * pending, at most `nevents`.  The number collected, 0 if none, or -errno (with
 * nevents == 0: of the first change that failed; the later ones were not
 * applied). Collecting takes in everything that the host had noted before the
 * call.
 */
int kq_event(struct kq *kq, const struct kevent *changes, int nchanges,
             struct kevent *events, int nevents);

/*
 * kq_event of one EV_ADD of EVFILT_VNODE, for a descriptor that has just been
 * opened; the Linux port then asks its kernel for less.
 */
struct kq_known {
    const struct look *look; /* at the descriptor, before the call */
    const char *name;        /* that its directory supposedly has, or "" */
    struct look *behind;     /* or NULL: where the port looks once the knote is
                                there, as Linux's does at all but directories,
                                what it saw; else it is left as it was */
};

int kq_add(struct kq *kq, const struct kevent *change,
           const struct kq_known *known);

/* Waits until something is pending: 0, -ETIMEDOUT, -EINTR.  NULL: no limit. */
int kq_wait(struct kq *kq, const struct timespec *timeout);

/*
 * False only if every note that the host had posted before the call has been
 * collected.  One poll(2): no wait, no collecting.
 */
bool kq_pending(struct kq *kq);

/* close(2), dropping the knotes of this descriptor number as BSD kernels do. */
void kq_close(struct kq *kq, int host_fd);

/*
 * Where any number of threads sleep until there may be something to collect,
 * or a trigger: 0 or -EINTR.  What comes while one of them is awake wakes
 * another, on hosts that wake one at a time; others wake them all.
 */
int kq_sleep(struct kq *kq);

/*
 * Lets notes gather for `ns` at most, and wake nobody from kq_sleep meanwhile;
 * an EVFILT_USER trigger ends it.  One thread at a time.  A host with nothing
 * to gain returns at once.
 */
void kq_rest(struct kq *kq, uint64_t ns);

/*
 * Parking: keeping the knote of a directory or a regular file without a
 * descriptor.
 *
 * kq_park moves the knote of host_fd, of which `look` was taken, to an id that
 * stands for the inode from then on: as ident of EV_ADD and of events, of
 * EV_DELETE, after which no EV_ADD may follow, and for kq_close, which ends it
 * as well.  Notes are not lost on the way.  The
 * descriptor is the caller's, to be closed with close(2).  An id is
 * KQ_PARKED_FIRST or more, so that it is nobody's descriptor; or -errno, where
 * the inode could not be had again: not on this host, no memory, too many.
 *
 * kq_reopen gives a new descriptor of that very inode, whatever was renamed
 * since: of a directory for listing; or O_PATH, which nobody is told of.
 * -ESTALE: it was removed; or it is still there, without links, as what is open
 * is.  -EACCES: a directory that may not be listed any more.  -EMFILE and
 * others: later, perhaps.
 *
 * A parked inode's number may be another's once it was removed:
 * kq_is_parked_one says whether what is open at host_fd is the one.
 */
enum { KQ_PARKED_FIRST = 1 << 30 };

/* So many knotes at most may the host have room for, parked or not (Linux: the
   user's fs.inotify.max_user_watches, which other programs use as well); 0:
   nothing can be parked here. */
uint32_t kq_knotes_max(const struct kq *kq);
enum kq_reopen { KQ_TO_LIST, KQ_TO_LOOK };

int kq_park(struct kq *kq, int host_fd, const struct look *look);
int kq_reopen(struct kq *kq, int parked, enum kq_reopen what_for);
bool kq_is_parked_one(struct kq *kq, int parked, int host_fd);

/* All NOTE_* bits worth asking for on a directory, on anything else. */
uint32_t kq_notes_dir(const struct kq *kq);
uint32_t kq_notes_file(const struct kq *kq);

/*
 * How long after a rename became visible its second note may still be on its
 * way, in nanoseconds.  0 on Linux: the kernel posts both before it unlocks
 * either directory, so a listing cannot be ahead of them.
 */
uint64_t kq_rename_skew_ns(const struct kq *kq);

/* Times that the host's own queue overflowed so far. */
uint64_t kq_overflows(const struct kq *kq);
