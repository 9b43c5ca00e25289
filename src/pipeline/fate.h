/*
 * fate.h - what happened to an object itself, from hints and a look at it
 *
 * Threads: the holder of the vnode's claim.
 */
#pragma once

#include "pipeline/vnode.h"

struct fate {
    /* Either with NOTE_TOGETHER. */
    uint32_t self;  /* events (IN_*) and SELF_* for its own watches */
    uint32_t unnamed; /* those of `self` that are use of a descriptor whose name
                         has gone: not for who asked with EXCL_UNLINK */
    uint32_t named; /* NOTE_CONTENT, for the directories that have it */
    uint32_t lasting; /* those of either that are for watches made since the
                         note as well: ends, and closes after a quiet time */
};

/* `entries_changed`: of a directory, with this listing. */
struct fate fate_of(struct vnotify *, struct vnode *, uint32_t hints,
                    bool entries_changed);
