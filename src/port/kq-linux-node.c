/*
 * kq-linux-node.c - kernel watches by wd, directories by parent and name
 *
 * A wd is dropped when its node has neither knotes nor children.  But
 * inotify_add_watch gives the *same* wd for an inode that is watched already,
 * so a removal must not come between another thread's inotify_add_watch and its
 * node_take.  Hence `adders`: while it is not zero, nodes that fall idle are
 * put on a list; the last adder out removes those that are still idle.
 *
 * inotify_rm_watch is called under the lock: it does not touch the file system.
 * The kernel does not reuse a wd before it has counted to 2^31, so events that
 * still carry a removed one find no node and are ignored.
 */
#include "port/kq-linux-internal.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/inotify.h>

static uint32_t mix(uint32_t a, uint32_t b)
{
    uint64_t key = ((uint64_t)a << 32 | b) * UINT64_C(0x9e3779b97f4a7c15);
    return (uint32_t)(key >> 32);
}

static int32_t *wd_bucket(struct kq *kq, int32_t wd)
{
    return &kq->wd_table[mix(0, (uint32_t)wd) & (kq->table_size - 1)];
}

static int32_t *child_bucket(struct kq *kq, int32_t parent, uint32_t name_hash)
{
    uint32_t key = mix((uint32_t)parent, name_hash);
    return &kq->child_table[key & (kq->table_size - 1)];
}

struct node *node_at(struct kq *kq, int32_t index)
{
    assert(index > 0);
    return &kq->node_chunks[index / KQ_CHUNK][index % KQ_CHUNK];
}

int32_t node_find(struct kq *kq, int32_t wd)
{
    if (kq->table_size == 0)
        return 0;
    int32_t index = *wd_bucket(kq, wd);
    while (index != 0 && node_at(kq, index)->wd != wd)
        index = node_at(kq, index)->wd_next;
    return index;
}

static void free_push(struct kq *kq, int32_t index)
{
    struct node *node = node_at(kq, index);
    *node = (struct node){.wd_next = kq->free_head, .knotes = KNOTE_NONE};
    kq->free_head = index;
    kq->nfree++;
}

static bool add_chunk(struct kq *kq)
{
    size_t n = kq->nnode_chunks;
    if (n >= INT32_MAX / KQ_CHUNK)
        return false;
    struct node **chunks = realloc(kq->node_chunks, (n + 1) * sizeof(*chunks));
    if (!chunks)
        return false;
    kq->node_chunks = chunks;
    chunks[n] = calloc(KQ_CHUNK, sizeof(**chunks));
    if (!chunks[n])
        return false;
    kq->nnode_chunks = n + 1;
    for (int32_t i = KQ_CHUNK - 1; i >= 0; i--) {
        int32_t index = (int32_t)n * KQ_CHUNK + i;
        if (index > 0) /* 0 means none */
            free_push(kq, index);
    }
    return true;
}

/* Both tables anew, of `size` heads: every live node is put in again. */
static bool resize_tables(struct kq *kq, uint32_t size)
{
    int32_t *wds = calloc(size, sizeof(*wds));
    int32_t *children = calloc(size, sizeof(*children));
    if (!wds || !children) {
        free(wds);
        free(children);
        return false;
    }
    free(kq->wd_table);
    free(kq->child_table);
    kq->wd_table = wds;
    kq->child_table = children;
    kq->table_size = size;
    for (size_t i = 1; i < kq->nnode_chunks * KQ_CHUNK; i++) {
        struct node *node = node_at(kq, (int32_t)i);
        if (node->wd == 0)
            continue;
        if (!(node->state & NODE_DEAD)) {
            int32_t *head = wd_bucket(kq, node->wd);
            node->wd_next = *head;
            *head = (int32_t)i;
        }
        if (node->parent != 0) {
            int32_t *head = child_bucket(kq, node->parent, node->name_hash);
            node->child_next = *head;
            *head = (int32_t)i;
        }
    }
    return true;
}

bool node_reserve(struct kq *kq)
{
    while (kq->nfree < KQ_SPARE_NODES) {
        if (!add_chunk(kq))
            return false;
    }
    if (kq->nnodes + KQ_SPARE_NODES <= kq->table_size)
        return true;
    uint32_t size = kq->table_size ? kq->table_size * 2 : KQ_CHUNK;
    /* Fuller tables are slower, not wrong. */
    return resize_tables(kq, size) || kq->table_size > 0;
}

int32_t node_take(struct kq *kq, int32_t wd)
{
    int32_t index = node_find(kq, wd);
    if (index != 0)
        return index;
    index = kq->free_head;
    if (index == 0)
        return 0;
    struct node *node = node_at(kq, index);
    kq->free_head = node->wd_next;
    kq->nfree--;
    kq->nnodes++;
    int32_t *head = wd_bucket(kq, wd);
    *node = (struct node){.wd = wd, .wd_next = *head, .knotes = KNOTE_NONE};
    *head = index;
    return index;
}

