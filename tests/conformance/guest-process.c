/*
 * guest-process.c - children, threads, and the process that serves us
 */
#include "guest.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ASLEEP_SAMPLES 3

void guest_wait_child(pid_t pid)
{
    int status = 0;
    while (waitpid(pid, &status, 0) < 0)
        CHECK(errno == EINTR, "waitpid: %s", strerror(errno));
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0,
          "expected the child to exit with 0, seen status 0x%x", status);
}

/* The number after `key` in /proc/PID/status; state letters as characters. */
static long status_value(pid_t pid, const char *key)
{
    char path[64], line[256];
    long value = -1;
    snprintf(path, sizeof path, "/proc/%d/status", pid);
    FILE *status = fopen(path, "re");
    CHECK(status != NULL, "%s: %s", path, strerror(errno));
    while (value < 0 && fgets(line, sizeof line, status) != NULL) {
        if (strncmp(line, key, strlen(key)) != 0)
            continue;
        const char *at = line + strlen(key) + strspn(line + strlen(key), " \t");
        value = *at >= '0' && *at <= '9' ? atol(at) : *at;
    }
    fclose(status);
    return value;
}

void guest_await_asleep(pid_t thread)
{
    int64_t end_ms = guest_now_ms() + GUEST_DEADLINE_MS;
    for (int seen = 0; seen < ASLEEP_SAMPLES;) {
        seen = status_value(thread, "State:") == 'S' ? seen + 1 : 0;
        CHECK(guest_now_ms() < end_ms, "expected thread %d to fall asleep",
              thread);
        usleep(1000);
    }
}

int guest_supervisor_descriptors(void)
{
    char path[64];
    int count = 0;
    if (guest_supervisor() == 0)
        return 0;
    snprintf(path, sizeof path, "/proc/%d/fd", guest_supervisor());
    DIR *list = opendir(path);
    CHECK(list != NULL, "%s: %s", path, strerror(errno));
    while (readdir(list) != NULL)
        count++;
    closedir(list);
    return count;
}

int guest_supervisor_threads(void)
{
    return guest_supervisor() == 0
               ? 0
               : (int)status_value(guest_supervisor(), "Threads:");
}

long guest_supervisor_kib(void)
{
    return guest_supervisor() == 0 ? 0
                                   : status_value(guest_supervisor(), "VmRSS:");
}
