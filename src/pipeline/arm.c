#include "pipeline/arm.h"

#include <errno.h>
#include <limits.h>
#include <sys/stat.h>
#include <time.h>

#include "pipeline/descriptor.h"
#include "pipeline/engine.h"

/* Sets armed and wakes who waits for it. */
static void set_armed(struct vnode *vnode, int32_t armed)
{
    /* V1: release: host_fd and the knote are there; pairs with load_armed.
       Who is to be woken has said so in the word that this replaces. */
    if (atomic_exchange_explicit(&vnode->armed, armed, memory_order_release) ==
        ARM_AWAITED)
        park_wake((_Atomic uint32_t *)(void *)&vnode->armed, INT_MAX);
}

static int32_t load_armed(const struct vnode *vnode)
{
    return atomic_load_explicit(&vnode->armed, memory_order_acquire); /* V1 */
}

/* Sleeps while somebody is at it. */
static void await_armed(struct vnode *vnode)
{
    int32_t busy = ARM_BUSY;

    /* V1: relaxed: only says that somebody sleeps, to set_armed */
    if (!atomic_compare_exchange_strong_explicit(&vnode->armed, &busy,
                                                 ARM_AWAITED,
                                                 memory_order_relaxed,
                                                 memory_order_relaxed) &&
        busy != ARM_AWAITED)
        return;
    park_wait((_Atomic uint32_t *)(void *)&vnode->armed, ARM_AWAITED, NULL);
}

static bool is_busy(int32_t armed)
{
    return armed == ARM_BUSY || armed == ARM_AWAITED;
}

/*
 * The one that set it to ARM_BUSY: asks the kqueue for these notes as well.
 * `known`: for the first time, of what was just opened; or NULL.
 */
static int ask(struct vnotify *engine, struct vnode *vnode, uint32_t wanted,
               const struct kq_known *known)
{
    uint32_t host = vnode->is_dir ? kq_notes_dir(engine->kq)
                                  : kq_notes_file(engine->kq);
    /* relaxed: published by armed (V1) */
    uint32_t had = atomic_load_explicit(&vnode->wanted, memory_order_relaxed);
    struct kevent kev;
    int err = 0;

    wanted |= had;
    if ((wanted & (VN_IN_OPEN | VN_IN_CLOSE_NOWRITE)) != 0)
        /* relaxed: see opened.c */
        atomic_store_explicit(&engine->opens_asked, 1, memory_order_relaxed);
    EV_SET(&kev, vnode->host_fd, EVFILT_VNODE, EV_ADD | EV_CLEAR,
           note_wanted(host, vnode->is_dir, wanted), 0, engine_udata(vnode));
    if (known != NULL)
        err = kq_add(engine->kq, &kev, known);
    else if (kev.fflags != note_wanted(host, vnode->is_dir, had))
        err = kq_event(engine->kq, &kev, 1, NULL, 0);
    if (err == -ENOSPC)
        /* relaxed: our own thread reads it next (give-back.h) */
        atomic_fetch_add_explicit(&engine->no_room, 1, memory_order_relaxed);
    if (err < 0)
        return err;
    /* relaxed: published by armed (V1) */
    atomic_store_explicit(&vnode->wanted, wanted, memory_order_relaxed);
    return 0;
}

/* What is there behind the knote: is it what the vnode was made for? */
static int look_behind(struct vnode *vnode, const struct kq_known *known)
{
    const struct look *behind = known->behind;
    int err = behind->mode != 0 ? 0
                                : look_at(vnode->host_fd, "", known->behind);

    if (err != 0)
        return err;
    if (behind->ino != vnode->ino || behind->dev != vnode->dev ||
        ((behind->mode ^ known->look->mode) & S_IFMT) != 0)
        return -ESTALE;
    vnode_saw(vnode, behind);
    return 0;
}

