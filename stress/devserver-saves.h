/*
 * devserver-saves.h - saves in a tree, and when a client reports them
 *
 * Threads: one.  Errors: a message, and exit with 125.
 */
#pragma once

#include "devserver.h"
#include "histogram.h"
#include "module-tree.h"

enum save_kind {
    SAVE_IN_PLACE, /* truncated and written */
    SAVE_RENAMED,  /* written beside it and renamed over it */
    SAVE_CREATE,
    SAVE_DELETE, /* of what was just created */
    SAVE_KINDS,
};

extern const char *const save_names[SAVE_KINDS];

struct saves {
    struct histogram took[SAVE_KINDS], all;
    unsigned long unreported;
};

/*
 * Saves random files, half of them the project's own, for `seconds`; each when
 * the one before has been reported, and some milliseconds later.  At the end
 * the tree has the files that it had.
 */
void saves_run(struct saves *, const struct module_tree *, struct devserver *,
               double seconds, uint64_t *random);
