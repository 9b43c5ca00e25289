/*
 * vnotify.h - Linux inotify from raw kqueue notes: the embedding API
 *
 * An engine watches directories and files through kqueue, learns by listing
 * what a note only hints at, and fills one queue per inotify instance with
 * events as Linux would have queued them.  Masks, flags, watch descriptors and
 * event bytes are Linux's on every host; errors are negative errno values of
 * the host.
 *
 *     struct vnotify *engine;
 *     struct vnotify_instance *instance;
 *     vnotify_create(&engine, NULL);
 *     vnotify_instance_create(engine, NULL, NULL, &instance);
 *     int wd = vnotify_add_watch(instance, "/some/dir", VN_IN_CREATE);
 *     poll(vnotify_instance_fd(instance)) ... vnotify_read(instance, buf, n);
 *
 * Threads:  every function may be called from any thread, except where two
 *           calls on one object are said to exclude each other.  No function
 *           may be called from inside a ready callback but vnotify_read and
 *           vnotify_pending of that instance.
 * Blocking: only vnotify_sync and the destroy functions wait.
 * Fork:     an engine does not survive fork() in the child.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define VNOTIFY_VERSION "0.1.0"

struct vnotify;
struct vnotify_instance;

/* Which notes the host's kqueue is taken to post (docs/architecture.md). */
enum vnotify_notes {
    VNOTIFY_NOTES_FREEBSD = 0, /* with OPEN, CLOSE, CLOSE_WRITE and READ */
    VNOTIFY_NOTES_MACOS,       /* without them */
};

/*
 * Zero means the default for every field; start from a zeroed struct.
 * With the system's kqueue `notes` is ignored: the system decides.
 */
struct vnotify_config {
    enum vnotify_notes notes;
    unsigned workers;      /* snapshot workers, 2..64; 0: CPUs, at least 2 */
    unsigned queue_events; /* queue slots per instance, a power of two,
                              64..65536; 0: 4096.  A full queue loses
                              nothing: the rest stays owed. */
    bool ordered;          /* keep the host's order across the directories of
                              an instance as well as notes allow; a slow
                              directory then delays the others by 5 ms at most,
                              a lack of CPUs by 100 ms */
    int fd_budget;         /* descriptors to spend on what is in watched
                              directories, so that changes in it are noted;
                              the rest is compared by stat fields, at times.
                              0: half of RLIMIT_NOFILE; < 0: none */
    int watch_budget;      /* where the host can note changes of what is not
                              open (Linux), the rest is noted as well, in time:
                              while all that is noted is less than this.
                              0: seven eighths of the user's
                              fs.inotify.max_user_watches; < 0: none */
    int open_budget;       /* descriptors to hold for what is watched; what is
                              past it is opened when something is noted, where
                              the host can (Linux);
                              0: a quarter of RLIMIT_NOFILE; < 0: none */
    unsigned close_write_after_ms; /* where the host does not tell: a file whose
                              content changed counts as closed after so long
                              without another change; 0: 50 */
    int trace_fd;          /* > 0: one line per note, listing, delta, event */
    const char *faults;    /* tests only: "open=PATH,read=PATH,alloc=PATH":
                              listings fail at that step while PATH exists */
};

/* -EINVAL for a value out of range; -ENOMEM, -EMFILE, -EAGAIN from the host. */
int vnotify_create(struct vnotify **engine, const struct vnotify_config *);

/* All instances must be destroyed before.  Joins every thread. */
void vnotify_destroy(struct vnotify *);

/*
 * Returns when everything that the host had noted before the call is in the
 * queues (or is owed to one that is full).  Directories whose listing failed
 * are tried again at once.  0, or -EAGAIN if a listing still fails and its
 * events therefore remain owed.
 */
int vnotify_sync(struct vnotify *);

/*
 * Called when an event is put into a queue, once per batch, by the thread that
 * put it there; it must not block.  Not called again once
 * vnotify_instance_destroy has returned.
 */
typedef void vnotify_ready_fn(void *arg);

/* `ready` may be NULL: use vnotify_instance_fd.  -ENOMEM, -EMFILE. */
int vnotify_instance_create(struct vnotify *, vnotify_ready_fn *ready,
                            void *arg, struct vnotify_instance **);

/* Ends all its watches; waits for a ready callback that is running. */
void vnotify_instance_destroy(struct vnotify_instance *);

/*
 * A descriptor that polls readable exactly while an event can be read.  Only
 * for instances made without a ready callback (else -EINVAL).  It belongs to
 * the instance: do not read or close it.
 */
int vnotify_instance_fd(struct vnotify_instance *);

/*
 * As inotify_add_watch(2): a watch descriptor >= 1, or -EINVAL (mask), -EEXIST
 * (VN_IN_MASK_CREATE), -ENOTDIR (VN_IN_ONLYDIR), -ENOSPC, -ENOMEM, or what
 * opening the path gave.  The path is resolved with the caller's own rights.
 */
