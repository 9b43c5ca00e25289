/*
 * guest-mem.c - the memory of a guest's thread
 *
 * process_vm_readv and process_vm_writev respect the guest's page protections,
 * as its own access would.  Where they are refused outright (a security module
 * may), /proc/TID/mem is tried for reading.
 */
#include "emulator/guest-mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
    STRING_CHUNK = 4096, /* never across a page: the next may be unmapped */
};

static ssize_t mem_file_read(pid_t tid, uint64_t guest_addr, void *to,
                             size_t bytes)
{
    char path[32];
    ssize_t got;
    int host_fd;

    snprintf(path, sizeof(path), "/proc/%d/mem", tid);
    host_fd = open(path, O_RDONLY | O_CLOEXEC);
    if (host_fd < 0)
        return -1;
    got = pread(host_fd, to, bytes, (off_t)guest_addr);
    close(host_fd);
    return got;
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
    if (got < 0 && (errno == EPERM || errno == ENOSYS))
        got = mem_file_read(tid, guest_addr, to, bytes);
    return got == (ssize_t)bytes ? 0 : -EFAULT;
}

int guest_mem_write(pid_t tid, uint64_t guest_addr, const void *from,
                    size_t bytes)
{
    struct iovec local = { .iov_base = (void *)(uintptr_t)from,
                           .iov_len = bytes };
    struct iovec remote = { .iov_base = (void *)(uintptr_t)guest_addr,
                            .iov_len = bytes };

    if (!bytes)
        return 0;
    return process_vm_writev(tid, &local, 1, &remote, 1, 0) == (ssize_t)bytes
               ? 0
               : -EFAULT;
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
