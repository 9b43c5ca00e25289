/*
 * guest-look.c - may we look into a guest's thread, and as whom?
 */
#include "emulator/guest-look.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>

bool guest_look_again(struct guest_look *look, pid_t tid, int error)
{
    struct guest_credentials who;

    guest_rights_drop(&look->rights);
    if (look->tried || (error != -EACCES && error != -EPERM))
        return false;
    look->tried = true;
    if (guest_credentials_get(tid, &who) < 0)
        return false;
    if (guest_rights_assume(&look->rights, &who) < 0)
        look->rights.assumed = false;
    guest_credentials_fini(&who);
    return look->rights.assumed;
}

int guest_look_open(pid_t tid, const char *link)
{
    struct guest_look look = { 0 };
    int host_fd;

    do
        host_fd = guest_task_open(tid, link);
    while (guest_look_again(&look, tid, host_fd));
    return host_fd;
}

void guest_look_complain(pid_t tid)
{
    /* relaxed: who turns it complains, and that is all */
    static _Atomic bool complained;
    char name[GUEST_NAME_MAX];

    /* relaxed: see above */
    if (atomic_exchange_explicit(&complained, true, memory_order_relaxed))
        return;
    guest_task_name(tid, name);
    fprintf(stderr,
            "vnotify: process %d (%s) may not be looked into, so its inotify "
            "calls fail with EPERM: it has changed its user or forbids it "
            "(PR_SET_DUMPABLE, or a program that may not be read); give "
            "vnotify the capability CAP_SYS_PTRACE (docker run --cap-add "
            "SYS_PTRACE)\n",
            tid, name);
}
