/*
 * kq-linux-host.c - what the port asks of the kernel about an inode
 *
 * A removed directory that someone has open says nothing itself.  So the
 * directory above is watched for IN_DELETE, and the children known there are
 * found by the name in that event.  A name is learnt from /proc/self/fd/N,
 * after both watches are in place, and again at each IN_MOVE_SELF.  This cannot
 * be stale when an IN_DELETE is looked at: whatever renamed the directory since
 * has put an IN_MOVE_SELF before that IN_DELETE into the same queue, and the
 * look that followed it found the new name, or the directory removed.
 *
 * Not told, then: the removal of a directory whose parent may not be read, and
 * of one that is open as the root of a bind mount, where ".." leads elsewhere.
 * (kq-linux-above.c has a shorter way, for most.)
 */
#include "port/kq-linux-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

enum {
    PROC_PATH_MAX = 40,  /* "/proc/self/fd/2147483647/.." */
    ORPHAN_SLOTS = 64,   /* looked at per collecting */
    FRESH_NS = 20000000, /* at least a tick of the file system's clock */
};

bool host_wants_parent(uint32_t asked)
{
    return asked & (NOTE_DELETE | NOTE_LINK);
}

uint32_t host_learn_name(int host_fd)
{
    char path[PROC_PATH_MAX], target[PATH_MAX];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", host_fd);
    ssize_t len = readlink(path, target, sizeof(target));
    if (len <= 0 || len == (ssize_t)sizeof(target))
        return NAME_UNKNOWN; /* a path longer than that, for one */
    const char *slash = memrchr(target, '/', (size_t)len);
    if (!slash)
        return NAME_UNKNOWN;
    const char *name = slash + 1;
    return node_hash_name(name, (size_t)(target + len - name));
}

/*
 * What is done to a descriptor without the lock: when it is closed meanwhile,
 * the number may be another file's, and what was found out is thrown away.
 */
struct borrowed {
    int32_t wd;
    int32_t id;
    uint32_t serial;
    struct parked_ref parked; /* if the id is a parked knote's */
};

/* False if the node has gone or has no knotes any more. */
static bool borrow(struct kq *kq, int32_t wd, struct borrowed *fd)
{
    int32_t index = node_find(kq, wd);
    if (index == 0 || node_at(kq, index)->knotes == KNOTE_NONE)
        return false;
    fd->wd = wd;
    fd->id = node_at(kq, index)->knotes;
    fd->serial = knote_at(kq, fd->id)->serial;
    if (fd->id >= KQ_PARKED_FIRST)
        parked_borrow(kq, fd->id, &fd->parked);
    return true;
}

/* Without the lock, these two: the descriptor, or -errno. */
static int borrowed_open(const struct borrowed *fd)
{
    return fd->id < KQ_PARKED_FIRST ? fd->id
                                    : parked_open(&fd->parked, O_PATH);
}

static void borrowed_close(const struct borrowed *fd, int host_fd)
{
    if (fd->id >= KQ_PARKED_FIRST && host_fd >= 0)
        close(host_fd);
}

/* The node, if the knote that the descriptor belongs to is still there, or 0.
 */
static int32_t give_back(struct kq *kq, const struct borrowed *fd)
{
    if (fd->id >= KQ_PARKED_FIRST)
        parked_give_back(kq);
    const struct knote *knote = knote_find(kq, fd->id);
    if (!knote || knote->serial != fd->serial)
        return 0;
    return node_find(kq, fd->wd);
}

/* The kernel keeps descriptors apart; with fstat, TSan would call it a race. */
static int stat_unlocked(int host_fd, struct stat *st)
{
    return fstatat(host_fd, "", st, AT_EMPTY_PATH);
}

/* The answers of one look at a directory, taken without the lock. */
struct sight {
    struct place place; /* parent_wd < 0: none */
    struct look parent;
    bool knows_parent;
    bool is_removed;
};

