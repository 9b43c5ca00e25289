/*
 * kq-linux-overflow.c - after the kernel dropped events
 *
 * Every directory is told that its entries may have changed.  Other files are
 * compared with what was last seen of them.  What leaves no trace (a rename of
 * the object, opens, reads) stays unknown, as it is after any overflow.
 */
#include "port/kq-linux-internal.h"

static void recheck_dir(struct kq *kq, int32_t index, const struct stat *st)
{
    struct node *node = node_at(kq, index);
    int64_t ctime_ns = node->ctime_ns;
    int32_t wd = node->wd;
    uint32_t attr = node->attr;
    host_remember(node, st);
    node->nlink = (uint32_t)st->st_nlink;
    uint32_t hint = NOTE_WRITE | NOTE_LINK;
    if (node->attr != attr || ctime_ns != node->ctime_ns || ctime_ns == -1)
        knote_post(kq, node, NOTE_ATTRIB);
    knote_post(kq, node, hint);
    if (st->st_nlink == 0)
        host_tell_removed(kq, index, false);
    else if (node->parent != 0 || node->state & NODE_ORPHAN)
        host_adopt_or_owe(kq, wd); /* the rename may be among the lost */
}

static void recheck_file(struct kq *kq, struct node *node,
                         const struct stat *st)
{
    struct node before = *node;
    host_remember(node, st);
    node->nlink = (uint32_t)st->st_nlink;
    bool is_sure = before.ctime_ns != -1;
    if (is_sure && node->ctime_ns == before.ctime_ns)
        return;
    uint32_t hint = NOTE_ATTRIB;
    if (node->mtime_ns != before.mtime_ns || !is_sure)
        hint |= NOTE_WRITE;
    if (node->size > before.size)
        hint |= NOTE_WRITE | NOTE_EXTEND;
    if (node->nlink > before.nlink)
        hint |= NOTE_LINK;
    if (node->nlink < before.nlink)
        hint |= NOTE_DELETE;
    if (node->nlink < before.nlink && kq->notes == KQ_NOTES_MACOS)
        hint |= NOTE_LINK;
    knote_post(kq, node, hint);
}

void notes_of_overflow(struct kq *kq)
{
    struct stat st;
    /* relaxed: a counter; who reads it acts on nothing else of ours */
    atomic_fetch_add_explicit(&kq->overflows, 1, memory_order_relaxed);
    kq->nmoves = 0;
    /* Nodes added meanwhile need no second look; their number only grows. */
    for (size_t i = 1; i < kq->nnode_chunks * KQ_CHUNK; i++) {
        struct node *node = node_at(kq, (int32_t)i);
        int32_t wd = node->wd;
        if (wd == 0 || node->state & NODE_DEAD)
            continue;
        int32_t index = host_stat(kq, wd, &st);
        if (index == 0) { /* cannot be looked at; or has no knotes */
            index = node_find(kq, wd);
            /* Of what has ended there is nothing else to say. */
            if (index != 0 && !(node_at(kq, index)->state & NODE_REMOVED))
                knote_post(kq, node_at(kq, index),
                           NOTE_WRITE | NOTE_LINK | NOTE_ATTRIB);
            continue;
        }
        node = node_at(kq, index);
        if (node->state & NODE_DIR)
            recheck_dir(kq, index, &st);
        else
            recheck_file(kq, node, &st);
    }
}