int vnode_arm(struct vnotify *engine, struct vnode *vnode, int host_fd,
              const struct kq_known *known, uint32_t wanted, bool park)
{
    int err = host_fd;

    if (host_fd >= 0) {
        vnode->host_fd = host_fd;
        err = ask(engine, vnode, wanted, known);
        if (err == 0 && known->behind != NULL)
            err = look_behind(vnode, known);
        if (err == 0)
            vnode_park(engine, vnode, known->look, wanted, park);
    }
    set_armed(vnode, err < 0 ? err : ARM_DONE);
    return err < 0 ? err : 0;
}

/*
 * A directory's attributes are noted from the first mask on that asks for them,
 * and what happens in a child that was only held, from the first that asks for
 * that.  What they are by then is what changes are told from.
 */
static bool is_news(const struct vnode *vnode, uint32_t had, uint32_t wanted)
{
    uint32_t noted = vnode->is_dir ? VN_IN_ATTRIB | VN_IN_MODIFY
                                   : NOTE_CONTENT | NOTE_WANT_SELF;

    return (had & noted) == 0 && (wanted & noted) != 0;
}

static void look_first(struct vnotify *engine, struct vnode *vnode)
{
    if (claim_post(&vnode->claim, &engine->barrier,
                   claim_generation(&vnode->claim), HINT_LOOK,
                   barrier_join(&engine->barrier)) == CLAIM_TAKEN)
        worker_defer(engine, vnode, 0);
}

int vnode_try_join(struct vnotify *engine, struct vnode *vnode, int host_fd,
                   uint32_t wanted)
{
    for (;;) {
        uint32_t had;
        int32_t armed = load_armed(vnode);
        int err;

        if (armed != ARM_DONE)
            return is_busy(armed) ? -EAGAIN : armed;
        if (host_fd >= 0 && !vnode_is_open_at(engine, vnode, host_fd))
            return -ESTALE;
        /* relaxed: published by armed (V1) */
        if ((wanted & ~atomic_load_explicit(&vnode->wanted,
                                            memory_order_relaxed)) == 0)
            return 0;
        err = vnode_pin(engine, vnode, wanted);
        if (err != 0)
            return err;
        if (!atomic_compare_exchange_strong_explicit(
                &vnode->armed, &armed, ARM_BUSY, /* V1 */
                memory_order_acquire, memory_order_relaxed))
            continue;
        /* relaxed: published by armed (V1) */
        had = atomic_load_explicit(&vnode->wanted, memory_order_relaxed);
        vnode_prepare_to_ask(engine, vnode, had, wanted);
        err = ask(engine, vnode, wanted, NULL);
        set_armed(vnode, ARM_DONE);
        if (err == 0 && is_news(vnode, had, wanted))
            look_first(engine, vnode);
        return err;
    }
}

int vnode_join(struct vnotify *engine, struct vnode *vnode, int host_fd,
               uint32_t wanted)
{
    const struct timespec nap = { .tv_nsec = CLAIM_NAP_NS };
    int err;

    while ((err = vnode_try_join(engine, vnode, host_fd, wanted)) ==
           -EAGAIN) {
        if (is_busy(load_armed(vnode)))
            await_armed(vnode);
        else /* being served, and to be pinned */
            nanosleep(&nap, NULL);
    }
    return err;
}

int vnode_find(struct vnotify *engine, const struct look *look, int host_fd,
               uint32_t wanted,
               int (*join)(struct vnotify *, struct vnode *, int, uint32_t),
               struct vnode **vnode, bool *made)
{
    int err;

    do {
        *vnode = registry_get(&engine->registry, look, made);
        if (*vnode == NULL)
            return -ENOMEM;
        if (*made)
            return 0;
        err = join(engine, *vnode, host_fd, wanted);
        if (err == 0)
            return 0;
        if (err == -ESTALE)
            registry_displace(&engine->registry, *vnode);
        housekeeper_put_vnode(engine, *vnode);
        *vnode = NULL;
    } while (err == -ESTALE);
    return err;
}
