#include "pipeline/vnode.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "pipeline/hash.h"
#include "pipeline/table.h"

static unsigned long inode_hash(const void *object, unsigned long seed)
{
    const struct vnode *vnode = object;

    (void)seed;
    return (unsigned long)hash_u64(vnode->ino ^ hash_u64(vnode->dev));
}

static bool inode_equal(const void *a, const void *b)
{
    const struct vnode *x = a, *y = b;

    return x->ino == y->ino && x->dev == y->dev;
}

int registry_init(struct registry *registry)
{
    pthread_mutex_init(&registry->lock, NULL);
    registry->slots = 1;
    registry->free = NULL;
    return table_init(&registry->by_inode, inode_hash, inode_equal) ? 0
                                                                    : -ENOMEM;
}

void registry_fini(struct registry *registry)
{
    for (uint32_t i = 0; i < VNODE_CHUNKS_MAX; i++) {
        /* relaxed: no other thread is left (V4) */
        struct vnode *chunk = atomic_load_explicit(&registry->chunks[i],
                                                   memory_order_relaxed);
        if (chunk == NULL)
            break;
        free(chunk);
    }
    ck_hs_destroy(&registry->by_inode);
    pthread_mutex_destroy(&registry->lock);
}

struct vnode *registry_slot(struct registry *registry, uint32_t slot)
{
    /* V4: a note carries the slot, so its chunk was published before the
       knote was made; acquire pairs with the release in new_slot. */
    struct vnode *chunk = atomic_load_explicit(
        &registry->chunks[slot / VNODE_CHUNK], memory_order_acquire);

    return &chunk[slot % VNODE_CHUNK];
}

static struct vnode *new_slot(struct registry *registry)
{
    uint32_t slot = registry->slots;
    uint32_t index = slot / VNODE_CHUNK;
    struct vnode *chunk;

    if (index == VNODE_CHUNKS_MAX)
        return NULL;
    chunk = atomic_load_explicit(&registry->chunks[index],
                                 memory_order_relaxed); /* V4: our lock */
    if (chunk == NULL) {
        chunk = calloc(VNODE_CHUNK, sizeof(*chunk));
        if (chunk == NULL)
            return NULL;
        atomic_store_explicit(&registry->chunks[index], chunk,
                              memory_order_release); /* V4 */
    }
    registry->slots++;
    chunk[slot % VNODE_CHUNK].slot = slot;
    /* Generations begin with 1: what was never made is stale. */
    claim_init(&chunk[slot % VNODE_CHUNK].claim, 1, false);
    return &chunk[slot % VNODE_CHUNK];
}

static struct vnode *take_slot(struct registry *registry)
{
    struct vnode *vnode = registry->free;

    if (vnode == NULL)
        return new_slot(registry);
    registry->free = vnode->link.next == NULL
                         ? NULL
                         : HANDOFF_OBJECT(struct vnode, link,
                                          vnode->link.next);
    return vnode;
}

static void reset(struct vnode *vnode, const struct look *look)
{
    vnode->users = 1;
    vnode->dev = look->dev;
    vnode->ino = look->ino;
    vnode->is_dir = S_ISDIR(look->mode);
    vnode->host_fd = -1;
    /* relaxed: published by the registry's lock */
    atomic_store_explicit(&vnode->armed, ARM_BUSY, memory_order_relaxed);
    atomic_store_explicit(&vnode->wanted, 0, memory_order_relaxed);
    atomic_store_explicit(&vnode->content, 0, memory_order_relaxed);
    atomic_store_explicit(&vnode->kept, 0, memory_order_relaxed);
    /* relaxed: published by the registry's lock */
    atomic_store_explicit(&vnode->alarm_ns, 0, memory_order_relaxed);
    /* relaxed: published by the registry's lock */
    atomic_store_explicit(&vnode->most_links, look->links,
                          memory_order_relaxed);
    chain_init(&vnode->watches);
    chain_init(&vnode->parents);
    atomic_store_explicit(&vnode->begun, 0, memory_order_relaxed);
    atomic_store_explicit(&vnode->joined, 0, memory_order_relaxed);
    vnode->current = NULL;
    vnode->children = NULL;
    vnode->seen = *look;
    vnode->ask_fd = -1;
    vnode->unlinked = false;
    vnode->counted = false;
    vnode->open = false;
    vnode->pinned = false;
    vnode->lent_fd = -1;
    vnode->quiet_ns = 0;
    vnode->offered = 0;
    vnode->owed = 0;
    vnode->failing = false;
    vnode->backoff_us = 0;
    vnode->cost_ns = 0;
    vnode->least_cost_ns = 0;
    vnode->rest_until_ns = 0;
    vnode->due_ns = 0;
    /* relaxed: published by the registry's lock */
    atomic_store_explicit(&vnode->noted_ns, 0, memory_order_relaxed);
}

