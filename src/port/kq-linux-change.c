/*
 * kq-linux-change.c - EV_ADD, EV_DELETE and friends
 *
 * EV_ADD of a file asks the kernel without the lock.  What happens to the file
 * before the knote is attached may be missed, as it may be before a real EV_ADD
 * has done its work; whatever happens after EV_ADD has returned finds the
 * knote.
 */
#include "port/kq-linux-internal.h"

#include <errno.h>
#include <unistd.h>

/* Unlocks, and wakes kq_wait if a knote was queued under its sleep. */
static void unlock_and_wake(struct kq *kq)
{
    bool wake = kq->waiting && kq->nqueued > 0;
    pthread_mutex_unlock(&kq->lock);
    if (wake) {
        uint64_t one = 1;
        (void)!write(kq->wake_fd, &one, sizeof(one)); /* full: it is awake */
    }
}

/* What a change does to a knote, new or not; as FreeBSD's kqueue_register. */
static void touch(struct kq *kq, int32_t id, const struct kevent *change,
                  bool is_new)
{
    struct knote *knote = knote_at(kq, id);
    knote->udata = change->udata;
    if (is_new) {
        knote->flags = change->flags;
        knote->flags &= (uint16_t) ~(EV_DELETE | EV_ENABLE | EV_DISABLE);
        if (kq->notes == KQ_NOTES_FREEBSD)
            knote->flags &= (uint16_t)~EV_ADD;
    }
    if (change->filter == EVFILT_VNODE)
        knote->asked = (uint16_t)change->fflags;
    else if (change->fflags & NOTE_TRIGGER)
        knote->status |= KNOTE_ACTIVE;
    if (change->flags & EV_ENABLE)
        knote->status &= (uint16_t)~KNOTE_DISABLED;
    else if (change->flags & EV_DISABLE)
        knote_disable(kq, id);
    knote_activate(kq, id);
}

static int change_user(struct kq *kq, const struct kevent *change)
{
    struct user_knote *user = knote_find_user(kq, change->ident);
    bool is_new = !user && change->flags & EV_ADD;
    if (is_new)
        user = knote_create_user(kq, change->ident);
    if (!user)
        return is_new ? -ENOMEM : -ENOENT;
    int32_t id = -2 - (int32_t)(user - kq->users);
    if (change->flags & EV_DELETE)
        knote_destroy(kq, id);
    else
        touch(kq, id, change, is_new);
    return 0;
}

static void init_node(struct kq *kq, int32_t index, const struct stat *before,
                      const struct stat *now)
{
    struct node *node = node_at(kq, index);
    host_remember(node, now);
    node->nlink = (uint32_t)now->st_nlink;
    if (!S_ISDIR(now->st_mode))
        return;
    node->state |= NODE_DIR;
    if (before->st_nlink == 0) /* no news, as on a real kqueue */
        node->state |= NODE_REMOVED;
}

/*
 * Is this the first to ask for changes?  Then they are told from what there is
 * now: the kernel was not asked for those before.
 */
static bool asks_first(struct kq *kq, int32_t index, uint32_t asked)
{
    const uint32_t changes = NOTE_WRITE | NOTE_EXTEND | NOTE_ATTRIB;
    uint32_t before = 0;
    for (int32_t id = node_at(kq, index)->knotes; id != KNOTE_NONE;
         id = knote_at(kq, id)->node_next)
        before |= knote_at(kq, id)->asked;
    return (before & changes) == 0 && (asked & changes) != 0;
}

