/*
 * devserver.h - a client of a dev server, watching a tree
 *
 * A node program (devserver-client.js) with one of the watchers that dev
 * servers are built on, natively or under `vnotify run`.  What it reports comes
 * through a pipe, line by line.
 *
 * Threads: one.  Errors: a message, and exit with 125, unless something else is
 * said.  Clients end when the benchmark does.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "process.h"
#include "variant.h"

enum devserver_id { CHOKIDAR, WATCHPACK, PARCEL, DEVSERVERS };

extern const char *const devserver_names[DEVSERVERS];

struct devserver {
    const char *name;
    pid_t pid;
    int from;
    size_t filled, used; /* of buf */
    char buf[65536];
};

/* What a client reports of a path relative to the tree. */
struct report {
    const char *path; /* until the next call */
    bool gone;
};

/* What the processes use: the client's own, and vnotify's. */
struct devserver_usage {
    struct usage client, vnotify;
};

/* Once, before the first: how clients are ended, and find their packages. */
void devserver_init(void);

void devserver_start(struct devserver *, enum devserver_id, enum variant_id,
                     const char *root);

/* False, after a message, if it was not ready by then or says an error. */
bool devserver_ready(struct devserver *, uint64_t deadline_ns);

/* The next report; false if there is none by then.  Exits if the client says an
   error or ends. */
bool devserver_next(struct devserver *, struct report *, uint64_t deadline_ns);

void devserver_usage(const struct devserver *, struct devserver_usage *);

void devserver_stop(struct devserver *);
