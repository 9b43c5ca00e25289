/*
 * kq-linux-notes.c - what a BSD kernel would post for a Linux event
 *
 * Names are dropped: a directory's knote hears that an entry came or went, and
 * nothing that happens to a child.  What inotify does not tell apart is told by
 * comparing fstat with what was seen before:
 *
 *   IN_MODIFY  size larger: a write that extends (or a truncate upwards, which
 *              looks the same); smaller: a truncate; same: a write
 *   IN_ATTRIB  fewer links: an unlink (or a rename over it: on macOS that would
 *              lack NOTE_LINK); more: a link; same: attributes.  Identical
 *              events merge in the kernel, so an IN_ATTRIB with another link
 *              count and another mode, owner or mtime is both
 *   IN_MOVED_* within one directory, if both halves name it; across otherwise
 *
 * The stat is of now, not of the event: when several changes are taken in at
 * once the notes are those of the sum.
 */
#include "port/kq-linux-internal.h"

#include <string.h>
#include <sys/inotify.h>

enum { EVENTS_AHEAD = 8 };

static bool is_macos(const struct kq *kq)
{
    return kq->notes == KQ_NOTES_MACOS;
}

/* The node could not be looked at (a dead server, say): tell what is sure. */
static void note_blindly(struct kq *kq, int32_t wd, uint32_t hint)
{
    int32_t index = node_find(kq, wd);
    if (index != 0)
        knote_post(kq, node_at(kq, index), hint);
}

static void note_modified(struct kq *kq, int32_t wd)
{
    struct stat st;
    int32_t index = host_stat(kq, wd, &st);
    if (index == 0) {
        note_blindly(kq, wd, NOTE_WRITE);
        return;
    }
    struct node *node = node_at(kq, index);
    if (node->state & NODE_DIR) { /* its time was set: an attribute there */
        knote_post(kq, node, NOTE_ATTRIB);
        return;
    }
    int64_t before = node->size;
    uint32_t attr = node->attr; /* left for the IN_ATTRIB that changed it */
    host_remember(node, &st);
    node->attr = attr;
    if (st.st_size < before) {
        knote_post(kq, node, NOTE_ATTRIB);
    } else if (st.st_size == before) {
        knote_post(kq, node, NOTE_WRITE);
    } else if (is_macos(kq)) { /* which posts them one by one */
        knote_post(kq, node, NOTE_EXTEND);
        knote_post(kq, node, NOTE_WRITE);
    } else {
        knote_post(kq, node, NOTE_WRITE | NOTE_EXTEND);
    }
}

static void note_dir_attributes(struct kq *kq, int32_t index,
                                const struct stat *st)
{
    struct node *node = node_at(kq, index);
    bool is_changed = host_attr(st) != node->attr;
    host_remember(node, st);
    if (st->st_nlink != 0 || node->state & NODE_REMOVED || is_changed)
        knote_post(kq, node, NOTE_ATTRIB);
    if (st->st_nlink == 0) /* rmdir is silent here: a rename put it away */
        host_tell_removed(kq, index, true);
}

static void note_file_attributes(struct kq *kq, struct node *node,
                                 const struct stat *st)
{
    struct node before = *node;
    /* It may have been gone when its knote was made, after the kernel had been
       asked for what follows. */
    bool is_gone = st->st_nlink == 0 && !(node->state & NODE_REMOVED);
    host_remember(node, st);
    node->nlink = (uint32_t)st->st_nlink;
    node->size = before.size; /* left for the IN_MODIFY that changed it */
    if (is_gone)
        node->state |= NODE_REMOVED;
    else if (st->st_nlink != 0)
        node->state &= ~(uint32_t)NODE_REMOVED;
    if (is_gone || node->nlink < before.nlink)
        knote_post(kq, node, NOTE_DELETE | (is_macos(kq) ? NOTE_LINK : 0));
    if (node->nlink > before.nlink)
        knote_post(kq, node, NOTE_LINK);
    if ((!is_gone && node->nlink == before.nlink) ||
        node->attr != before.attr || node->mtime_ns != before.mtime_ns)
        knote_post(kq, node, NOTE_ATTRIB);
}

