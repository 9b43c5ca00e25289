/*
 * engine-inside.h - the vnode of a watch, and its claim
 *
 * For tests that keep the engine from going on: who holds a claim is in the
 * place of the worker that serves the vnode.
 */
#pragma once

#include "pipeline/engine.h"

#include "engine-fixture.h"

static inline struct vnode *vnode_of(int wd)
{
    uint64_t seat =
        atomic_load(radix_find(&instance->seats, (uint32_t)wd));

    return seat_is_dormant(seat)
               ? registry_slot(&engine->registry, seat_slot(seat))
               : seat_watch(seat)->vnode;
}

/* Once nobody serves it; until it is given back, all that is noted of it
   waits. */
static inline struct vnode *take(int wd)
{
    struct vnode *vnode = vnode_of(wd);

    while (claim_post(&vnode->claim, &engine->barrier,
                      claim_generation(&vnode->claim), 0,
                      BARRIER_UNCOUNTED) != CLAIM_TAKEN)
        sched_yield();
    return vnode;
}
