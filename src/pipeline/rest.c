/*
 * What comes while a directory rests costs one listing, however much it is.  It
 * rests as long as it took to list and to tell.  But where many directories
 * change at once, each of them listed half of the time is all of the time of
 * any number of CPUs, and nothing is left for who changes them.  So all
 * listings have a share of the time together: each puts off the moment at which
 * that share has covered them, and who is served when it is further off than
 * STORM_SLACK_NS rests for the difference.  Bulk directories have another
 * share: what is small shall not wait for them.  Nobody rests for a share while
 * vnotify_sync waits.
 */
#include "pipeline/rest.h"

#include "pipeline/engine.h"

static uint64_t storm_rest_ns(_Atomic uint64_t *paced, uint64_t now,
                              uint64_t took)
{
    /* relaxed: here and below, of cost alone */
    uint64_t before = atomic_load_explicit(paced, memory_order_relaxed), after;

    do
        after = (before > now ? before : now) + STORM_SHARE * took;
    while (!atomic_compare_exchange_weak_explicit(
        paced, &before, after, memory_order_relaxed, memory_order_relaxed));
    if (after - now <= STORM_SLACK_NS)
        return 0;
    return after - now - STORM_SLACK_NS < STORM_REST_NS_MAX
               ? after - now - STORM_SLACK_NS
               : STORM_REST_NS_MAX;
}

void rest_begin(struct vnotify *engine, struct vnode *vnode,
                uint64_t begun_ns)
{
    uint64_t now = now_ns(), took = now - begun_ns;
    /* Whoever was preempted took longer: the last two listings tell. */
    uint64_t most = 2 * vnode->least_cost_ns;
    uint64_t storm_ns =
        storm_rest_ns(vnode_is_bulk(vnode) ? &engine->bulk_paced_ns
                                           : &engine->paced_ns,
                      now, vnode->cost_ns < most ? vnode->cost_ns : most);

    vnode->rest_until_ns = now + (took < most ? took : most);
    vnode->storm_rest_us = (uint32_t)(storm_ns / 1000);
}

uint64_t rest_until(const struct vnotify *engine, const struct vnode *vnode)
{
    /* E1: relaxed: who rests after sync has counted itself is found by its
       order (hurry, in worker.c), or rests too long for once */
    bool hurry =
        atomic_load_explicit(&engine->syncs, memory_order_relaxed) != 0;

    return vnode->rest_until_ns +
           (hurry ? 0 : vnode->storm_rest_us * UINT64_C(1000));
}
