/*
 * give-back.h - room for a watch's knote, where rows have taken it
 *
 * A host has room for so many knotes (fs.inotify.max_user_watches).  Those of
 * children can be done without, as rows can be swept; a watch cannot.
 *
 * Threads: callers of add_watch, holding no claim and inside no epoch section.
 * Blocks:  until what was noted before has been told.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct vnotify;

/* Times that the host had no room for a knote so far. */
uint32_t give_back_refusals(const struct vnotify *);

/*
 * Lets some rows' knotes go, and has them swept from now on; no row is parked
 * any more.  Nothing is missed for it; what happens at this very time may be
 * told twice.  False: there are none that could go: also those stay whose
 * directory's watches ask for what sweeps do not see.
 */
bool give_back_knotes(struct vnotify *);