/* The directory above by a descriptor: that it and no other is watched. */
static int watch_parent(const struct kq *kq, int host_fd, struct sight *sight)
{
    char path[PROC_PATH_MAX];
    int parent_fd = openat(host_fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (parent_fd < 0 && errno != EMFILE && errno != ENFILE)
        return -errno;
    if (parent_fd < 0)
        snprintf(path, sizeof(path), "/proc/self/fd/%d/..", host_fd);
    else
        snprintf(path, sizeof(path), "/proc/self/fd/%d", parent_fd);
    int wd = inotify_add_watch(kq->inotify_fd, path, IN_MASK_ADD | IN_DELETE);
    if (wd < 0)
        wd = -errno;
    sight->knows_parent = wd >= 0 && parent_fd >= 0 &&
                          look_at(parent_fd, "", &sight->parent) == 0;
    if (parent_fd >= 0)
        close(parent_fd);
    return wd;
}

static int see(const struct kq *kq, int host_fd, struct sight *sight)
{
    struct stat st;
    sight->place.parent_wd = watch_parent(kq, host_fd, sight);
    sight->place.name_hash = host_learn_name(host_fd);
    sight->is_removed = stat_unlocked(host_fd, &st) == 0 && st.st_nlink == 0;
    return sight->place.parent_wd < 0 ? sight->place.parent_wd : 0;
}

static int see_borrowed(const struct kq *kq, const struct borrowed *fd,
                        struct sight *sight)
{
    int host_fd = borrowed_open(fd);
    *sight = (struct sight){0};
    if (host_fd < 0) {
        sight->place.parent_wd = -1;
        sight->is_removed = host_fd == -ESTALE;
        return host_fd;
    }
    int rc = see(kq, host_fd, sight);
    borrowed_close(fd, host_fd);
    return rc;
}

/* What has been seen.  0 or -ENOMEM. */
static int accept_sight(struct kq *kq, int32_t index, int32_t parent,
                        const struct sight *sight)
{
    if (parent != 0 && sight->knows_parent)
        above_remember(kq, &sight->parent, sight->place.parent_wd);
    if (sight->is_removed)
        host_tell_removed(kq, index, false);
    else if (parent != 0 && parent != index) /* "/" is its own parent */
        node_set_parent(kq, index, parent, sight->place.name_hash);
    else
        node_clear_parent(kq, index);
    return sight->place.parent_wd >= 0 && parent == 0 ? -ENOMEM : 0;
}

int host_adopt(struct kq *kq, int32_t wd)
{
    struct borrowed fd;
    struct sight sight;
    int32_t index = 0;
    int rc = 0;
    while (index == 0 && borrow(kq, wd, &fd)) {
        if (node_at(kq, node_find(kq, wd))->state & NODE_REMOVED)
            return 0;
        node_begin_add(kq);
        pthread_mutex_unlock(&kq->lock);
        rc = see_borrowed(kq, &fd, &sight);
        pthread_mutex_lock(&kq->lock);

        int32_t parent = rc == 0 ? node_take(kq, sight.place.parent_wd) : 0;
        index = give_back(kq, &fd);
        if (index != 0 && accept_sight(kq, index, parent, &sight) != 0)
            rc = -ENOMEM;
        if (parent != 0)
            node_release(kq, parent);
        node_end_add(kq);
    }
    return index == 0 ? 0 : rc;
}

void host_adopt_or_owe(struct kq *kq, int32_t wd)
{
    int rc = host_adopt(kq, wd);
    int32_t index = node_find(kq, wd);
    if (index != 0 && node_at(kq, index)->knotes != KNOTE_NONE)
        node_set_orphan(kq, node_at(kq, index),
                        rc == -ENOSPC || rc == -ENOMEM || rc == -EMFILE ||
                            rc == -ENFILE);
}

void host_adopt_owed(struct kq *kq)
{
    for (int i = 0; i < ORPHAN_SLOTS && kq->norphans > 0; i++) {
        size_t slots = kq->nnode_chunks * KQ_CHUNK;
        kq->orphan_cursor = (kq->orphan_cursor + 1) % slots;
        if (kq->orphan_cursor == 0)
            continue;
        const struct node *node = node_at(kq, (int32_t)kq->orphan_cursor);
        if (node->wd == 0 || !(node->state & NODE_ORPHAN))
            continue;
        host_adopt_or_owe(kq, node->wd);
        return; /* one per collecting: it may well fail again */
    }
}

int32_t host_stat(struct kq *kq, int32_t wd, struct stat *st)
{
    struct borrowed fd;
    while (borrow(kq, wd, &fd)) {
        pthread_mutex_unlock(&kq->lock);
        int host_fd = borrowed_open(&fd);
        int rc = host_fd < 0 ? host_fd : stat_unlocked(host_fd, st);
        borrowed_close(&fd, host_fd);
        pthread_mutex_lock(&kq->lock);
        int32_t index = give_back(kq, &fd);
        if (index != 0 && rc == -ESTALE && fd.id >= KQ_PARKED_FIRST)
            host_tell_removed(kq, index, false);
        if (index != 0)
            return rc == 0 ? index : 0;
    }
    return 0;
}

static int64_t ns_of(struct timespec time)
{
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

uint32_t host_attr(const struct stat *st)
{
    uint32_t attr = st->st_mode;
    attr = (attr ^ st->st_uid) * 0x9e3779b1u;
    return (attr ^ st->st_gid) * 0x9e3779b1u;
}

void host_remember(struct node *node, const struct stat *st)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME_COARSE, &now);
    node->attr = host_attr(st);
    node->size = st->st_size;
    node->mtime_ns = ns_of(st->st_mtim);
    node->ctime_ns = ns_of(st->st_ctim);
    /*
     * File systems stamp by the tick.  A second change within the tick of the
     * one seen here would not show, so do not take this time for a proof.
     */
    if (ns_of(now) - node->ctime_ns < FRESH_NS)
        node->ctime_ns = -1;
}

void host_tell_removed(struct kq *kq, int32_t index, bool by_rename)
{
    struct node *node = node_at(kq, index);
    if (node->state & NODE_REMOVED)
        return;
    node->state |= NODE_REMOVED;
    uint32_t hint = NOTE_DELETE;
    if (kq->notes == KQ_NOTES_MACOS && !by_rename)
        hint |= NOTE_LINK;
    knote_post(kq, node, hint);
    node_set_orphan(kq, node, false);
    node_clear_parent(kq, index);
}

uint32_t kq_knotes_max(const struct kq *kq)
{
    FILE *file = fopen("/proc/sys/fs/inotify/max_user_watches", "re");
    unsigned long most = 0;
    (void)kq;
    if (!file)
        return 0;
    if (fscanf(file, "%lu", &most) != 1)
        most = 0;
    fclose(file);
    return most < UINT32_MAX ? (uint32_t)most : UINT32_MAX;
}
