/*
 * plan-put.h - how single events come into a plan
 *
 * What an object is told of itself has an order of its own, and is told with
 * what its directory says of it by name.  plan-order.c decides which source and
 * which name is next.
 */
#pragma once

#include "pipeline/plan-internal.h"

struct round {
    struct plan *plan;
    struct plan_source *sources;
    uint32_t over;  /* parts renamed over whose objects' ends are to be told,
                       through `next`; or NO_PART */
    uint32_t depth; /* of tell_source */
    _Atomic uint32_t *last_cookie;
    int err;
};

enum { STATE_OPEN, STATE_TELLING, STATE_TOLD };

/* Appends one event; no memory: round->err. */
void plan_put(struct round *, uint32_t source, uint32_t mask, uint32_t cookie,
              const char *name, uint32_t name_len);

void plan_put_part(struct round *, const struct part *, uint32_t event,
                   uint32_t cookie);

/* Those of the source's self events that are in `which`. */
void plan_put_self(struct round *, uint32_t source, uint32_t which);

/* The source that watches the object of this part itself, or -1. */
int64_t plan_object_of(const struct round *, const struct part *);

/* Before a name goes: what happened under it. */
void plan_put_content_of_gone(struct round *, const struct part *gone);

/* What happened under names that are there: `early`, what happened before they
   came or others went; else all that is left. */
void plan_put_named(struct round *, uint32_t source, bool early);
