/*
 * opened.h - the object of an add_watch, as its caller has it open
 *
 * Opened by path or handed in; the vnode gets a descriptor of its own from it.
 * A directory that we opened ourselves is opened once, for everything.
 *
 * Blocks:   in the file system.  Take no lock across it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "port/look.h"

struct vnotify;

struct opened {
    int host_fd;      /* < 0: it has been taken */
    bool ours;        /* to be closed, or kept */
    bool lists;       /* a directory's, with an offset of its own */
    bool fresh;       /* that, or what was taken: nobody has read it yet */
    const char *name; /* a directory's last name, as far as we know; or "" */
    struct look look; /* by whoever needs it */
};

/* What comes behind the last slash: "" for "/", "d/"; "." is nobody's name. */
const char *opened_last_name(const char *path);

/*
 * Opens the path as add_watch with this mask resolves it.  0 or -errno: those
 * that Linux's own look-up gives, EACCES too if the object may not be read.
 */
int opened_by_path(const struct vnotify *, const char *path, uint32_t mask,
                   struct opened *);

/* Of a directory: a descriptor to list by, which is the caller's from then on.
   -errno, as a guest knows it. */
int opened_take_directory(struct opened *);

/* The same of anything else, to be held. */
int opened_take_file(struct opened *);

void opened_close(struct opened *);

/* Out of descriptors is out of watches, as a guest knows it. */
int opened_as_guest_knows(int err);
