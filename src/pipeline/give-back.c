/*
 * give-back.c - from a knote to a footprint
 *
 * A knote may go, and a sweep compare instead, if all that was noted has been
 * told and the footprint is of before that: what is looked at, then noted and
 * told up to a barrier, and still looks the same, had nothing happen to it since
 * the look.  What happens from the second look on, the first sweep finds.
 */
#include "pipeline/give-back.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "pipeline/arm.h"
#include "pipeline/attach.h"
#include "pipeline/descriptor.h"
#include "pipeline/engine.h"
#include "pipeline/sweep.h"

enum {
    BATCH = 256,    /* knotes that are given back at once: a few milliseconds */
    LATER_MAX = 20, /* ticks that what is busy or has just changed is waited for */
    /* A sweep does not see opens; and of a close only what was written since. */
    NOTED_ALONE = NOTE_OPENS | VN_IN_CLOSE_WRITE,
};

struct candidate {
    uint64_t ino;
    struct footprint footprint;
};

struct batch {
    bool later; /* some could go soon: their directory is being served, or they
                   have just changed, and the next change may bear that time */
    uint32_t count;
    struct candidate rows[BATCH];
};

uint32_t give_back_refusals(const struct vnotify *engine)
{
    /* relaxed: our own thread has just been refused, or of cost alone */
    return atomic_load_explicit(&engine->no_room, memory_order_relaxed);
}

static bool try_claim(struct vnotify *engine, struct vnode *vnode)
{
    return claim_post(&vnode->claim, &engine->barrier,
                      claim_generation(&vnode->claim), 0,
                      BARRIER_UNCOUNTED) == CLAIM_TAKEN;
}

/* For a while: whose listing fails is held until it succeeds. */
static bool await_claim(struct vnotify *engine, struct vnode *vnode)
{
    const struct timespec nap = { .tv_nsec = CLAIM_NAP_NS };
    uint64_t give_up = now_ns() + BIRTH_TICK_NS;

    while (!try_claim(engine, vnode)) {
        if (now_ns() > give_up)
            return false;
        nanosleep(&nap, NULL);
    }
    return true;
}

/* Holder.  V5: a watch that joins asks for content before it waits for rows. */
static bool may_be_swept(const struct vnode *dir)
{
    const struct children *children = more(dir)->children;

    return children != NULL &&
           ((children->wanted |
             atomic_load_explicit(&more(dir)->content, /* V5 */
                                  memory_order_acquire)) &
            NOTED_ALONE) == 0;
}

static bool looks(struct vnotify *engine, const struct row *row,
                  struct batch *batch, struct footprint *footprint)
{
    int64_t rt = (int64_t)clock_ns(CLOCK_REALTIME);
    struct look look;

    if (vnode_look(engine, row->child->vnode, &look) != 0 || look.links == 0)
        return false;
    if (look.changed > rt - BIRTH_TICK_NS && look.changed <= rt) {
        batch->later = true;
        return false;
    }
    *footprint = footprint_of(&look);
    return true;
}

/* Holder of the directory. */
static void choose(struct vnotify *engine, const struct vnode *dir,
                   struct batch *batch)
{
    const struct children *children = more(dir)->children;

    batch->count = 0;
    if (!may_be_swept(dir))
        return;
    for (uint32_t i = 0; i < children->count && batch->count < BATCH; i++) {
        const struct row *row = &children->rows[i];
        struct candidate *to = &batch->rows[batch->count];

        if (row->child == NULL || row->leaving ||
            !looks(engine, row, batch, &to->footprint))
            continue;
        to->ino = row->ino;
        batch->count++;
    }
}

/*
 * Holder of the child's vnode: nobody is at its notes.  If it is nobody else's
 * and nothing of it is still to be told, it has a knote no more, and who looks
 * for its inode makes another vnode.
 */
static bool drop_knote(struct vnotify *engine, const struct row *row,
                       struct batch *batch, const struct candidate *candidate)
{
    struct vnode *vnode = row->child->vnode;
    struct footprint now;
    struct kevent kev;

