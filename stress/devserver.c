#include "devserver.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pace.h"

const char *const devserver_names[DEVSERVERS] = { "chokidar", "watchpack",
                                                  "parcel" };

static _Noreturn void give_up(const char *what, const char *which)
{
    fprintf(stderr, "vnotify: cannot %s %s: %s\n", what, which,
            strerror(errno));
    exit(125);
}

void devserver_init(void)
{
    int ends[2];

    /* Clients inherit its read end as their standard input, and end with it:
       the write end is ours alone. */
    if (pipe2(ends, O_CLOEXEC) != 0 || dup2(ends[0], STDIN_FILENO) < 0)
        give_up("make", "a pipe");
    close(ends[0]);
    if (access(DEVSERVER_MODULES, R_OK) != 0)
        give_up("read " DEVSERVER_MODULES
                ", which tests/clients/npm/fetch makes:", "npm's packages");
    setenv("NODE_PATH", DEVSERVER_MODULES, 1);
}

void devserver_start(struct devserver *client, enum devserver_id id,
                     enum variant_id variant, const char *root)
{
    const char *const argv[] = { DEVSERVER_NODE, DEVSERVER_CLIENT,
                                 devserver_names[id], root, NULL };
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) != 0)
        give_up("make", "a pipe");
    client->name = devserver_names[id];
    client->filled = client->used = 0;
    client->from = ends[0];
    client->pid = variant_start(variant, argv, ends[1]);
    close(ends[1]);
}

/* More of what it prints; false if there is nothing by then. */
static bool fill(struct devserver *client, uint64_t deadline_ns)
{
    struct pollfd from = { .fd = client->from, .events = POLLIN };
    uint64_t now = now_ns();
    ssize_t got;

    if (now >= deadline_ns ||
        poll(&from, 1, (int)((deadline_ns - now) / 1000000) + 1) <= 0)
        return false;
    memmove(client->buf, client->buf + client->used,
            client->filled - client->used);
    client->filled -= client->used;
    client->used = 0;
    got = read(client->from, client->buf + client->filled,
               sizeof(client->buf) - client->filled);
    if (got <= 0)
        give_up("read on from", client->name);
    client->filled += (size_t)got;
    return true;
}

/* The next line without its end, or NULL if there is none by then. */
static char *next_line(struct devserver *client, uint64_t deadline_ns)
{
    for (;;) {
        char *line = client->buf + client->used;
        char *end = memchr(line, '\n', client->filled - client->used);

        if (end != NULL) {
            *end = '\0';
            client->used = (size_t)(end + 1 - client->buf);
            return line;
        }
        if (!fill(client, deadline_ns))
            return NULL;
    }
}

bool devserver_ready(struct devserver *client, uint64_t deadline_ns)
{
    const char *line;

    while ((line = next_line(client, deadline_ns)) != NULL) {
        if (strcmp(line, "ready") == 0)
            return true;
        if (strncmp(line, "error ", 6) == 0)
            break;
    }
    fprintf(stderr, "vnotify: %s is not ready: %s\n", client->name,
            line == NULL ? "too late" : line);
    return false;
}

bool devserver_next(struct devserver *client, struct report *report,
                    uint64_t deadline_ns)
{
    const char *line = next_line(client, deadline_ns);

    if (line == NULL)
        return false;
    report->gone = strncmp(line, "gone ", 5) == 0;
    if (!report->gone && strncmp(line, "is ", 3) != 0) {
        fprintf(stderr, "vnotify: %s says: %s\n", client->name, line);
        exit(125);
    }
    report->path = strchr(line, ' ') + 1;
    return true;
}

void devserver_usage(const struct devserver *client,
                     struct devserver_usage *usage)
{
    struct usage all;

    process_group_usage(client->pid, &all);
    process_group_usage_without(client->pid, "node", &usage->vnotify);
    usage->client.resident_bytes =
        all.resident_bytes - usage->vnotify.resident_bytes;
    usage->client.descriptors = all.descriptors - usage->vnotify.descriptors;
}

void devserver_stop(struct devserver *client)
{
    kill(client->pid, SIGTERM);
    variant_end(client->pid);
    close(client->from);
}
