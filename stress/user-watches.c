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

/* The limit as it is now, or 0. */
static unsigned long read_limit(char text[sizeof(before)], size_t *bytes)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof(before) - 1);

    if (fd >= 0)
        close(fd);
    *bytes = got > 0 ? (size_t)got : 0;
    text[*bytes] = '\0';
    return strtoul(text, NULL, 10);
}

/* What is put back is what was there before the first raise. */
static void will_put_back(const char *text, size_t bytes)
{
    static const int signals[] = { SIGINT, SIGTERM, SIGHUP };

    if (raiser != 0)
        return;
    memcpy(before, text, bytes);
    before_bytes = bytes;
    raiser = getpid();
    atexit(put_back);
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        signal(signals[i], put_back_and_end);
}

void user_watches_want(unsigned long wanted)
{
    char text[sizeof(before)];
    size_t bytes;
    unsigned long limit = read_limit(text, &bytes);
    FILE *to;

    if (limit == 0 || limit >= wanted)
        return;
    will_put_back(text, bytes);
    to = fopen(file, "we");
    if (to == NULL)
        return;
    fprintf(to, "%lu", wanted);
    fclose(to);
}
