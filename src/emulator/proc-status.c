/*
 * proc-status.c - the small files of /proc/TID
 */
#include "emulator/proc-status.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int proc_read(pid_t tid, const char *name, char *text, size_t size)
{
    char path[PROC_PATH_MAX];
    ssize_t got;
    int host_fd;
    int error;

    snprintf(path, sizeof(path), "/proc/%d/%s", tid, name);
    host_fd = open(path, O_RDONLY | O_CLOEXEC);
    if (host_fd < 0)
        return -errno;
    got = read(host_fd, text, size - 1);
    error = got < 0 ? -errno : (int)got;
    close(host_fd);
    if (got >= 0)
        text[got] = '\0';
    return error;
}

const char *status_find(const char *status, const char *name)
{
    char line[16] = "\n";
    const char *found;

    stpcpy(stpcpy(line + 1, name), ":");
    found = strstr(status, line);
    return found ? found + strlen(line) : NULL;
}

uint64_t status_hex(const char *status, const char *name)
{
    const char *text = status_find(status, name);

    return text ? strtoull(text, NULL, 16) : 0;
}

long status_number(const char *status, const char *name, int index)
{
    const char *text = status_find(status, name);
    long value = 0;

    for (int i = 0; text && (index < 0 || i <= index); i++) {
        char *end;

        text += strspn(text, "\t ");
        if (*text == '\n' || !*text)
            break;
        value = strtol(text, &end, 10);
        if (end == text)
            break;
        text = end;
    }
    return value;
}