    if (more(vnode)->owed != 0 || more(vnode)->quiet_ns != 0 ||
        !looks(engine, row, batch, &now) ||
        memcmp(&now, &candidate->footprint, sizeof(now)) != 0 ||
        !registry_displace_alone(&engine->registry, vnode))
        return false;
    EV_SET(&kev, vnode->host_fd, EVFILT_VNODE, EV_DELETE, 0, 0, NULL);
    /* It fails where the inode is gone, and with it the knote. */
    (void)kq_event(engine->kq, &kev, 1, NULL, 0);
    return true;
}

static bool give_back_row(struct vnotify *engine, struct row *row,
                          struct batch *batch,
                          const struct candidate *candidate)
{
    struct vnode *vnode = row->child->vnode;
    bool dropped;

    if (!try_claim(engine, vnode))
        return false;
    dropped = drop_knote(engine, row, batch, candidate);
    worker_give_back(engine, vnode);
    if (!dropped)
        return false;
    attach_end(engine, row->child);
    row->child = NULL;
    row->footprint = candidate->footprint;
    row->young = 0;
    return true;
}

/* Holder of the directory.  How many went. */
static uint32_t give_back_batch(struct vnotify *engine, struct vnode *dir,
                                struct batch *batch)
{
    struct children *children = more(dir)->children;
    uint32_t given = 0;

    for (uint32_t i = 0; i < batch->count; i++) {
        struct row *row = children_find(children, batch->rows[i].ino);

        if (row != NULL && row->child != NULL && !row->leaving &&
            give_back_row(engine, row, batch, &batch->rows[i]))
            given++;
    }
    children->swept += given;
    return given;
}

/* By who holds it, once for what the rows of it have given back. */
static void order_sweep(struct vnotify *engine, struct vnode *dir)
{
    claim_post(&dir->claim, &engine->barrier, claim_generation(&dir->claim),
               HINT_KEEP, barrier_join(&engine->barrier));
}

static bool give_back_of(struct vnotify *engine, struct vnode *dir,
                         struct batch *batch)
{
    uint32_t given;

    if (!try_claim(engine, dir)) {
        batch->later = true;
        return false;
    }
    choose(engine, dir, batch);
    worker_give_back(engine, dir);
    if (batch->count == 0)
        return false;
    barrier_await(&engine->barrier, barrier_request(&engine->barrier));
    if (!await_claim(engine, dir)) {
        batch->later = true;
        return false;
    }
    given = may_be_swept(dir) ? give_back_batch(engine, dir, batch) : 0;
    if (given != 0)
        order_sweep(engine, dir);
    worker_give_back(engine, dir);
    return given != 0;
}

/* From slot *at on, to the end and round again. */
static bool give_back_some(struct vnotify *engine, struct batch *batch,
                           uint32_t *at)
{
    bool given = false;
    int ends = 0;

    batch->later = false;
    while (!given && ends < 2) {
        struct vnode *dir = registry_next_dir(&engine->registry, at);

        if (dir != NULL) {
            given = give_back_of(engine, dir, batch);
            housekeeper_put_vnode(engine, dir);
        }
        if (*at == 0)
            ends++;
    }
    return given;
}

bool give_back_knotes(struct vnotify *engine)
{
    const struct timespec tick = { .tv_nsec = BIRTH_TICK_NS };
    struct batch *batch = malloc(sizeof(*batch));
    /* relaxed: of cost alone */
    uint32_t at = atomic_load_explicit(&engine->give_back_at,
                                       memory_order_relaxed);
    bool given = false;

    if (batch == NULL)
        return false;
    /* relaxed: a bound.  They would be parked again at once. */
    atomic_store_explicit(&engine->watch_budget, 0, memory_order_relaxed);
    for (int tries = 0; !given && tries <= LATER_MAX; tries++) {
        if (tries > 0)
            nanosleep(&tick, NULL);
        given = give_back_some(engine, batch, &at);
        if (!batch->later)
            break;
    }
    /* relaxed: of cost alone */
    atomic_store_explicit(&engine->give_back_at, at, memory_order_relaxed);
    free(batch);
    return given;
}