static void unlink_wd(struct kq *kq, int32_t index)
{
    int32_t *link = wd_bucket(kq, node_at(kq, index)->wd);
    while (*link != index)
        link = &node_at(kq, *link)->wd_next;
    *link = node_at(kq, index)->wd_next;
}

static bool is_unused(const struct node *node)
{
    return node->knotes == KNOTE_NONE && node->nchildren == 0;
}

static void destroy(struct kq *kq, int32_t index)
{
    struct node *node = node_at(kq, index);
    assert(is_unused(node) && node->parent == 0);
    if (!(node->state & NODE_DEAD)) {
        unlink_wd(kq, index);
        (void)inotify_rm_watch(kq->inotify_fd, node->wd);
    }
    kq->nnodes--;
    free_push(kq, index);
}

void node_release(struct kq *kq, int32_t index)
{
    struct node *node = node_at(kq, index);
    if (node->knotes != KNOTE_NONE)
        return;
    node_set_orphan(kq, node, false);
    node_clear_parent(kq, index);
    if (!is_unused(node) || (node->state & NODE_IDLE))
        return;
    if (kq->adders == 0) {
        destroy(kq, index);
        return;
    }
    node->state |= NODE_IDLE;
    node->child_next = kq->idle_head;
    kq->idle_head = index;
}

void node_begin_add(struct kq *kq)
{
    kq->adders++;
}

void node_end_add(struct kq *kq)
{
    assert(kq->adders > 0);
    if (--kq->adders > 0)
        return;
    while (kq->idle_head != 0) {
        int32_t index = kq->idle_head;
        struct node *node = node_at(kq, index);
        kq->idle_head = node->child_next;
        node->state &= ~(uint32_t)NODE_IDLE;
        if (is_unused(node))
            destroy(kq, index);
    }
}

/* Something was taken for its child that is another's: see kq-linux-above.c. */
static void orphan_children(struct kq *kq, int32_t parent)
{
    for (size_t i = 1; i < kq->nnode_chunks * KQ_CHUNK; i++) {
        struct node *node = node_at(kq, (int32_t)i);
        if (node->wd != 0 && node->parent == parent)
            node_set_orphan(kq, node, true);
    }
}

void node_bury(struct kq *kq, int32_t index)
{
    struct node *node = node_at(kq, index);
    assert(!(node->state & NODE_DEAD));
    unlink_wd(kq, index);
    node->state |= NODE_DEAD;
    if (node->nchildren > 0)
        orphan_children(kq, index);
    node_set_orphan(kq, node, false);
    node_clear_parent(kq, index);
    node_release(kq, index);
}

/* A node on the idle list that is used again; its child_next is needed. */
static void leave_idle_list(struct kq *kq, int32_t index)
{
    struct node *node = node_at(kq, index);
    if (!(node->state & NODE_IDLE))
        return;
    int32_t *link = &kq->idle_head;
    while (*link != index)
        link = &node_at(kq, *link)->child_next;
    *link = node->child_next;
    node->state &= ~(uint32_t)NODE_IDLE;
}

void node_set_parent(struct kq *kq, int32_t child, int32_t parent,
                     uint32_t name_hash)
{
    assert(child != parent);
    leave_idle_list(kq, child);
    struct node *node = node_at(kq, child);
    node_at(kq, parent)->nchildren++; /* first: it may be the old one too */
    node_clear_parent(kq, child);
    int32_t *head = child_bucket(kq, parent, name_hash);
    node->parent = parent;
    node->name_hash = name_hash;
    node->child_next = *head;
    *head = child;
    if (name_hash == NAME_UNKNOWN)
        node_at(kq, parent)->state |= NODE_NAMELESS;
}

void node_clear_parent(struct kq *kq, int32_t child)
{
    struct node *node = node_at(kq, child);
    int32_t parent = node->parent;
    if (parent == 0)
        return;
    int32_t *link = child_bucket(kq, parent, node->name_hash);
    while (*link != child)
        link = &node_at(kq, *link)->child_next;
    *link = node->child_next;
    node->parent = 0;
    node->child_next = 0;
    node_at(kq, parent)->nchildren--;
    node_release(kq, parent);
}

/* FNV-1a */
uint32_t node_hash_name(const char *name, size_t len)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (unsigned char)name[i]) * 16777619u;
    return hash == NAME_UNKNOWN ? 1 : hash;
}

int node_children(struct kq *kq, int32_t parent, uint32_t name_hash,
                  int32_t wds[KQ_CANDIDATES])
{
    int n = 0;
    int32_t index = *child_bucket(kq, parent, name_hash);
    for (; index != 0; index = node_at(kq, index)->child_next) {
        const struct node *node = node_at(kq, index);
        if (node->parent != parent || node->name_hash != name_hash)
            continue;
        if (n == KQ_CANDIDATES)
            return -1;
        wds[n++] = node->wd;
    }
    return n;
}

void node_set_orphan(struct kq *kq, struct node *node, bool orphan)
{
    if (orphan == !!(node->state & NODE_ORPHAN))
        return;
    node->state ^= NODE_ORPHAN;
    kq->norphans += orphan ? 1 : (uint32_t)-1;
}
