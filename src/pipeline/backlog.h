/*
 * backlog.h - what an instance's watches have untold
 *
 * Workers put news into a watch and the watch into its instance's inbox; the
 * holder of the instance's claim takes it from there, also while it cannot tell
 * anything, so that what has piled up is one difference, one set of bits and
 * one set of children for each watch.
 *
 * Threads: backlog_enlist any; all else the holder of the instance's claim.
 */
#pragma once

#include "pipeline/engine.h"

/* Puts the watch into its instance's inbox; the caller then posts. */
void backlog_enlist(struct watch *);

/* Takes in what is in the inbox.  False: memory was short, some is still
   there. */
bool backlog_collect(struct vnotify *, struct vnotify_instance *);

/* Has this watch something to tell, and may it? */
bool backlog_is_due(const struct watch *);

/* Takes the whole pending list: its first, linked by untold->next. */
struct watch *backlog_take(struct vnotify_instance *);
void backlog_append(struct vnotify_instance *, struct watch *);

/* Lets go of a watch that was taken from the pending list, and of what it has
   untold. */
void backlog_drop(struct vnotify *, struct watch *);

/* Brings the pending watches into the order of their notes.  -ENOMEM. */
int backlog_sort(struct vnotify_instance *);
