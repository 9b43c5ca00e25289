/*
 * place.h - where a benchmark makes its files, and that they go away again
 *
 * A place is a fresh directory on some file system.  A janitor, a process
 * forked before anything else, removes all places when the program ends in
 * whatever way, and places_close waits for it.
 *
 * Threads: one.  Errors: a message, and exit with 125.
 */
#pragma once

#include "options.h"

enum { PLACES_MAX = 2 };

struct place {
    char path[512];
    char fs[16]; /* the file system's name: "ext4", "tmpfs", ... */
};

/* In --dir and --memory-dir; returns how many, at least one. */
unsigned places_open(const struct options *, struct place *places);

void places_close(void);

/* "PATH/NAME" as a directory of `files` empty files, f000000 and so on. */
void make_directory(const char *path, const char *name, unsigned long files);

/* PATH/NAME with `count` directories d000000..., each of `files` files. */
void make_forest(const char *path, const char *name, unsigned long count,
                 unsigned files);

/* With everything below it; what is not there is no error. */
void remove_tree_at(const char *path, const char *name);
