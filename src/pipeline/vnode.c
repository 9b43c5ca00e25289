#include "pipeline/vnode.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pipeline/hash.h"

enum { BUCKETS_MIN = 256 };

struct seen seen_in(const struct look *look)
{
    return (struct seen){
        .size = look->size,
        .modified = look->modified,
        .changed = look->changed,
        .mode = look->mode,
        .uid = look->uid,
        .gid = look->gid,
        .links = look->links,
    };
}

int registry_init(struct registry *registry)
{
    registry->by_inode = calloc(BUCKETS_MIN, sizeof(*registry->by_inode));
    if (registry->by_inode == NULL)
        return -ENOMEM;
    registry->buckets = BUCKETS_MIN;
    pthread_mutex_init(&registry->lock, NULL);
    registry->slots = 1;
    registry->free = NULL;
    return 0;
}

void registry_fini(struct registry *registry)
{
    for (uint32_t i = 0; i < VNODE_CHUNKS_MAX; i++) {
        /* relaxed: no other thread is left (V4) */
        struct vnode *chunk = atomic_load_explicit(&registry->chunks[i],
                                                   memory_order_relaxed);
        if (chunk == NULL)
            break;
        pages_free(chunk, VNODE_CHUNK_BYTES);
    }
    free(registry->by_inode);
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

/* A page that was not written to stays so. */
static void clear(_Atomic uint64_t *word)
{
    /* relaxed, here and below: published by the registry's lock */
    if (atomic_load_explicit(word, memory_order_relaxed) != 0)
        atomic_store_explicit(word, 0, memory_order_relaxed);
}

static void clear_short(_Atomic uint32_t *word)
{
    /* relaxed, here and below: published by the registry's lock */
    if (atomic_load_explicit(word, memory_order_relaxed) != 0)
        atomic_store_explicit(word, 0, memory_order_relaxed);
}

static void clear_plain(uint64_t *word)
{
    if (*word != 0)
        *word = 0;
}

/* Of the use of the slot before; its alarm may still be listed (A1), and its
   newest note never falls (V6). */
static void reset_more(struct more *more)
{
    clear(&more->begun);
    clear(&more->noted_ns);
    clear(&more->crossed_ns);
    clear(&more->alarm_ns);
    clear_short(&more->content);
    clear_short(&more->kept);
    clear_short(&more->most_links);
    /* relaxed, here and below: published by the registry's lock */
    if (atomic_load_explicit(&more->ask_fd, memory_order_relaxed) != 0)
        atomic_store_explicit(&more->ask_fd, 0, memory_order_relaxed);
    if (more->owed != 0 || more->backoff_us != 0)
        more->owed = more->backoff_us = 0;
    assert(more->children == NULL);
    clear_plain(&more->quiet_ns);
    clear_plain(&more->offered);
    clear_plain(&more->listed_ns);
    clear_plain(&more->rest_until_ns);
    clear_plain(&more->due_ns);
}

static void reset(struct vnode *vnode, const struct look *look)
{
    vnode->users = 1;
    vnode->dev = look->dev;
    vnode->ino = look->ino;
    vnode->is_dir = S_ISDIR(look->mode);
    vnode->is_file = S_ISREG(look->mode);
    vnode->displaced = false;
    vnode->host_fd = -1;
    /* relaxed, here and below: published by the registry's lock */
    atomic_store_explicit(&vnode->armed, ARM_BUSY, memory_order_relaxed);
    atomic_store_explicit(&vnode->wanted, 0, memory_order_relaxed);
    atomic_store_explicit(&vnode->watches.word, 0, memory_order_relaxed);
    chain_init(&vnode->parents);
    atomic_store_explicit(&vnode->joined, 0, memory_order_relaxed);
    vnode->current = NULL;
    vnode->seen = seen_in(look);
    vnode->unlinked = false;
    vnode->counted = false;
    vnode->open = false;
    vnode->pinned = false;
    vnode->failing = false;
    vnode->lent_fd = -1;
    vnode->cost_ns = 0;
    vnode->least_cost_ns = 0;
    reset_more(more(vnode));
    if (!vnode->is_dir && look->links > 1)
        /* relaxed: as above */
        atomic_store_explicit(&more(vnode)->most_links, look->links,
                              memory_order_relaxed);
}

/* By inode: all with the lock. */

static uint32_t *bucket_of(const struct registry *registry, uint64_t dev,
                           uint64_t ino)
{
    uint64_t hash = hash_u64(ino ^ hash_u64(dev));

    return &registry->by_inode[hash & (registry->buckets - 1)];
}

static void insert(struct registry *registry, struct vnode *vnode)
{
    uint32_t *head = bucket_of(registry, vnode->dev, vnode->ino);

    vnode->by_inode = *head;
    *head = vnode->slot;
}

static struct vnode *find(struct registry *registry, const struct look *look)
{
    uint32_t slot = *bucket_of(registry, look->dev, look->ino);

    while (slot != 0) {
        struct vnode *vnode = registry_slot(registry, slot);

        if (vnode->ino == look->ino && vnode->dev == look->dev)
            return vnode;
        slot = vnode->by_inode;
    }
    return NULL;
}

static void take_out(struct registry *registry, struct vnode *vnode)
{
    uint32_t *at = bucket_of(registry, vnode->dev, vnode->ino);

    while (*at != vnode->slot)
        at = &registry_slot(registry, *at)->by_inode;
    *at = vnode->by_inode;
}

/* Twice as many buckets; without memory chains are longer, and not wrong. */
static void grow(struct registry *registry)
{
    uint32_t *old = registry->by_inode, buckets = registry->buckets;
    uint32_t *grown = calloc((size_t)buckets * 2, sizeof(*grown));

    if (grown == NULL)
        return;
    registry->by_inode = grown;
    registry->buckets = buckets * 2;
    for (uint32_t i = 0; i < buckets; i++) {
        uint32_t slot = old[i];

        while (slot != 0) {
            struct vnode *vnode = registry_slot(registry, slot);

            slot = vnode->by_inode;
            insert(registry, vnode);
        }
    }
    free(old);
}

static struct vnode *registry_make(struct registry *registry,
                                   const struct look *look)
{
    struct vnode *vnode = take_slot(registry);
    uint32_t in_use;

    if (vnode == NULL)
        return NULL;
    reset(vnode, look);
    /* relaxed: for decisions of cost */
    in_use = atomic_fetch_add_explicit(&registry->in_use, 1,
                                       memory_order_relaxed);
    if (in_use >= registry->buckets)
        grow(registry);
    insert(registry, vnode);
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
    vnode = find(registry, look);
    *made = vnode == NULL;
    if (vnode != NULL)
        vnode->users++;
    else
        vnode = registry_make(registry, look);
    pthread_mutex_unlock(&registry->lock);
    return vnode;
}

void registry_displace(struct registry *registry, struct vnode *vnode)
{
    pthread_mutex_lock(&registry->lock);
    if (!vnode->displaced)
        take_out(registry, vnode);
    vnode->displaced = true;
    pthread_mutex_unlock(&registry->lock);
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

void vnode_give_ask_fd(struct vnode *vnode, int fd)
{
    int none = 0;

    if (!atomic_compare_exchange_strong_explicit(
            &more(vnode)->ask_fd, &none, fd + 1, memory_order_release, /* V7 */
            memory_order_relaxed))
        close(fd);
}

static void raise_to(_Atomic uint64_t *newest_ns, uint64_t read_ns)
{
    /* relaxed: the claim's release and acquire order it (V6) */
    uint64_t newest = atomic_load_explicit(newest_ns, memory_order_relaxed);

    while (newest < read_ns &&
           !atomic_compare_exchange_weak_explicit(
               newest_ns, &newest, read_ns, /* V6 */
               memory_order_relaxed, memory_order_relaxed))
        continue;
}

void vnode_noted(struct vnode *vnode, uint64_t read_ns)
{
    raise_to(&more(vnode)->newest_ns, read_ns); /* V6 */
}

void vnode_crossed(struct vnode *vnode, uint64_t read_ns)
{
    raise_to(&more(vnode)->crossed_ns, read_ns);
}
