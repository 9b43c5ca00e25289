#include "emulator/guest-signals.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "emulator/guest-task.h"
#include "emulator/proc-status.h"

#define SIGNAL_BIT(signal) (UINT64_C(1) << ((signal) - 1))

/* By default they do nothing; pending they are if some other thread blocks
   them. */
#define IDLE                                                                   \
    (SIGNAL_BIT(SIGCHLD) | SIGNAL_BIT(SIGCONT) | SIGNAL_BIT(SIGURG) |          \
     SIGNAL_BIT(SIGWINCH))

/* Has a stop reached another thread?  It waits for all of them then. */
static bool process_stops(pid_t tgid, pid_t tid)
{
    char path[PROC_PATH_MAX];
    struct dirent *entry;
    bool stops = false;
    DIR *tasks;

    snprintf(path, sizeof(path), "/proc/%d/task", tgid);
    tasks = opendir(path);
    while (tasks && !stops && (entry = readdir(tasks)) != NULL) {
        pid_t other = (pid_t)strtol(entry->d_name, NULL, 10);

        stops = other > 0 && other != tid && guest_task_state(other) == 'T';
    }
    if (tasks)
        closedir(tasks);
    return stops;
}

enum guest_signals guest_signals(pid_t tid)
{
    char status[STATUS_BYTES];
    uint64_t deaf;
    bool alone;
    int error = proc_read(tid, "status", status, sizeof(status));

    if (error == -ENOENT || error == -ESRCH)
        return GUEST_SIGNALS_OWN; /* whoever asked will find that it is gone */
    if (error < 0)
        return GUEST_SIGNALS_NONE;
    deaf = status_hex(status, "SigBlk") | status_hex(status, "SigIgn") |
           (IDLE & ~status_hex(status, "SigCgt"));
    alone = status_number(status, "Threads", 0) == 1;
    if ((status_hex(status, "SigPnd") & ~deaf) != 0)
        return GUEST_SIGNALS_OWN;
    if (!alone &&
        process_stops((pid_t)status_number(status, "Tgid", 0), tid))
        return GUEST_SIGNALS_OWN;
    if ((status_hex(status, "ShdPnd") & ~deaf) == 0)
        return GUEST_SIGNALS_NONE;
    return alone ? GUEST_SIGNALS_OWN : GUEST_SIGNALS_MAYBE;
}