int vnotify_add_watch(struct vnotify_instance *, const char *path,
                      uint32_t mask);

/*
 * The same for an inode that is open already; O_PATH descriptors will do where
 * the host has them.  Rights are the caller's to check.  The descriptor stays
 * the caller's.
 */
int vnotify_add_watch_fd(struct vnotify_instance *, int host_fd, uint32_t mask);

/*
 * The same and sooner, for who knows the path by which it was opened: the last
 * name in it is tried before it is asked for.  A wrong one does no harm; NULL:
 * not known.
 */
int vnotify_add_watch_opened(struct vnotify_instance *, int host_fd,
                             const char *path, uint32_t mask);

/* As inotify_rm_watch(2): 0, or -EINVAL; IN_IGNORED follows in the queue.
   -ENOMEM: there is no memory to say so, and the watch goes on. */
int vnotify_rm_watch(struct vnotify_instance *, int wd);

/*
 * Takes whole events, as struct inotify_event, as many as are queued and fit.
 * Bytes > 0; -EAGAIN if there is none; -EINVAL if the first does not fit (it
 * stays).  One reader at a time per instance: calls exclude each other.
 */
ssize_t vnotify_read(struct vnotify_instance *, void *buf, size_t bytes);

/* Bytes that vnotify_read could return now (FIONREAD). */
size_t vnotify_pending(struct vnotify_instance *);

/* One row of vnotify_stats: times are nanoseconds, 0 where not applicable. */
struct vnotify_stage {
    const char *name;
    uint64_t count;
    uint64_t p50_ns, p99_ns, max_ns;
};

struct vnotify_stats {
    uint64_t notes;             /* raw vnode notes from the kqueue */
    uint64_t notes_stale;       /* for a vnode that was gone */
    uint64_t notes_coalesced;   /* met a vnode that was pending already */
    uint64_t host_overflows;    /* the host's own queue overflowed */
    uint64_t ring_full;         /* reader waited for room in the ring */
    uint64_t ring_high;         /* most notes in the ring at once */
    uint64_t listings;          /* done, without those that failed */
    uint64_t listings_unchanged;
    uint64_t listings_failed;   /* each is tried again */
    uint64_t entries_listed;
    uint64_t names_streamed;    /* told before their listing had ended */
    uint64_t rests;             /* listings put off by pacing */
    uint64_t deltas;            /* computed, shared ones once */
    uint64_t rounds;            /* dispatch rounds */
    uint64_t holds;             /* rounds that waited for a rename's other half */
    uint64_t events;            /* put into queues */
    uint64_t events_merged;     /* equal to the last unread one */
    uint64_t queue_full;        /* times a queue was found full */
    uint64_t queue_high;        /* most events in one queue at once */
    uint64_t vnodes, watches, instances; /* now */
    struct vnotify_stage stages[8];      /* up to the first NULL name */
};

/* A consistent enough picture: counters are read one after the other. */
void vnotify_stats(struct vnotify *, struct vnotify_stats *);
void vnotify_stats_print(const struct vnotify_stats *, FILE *);

/* Linux's values (uapi linux/inotify.h), for hosts that lack the header. */
enum {
    VN_IN_ACCESS = 0x00000001,
    VN_IN_MODIFY = 0x00000002,
    VN_IN_ATTRIB = 0x00000004,
    VN_IN_CLOSE_WRITE = 0x00000008,
    VN_IN_CLOSE_NOWRITE = 0x00000010,
    VN_IN_OPEN = 0x00000020,
    VN_IN_MOVED_FROM = 0x00000040,
    VN_IN_MOVED_TO = 0x00000080,
    VN_IN_CREATE = 0x00000100,
    VN_IN_DELETE = 0x00000200,
    VN_IN_DELETE_SELF = 0x00000400,
    VN_IN_MOVE_SELF = 0x00000800,
    VN_IN_ALL_EVENTS = 0x00000fff,
    VN_IN_UNMOUNT = 0x00002000,
    VN_IN_Q_OVERFLOW = 0x00004000,
    VN_IN_IGNORED = 0x00008000,
    VN_IN_ONLYDIR = 0x01000000,
    VN_IN_DONT_FOLLOW = 0x02000000,
    VN_IN_EXCL_UNLINK = 0x04000000,
    VN_IN_MASK_CREATE = 0x10000000,
    VN_IN_MASK_ADD = 0x20000000,
    VN_IN_ISDIR = 0x40000000,
};
#define VN_IN_ONESHOT 0x80000000u

/* One event as vnotify_read writes it: `len` bytes of name follow. */
struct vnotify_event {
    int32_t wd;
    uint32_t mask;
    uint32_t cookie;
    uint32_t len; /* a multiple of 16, NUL-padded; 0: no name */
    char name[];
};

#ifdef __cplusplus
}
#endif
