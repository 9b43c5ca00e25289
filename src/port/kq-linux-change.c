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
#include <string.h>
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
    if (S_ISDIR(now->st_mode))
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

/* What a change is about, and what was found out without the lock. */
struct adding {
    const struct kevent *change;
    const struct kq_known *known; /* NULL: nothing */
    int host_fd;                  /* the object, open */
    int stand_in;                 /* to have it watched by */
    struct above above[KQ_ABOVE];
    struct stat before, now; /* before, after the kernel watch */
    int32_t wd;
    struct place place; /* parent_wd == 0: not known */
};

/* Where it is, if it is a directory without a parent.  With the lock. */
static int settle_parent(struct kq *kq, const struct adding *adding)
{
    int32_t index = node_find(kq, adding->wd);
    if (node_at(kq, index)->parent != 0 || !S_ISDIR(adding->now.st_mode) ||
        !host_wants_parent(adding->change->fflags))
        return 0;
    int32_t parent = adding->place.parent_wd == 0
                         ? 0
                         : node_find(kq, adding->place.parent_wd);
    if (parent == 0 || parent == index ||
        (node_at(kq, index)->state & NODE_REMOVED))
        return host_adopt(kq, adding->wd);
    node_set_parent(kq, index, parent, adding->place.name_hash);
    return 0;
}

/* Puts the knote onto the inode of this wd.  With the lock. */
static int settle(struct kq *kq, const struct adding *adding)
{
    const struct kevent *change = adding->change;
    int host_fd = (int)change->ident;
    int32_t index = node_take(kq, adding->wd);
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
        host_remember(node_at(kq, index), &adding->now);
    if (is_new) {
        if (!knote_create(kq, host_fd)) {
            node_release(kq, index);
            return -ENOMEM;
        }
        if (node_at(kq, index)->knotes == KNOTE_NONE)
            init_node(kq, index, &adding->before, &adding->now);
        knote_attach(kq, host_fd, index);
    }
    touch(kq, host_fd, change, is_new);
    int rc = settle_parent(kq, adding);
    /* Short of room now: refuse.  An unreadable parent: do without. */
    if (rc != -ENOSPC && rc != -ENOMEM)
        return 0;
    knote = knote_find(kq, host_fd);
    if (knote && is_new)
        knote_destroy(kq, host_fd);
    return rc;
}

static void stat_of(const struct look *look, struct stat *st)
{
    const int64_t second = 1000000000;
    *st = (struct stat){
        .st_mode = look->mode,
        .st_uid = look->uid,
        .st_gid = look->gid,
        .st_nlink = look->links,
        .st_size = look->size,
        .st_mtim = {look->modified / second, look->modified % second},
        .st_ctim = {look->changed / second, look->changed % second},
    };
}

/* What there is behind the kernel watch, for the caller too. */
static int look_behind(struct adding *adding)
{
    struct look *behind = adding->known ? adding->known->behind : NULL;
    if (!behind)
        return fstat(adding->host_fd, &adding->now) == 0 ? 0 : -EBADF;
    if (look_at(adding->host_fd, "", behind) != 0)
        return -EBADF;
    stat_of(behind, &adding->now);
    return 0;
}

/*
 * Without the lock: the kernel watch, and what there is behind it, since what
 * is missed there comes as an event.  Of a directory, whose entries are not
 * compared, what there was before will do.
 */
static int ask_host(const struct kq *kq, struct adding *adding)
{
    int host_fd = adding->host_fd;
    const struct kq_known *known = adding->known;
    uint32_t asked = adding->change->fflags;
    bool is_dir = S_ISDIR(adding->before.st_mode);
    int32_t wd = host_watch(kq, host_fd, adding->stand_in, asked, is_dir);
    if (wd < 0)
        return wd;
    adding->wd = wd;
    if (!known || !is_dir)
        return look_behind(adding);
    adding->now = adding->before;
    if (!host_wants_parent(asked) ||
        !above_guess(adding->above, host_fd, known, &adding->place))
        adding->place.parent_wd = 0;
    return 0;
}

/*
 * With the lock, which is let go meanwhile: an event that came before the node
 * was there was nobody's.  So what there is of a file is looked at again if any
 * were translated since the look, or this one's next event would seem to say
 * what the lost one did.
 */
static int look_until_sure(struct kq *kq, struct adding *adding,
                           uint64_t translated)
{
    int rc = 0;
    while (rc == 0 && !S_ISDIR(adding->now.st_mode) &&
           kq->translated != translated) {
        translated = kq->translated;
        pthread_mutex_unlock(&kq->lock);
        rc = look_behind(adding);
        pthread_mutex_lock(&kq->lock);
    }
    return rc;
}

/* Not for a file that its owner may have locked: to close any descriptor of it,
   as a stand-in is, ends such locks.  A child's is ours, and O_PATH. */
static bool may_stand_in(const struct adding *adding)
{
    return S_ISDIR(adding->before.st_mode) ||
           (adding->known && adding->known->behind);
}

static int add_by(struct kq *kq, const struct kevent *change, int host_fd,
                  const struct kq_known *known)
{
    struct adding adding = {
        .change = change, .known = known, .host_fd = host_fd, .wd = -1};
    if (known)
        stat_of(known->look, &adding.before);
    else if (fstat(host_fd, &adding.before) != 0)
        return -EBADF;
    pthread_mutex_lock(&kq->lock);
    bool has_room = node_reserve(kq);
    node_begin_add(kq);
    uint64_t translated = kq->translated;
    memcpy(adding.above, kq->above, sizeof(adding.above));
    adding.stand_in = may_stand_in(&adding) ? stand_in_take(kq, host_fd)
                                            : KQ_STAND_INS;
    pthread_mutex_unlock(&kq->lock);

    int rc = has_room ? ask_host(kq, &adding) : -ENOMEM;

    pthread_mutex_lock(&kq->lock);
    stand_in_give(kq, adding.stand_in);
    if (rc == 0)
        rc = look_until_sure(kq, &adding, translated);
    if (rc == 0)
        rc = settle(kq, &adding);
    else if (adding.wd >= 0)
        node_release(kq, node_take(kq, adding.wd));
    node_end_add(kq);
    unlock_and_wake(kq);
    return rc;
}

int kq_add(struct kq *kq, const struct kevent *change,
           const struct kq_known *known)
{
    if (change->ident >= KQ_PARKED_FIRST)
        return kq_event(kq, change, 1, NULL, 0);
    return add_by(kq, change, (int)change->ident, known);
}

static int add_vnode(struct kq *kq, const struct kevent *change)
{
    if (change->ident > INT32_MAX)
        return -EBADF;
    int host_fd = (int)change->ident;
    if (host_fd < KQ_PARKED_FIRST)
        return add_by(kq, change, host_fd, NULL);
    host_fd = kq_reopen(kq, host_fd, KQ_TO_LOOK);
    if (host_fd < 0)
        return host_fd;
    int rc = add_by(kq, change, host_fd, NULL);
    close(host_fd);
    return rc;
}

/* EV_DELETE, EV_ENABLE, EV_DISABLE: no look at the file. */
static int change_vnode(struct kq *kq, const struct kevent *change)
{
    int32_t id = change->ident > INT32_MAX ? -1 : (int32_t)change->ident;
    if (!knote_find(kq, id))
        return -ENOENT;
    if (change->flags & EV_DELETE)
        knote_destroy(kq, id);
    else if (id >= KQ_PARKED_FIRST)
        return -EINVAL;
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
