/*
 * timer.h - vnodes that are served later, by time
 *
 * A binary heap that worker 0 alone owns.  A vnode in it stays held, so
 * whatever is noted meanwhile waits for it.  Errors: insert returns -ENOMEM.
 */
#pragma once

#include "pipeline/vnode.h"

/* The first of two times, 0 being never. */
static inline uint64_t sooner(uint64_t a, uint64_t b)
{
    return a != 0 && (b == 0 || a < b) ? a : b;
}

struct timer {
    struct vnode **heap;
    uint32_t count, size;
};

void timer_fini(struct timer *);
int timer_insert(struct timer *, struct vnode *); /* by vnode->due_ns */
struct vnode *timer_first(const struct timer *);  /* NULL: none */
void timer_remove(struct timer *, struct vnode *);
