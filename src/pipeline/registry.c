#include "pipeline/registry.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "pipeline/hash.h"

enum { BUCKETS_MIN = 256 };

static struct buckets *buckets_create(uint32_t count)
{
    struct buckets *buckets =
        calloc(1, sizeof(*buckets) + count * sizeof(buckets->first[0]));

    if (buckets != NULL)
        buckets->count = count;
    return buckets;
}

int registry_init(struct registry *registry)
{
    struct buckets *buckets = buckets_create(BUCKETS_MIN);

    if (buckets == NULL)
        return -ENOMEM;
    /* relaxed: no other thread is there yet (V8) */
    atomic_store_explicit(&registry->by_inode, buckets, memory_order_relaxed);
    pthread_mutex_init(&registry->lock, NULL);
    registry->slots = 1;
    registry->free = NULL;
    return 0;
}

void registry_fini(struct registry *registry)
{
    /* relaxed: no other thread is left (V8) */
    struct buckets *buckets = atomic_load_explicit(&registry->by_inode,
                                                   memory_order_relaxed);

    for (uint32_t i = 0; i < VNODE_CHUNKS_MAX; i++) {
        /* relaxed: no other thread is left (V4) */
        struct vnode *chunk = atomic_load_explicit(&registry->chunks[i],
                                                   memory_order_relaxed);
        if (chunk == NULL)
            break;
        pages_free(chunk, VNODE_CHUNK_BYTES);
    }
    while (buckets != NULL) {
        struct buckets *outgrown = buckets->outgrown;

        free(buckets);
        buckets = outgrown;
    }
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
        chunk = pages_alloc(VNODE_CHUNK_BYTES);
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

/*
 * By inode: all with the lock, but for registry_peek.  Links are stored with
 * release and read with acquire by who has no lock, so that what they lead to
 * is seen as a whole.
 */

static uint32_t next_of(const _Atomic uint32_t *link)
{
    return atomic_load_explicit(link, memory_order_acquire); /* V8 */
}

static void set_next(_Atomic uint32_t *link, uint32_t slot)
{
    atomic_store_explicit(link, slot, memory_order_release); /* V8 */
}

static struct buckets *buckets_now(struct registry *registry)
{
    return atomic_load_explicit(&registry->by_inode,
                                memory_order_seq_cst); /* V8 */
}

static _Atomic uint32_t *chain_of(struct buckets *buckets, uint64_t dev,
                                  uint64_t ino)
{
    uint64_t hash = hash_u64(ino ^ hash_u64(dev));

    return &buckets->first[hash & (buckets->count - 1)];
}

static void insert(struct buckets *buckets, struct vnode *vnode)
{
    _Atomic uint32_t *head = chain_of(buckets, vnode->dev, vnode->ino);

    set_next(&vnode->by_inode, next_of(head));
    set_next(head, vnode->slot);
}

static struct vnode *find(struct registry *registry, uint64_t dev,
                          uint64_t ino)
{
    uint32_t slot = next_of(chain_of(buckets_now(registry), dev, ino));

    while (slot != 0) {
        struct vnode *vnode = registry_slot(registry, slot);

        if (vnode->ino == ino && vnode->dev == dev)
            return vnode;
        slot = next_of(&vnode->by_inode);
    }
    return NULL;
}

struct vnode *registry_peek(struct registry *registry, uint64_t dev,
                            uint64_t ino, bool *sure)
{
    /* V8: seq_cst, both: the walk is between them */
    uint32_t before = atomic_load_explicit(&registry->growing,
                                           memory_order_seq_cst);
    struct vnode *vnode = find(registry, dev, ino);

    *sure = (before & 1) == 0 &&
            atomic_load_explicit(&registry->growing, /* V8 */
                                 memory_order_seq_cst) == before;
    return vnode;
}

static void take_out(struct registry *registry, struct vnode *vnode)
{
    _Atomic uint32_t *at =
        chain_of(buckets_now(registry), vnode->dev, vnode->ino);

    while (next_of(at) != vnode->slot)
        at = &registry_slot(registry, next_of(at))->by_inode;
    set_next(at, next_of(&vnode->by_inode));
}

/* Twice as many buckets; without memory chains are longer, and not wrong.  The
   old ones stay for who is in them: all together they are as many as the new. */
static void grow(struct registry *registry)
{
    struct buckets *old = buckets_now(registry);
    struct buckets *grown = buckets_create(old->count * 2);

    if (grown == NULL)
        return;
    grown->outgrown = old;
    /* V8: odd before the first link changes, even after the last */
    atomic_fetch_add_explicit(&registry->growing, 1, memory_order_seq_cst);
    for (uint32_t i = 0; i < old->count; i++) {
        uint32_t slot = next_of(&old->first[i]);

        while (slot != 0) {
            struct vnode *vnode = registry_slot(registry, slot);

            slot = next_of(&vnode->by_inode);
            insert(grown, vnode);
        }
    }
    atomic_store_explicit(&registry->by_inode, grown, /* V8 */
                          memory_order_seq_cst);
    atomic_fetch_add_explicit(&registry->growing, 1, /* V8 */
                              memory_order_seq_cst);
}

static struct vnode *registry_make(struct registry *registry,
                                   const struct look *look)
{
    struct vnode *vnode = take_slot(registry);
    uint32_t in_use;

    if (vnode == NULL)
        return NULL;
    vnode_reset(vnode, look);
    /* relaxed: for decisions of cost */
    in_use = atomic_fetch_add_explicit(&registry->in_use, 1,
                                       memory_order_relaxed);
    if (in_use >= buckets_now(registry)->count)
        grow(registry);
    insert(buckets_now(registry), vnode);
    /* Nobody else posts to this generation yet: the word is free. */
    (void)claim_post(&vnode->claim, NULL, claim_generation(&vnode->claim), 0,
                     BARRIER_UNCOUNTED);
    return vnode;
}

struct vnode *registry_get(struct registry *registry, const struct look *look,
                           bool *made)
{
    struct vnode *vnode;

    pthread_mutex_lock(&registry->lock);
    vnode = find(registry, look->dev, look->ino);
    *made = vnode == NULL;
    if (vnode != NULL)
        vnode->users++;
    else
        vnode = registry_make(registry, look);
    pthread_mutex_unlock(&registry->lock);
    return vnode;
}

static void displace(struct registry *registry, struct vnode *vnode)
{
    if (!vnode->displaced)
        take_out(registry, vnode);
    vnode->displaced = true;
}

void registry_displace(struct registry *registry, struct vnode *vnode)
{
    pthread_mutex_lock(&registry->lock);
    displace(registry, vnode);
    pthread_mutex_unlock(&registry->lock);
}

bool registry_displace_alone(struct registry *registry, struct vnode *vnode)
{
    bool alone;

    pthread_mutex_lock(&registry->lock);
    alone = vnode->users == 1 && !vnode->displaced;
    if (alone)
        displace(registry, vnode);
    pthread_mutex_unlock(&registry->lock);
    return alone;
}

struct vnode *registry_next_dir(struct registry *registry, uint32_t *at)
{
    struct vnode *found = NULL;

    pthread_mutex_lock(&registry->lock);
    if (*at == 0)
        *at = 1; /* slot 0 is never used */
    for (int left = VNODE_CHUNK;
         found == NULL && left > 0 && *at < registry->slots; left--) {
        struct vnode *vnode = registry_slot(registry, (*at)++);

        if (vnode->users > 0 && vnode->is_dir && vnode_has_children(vnode))
            found = vnode;
    }
    if (found != NULL)
        found->users++;
    if (*at >= registry->slots)
        *at = 0;
    pthread_mutex_unlock(&registry->lock);
    return found;
}

bool registry_put(struct registry *registry, struct vnode *vnode)
{
    bool last;

    pthread_mutex_lock(&registry->lock);
    assert(vnode->users > 0);
    last = --vnode->users == 0;
    if (last && !vnode->displaced)
        take_out(registry, vnode);
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

int registry_enter(struct registry *registry, struct vnode *vnode,
                   uint64_t entry)
{
    int err;

    pthread_mutex_lock(&registry->lock);
    err = roster_add(&vnode->watches, entry);
    pthread_mutex_unlock(&registry->lock);
    return err;
}

void registry_leave(struct registry *registry, struct vnode *vnode,
                    uint64_t entry)
{
    pthread_mutex_lock(&registry->lock);
    roster_remove(&vnode->watches, entry);
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
