#include "player.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

enum { INSTANCES = 4, WATCHES_MAX = 256, COOKIES_MAX = 4096 };

static const struct {
    const char *name;
    uint32_t bit;
} bits[] = {
    { "ACCESS", IN_ACCESS },
    { "MODIFY", IN_MODIFY },
    { "ATTRIB", IN_ATTRIB },
    { "CLOSE_WRITE", IN_CLOSE_WRITE },
    { "CLOSE_NOWRITE", IN_CLOSE_NOWRITE },
    { "OPEN", IN_OPEN },
    { "MOVED_FROM", IN_MOVED_FROM },
    { "MOVED_TO", IN_MOVED_TO },
    { "CREATE", IN_CREATE },
    { "DELETE", IN_DELETE },
    { "DELETE_SELF", IN_DELETE_SELF },
    { "MOVE_SELF", IN_MOVE_SELF },
    { "UNMOUNT", IN_UNMOUNT },
    { "Q_OVERFLOW", IN_Q_OVERFLOW },
    { "IGNORED", IN_IGNORED },
    { "ISDIR", IN_ISDIR },
    { "ONLYDIR", IN_ONLYDIR },
    { "DONT_FOLLOW", IN_DONT_FOLLOW },
    { "EXCL_UNLINK", IN_EXCL_UNLINK },
    { "MASK_CREATE", IN_MASK_CREATE },
    { "MASK_ADD", IN_MASK_ADD },
    { "ONESHOT", IN_ONESHOT },
    { "ALL", IN_ALL_EVENTS },
};
#define BITS (sizeof(bits) / sizeof(bits[0]))

static struct instance {
    int fd; /* 0: not opened */
    int watches;
    struct {
        int wd;
        char label[32];
    } watch[WATCHES_MAX]; /* the newest of a number last */
    uint32_t cookies[COOKIES_MAX];
    int cookie_count;
} instances[INSTANCES];

void events_reset(void)
{
    for (int i = 0; i < INSTANCES; i++)
        if (instances[i].fd > 0)
            close(instances[i].fd);
    memset(instances, 0, sizeof(instances));
}

static uint32_t parse_mask(const char *text)
{
    char copy[256], *word, *rest = NULL;
    uint32_t mask = 0;

    snprintf(copy, sizeof(copy), "%s", text);
    for (word = strtok_r(copy, "|", &rest); word;
         word = strtok_r(NULL, "|", &rest)) {
        size_t i = 0;

        while (i < BITS && strcmp(bits[i].name, word) != 0)
            i++;
        if (i == BITS) {
            fprintf(stderr, "player: no event or flag is called %s\n", word);
            exit(2);
        }
        mask |= bits[i].bit;
    }
    return mask;
}

static struct instance *instance_of(const char *label)
{
    int index = label[0] - 'A';

    if (index < 0 || index >= INSTANCES || label[1] != ':') {
        fprintf(stderr, "player: a watch is called A:NAME to D:NAME, not %s\n",
                label);
        exit(2);
    }
    return &instances[index];
}

int events_watch(const char *label, const char *path, const char *mask)
{
    struct instance *in = instance_of(label);
    int wd;

    if (in->fd == 0) {
        in->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
        if (in->fd < 0) {
            int err = errno;
            in->fd = 0;
            return err;
        }
    }
    wd = inotify_add_watch(in->fd, path, parse_mask(mask));
    if (wd < 0)
        return errno;
    for (int i = in->watches - 1; i >= 0; i--)
        if (in->watch[i].wd == wd)
            return 0; /* the same watch: its first label stays */
    if (in->watches == WATCHES_MAX) {
        fprintf(stderr, "player: more than %d watches\n", WATCHES_MAX);
        exit(2);
    }
    in->watch[in->watches].wd = wd;
    snprintf(in->watch[in->watches].label, sizeof(in->watch[0].label), "%s",
             label + 2);
    in->watches++;
    return 0;
}

int events_unwatch(const char *label)
{
    struct instance *in = instance_of(label);

    for (int i = in->watches - 1; i >= 0; i--)
        if (!strcmp(in->watch[i].label, label + 2))
            return inotify_rm_watch(in->fd, in->watch[i].wd) == 0 ? 0 : errno;
    return EINVAL;
}

static void print_mask(uint32_t mask)
{
    const char *between = "";

    for (size_t i = 0; i + 1 < BITS; i++) /* not ALL */
        if (mask & bits[i].bit) {
            printf("%s%s", between, bits[i].name);
            mask &= ~bits[i].bit;
            between = "|";
        }
    if (mask)
        printf("%s%#x", between, mask);
}

static int number_cookie(struct instance *in, uint32_t cookie)
{
    for (int i = in->cookie_count - 1; i >= 0; i--)
        if (in->cookies[i] == cookie)
            return i + 1;
    if (in->cookie_count < COOKIES_MAX)
        in->cookies[in->cookie_count++] = cookie;
    return in->cookie_count;
}

static void print_event(struct instance *in, const struct inotify_event *event)
{
    const char *label = NULL;

    for (int i = in->watches - 1; i >= 0 && !label; i--)
        if (in->watch[i].wd == event->wd)
            label = in->watch[i].label;
    printf("  %c ", 'A' + (int)(in - instances));
    if (label)
        printf("%s ", label);
    else
        printf("wd%d ", event->wd);
    print_mask(event->mask);
    if (event->cookie)
        printf(" c%d", number_cookie(in, event->cookie));
    if (event->len) {
        putchar(' ');
        for (const char *at = event->name; *at; at++)
            if (isprint((unsigned char)*at) && *at != ' ' && *at != '\\')
                putchar(*at);
            else
                printf("\\x%02x", (unsigned char)*at);
    }
    putchar('\n');
}

static bool print_some(struct instance *in)
{
    _Alignas(8) char buf[65536];
    ssize_t bytes;
    bool any = false;

    while ((bytes = read(in->fd, buf, sizeof(buf))) > 0) {
        for (ssize_t at = 0; at < bytes;) {
            const struct inotify_event *event = (const void *)(buf + at);

            print_event(in, event);
            at += (ssize_t)(sizeof(*event) + event->len);
        }
        any = true;
    }
    return any;
}

void events_print(int quiet_ms)
{
    struct pollfd fds[INSTANCES];
    int count;

    do {
        count = 0;
        for (int i = 0; i < INSTANCES; i++)
            if (instances[i].fd > 0) {
                print_some(&instances[i]);
                fds[count++] = (struct pollfd){ .fd = instances[i].fd,
                                                .events = POLLIN };
            }
    } while (quiet_ms > 0 && count > 0 &&
             poll(fds, (nfds_t)count, quiet_ms) > 0);
}
