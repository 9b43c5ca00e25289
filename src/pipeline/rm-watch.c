/*
 * rm-watch.c - rm_watch, in the caller's thread
 */
#include <errno.h>

#include "pipeline/backlog.h"
#include "pipeline/engine.h"

/* Instance lock held: the live watch of this descriptor, ended and kept by one
   reference more.  -EINVAL: there is none; -ENOMEM. */
static int end_by_wd(struct vnotify_instance *instance, int wd,
                     struct watch **ended)
{
    radix_word *seat =
        wd < 0 ? NULL : radix_find(&instance->seats, (uint32_t)wd);
    struct watch *watch = NULL;
    bool dormant;
    int err;

    if (seat == NULL)
        return -EINVAL;
    dormant = seat_is_dormant(
        atomic_load_explicit(seat, memory_order_acquire)); /* W6 */
    err = watch_wake(instance, wd, seat, true, &watch);
    if (err != 0)
        return err;
    /* Woken by us, it has ended already; by a worker meanwhile, it lives. */
    if (watch == NULL || (!watch_end(watch) && !(dormant && !watch->removed)))
        return -EINVAL;
    watch_acquire(watch);
    *ended = watch;
    return 0;
}

int vnotify_rm_watch(struct vnotify_instance *instance, int wd)
{
    struct vnotify *engine = instance->engine;
    struct watch *watch;
    int err;

    pthread_mutex_lock(&instance->lock);
    err = end_by_wd(instance, wd, &watch);
    if (err == 0) {
        /* Workers need not offer it anything any more. */
        registry_leave(&engine->registry, watch->vnode,
                       roster_entry(instance->index, wd));
        watch->removed = true;
        /* relaxed: a bound, kept about right */
        atomic_fetch_add_explicit(&instance->ended, 1, memory_order_relaxed);
    }
    pthread_mutex_unlock(&instance->lock);
    if (err != 0)
        return err;
    atomic_fetch_or_explicit(&watch->self, SELF_IGNORED,
                             memory_order_acq_rel); /* W3 */
    backlog_enlist(watch);
    watch_release(engine, watch);
    /* A worker's job: a round may be long, and this call must not be. */
    dispatch_order(engine, instance, INSTANCE_DIRTY,
                   barrier_join(&engine->barrier));
    return 0;
}
