/*
 * guest-mem.c - the memory of a guest's thread
 *
 * process_vm_readv and process_vm_writev respect the guest's page protections,
 * as its own access would.  Where they are refused outright (by a security
 * module, or to who has not the guest's user), /proc/TID/mem is used.  That
 * knows no protections: what is not there at all is EFAULT still.
 */
#include "emulator/guest-mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "emulator/guest-look.h"

enum {
    STRING_CHUNK = 4096, /* never across a page: the next may be unmapped */
};

/* One transfer through /proc/TID/mem: bytes or -errno. */
static ssize_t mem_file_move(pid_t tid, uint64_t guest_addr,
                             const struct iovec *local, bool write)
{
    char path[32];
    ssize_t moved;
    int host_fd;

    snprintf(path, sizeof(path), "/proc/%d/mem", tid);
    host_fd = open(path, (write ? O_WRONLY : O_RDONLY) | O_CLOEXEC);
    if (host_fd < 0)
        return -errno;
    moved = write ? pwrite(host_fd, local->iov_base, local->iov_len,
                           (off_t)guest_addr)
                  : pread(host_fd, local->iov_base, local->iov_len,
                          (off_t)guest_addr);
    if (moved < 0)
        moved = -errno;
    close(host_fd);
    return moved;
}

static int mem_file_use(pid_t tid, uint64_t guest_addr,
                        const struct iovec *local, bool write)
{
    struct guest_look look = { 0 };
    ssize_t moved;

    do
        moved = mem_file_move(tid, guest_addr, local, write);
    while (guest_look_again(&look, tid, moved < 0 ? (int)moved : 0));
    return moved == (ssize_t)local->iov_len ? 0 : -EFAULT;
}

static bool refused_outright(ssize_t moved)
{
    return moved < 0 && (errno == EPERM || errno == ENOSYS);
}

int guest_mem_read(pid_t tid, uint64_t guest_addr, void *to, size_t bytes)
{
    struct iovec local = { .iov_base = to, .iov_len = bytes };
    struct iovec remote = { .iov_base = (void *)(uintptr_t)guest_addr,
                            .iov_len = bytes };
    ssize_t got;

    if (!bytes)
        return 0;
    got = process_vm_readv(tid, &local, 1, &remote, 1, 0);
    if (refused_outright(got))
        return mem_file_use(tid, guest_addr, &local, false);
    return got == (ssize_t)bytes ? 0 : -EFAULT;
}

int guest_mem_write(pid_t tid, uint64_t guest_addr, const void *from,
                    size_t bytes)
{
    struct iovec local = { .iov_base = (void *)(uintptr_t)from,
                           .iov_len = bytes };
    struct iovec remote = { .iov_base = (void *)(uintptr_t)guest_addr,
                            .iov_len = bytes };
    ssize_t put;

    if (!bytes)
        return 0;
    put = process_vm_writev(tid, &local, 1, &remote, 1, 0);
    if (refused_outright(put))
        return mem_file_use(tid, guest_addr, &local, true);
    return put == (ssize_t)bytes ? 0 : -EFAULT;
}

int guest_mem_read_string(pid_t tid, uint64_t guest_addr, char *to, size_t size)
{
    size_t done = 0;

    while (done < size) {
        size_t chunk =
            STRING_CHUNK - (size_t)((guest_addr + done) % STRING_CHUNK);
        char *end;

        if (chunk > size - done)
            chunk = size - done;
        if (guest_mem_read(tid, guest_addr + done, to + done, chunk) < 0)
            return -EFAULT;
        end = memchr(to + done, '\0', chunk);
        if (end)
            return 0;
        done += chunk;
    }
    return -ENAMETOOLONG;
}
