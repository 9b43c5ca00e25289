/*
 * refuse.c - runs a program for which the kernel refuses a system call
 *
 *     refuse ERRNO SYSCALL PROGRAM [ARG...]
 */
#include <errno.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int find_errno(const char *name)
{
    static const struct {
        const char *name;
        int value;
    } known[] = {
        { "EPERM", EPERM },
        { "ENOSYS", ENOSYS },
        { "EINVAL", EINVAL },
        { "EMFILE", EMFILE },
    };

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (!strcmp(known[i].name, name))
            return known[i].value;
    }
    return 0;
}

int main(int argc, char **argv)
{
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
    int value = argc > 3 ? find_errno(argv[1]) : 0;
    int number = value ? seccomp_syscall_resolve_name(argv[2])
                       : __NR_SCMP_ERROR;

    if (!ctx || number == __NR_SCMP_ERROR) {
        fprintf(stderr, "usage: refuse ERRNO SYSCALL PROGRAM [ARG...]\n");
        return EXIT_FAILURE;
    }
    if (seccomp_rule_add(ctx, SCMP_ACT_ERRNO((unsigned)value), number, 0) < 0 ||
        seccomp_load(ctx) < 0) {
        fprintf(stderr, "refuse: cannot load the filter\n");
        return EXIT_FAILURE;
    }
    execv(argv[3], argv + 3);
    perror(argv[3]);
    return EXIT_FAILURE;
}