static struct vnode *registry_make(struct registry *registry,
                                   const struct look *look, unsigned long hash)
{
    struct vnode *vnode = take_slot(registry);

    if (vnode == NULL)
        return NULL;
    reset(vnode, look);
    if (!ck_hs_put(&registry->by_inode, hash, vnode)) {
        vnode->link.next = registry->free == NULL ? NULL
                                                  : &registry->free->link;
        registry->free = vnode;
        return NULL;
    }
    /* relaxed: for decisions of cost */
    atomic_fetch_add_explicit(&registry->in_use, 1, memory_order_relaxed);
    /* Nobody else posts to this generation yet: the word is free. */
    (void)claim_post(&vnode->claim, NULL, claim_generation(&vnode->claim), 0,
                     BARRIER_UNCOUNTED);
    return vnode;
}

struct vnode *registry_get(struct registry *registry, const struct look *look,
                           bool *made)
{
    struct vnode key = { .dev = look->dev, .ino = look->ino };
    struct vnode *vnode;
    unsigned long hash = inode_hash(&key, 0);

    pthread_mutex_lock(&registry->lock);
    vnode = ck_hs_get(&registry->by_inode, hash, &key);
    *made = vnode == NULL;
    if (vnode != NULL)
        vnode->users++;
    else
        vnode = registry_make(registry, look, hash);
    pthread_mutex_unlock(&registry->lock);
    return vnode;
}

bool registry_put(struct registry *registry, struct vnode *vnode)
{
    bool last;

    pthread_mutex_lock(&registry->lock);
    assert(vnode->users > 0);
    last = --vnode->users == 0;
    if (last)
        (void)ck_hs_remove(&registry->by_inode, inode_hash(vnode, 0), vnode);
    pthread_mutex_unlock(&registry->lock);
    return last;
}

void registry_free(struct registry *registry, struct vnode *vnode)
{
    pthread_mutex_lock(&registry->lock);
    /* relaxed: for decisions of cost */
    atomic_fetch_sub_explicit(&registry->in_use, 1, memory_order_relaxed);
    vnode->link.next = registry->free == NULL ? NULL : &registry->free->link;
    registry->free = vnode;
    pthread_mutex_unlock(&registry->lock);
}

void registry_link(struct registry *registry, struct chain *chain,
                   struct chain_link *link)
{
    pthread_mutex_lock(&registry->lock);
    chain_add(chain, link);
    pthread_mutex_unlock(&registry->lock);
}

void registry_unlink(struct registry *registry, struct chain *chain,
                     struct chain_link *link)
{
    pthread_mutex_lock(&registry->lock);
    chain_remove(chain, link);
    pthread_mutex_unlock(&registry->lock);
}

void vnode_noted(struct vnode *vnode, uint64_t read_ns)
{
    /* relaxed: the claim's release and acquire order it (V6) */
    uint64_t newest = atomic_load_explicit(&vnode->newest_ns,
                                           memory_order_relaxed);

    while (newest < read_ns &&
           !atomic_compare_exchange_weak_explicit(
               &vnode->newest_ns, &newest, read_ns, /* V6 */
               memory_order_relaxed, memory_order_relaxed))
        continue;
}
