/*
 * timer.h - vnodes that are served later, by time
 *
 * A binary heap that worker 0 alone owns.  A vnode in it stays held, so
 * whatever is noted meanwhile waits for it.  Errors: insert returns -ENOMEM.
 */
#pragma once

#include "pipeline/vnode.h"

struct timer {
    struct vnode **heap;
    uint32_t count, size;
};

void timer_fini(struct timer *);
int timer_insert(struct timer *, struct vnode *); /* by vnode->due_ns */
struct vnode *timer_first(const struct timer *);  /* NULL: none */
void timer_remove(struct timer *, struct vnode *);
