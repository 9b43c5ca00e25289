/*
 * fault.h - listings that fail on order, for tests
 *
 * "open=PATH,read=PATH,alloc=PATH": the step fails while PATH exists, so that
 * a guest under test can switch it.  Without a specification it costs one
 * comparison.  The paths are looked at only by listings.
 */
#pragma once

#include <stdbool.h>

enum fault_step {
    FAULT_OPEN,  /* getting the directory's descriptor: EMFILE */
    FAULT_READ,  /* half way through the entries: EIO */
    FAULT_ALLOC, /* memory for the snapshot: ENOMEM */
    FAULT_STEPS,
};

struct fault {
    char *path[FAULT_STEPS]; /* NULL: never */
    bool any;
};

/* -EINVAL for a specification that is not one; NULL is no fault. */
int fault_init(struct fault *, const char *spec);
void fault_fini(struct fault *);

bool fault_hits(const struct fault *, enum fault_step);
