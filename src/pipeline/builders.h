/*
 * builders.h - scratch to list into, for threads that have none of their own
 *
 * A caller of add_watch takes a builder and gives it back; the next one need
 * not allocate.  A few are kept; one that a huge directory has made large is
 * not.
 *
 * Threads:  any.
 * Progress: wait-free, but for the allocator.
 * Protocol: SB1, SB2.
 */
#pragma once

#include "pipeline/snapshot.h"

enum { BUILDERS_KEPT = 4, BUILDER_KEPT_BYTES = 1024 * 1024 };

struct builders {
    /* SB1 exchanged out by the taker, SB2 put in by the giver */
    _Atomic(struct snapshot_builder *) spare[BUILDERS_KEPT];
};

/* NULL: no memory. */
struct snapshot_builder *builders_take(struct builders *);
void builders_give(struct builders *, struct snapshot_builder *);

void builders_fini(struct builders *); /* all have been given back */
