#include "user-watches.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char file[] = "/proc/sys/fs/inotify/max_user_watches";
static char before[32];
static size_t before_bytes;
static pid_t raiser; /* a child that exits does not put it back */

static void put_back(void)
{
    int fd = getpid() == raiser ? open(file, O_WRONLY | O_CLOEXEC) : -1;

    if (fd < 0)
        return;
    (void)!write(fd, before, before_bytes);
    close(fd);
}

static void put_back_and_end(int signal_number)
{
    put_back();
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

static int read_before(void)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, before, sizeof(before) - 1);

    if (fd >= 0)
        close(fd);
    before_bytes = got > 0 ? (size_t)got : 0;
    return got > 0 ? 0 : -1;
}

void user_watches_want(unsigned long wanted)
{
    static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
    FILE *to;

    if (read_before() != 0 || strtoul(before, NULL, 10) >= wanted)
        return;
    raiser = getpid();
    atexit(put_back);
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        signal(signals[i], put_back_and_end);
    to = fopen(file, "we");
    if (to == NULL)
        return;
    fprintf(to, "%lu", wanted);
    fclose(to);
}
