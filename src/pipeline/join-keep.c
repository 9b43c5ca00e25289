/*
 * join-keep.c - a directory's children, kept before add_watch returns
 *
 * V5.  What a mask wants of the children is published first (`content`); then
 * whoever holds the directory's claim keeps them for it and says so (`kept`):
 * this thread if the claim is free, else a worker that it leaves the work to.
 */
#include <limits.h>

#include "pipeline/engine.h"
#include "pipeline/join.h"
#include "pipeline/keep.h"

uint32_t join_content(const struct joining *j)
{
    return j->vnode->is_dir
               ? note_children_wanted(kq_notes_dir(j->engine->kq), j->mask)
               : 0;
}

/* This thread holds the claim and can do it itself. */
static int keep_here(struct joining *j)
{
    struct vnode *vnode = j->vnode;
    int err;

    if (vnode->current == NULL && j->told != NULL) {
        snapshot_acquire(j->told);
        vnode->current = j->told;
    }
    err = keep_children(j->engine, vnode, NULL);
    if (more(vnode)->children != NULL &&
        more(vnode)->children->finding_count != 0)
        keep_owe(j->engine, vnode); /* a worker offers them */
    worker_give_back(j->engine, vnode);
    return err;
}

int join_await_kept(struct joining *j)
{
    struct vnotify *engine = j->engine;
    struct vnode *vnode = j->vnode;
    uint32_t wanted = join_content(j);

    for (;;) {
        uint32_t kept = atomic_load_explicit(&more(vnode)->kept, /* V5 */
                                             memory_order_acquire);
        int err = 0;

        if ((wanted & ~kept) == 0)
            return 0;
        if (claim_post(&vnode->claim, &engine->barrier, j->generation, 0,
                       BARRIER_UNCOUNTED) == CLAIM_TAKEN) {
            err = keep_here(j);
            if (err != 0)
                return err;
            continue;
        }
        if (claim_post(&vnode->claim, &engine->barrier, j->generation,
                       HINT_KEEP, barrier_join(&engine->barrier)) ==
            CLAIM_TAKEN)
            worker_defer(engine, vnode, 0);
        park_wait(&more(vnode)->kept, kept, NULL);
    }
}

void join_want_children(struct joining *j)
{
    uint32_t wanted = join_content(j);

    if (wanted == 0)
        return;
    /* V5: before HINT_KEEP is posted, or the claim is given back */
    atomic_fetch_or_explicit(&more(j->vnode)->content, wanted,
                             memory_order_release);
}