static void note_attributes(struct kq *kq, int32_t wd)
{
    struct stat st;
    int32_t index = host_stat(kq, wd, &st);
    if (index == 0) {
        index = node_find(kq, wd);
        /* Of what has ended there is nothing else to say. */
        if (index != 0 && !(node_at(kq, index)->state & NODE_REMOVED))
            knote_post(kq, node_at(kq, index), NOTE_ATTRIB);
        return;
    }
    struct node *node = node_at(kq, index);
    if (node->state & NODE_DIR)
        note_dir_attributes(kq, index, &st);
    else
        note_file_attributes(kq, node, &st);
}

static void note_moved_self(struct kq *kq, int32_t wd)
{
    int32_t index = node_find(kq, wd);
    struct node *node = node_at(kq, index);
    knote_post(kq, node, NOTE_RENAME);
    if (node->state & NODE_DIR)
        host_adopt_or_owe(kq, wd);
}

/*
 * Does the same read say that the kernel has let the inode go?  Of an unlink
 * that is the event after the next, if nobody has the file open: and to look at
 * what is gone takes longer than to unlink it.
 */
static bool ends_soon(const struct kq *kq, const struct inotify_event *event)
{
    const char *at = (const char *)event, *end = kq->buf + kq->filled;
    int32_t wd = event->wd;
    for (int i = 0; i <= EVENTS_AHEAD && at < end; i++) {
        event = (const void *)at;
        if (event->wd == wd && event->mask & IN_IGNORED)
            return true;
        at += sizeof(*event) + event->len;
    }
    return false;
}

static void note_self(struct kq *kq, int32_t index,
                      const struct inotify_event *event)
{
    struct node *node = node_at(kq, index);
    uint32_t mask = event->mask;
    if (mask & IN_MODIFY)
        note_modified(kq, node->wd);
    else if (mask & IN_ATTRIB && ends_soon(kq, event))
        return; /* NOTE_DELETE follows */
    else if (mask & IN_ATTRIB)
        note_attributes(kq, node->wd);
    else if (mask & IN_MOVE_SELF)
        note_moved_self(kq, node->wd);
    else if (is_macos(kq))
        return;
    else if (mask & IN_OPEN)
        knote_post(kq, node, NOTE_OPEN);
    else if (mask & IN_ACCESS)
        knote_post(kq, node, NOTE_READ);
    else if (mask & IN_CLOSE_WRITE)
        knote_post(kq, node, NOTE_CLOSE_WRITE);
    else if (mask & IN_CLOSE_NOWRITE)
        knote_post(kq, node, NOTE_CLOSE);
}

/*** Entries of a directory ***/

static void check_removed(struct kq *kq, int32_t wd)
{
    struct stat st;
    int32_t index = host_stat(kq, wd, &st);
    if (index != 0 && st.st_nlink == 0)
        host_tell_removed(kq, index, false);
    if (index != 0 || (index = node_find(kq, wd)) == 0)
        return;
    /* No descriptor for a parked one: who is told looks for himself. */
    if (!(node_at(kq, index)->state & NODE_REMOVED))
        knote_post(kq, node_at(kq, index), NOTE_DELETE);
}

/* The slow way, for children whose path is too long to know their names. */
static void check_all_children(struct kq *kq, int32_t parent)
{
    for (size_t i = 1; i < kq->nnode_chunks * KQ_CHUNK; i++) {
        const struct node *node = node_at(kq, (int32_t)i);
        if (node->wd != 0 && node->parent == parent)
            check_removed(kq, node->wd);
    }
}

static void check_children(struct kq *kq, int32_t parent, const char *name)
{
    int32_t wds[KQ_CANDIDATES];
    if (node_at(kq, parent)->nchildren == 0)
        return;
    uint32_t hash = node_hash_name(name, strlen(name));
    int n = node_children(kq, parent, hash, wds);
    if (n < 0 || node_at(kq, parent)->state & NODE_NAMELESS) {
        check_all_children(kq, parent);
        return;
    }
    for (int i = 0; i < n; i++)
        check_removed(kq, wds[i]);
}

/* A subdirectory came or went, in numbers: fixed where fstat shows better. */
static void count_subdir(struct node *node, int by)
{
    node->nlink += (uint32_t)by;
}

/*
 * Whether the rename that brought a directory here put another one away.  File
 * systems that count no subdirectories (btrfs) do not tell: no.
 */
static bool has_replaced_dir(struct kq *kq, int32_t wd, bool is_across)
{
    struct stat st;
    int32_t index = host_stat(kq, wd, &st);
    if (index == 0 || st.st_nlink < 2)
        return false;
    struct node *node = node_at(kq, index);
    uint32_t expected = node->nlink + (is_across ? 1 : 0);
    node->nlink = (uint32_t)st.st_nlink;
    return st.st_nlink < expected;
}

