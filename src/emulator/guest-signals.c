#include "emulator/guest-signals.h"

#include <stdint.h>

#include "emulator/guest-task.h"
#include "emulator/proc-status.h"

enum guest_signals guest_signals(pid_t tid)
{
    char status[STATUS_BYTES];
    uint64_t deaf;
    pid_t tgid;

    if (proc_read(tid, "status", status, sizeof(status)) < 0)
        return GUEST_SIGNALS_OWN; /* gone: whoever asked will find that out */
    /* What does nothing by default does not get to be pending. */
    deaf = status_hex(status, "SigBlk") | status_hex(status, "SigIgn");
    tgid = (pid_t)status_number(status, "Tgid", 0);
    if ((status_hex(status, "SigPnd") & ~deaf) != 0)
        return GUEST_SIGNALS_OWN;
    /* The process stops, and that waits for all its threads. */
    if (tid != tgid && guest_task_state(tgid) == 'T')
        return GUEST_SIGNALS_OWN;
    if ((status_hex(status, "ShdPnd") & ~deaf) == 0)
        return GUEST_SIGNALS_NONE;
    return status_number(status, "Threads", 0) == 1 ? GUEST_SIGNALS_OWN
                                                 : GUEST_SIGNALS_MAYBE;
}
