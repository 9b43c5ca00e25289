/*
 * calls.c - the system calls that are trapped, and their numbers on every ABI
 *
 * libseccomp knows every ABI's numbers, so none stands here.
 */
#include "emulator/calls.h"

#include <seccomp.h>
#include <string.h>

enum {
    X32_BIT = 0x40000000,
    ABIS_MAX = 3,
};

static const struct {
    const char *name;
    enum call_kind kind;
    bool time64;
} names[] = {
    { "inotify_init", CALL_INOTIFY_INIT, false },
    { "inotify_init1", CALL_INOTIFY_INIT1, false },
    { "inotify_add_watch", CALL_INOTIFY_ADD_WATCH, false },
    { "inotify_rm_watch", CALL_INOTIFY_RM_WATCH, false },
    { "read", CALL_READ, false },
    { "readv", CALL_READV, false },
    { "dup", CALL_DUP, false },
    { "fcntl", CALL_FCNTL, false },
    { "fcntl64", CALL_FCNTL, false },
    { "ioctl", CALL_IOCTL, false },
    { "poll", CALL_POLL_MS, false },
    { "epoll_wait", CALL_POLL_MS, false },
    { "epoll_pwait", CALL_POLL_MS, false },
    { "epoll_pwait2", CALL_EPOLL_PWAIT2, true },
    { "select", CALL_SELECT, false },
    { "_newselect", CALL_SELECT, false },
    { "ppoll", CALL_PPOLL, false },
    { "ppoll_time64", CALL_PPOLL, true },
    { "pselect6", CALL_PSELECT, false },
    { "pselect6_time64", CALL_PSELECT, true },
    { "setgroups", CALL_SETGROUPS, false },
    { "setgroups32", CALL_SETGROUPS, false },
    { "chroot", CALL_LEAVE_HOME, false },
    { "pivot_root", CALL_LEAVE_HOME, false },
    { "setns", CALL_LEAVE_HOME, false },
    { "unshare", CALL_LEAVE_HOME, false },
};

static struct {
    uint32_t audit_arch;
    int number;
    struct call call;
} table[ABIS_MAX * sizeof(names) / sizeof(names[0])];
static size_t table_count;

const uint32_t *calls_abis(void)
{
#if defined(__x86_64__)
    static const uint32_t abis[] = { SCMP_ARCH_X86_64, SCMP_ARCH_X86,
                                     SCMP_ARCH_X32, 0 };
#elif defined(__aarch64__)
    static const uint32_t abis[] = { SCMP_ARCH_AARCH64, SCMP_ARCH_ARM, 0 };
#else
    static uint32_t abis[2];
    abis[0] = seccomp_arch_native();
#endif
    return abis;
}

const char *calls_name(size_t index, enum call_kind *kind)
{
    if (index >= sizeof(names) / sizeof(names[0]))
        return NULL;
    *kind = names[index].kind;
    return names[index].name;
}

static void table_add(uint32_t abi, size_t name)
{
    bool x32 = abi == SCMP_ARCH_X32;
    int number = seccomp_syscall_resolve_name_arch(abi, names[name].name);
    struct call call = { .kind = names[name].kind,
                         .time64 = names[name].time64 };

    if (number < 0)
        return; /* this ABI has no such call */
    call.narrow = x32 || abi == SCMP_ARCH_X86 || abi == SCMP_ARCH_ARM;
    call.time64 |= x32;
    /* i386's first select() takes one pointer to its arguments. */
    if (abi == SCMP_ARCH_X86 && !strcmp(names[name].name, "select"))
        call.kind = CALL_OLD_SELECT;
    table[table_count].audit_arch = x32 ? SCMP_ARCH_X86_64 : abi;
    table[table_count].number = x32 ? number | X32_BIT : number;
    table[table_count++].call = call;
}

void calls_init(void)
{
    table_count = 0;
    for (const uint32_t *abi = calls_abis(); *abi; abi++) {
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
            table_add(*abi, i);
    }
}

struct call calls_find(uint32_t audit_arch, int number)
{
    for (size_t i = 0; i < table_count; i++) {
        if (table[i].audit_arch == audit_arch && table[i].number == number)
            return table[i].call;
    }
    return (struct call){ .kind = CALL_NONE };
}