/* Puts the knote onto the inode of this wd.  With the lock. */
static int settle(struct kq *kq, const struct kevent *change, int32_t wd,
                  const struct stat *before, const struct stat *now)
{
    int host_fd = (int)change->ident;
    int32_t index = node_take(kq, wd);
    if (index == 0)
        return -ENOMEM;
    struct knote *knote = knote_find(kq, host_fd);
    if (knote && knote->node != index) { /* closed without kq_close, reused */
        knote_destroy(kq, host_fd);
        knote = NULL;
    }
    bool is_new = !knote;
    if (is_new && host_fd >= KQ_PARKED_FIRST) {
        node_release(kq, index);
        return -ENOENT; /* it has ended: a file system that went away */
    }
    if (node_at(kq, index)->knotes != KNOTE_NONE &&
        asks_first(kq, index, change->fflags))
        host_remember(node_at(kq, index), now);
    if (is_new) {
        if (!knote_create(kq, host_fd)) {
            node_release(kq, index);
            return -ENOMEM;
        }
        if (node_at(kq, index)->knotes == KNOTE_NONE)
            init_node(kq, index, before, now);
        knote_attach(kq, host_fd, index);
    }
    touch(kq, host_fd, change, is_new);
    bool lacks_parent = node_at(kq, index)->parent == 0 &&
                        S_ISDIR(now->st_mode) &&
                        host_wants_parent(change->fflags);
    int rc = lacks_parent ? host_adopt(kq, wd) : 0;
    /* Short of room now: refuse.  An unreadable parent: do without. */
    if (rc != -ENOSPC && rc != -ENOMEM)
        return 0;
    knote = knote_find(kq, host_fd);
    if (knote && is_new)
        knote_destroy(kq, host_fd);
    return rc;
}

static int add_by(struct kq *kq, const struct kevent *change, int host_fd)
{
    struct stat before, now;
    if (fstat(host_fd, &before) != 0)
        return -EBADF;
    pthread_mutex_lock(&kq->lock);
    bool has_room = node_reserve(kq);
    node_begin_add(kq);
    pthread_mutex_unlock(&kq->lock);

    int rc = has_room ? 0 : -ENOMEM;
    int32_t wd = -1;
    if (rc == 0) {
        wd = host_watch(kq, host_fd, change->fflags, S_ISDIR(before.st_mode));
        rc = wd < 0 ? wd : 0;
    }
    /* After the watch: what is missed here comes as an event. */
    if (rc == 0 && fstat(host_fd, &now) != 0)
        rc = -EBADF;

    pthread_mutex_lock(&kq->lock);
    if (rc == 0)
        rc = settle(kq, change, wd, &before, &now);
    else if (wd >= 0)
        node_release(kq, node_take(kq, wd));
    node_end_add(kq);
    unlock_and_wake(kq);
    return rc;
}

static int add_vnode(struct kq *kq, const struct kevent *change)
{
    if (change->ident > INT32_MAX)
        return -EBADF;
    int host_fd = (int)change->ident;
    if (host_fd < KQ_PARKED_FIRST)
        return add_by(kq, change, host_fd);
    host_fd = kq_reopen(kq, host_fd, KQ_TO_LOOK);
    if (host_fd < 0)
        return host_fd;
    int rc = add_by(kq, change, host_fd);
    close(host_fd);
    return rc;
}

/* EV_DELETE, EV_ENABLE, EV_DISABLE: no look at the file. */
static int change_vnode(struct kq *kq, const struct kevent *change)
{
    int32_t id = change->ident > INT32_MAX ? -1 : (int32_t)change->ident;
    if (!knote_find(kq, id))
        return -ENOENT;
    if (id >= KQ_PARKED_FIRST)
        return -EINVAL;
    if (change->flags & EV_DELETE)
        knote_destroy(kq, id);
    else
        touch(kq, id, change, false);
    return 0;
}

int change_apply(struct kq *kq, const struct kevent *change)
{
    if ((change->flags & EV_ENABLE) && (change->flags & EV_DISABLE))
        return -EINVAL;
    if (change->filter != EVFILT_VNODE && change->filter != EVFILT_USER)
        return -EINVAL;
    /* A change of what is asked for may need more of the kernel, too. */
    if (change->filter == EVFILT_VNODE && !(change->flags & EV_DELETE) &&
        (change->flags & EV_ADD || change->fflags != 0)) {
        if (!(change->flags & EV_ADD)) {
            pthread_mutex_lock(&kq->lock);
            bool is_known = change->ident <= INT32_MAX &&
                            knote_find(kq, (int)change->ident);
            pthread_mutex_unlock(&kq->lock);
            if (!is_known)
                return -ENOENT;
        }
        return add_vnode(kq, change);
    }
    pthread_mutex_lock(&kq->lock);
    int rc = change->filter == EVFILT_USER ? change_user(kq, change)
                                           : change_vnode(kq, change);
    unlock_and_wake(kq);
    return rc;
}
