/*
 * devserver-loads.h - what befalls a watched project at once
 *
 *     checkout   git checkout of another commit: 20,000 files at scale 1, most
 *                of them changed, some removed, some new
 *     install    npm ci, from npm's cache (which it fills once)
 *     remove     rm -rf of 1,000 files in ten directories
 *
 * Threads: one.  Errors: a message, and exit with 125.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum load_id { LOAD_CHECKOUT, LOAD_INSTALL, LOAD_REMOVE, LOADS };

extern const char *const load_names[LOADS];

/* A file that a load changes, made or removed, and what is to be reported. */
struct change {
    char *path; /* relative to the project */
    bool gone, told;
};

struct changes {
    struct change *all; /* by path */
    size_t count, room;
};

/* Makes what all loads need, in the directory PATH; the project is below. */
void loads_make(const char *path, double scale);

const char *loads_project(void);

/* Puts the project into the state before the load; nobody watches. */
void load_prepare(enum load_id);

/* Begins the load; what changes, unless it is to be seen afterwards. */
int load_begin(enum load_id, struct changes *);

/* When it has ended well: what has changed. */
void load_end(enum load_id, struct changes *);

void changes_free(struct changes *);

/*
 * A path was reported.  A directory that has gone takes what was in it with
 * it.  How many were told by this.
 */
size_t changes_told(struct changes *, const char *path, bool gone);
