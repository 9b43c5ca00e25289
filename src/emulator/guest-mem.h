/*
 * guest-mem.h - the memory of a guest's thread
 *
 * Threads: any.
 * Errors:  -EFAULT where the guest's own access would fault; -ENAMETOOLONG.
 *          What was read is believed only once the notification has been found
 *          to be still valid.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

int guest_mem_read(pid_t tid, uint64_t guest_addr, void *to, size_t bytes);
int guest_mem_write(pid_t tid, uint64_t guest_addr, const void *from,
                    size_t bytes);

/* A NUL-terminated string of at most `size` bytes, its NUL included. */
int guest_mem_read_string(pid_t tid, uint64_t guest_addr, char *to,
                          size_t size);
