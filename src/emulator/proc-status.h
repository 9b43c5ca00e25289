/*
 * proc-status.h - the small files of /proc/TID
 *
 * Threads: any.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    PROC_PATH_MAX = 64,
    STATUS_BYTES = 8192, /* enough without Groups; that line is read apart */
};

/* A small file of /proc as a string; bytes, or -errno. */
int proc_read(pid_t tid, const char *name, char *text, size_t size);

/* The text after "\nNAME:", or NULL: of any line but the first. */
const char *status_find(const char *status, const char *name);

/* Of a line with a number, in hexadecimal; 0 if there is none. */
uint64_t status_hex(const char *status, const char *name);

/* Field `index` of a line of numbers; the last one if index is negative. */
long status_number(const char *status, const char *name, int index);
