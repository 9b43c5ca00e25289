/*
 * window.c - the descriptor numbers that the filter can recognise
 *
 * W1 two handlers that serve two threads of one process must not choose the
 *    same number: the second would replace the first's descriptor.  Who turns
 *    a bit from 0 to 1 has the number until it clears the bit; the descriptor
 *    is in the guest's table by then, where the next reserve sees it.
 *
 * Whoever opens files in another thread of the guest could reach a number of
 * ours between the look at it and the installing only by opening more of them
 * than are free below it, and closing none: 128 for a limit of 1,024.  (Who
 * names the number itself, with dup2() say, would race with open() as well.)
 */
#include "emulator/window.h"

#include <stdatomic.h>

#include "emulator/guest-look.h"
#include "emulator/guest-task.h"

enum {
    WINDOW_SHARE = 4, /* a quarter of the numbers: the guest has its own */
};

void window_init(struct window *window, uint64_t soft_limit)
{
    uint32_t limit =
        soft_limit > WINDOW_LIMIT_MAX ? WINDOW_LIMIT_MAX : (uint32_t)soft_limit;
    uint32_t size = WINDOW_SIZE_MAX;

    while (size > limit / WINDOW_SHARE)
        size /= 2;
    window->size = size;
    window->base = size ? (limit / size - 1) * size : 0;
    for (unsigned i = 0; i < WINDOW_SIZE_MAX / 64; i++)
        atomic_init(&window->taken[i], 0);
}

uint32_t window_mask(const struct window *window)
{
    return ~(window->size - 1);
}

bool window_contains(const struct window *window, int guest_fd)
{
    return window->size &&
           ((uint32_t)guest_fd & window_mask(window)) == window->base;
}

/* The least number that has enough free ones below it; -1: may not be known. */
static int least_clear(const struct window *window, pid_t tid)
{
    int in_use = guest_task_fd_count(tid);

    return in_use < 0 ? -1 : in_use + (int)(window->size / WINDOW_CLEAR);
}

static int fd_in_use(pid_t tid, int guest_fd)
{
    struct guest_look look = { 0 };
    int in_use;

    do
        in_use = guest_task_fd_in_use(tid, guest_fd);
    while (guest_look_again(&look, tid, in_use));
    return in_use;
}

int window_reserve(struct window *window, pid_t tid, int least)
{
    int clear = window->size ? least_clear(window, tid) : -1;

    if (clear < 0)
        return -1;
    if (least < clear)
        least = clear;
    for (uint32_t i = window->size; i-- > 0;) {
        int guest_fd = (int)(window->base + i);
        uint64_t bit = UINT64_C(1) << (i % 64);
        uint64_t before;
        int in_use;

        if (guest_fd < least)
            return -1;
        /* W1, pairs with W1 in window_release. */
        before = atomic_fetch_or_explicit(&window->taken[i / 64], bit,
                                          memory_order_acquire);
        if (before & bit)
            continue;
        in_use = fd_in_use(tid, guest_fd);
        if (in_use == 0)
            return guest_fd;
        window_release(window, guest_fd);
        if (in_use < 0)
            return -1; /* nor of the next */
    }
    return -1;
}

void window_release(struct window *window, int guest_fd)
{
    uint32_t i = (uint32_t)guest_fd - window->base;

    /* W1, pairs with W1 in window_reserve. */
    atomic_fetch_and_explicit(&window->taken[i / 64],
                              ~(UINT64_C(1) << (i % 64)),
                              memory_order_release);
}
