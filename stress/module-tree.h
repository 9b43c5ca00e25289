/*
 * module-tree.h - a project with a node_modules like real ones
 *
 * The same for the same seed and scale: 400,000 files in 40,000 directories at
 * scale 1, in packages of different kinds (a third of them under a scope, some
 * with a node_modules of their own), and beside them a small project.  What is
 * not drawn at random is the number of files and directories.  Files have the
 * sizes of such files, but only their first bytes are written.
 *
 * Threads: one.  Errors: a message, and exit with 125.
 */
#pragma once

#include <stdint.h>

struct module_tree {
    char root[512];
    unsigned long dirs, files; /* all, with the project's */
    char **paths;              /* of all files, relative to root */
    unsigned long source;      /* the first of the project's own paths */
};

/* Makes it as PATH/NAME. */
void module_tree_make(struct module_tree *, const char *path, const char *name,
                      double scale, uint64_t seed);

/* Frees the paths; the files stay. */
void module_tree_free(struct module_tree *);
