/*
 * test-filter.c - which calls the filter traps, on every ABI
 *
 * The program is run here, by the few instructions that seccomp filters use,
 * so that ABIs are tested which this machine's kernel does not offer.
 */
#include "unit.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <string.h>
#include <sys/ioctl.h>

#include "emulator/calls.h"
#include "emulator/filter.h"

enum {
    X32_BIT = 0x40000000,
    IN = 770,  /* in the window of a limit of 1,024 */
    OUT = 5,
};

static struct window window;
static struct filter plain, strict;

static uint32_t run(const struct filter *filter, const struct seccomp_data *on)
{
    const struct sock_filter *code = filter->program.filter;
    uint32_t a = 0;

    for (unsigned at = 0; at < filter->program.len; at++) {
        const struct sock_filter *op = &code[at];
        bool jump = false;

        switch (op->code) {
        case BPF_LD | BPF_W | BPF_ABS:
            memcpy(&a, (const char *)on + op->k, sizeof(a));
            continue;
        case BPF_ALU | BPF_AND | BPF_K:
            a &= op->k;
            continue;
        case BPF_RET | BPF_K:
            return op->k;
        case BPF_JMP | BPF_JA:
            at += op->k;
            continue;
        case BPF_JMP | BPF_JEQ | BPF_K:
            jump = a == op->k;
            break;
        case BPF_JMP | BPF_JGT | BPF_K:
            jump = a > op->k;
            break;
        case BPF_JMP | BPF_JGE | BPF_K:
            jump = a >= op->k;
            break;
        default:
            fail_msg("instruction %#x", op->code);
        }
        at += jump ? op->jt : op->jf;
    }
    fail_msg("no return");
    return 0;
}

static bool traps(const struct filter *filter, uint32_t abi, const char *name,
                  uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3)
{
    int number = seccomp_syscall_resolve_name_arch(abi, name);
    struct seccomp_data on = {
        .nr = abi == SCMP_ARCH_X32 ? number | X32_BIT : number,
        .arch = abi == SCMP_ARCH_X32 ? SCMP_ARCH_X86_64 : abi,
        .args = { a0, a1, a2, a3 },
    };
    uint32_t action = run(filter, &on);

    assert_true(number >= 0);
    assert_true(action == SECCOMP_RET_USER_NOTIF ||
                action == SECCOMP_RET_ALLOW);
    return action == SECCOMP_RET_USER_NOTIF;
}

