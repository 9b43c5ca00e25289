#include "pipeline/timer.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

void timer_fini(struct timer *timer)
{
    assert(timer->count == 0);
    free(timer->heap);
}

static void place(struct timer *timer, uint32_t index, struct vnode *vnode)
{
    timer->heap[index] = vnode;
    more(vnode)->timer_index = index;
}

static void sift_up(struct timer *timer, uint32_t index, struct vnode *vnode)
{
    while (index > 0) {
        uint32_t parent = (index - 1) / 2;

        if (more(timer->heap[parent])->due_ns <= more(vnode)->due_ns)
            break;
        place(timer, index, timer->heap[parent]);
        index = parent;
    }
    place(timer, index, vnode);
}

static void sift_down(struct timer *timer, uint32_t index, struct vnode *vnode)
{
    for (;;) {
        uint32_t child = index * 2 + 1;

        if (child >= timer->count)
            break;
        if (child + 1 < timer->count &&
            more(timer->heap[child + 1])->due_ns <
                more(timer->heap[child])->due_ns)
            child++;
        if (more(vnode)->due_ns <= more(timer->heap[child])->due_ns)
            break;
        place(timer, index, timer->heap[child]);
        index = child;
    }
    place(timer, index, vnode);
}

int timer_insert(struct timer *timer, struct vnode *vnode)
{
    if (timer->count == timer->size) {
        uint32_t size = timer->size == 0 ? 64 : timer->size * 2;
        struct vnode **heap = realloc(timer->heap, size * sizeof(*heap));

        if (heap == NULL)
            return -ENOMEM;
        timer->heap = heap;
        timer->size = size;
    }
    sift_up(timer, timer->count++, vnode);
    return 0;
}

struct vnode *timer_first(const struct timer *timer)
{
    return timer->count == 0 ? NULL : timer->heap[0];
}

void timer_remove(struct timer *timer, struct vnode *vnode)
{
    uint32_t index = more(vnode)->timer_index;
    struct vnode *last = timer->heap[--timer->count];

    assert(timer->heap[index] == vnode || last == vnode);
    if (last == vnode)
        return;
    /* The last one fits either above or below the gap. */
    if (index > 0 &&
        more(last)->due_ns < more(timer->heap[(index - 1) / 2])->due_ns)
        sift_up(timer, index, last);
    else
        sift_down(timer, index, last);
}