static void note_moved_out(struct kq *kq, const struct move *move,
                           bool has_replaced)
{
    int32_t index = node_find(kq, move->wd);
    if (index == 0)
        return;
    struct node *node = node_at(kq, index);
    if (move->is_dir)
        count_subdir(node, -1);
    if (!is_macos(kq))
        knote_post(kq, node,
                   NOTE_WRITE | NOTE_EXTEND | (move->is_dir ? NOTE_LINK : 0));
    else if (move->is_dir && !has_replaced)
        knote_post(kq, node, NOTE_WRITE | NOTE_LINK);
}

static void drop_move(struct kq *kq, uint32_t at)
{
    kq->nmoves--;
    memmove(&kq->moves[at], &kq->moves[at + 1],
            (kq->nmoves - at) * sizeof(kq->moves[0]));
}

void notes_settle_moves(struct kq *kq)
{
    for (uint32_t i = 0; i < kq->nmoves; i++)
        note_moved_out(kq, &kq->moves[i], false);
    kq->nmoves = 0;
}

static void note_moved_from(struct kq *kq, int32_t index,
                            const struct inotify_event *event)
{
    knote_post(kq, node_at(kq, index), NOTE_WRITE);
    if (kq->nmoves == KQ_MOVES) { /* the oldest will hardly be answered yet */
        note_moved_out(kq, &kq->moves[0], false);
        drop_move(kq, 0);
    }
    kq->moves[kq->nmoves++] = (struct move){
        .wd = event->wd,
        .cookie = event->cookie,
        .is_dir = event->mask & IN_ISDIR,
    };
    kq->move_is_last = true;
}

static void note_moved_to(struct kq *kq, const struct inotify_event *event)
{
    bool is_dir = event->mask & IN_ISDIR;
    uint32_t at = 0;
    while (at < kq->nmoves && kq->moves[at].cookie != event->cookie)
        at++;
    bool is_known = at < kq->nmoves;
    bool is_across = !is_known || kq->moves[at].wd != event->wd;
    bool has_replaced = is_dir && has_replaced_dir(kq, event->wd, is_across);
    if (is_known && is_across)
        note_moved_out(kq, &kq->moves[at], has_replaced);
    if (is_known)
        drop_move(kq, at);
    int32_t index = node_find(kq, event->wd);
    if (index == 0)
        return;
    uint32_t hint = NOTE_WRITE;
    if (is_across && !is_macos(kq))
        hint |= NOTE_EXTEND;
    /* The number of subdirectories changed, in the one way or the other. */
    if (is_dir && is_across != has_replaced)
        hint |= NOTE_LINK;
    knote_post(kq, node_at(kq, index), hint);
}

static void note_entry(struct kq *kq, int32_t index,
                       const struct inotify_event *event)
{
    struct node *node = node_at(kq, index);
    bool is_dir = event->mask & IN_ISDIR;
    if (event->mask & (IN_CREATE | IN_DELETE)) {
        if (is_dir)
            count_subdir(node, event->mask & IN_CREATE ? 1 : -1);
        knote_post(kq, node, NOTE_WRITE | (is_dir ? NOTE_LINK : 0));
        if (is_dir && event->mask & IN_DELETE)
            check_children(kq, index, event->name);
    } else if (event->mask & IN_MOVED_FROM) {
        note_moved_from(kq, index, event);
    } else if (event->mask & IN_MOVED_TO) {
        note_moved_to(kq, event);
    } /* anything else happened to the child alone */
}

void notes_of_event(struct kq *kq, const struct inotify_event *event)
{
    kq->move_is_last = false;
    if (event->mask & IN_Q_OVERFLOW) {
        notes_of_overflow(kq);
        return;
    }
    int32_t index = node_find(kq, event->wd);
    if (index == 0)
        return; /* removed while this was on its way */
    struct node *node = node_at(kq, index);
    if (event->mask & IN_UNMOUNT) {
        node->state |= NODE_REMOVED;
        knote_revoke(kq, node);
    } else if (event->mask & IN_IGNORED) {
        /* The kernel let go: someone closed the descriptor behind our back. */
        host_tell_removed(kq, index, false);
        node_bury(kq, index);
    } else if (event->len > 0) {
        note_entry(kq, index, event);
    } else {
        note_self(kq, index, event);
    }
}
