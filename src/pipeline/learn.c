#include "pipeline/learn.h"

#include "pipeline/delta.h"
#include "pipeline/descriptor.h"
#include "pipeline/engine.h"

enum {
    /* Told late, a rename of so many names is still a rename; past it, deletes
       and creates, which say the same. */
    LEARN_MAX = 16384,
    BURST = 16, /* more new names at once than that are a burst's */
};

/*
 * Could any of what has come be a rename's second half?  A burst of new names
 * alone, where the host would have said that an entry crossed directories, is
 * taken to be new.  (If that note is still on its way, DELETE and CREATE will
 * say the same as the move.)
 */
static bool is_burst_of_new(const struct vnotify *engine,
                            const struct delta *delta, bool crossed)
{
    return delta->gone == 0 && delta->come > BURST && !crossed &&
           (kq_notes_dir(engine->kq) & NOTE_EXTEND) != 0;
}

void learn_newcomers(struct vnotify *engine, struct vnode *vnode,
                     struct delta *delta, bool crossed)
{
    if (!vnode_has_children(vnode) && is_burst_of_new(engine, delta, crossed))
        delta_take_for_new(delta);
    else if (vnode_fd(engine, vnode) >= 0)
        delta_learn(delta, vnode_fd(engine, vnode), LEARN_MAX);
}
