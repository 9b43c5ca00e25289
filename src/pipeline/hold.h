/*
 * hold.h - what of an instance waits, and for how long
 *
 * A watch that lacks something - a rename's other half, the end of a directory
 * that is gone - is held until a barrier is reached that was asked for after it
 * was found lacking: by then all that there was is here.  What it is offered
 * meanwhile may lack something as young as itself, which that barrier says
 * nothing of.  So if the watch has grown, and still lacks something, the hold
 * is renewed with another barrier, until it has lasted as long as it may: 5 ms
 * once a first barrier was reached (HOLD_NS_MAX), 100 ms for what waits long.
 * What vnotify_sync waits for is told when its first barrier is reached, or, to
 * keep the order, when those of all that sync waits for are.
 *
 * Threads: the holder of the instance's claim.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct dispatch;
struct plan_source;
struct watch;

/* Fills in how long the source, of this watch, may still wait, before
   plan_pair. */
void hold_look(struct dispatch *, const struct watch *, struct plan_source *);

/* What is pending of the watch waits no more. */
void hold_end(struct dispatch *, struct watch *);

/*
 * Settles who waits, after plan_pair; `any`: what it said.  Something may wait
 * for more only while more can come.  To keep the host's order
 * (vnotify_config.ordered), all wait while it can, until a barrier of one of
 * them is reached and nobody lacks anything, or until one of them has waited
 * for 100 ms, 5 while a slow directory is listed; from then on those alone that
 * lack something.
 */
void hold_settle(struct dispatch *, struct plan_source *, uint32_t count,
                 bool any);

/* Keeps what waits in the pending list.  `ticket`: 0 at first, then that of the
   round's barrier. */
void hold_begin(struct dispatch *, struct watch *, const struct plan_source *,
                uint64_t *ticket);
