/*
 * attach.h - one child: opening an entry, its vnode, its knote
 *
 * In three steps, so that the keeper (keep.c) can judge in the middle what has
 * happened to the entry already: begin, then finish or give_up.
 *
 * Threads: as keep.h.
 */
#pragma once

#include "pipeline/child.h"
#include "port/holders.h"

struct vnotify;

struct attaching {
    struct vnotify *engine;
    struct vnode *dir;
    uint64_t ino;
    uint32_t wanted;
    bool *misnumbered;    /* the directory: it has listed what was not there */
    bool changed;         /* a sweep found it changed: it may have what is kept
                             for such */
    bool park;            /* no descriptor is to be spent on it, but a knote:
                             it is parked */
    int64_t born_after;   /* wall clock: a file with one name that was born
                             since is newborn; INT64_MAX: none is */
    struct vnode *vnode;  /* NULL: no descriptor for it, to be swept */
    struct child *child;  /* with a vnode: linked to it */
    bool made;            /* the vnode is new, and its claim is held */
    bool newborn;
    bool guessed;         /* attach.c: `look` is the listing's word as yet */
    enum holders writers; /* of a newborn file: NONE, it was closed before the
                             knote was there; SOME, its close will be noted */
    struct look look;     /* taken after the knote was there */
};

/*
 * Opens the entry without side effects, registers its knote and links a child to
 * its vnode, if descriptors may be spent on it or it is to be parked.  0;
 * -ENOENT if it is not what was listed any more; -EAGAIN if somebody else is
 * about to open it.
 */
int attach_begin(struct attaching *, const char *name, uint8_t type);

/* The child, with its vnode's claim given back.  `close_ns` > 0: if no note says
   so before, CLOSE_WRITE is told then. */
struct child *attach_finish(struct attaching *, uint64_t close_ns);

/* Is it a file with one name that was born since? */
bool attach_is_newborn(const struct look *, int64_t born_after);

/* Hands the child to the housekeeper. */
void attach_end(struct vnotify *, struct child *);
