#include "pipeline/vnode.h"

#include <assert.h>
#include <sys/stat.h>
#include <unistd.h>

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
    if (more->close_asks != 0)
        more->close_asks = 0;
    if (more->storm_rest_us != 0)
        more->storm_rest_us = 0;
    assert(more->children == NULL);
    clear_plain(&more->quiet_ns);
    clear_plain(&more->offered);
    clear_plain(&more->listed_ns);
    clear_plain(&more->rest_until_ns);
    clear_plain(&more->due_ns);
}

void vnode_reset(struct vnode *vnode, const struct look *look)
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
    vnode->unlinked = false;
    vnode->counted = false;
    vnode->open = false;
    vnode->pinned = false;
    vnode->failing = false;
    vnode->lent_fd = -1;
    vnode->cost_ns = 0;
    vnode->least_cost_ns = 0;
    reset_more(more(vnode));
    vnode_saw(vnode, look);
}

void vnode_saw(struct vnode *vnode, const struct look *look)
{
    vnode->seen = seen_in(look);
    if (!vnode->is_dir && look->links > 1)
        /* relaxed: published with the vnode, or when it is armed (V1) */
        atomic_store_explicit(&more(vnode)->most_links, look->links,
                              memory_order_relaxed);
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

uint64_t vnode_crossed_since(const struct vnode *vnode, uint64_t then_ns)
{
    /* relaxed: ordered by the claim, or by E6 */
    uint64_t crossed_ns = atomic_load_explicit(&more(vnode)->crossed_ns,
                                               memory_order_relaxed);

    return crossed_ns > then_ns ? crossed_ns : 0;
}
