/*
 * inherited.c - descriptors that came with the start and are the guest's alone
 */
#include "emulator/inherited.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The lowest of the kept ones from `from` on, or UINT_MAX. */
static unsigned next_kept(unsigned from, const int kept[], size_t count)
{
    unsigned next = UINT_MAX;

    for (size_t i = 0; i < count; i++) {
        if (kept[i] >= 0 && (unsigned)kept[i] >= from &&
            (unsigned)kept[i] < next)
            next = (unsigned)kept[i];
    }
    return next;
}

void inherited_close(const int kept[], size_t count)
{
    unsigned from = STDERR_FILENO + 1;
    unsigned next;

    /* As old as what the filter needs: Linux 5.9. */
    while ((next = next_kept(from, kept, count)) != UINT_MAX) {
        if (next > from)
            syscall(SYS_close_range, from, next - 1, 0);
        from = next + 1;
    }
    syscall(SYS_close_range, from, UINT_MAX, 0);
}

void inherited_to_null(int first, int last)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (null < 0)
        return;
    for (int host_fd = first; host_fd <= last; host_fd++)
        dup2(null, host_fd);
    if (null > STDERR_FILENO)
        close(null);
}
