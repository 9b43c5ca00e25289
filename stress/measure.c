#include "measure.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void fail(const char *path)
{
    fprintf(stderr, "vnotify: %s: %s\n", path, strerror(errno));
    exit(125);
}

double measure_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

double measure_resident_bytes(void)
{
    unsigned long size = 0, resident = 0;
    FILE *statm = fopen("/proc/self/statm", "re");

    if (statm == NULL || fscanf(statm, "%lu %lu", &size, &resident) != 2)
        fail("/proc/self/statm");
    fclose(statm);
    return (double)resident * (double)sysconf(_SC_PAGESIZE);
}

int measure_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int n = -3; /* ".", "..", and that of the look */

    if (dir == NULL)
        fail("/proc/self/fd");
    while (readdir(dir) != NULL)
        n++;
    closedir(dir);
    return n;
}
