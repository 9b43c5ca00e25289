/*
 * guest-model.h - directories as their events tell them
 *
 * One model per watched directory: names and whether each is a directory.  It
 * starts as a listing and is then fed with events alone.  An event that is not
 * legal against the model ends the case: IN_CREATE of a name that exists,
 * IN_DELETE or IN_MOVED_FROM of one that does not, a wrong IN_ISDIR, a cookie
 * used by more than one pair.
 */
#pragma once

#include "guest.h"

struct model_name {
    char *name;
    bool present, isdir;
};

struct model {
    int wd;
    struct model_name *names; /* open addressing */
    size_t room, used, present;
};

/* Which cookies were seen, for all models of an instance. */
struct model_moves {
    uint32_t last_from, last_to, pending;
    bool pending_isdir;
};

void model_init(struct model *, int wd);
void model_fini(struct model *);
void model_list(struct model *, const char *dir); /* as it is now */
void model_apply(struct model *models, size_t count, struct model_moves *,
                 const struct guest_event *);
bool model_has(const struct model *, const char *name);
/* NULL: equal; else what differs, in a static buffer. */
const char *model_difference(const struct model *, const char *dir);
