/*
 * watch-tree.h - watch descriptors by path, for `vnotify watch`
 *
 * A watch is an inode, so its path is only what it was called when we last
 * looked.  With -r, adding a directory adds what is below it; doing that again
 * after a rename gives the same descriptors and so corrects their paths.
 *
 * Threads: one.
 * Errors:  negative errno.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "vnotify.h"

struct watch_tree {
    struct vnotify_instance *instance;
    uint32_t mask;
    bool recursive;
    char **paths; /* by watch descriptor; NULL: not watched */
    size_t size;
    size_t count; /* watched now */
};

void watch_tree_init(struct watch_tree *, struct vnotify_instance *,
                     uint32_t mask, bool recursive);
void watch_tree_fini(struct watch_tree *);

/*
 * Watches a path and, if recursive, every directory below; a directory that
 * cannot be watched is said on stderr and left out.  What fails for the path
 * itself is returned.
 */
int watch_tree_add(struct watch_tree *, const char *path);

/* NULL if it is not watched. */
const char *watch_tree_path(const struct watch_tree *, int wd);

/* The watch is gone (VN_IN_IGNORED). */
void watch_tree_forget(struct watch_tree *, int wd);

/* Ends every watch at or below a path: it is somewhere else now. */
void watch_tree_leave(struct watch_tree *, const char *path);

/* directory/name; the caller's to free; NULL: no memory. */
char *watch_tree_join(const char *directory, const char *name);