static int setup(void **state)
{
    (void)state;
    window_init(&window, 1024);
    calls_init();
    assert_int_equal(filter_build(&plain, &window, 0), 0);
    assert_int_equal(filter_build(&strict, &window,
                                  FILTER_STRICT | FILTER_GROUPS |
                                      FILTER_HOME),
                     0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    filter_fini(&plain);
    filter_fini(&strict);
    return 0;
}

static void test_filter_traps_inotify_on_every_abi(void **state)
{
    (void)state;
    for (const uint32_t *abi = calls_abis(); *abi; abi++) {
        assert_true(traps(&plain, *abi, "inotify_init1", 0, 0, 0, 0));
        assert_true(traps(&plain, *abi, "inotify_add_watch", 0, 0, 0, 0));
        assert_true(traps(&plain, *abi, "inotify_rm_watch", 0, 0, 0, 0));
        assert_false(traps(&plain, *abi, "openat", 0, 0, 0, 0));
        assert_false(traps(&strict, *abi, "write", IN, 0, 0, 0));
    }
}

static void test_filter_traps_short_reads_in_the_window(void **state)
{
    (void)state;
    for (const uint32_t *abi = calls_abis(); *abi; abi++) {
        assert_true(traps(&plain, *abi, "read", IN, 0, 42, 0));
        assert_true(traps(&plain, *abi, "read", IN, 0, 4095, 0));
        assert_false(traps(&plain, *abi, "read", IN, 0, 4096, 0));
        assert_false(traps(&plain, *abi, "read", OUT, 0, 42, 0));
        assert_false(traps(&plain, *abi, "read", 1024 + IN, 0, 42, 0));
        assert_true(traps(&plain, *abi, "readv", IN, 0, 1, 0));
        assert_false(traps(&plain, *abi, "readv", OUT, 0, 1, 0));
        assert_true(traps(&plain, *abi, "dup", IN, 0, 0, 0));
        assert_false(traps(&plain, *abi, "dup", OUT, 0, 0, 0));
        assert_true(traps(&strict, *abi, "read", IN, 0, 65536, 0));
        assert_false(traps(&strict, *abi, "read", OUT, 0, 65536, 0));
    }
    /* The upper half of a register is no part of an int. */
    assert_true(traps(&plain, seccomp_arch_native(), "read",
                      (UINT64_C(7) << 32) | IN, 0, 42, 0));
}

static void test_filter_traps_setgroups_where_told_to(void **state)
{
    (void)state;
    for (const uint32_t *abi = calls_abis(); *abi; abi++) {
        assert_true(traps(&strict, *abi, "setgroups", 0, 0, 0, 0));
        assert_false(traps(&plain, *abi, "setgroups", 0, 0, 0, 0));
        assert_false(traps(&strict, *abi, "setuid", 0, 0, 0, 0));
    }
#if defined(__x86_64__)
    assert_true(traps(&strict, SCMP_ARCH_X86, "setgroups32", 0, 0, 0, 0));
#endif
}

static void test_filter_traps_what_leaves_home_where_told_to(void **state)
{
    static const char *const leaving[] = { "chroot", "pivot_root", "setns",
                                           "unshare" };

    (void)state;
    for (const uint32_t *abi = calls_abis(); *abi; abi++)
        for (size_t i = 0; i < sizeof(leaving) / sizeof(leaving[0]); i++) {
            assert_false(traps(&plain, *abi, leaving[i], 0, 0, 0, 0));
            assert_true(traps(&strict, *abi, leaving[i], 0, 0, 0, 0));
        }
    for (size_t i = 0; i < sizeof(leaving) / sizeof(leaving[0]); i++) {
        int number = seccomp_syscall_resolve_name(leaving[i]);

        assert_int_equal(calls_find(seccomp_arch_native(), number).kind,
                         CALL_LEAVE_HOME);
    }
}

static void test_filter_strict_traps_what_does_not_wait(void **state)
{
    (void)state;
    for (const uint32_t *abi = calls_abis(); *abi; abi++) {
        assert_true(traps(&strict, *abi, "ioctl", IN, FIONREAD, 0, 0));
        assert_false(traps(&strict, *abi, "ioctl", IN, FIONREAD + 1, 0, 0));
        assert_true(traps(&plain, *abi, "ioctl", IN, FIONREAD, 0, 0));
        assert_true(traps(&strict, *abi, "epoll_pwait", 9, 0, 1, 0));
        assert_false(traps(&strict, *abi, "epoll_pwait", 9, 0, 1, 10));
        assert_false(traps(&strict, *abi, "epoll_pwait", 9, 0, 1, UINT64_MAX));
        assert_true(traps(&strict, *abi, "ppoll", 0, 1, 64, 0));
        assert_false(traps(&strict, *abi, "ppoll", 0, 1, 0, 0));
        assert_false(traps(&plain, *abi, "ppoll", 0, 1, 64, 0));
    }
}

static void test_filter_lets_unknown_abis_alone(void **state)
{
    struct seccomp_data on = { .nr = 253, .arch = AUDIT_ARCH_S390X };

    (void)state;
    assert_int_equal(run(&plain, &on), SECCOMP_RET_ALLOW);
}

static void test_calls_find_knows_what_the_filter_traps(void **state)
{
    (void)state;
    for (const uint32_t *abi = calls_abis(); *abi; abi++) {
        int number =
            seccomp_syscall_resolve_name_arch(*abi, "inotify_add_watch");
        bool x32 = *abi == SCMP_ARCH_X32;
        struct call call = calls_find(x32 ? SCMP_ARCH_X86_64 : *abi,
                                      x32 ? number | X32_BIT : number);

        assert_int_equal(call.kind, CALL_INOTIFY_ADD_WATCH);
        assert_int_equal(call.narrow, *abi != seccomp_arch_native());
    }
    assert_int_equal(calls_find(AUDIT_ARCH_S390X, 253).kind, CALL_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_filter_traps_inotify_on_every_abi),
        cmocka_unit_test(test_filter_traps_short_reads_in_the_window),
        cmocka_unit_test(test_filter_traps_setgroups_where_told_to),
        cmocka_unit_test(test_filter_traps_what_leaves_home_where_told_to),
        cmocka_unit_test(test_filter_strict_traps_what_does_not_wait),
        cmocka_unit_test(test_filter_lets_unknown_abis_alone),
        cmocka_unit_test(test_calls_find_knows_what_the_filter_traps),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
