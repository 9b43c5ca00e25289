/*
 * guest-home.c - whether a thread of the guest is where we are
 */
#include "emulator/guest-home.h"

#include <stdatomic.h>

#include "emulator/guest-rights.h"
#include "emulator/guest-task.h"

static _Atomic bool trusted; /* R2 */
static _Thread_local pid_t seen; /* 0: nobody */

bool guest_home_follow(void)
{
    bool can = guest_rights_are_followed() && guest_task_can_mark();

    /* relaxed: before any other thread */
    atomic_store_explicit(&trusted, can, memory_order_relaxed);
    return can;
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

void guest_home_seen(pid_t tid)
{
    seen = tid;
}

void guest_home_settle(pid_t tid, bool sure)
{
    if (sure && seen == tid)
        guest_task_mark(tid);
    seen = 0;
}
