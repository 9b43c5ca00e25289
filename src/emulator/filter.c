/*
 * filter.c - the seccomp filter of the guest
 *
 * libseccomp writes the program, for every ABI of the CPU at once.  It is
 * loaded with seccomp(2) directly, because libseccomp 2.5 cannot ask for
 * SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, without which every signal (Go sends
 * SIGURG all the time) would undo a call that is being served.
 */
#include "emulator/filter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "emulator/calls.h"

enum {
    NOTIFY_API = 5, /* libseccomp's API level with SCMP_ACT_NOTIFY */
    IN_WINDOW_ARGS = 2,
};

/* Rules for one call; which arguments decide depends on its kind. */
static int add_rule(scmp_filter_ctx ctx, int number, enum call_kind kind,
                    const struct window *window, bool strict)
{
    const struct scmp_arg_cmp in_window =
        SCMP_A0(SCMP_CMP_MASKED_EQ, window_mask(window), window->base);
    const struct scmp_arg_cmp short_read =
        SCMP_A2(SCMP_CMP_LT, FILTER_PACKET_MAX);
    struct scmp_arg_cmp args[IN_WINDOW_ARGS] = { in_window };
    unsigned count = 0;

    switch (kind) {
    case CALL_READ:
        args[1] = short_read;
        count = strict ? 1 : 2;
        break;
    case CALL_READV:
    case CALL_DUP:
        count = 1;
        break;
    case CALL_FCNTL:
        args[1] = SCMP_A1(SCMP_CMP_MASKED_EQ, UINT32_MAX, F_DUPFD);
        if (seccomp_rule_add_array(ctx, SCMP_ACT_NOTIFY, number, 2, args) < 0)
            return -EINVAL;
        args[1] = SCMP_A1(SCMP_CMP_MASKED_EQ, UINT32_MAX, F_DUPFD_CLOEXEC);
        count = 2;
        break;
    case CALL_IOCTL:
        args[1] = SCMP_A1(SCMP_CMP_MASKED_EQ, UINT32_MAX, FIONREAD);
        count = 2;
        break;
    case CALL_SELECT:
    case CALL_PSELECT:
        args[0] = SCMP_A4(SCMP_CMP_NE, 0);
        count = 1;
        break;
    case CALL_PPOLL:
        args[0] = SCMP_A2(SCMP_CMP_NE, 0);
        count = 1;
        break;
    case CALL_EPOLL_PWAIT2:
        args[0] = SCMP_A3(SCMP_CMP_NE, 0);
        count = 1;
        break;
    default:
        break;
    }
    return seccomp_rule_add_array(ctx, SCMP_ACT_NOTIFY, number, count, args);
}

/* poll and its relatives that do not wait: a timeout argument of 0. */
static int add_poll_rule(scmp_filter_ctx ctx, int number, const char *name)
{
    struct scmp_arg_cmp zero = SCMP_A3(SCMP_CMP_MASKED_EQ, UINT32_MAX, 0);

    if (name[0] == 'p')
        zero = SCMP_A2(SCMP_CMP_MASKED_EQ, UINT32_MAX, 0);
    return seccomp_rule_add_array(ctx, SCMP_ACT_NOTIFY, number, 1, &zero);
}

static int add_rules(scmp_filter_ctx ctx, const struct window *window,
                     unsigned also)
{
    bool strict = (also & FILTER_STRICT) != 0;
    enum call_kind kind = CALL_NONE;
    const char *name;

    for (size_t i = 0; (name = calls_name(i, &kind)); i++) {
        int number = seccomp_syscall_resolve_name(name);
        int error;

        if (number == __NR_SCMP_ERROR)
            continue; /* this libseccomp does not know it yet */
        if (kind > CALL_IOCTL && !strict)
            continue;
        if (kind >= CALL_READ && kind <= CALL_IOCTL && !window->size)
            continue;
        if ((kind == CALL_SETGROUPS && !(also & FILTER_GROUPS)) ||
            (kind == CALL_LEAVE_HOME && !(also & FILTER_HOME)))
            continue;
        error = kind == CALL_POLL_MS
                    ? add_poll_rule(ctx, number, name)
                    : add_rule(ctx, number, kind, window, strict);
        if (error < 0)
            return error;
    }
    return 0;
}

/* The BPF that libseccomp makes, through a memfd: it only writes files. */
static int export_program(scmp_filter_ctx ctx, struct filter *filter)
{
    int host_fd = memfd_create("vnotify-filter", MFD_CLOEXEC);
    struct stat file;
    void *code = NULL;
    int error;

    if (host_fd < 0)
        return -errno;
    error = seccomp_export_bpf(ctx, host_fd);
    if (error == 0 && fstat(host_fd, &file) != 0)
        error = -errno;
    if (error < 0)
        goto out;
    code = malloc((size_t)file.st_size);
    if (!code ||
        pread(host_fd, code, (size_t)file.st_size, 0) != file.st_size) {
        error = -ENOMEM;
        free(code);
        goto out;
    }
    filter->program.filter = code;
    filter->program.len =
        (unsigned short)((size_t)file.st_size / sizeof(struct sock_filter));
out:
    close(host_fd);
    return error;
}

int filter_build(struct filter *filter, const struct window *window,
                 unsigned also)
{
    scmp_filter_ctx ctx;
    int error = 0;

    /* It must not ask the kernel: what that refuses is told when it is asked
     * to load the program, with the reason. */
    seccomp_api_set(NOTIFY_API);
    ctx = seccomp_init(SCMP_ACT_ALLOW);
    *filter = (struct filter){ 0 };
    if (!ctx)
        return -ENOMEM;
    /* Calls of an ABI that we do not know are none of our business. */
    error = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ALLOW);
    for (const uint32_t *abi = calls_abis(); *abi && error == 0; abi++) {
        if (*abi != seccomp_arch_native())
            error = seccomp_arch_add(ctx, *abi);
    }
    if (error == 0)
        error = add_rules(ctx, window, also);
    if (error == 0)
        error = export_program(ctx, filter);
    seccomp_release(ctx);
    return error;
}

void filter_fini(struct filter *filter)
{
    free(filter->program.filter);
    filter->program.filter = NULL;
}

static int load_with(const struct filter *filter, unsigned long flags)
{
    long listener = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags,
                            &filter->program);

    return listener < 0 ? -errno : (int)listener;
}

int filter_load(const struct filter *filter)
{
    unsigned long flags = SECCOMP_FILTER_FLAG_NEW_LISTENER |
                          SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
    int listener = load_with(filter, flags);

    /*
     * Without CAP_SYS_ADMIN the kernel wants a promise that set-user-ID
     * programs gain nothing.  With it none is made, so that sudo still works.
     */
    if (listener == -EACCES && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0)
        listener = load_with(filter, flags);
    if (listener == -EINVAL) /* Linux before 5.19 */
        listener = load_with(filter, SECCOMP_FILTER_FLAG_NEW_LISTENER);
    return listener;
}

const char *filter_explain(int error)
{
    switch (-error) {
    case EBUSY:
        return "another supervisor listens to this process already "
               "(vnotify inside vnotify, or a container runtime's); Linux "
               "allows one: run vnotify outside of it";
    case ENOSYS:
        return "this kernel is built without seccomp";
    case EINVAL:
        return "this kernel has no seccomp user notification; Linux 5.9 or "
               "later is needed";
    case EACCES:
    case EPERM:
        return "seccomp is forbidden here; in a container, allow the "
               "seccomp(2) call";
    default:
        return NULL;
    }
}
