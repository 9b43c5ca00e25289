/*
 * guest-home.c - whether a thread of the guest is where we are
 */
#include "emulator/guest-home.h"

#include <stdatomic.h>

#include "emulator/guest-task.h"

static _Atomic bool trusted; /* R2 */

void guest_home_follow(void)
{
    /* relaxed: before any other thread */
    atomic_store_explicit(&trusted, true, memory_order_relaxed);
}

void guest_home_left(void)
{
    /* R2: release; the guest is answered after it, and its next call comes
       after the answer.  Pairs with guest_home_is_ours. */
    atomic_store_explicit(&trusted, false, memory_order_release);
}

bool guest_home_is_ours(pid_t tid)
{
    return atomic_load_explicit(&trusted, memory_order_acquire) && /* R2 */
           guest_task_is_marked(tid);
}

void guest_home_was_ours(pid_t tid)
{
    guest_task_mark(tid);
}
