/*
 * serve-list.c - stage 2, one directory: list it and compare
 *
 * By the vnode's own descriptor, whatever its path is by now.
 */
#include <errno.h>

#include "pipeline/descriptor.h"
#include "pipeline/engine.h"
#include "pipeline/keep.h"
#include "pipeline/learn.h"
#include "pipeline/offer.h"
#include "pipeline/stream.h"

/* From one listing to the builder's, which is `after` by now. */
static struct delta *make_delta(const struct arenas *arenas,
                                const struct snapshot_builder *builder,
                                const struct snapshot *before,
                                const struct snapshot *after)
{
    const struct newcomers *new = &builder->newcomers;
    struct entry entries[NEWCOMERS_MAX];
    struct change changes[NEWCOMERS_MAX];

    if (!newcomers_are_all(new, before, builder->count))
        return delta_create(arenas, before, after);
    for (int i = 0; i < new->count; i++) {
        entry_read(builder->bytes + new->all[i].at, builder->base,
                   &entries[i]);
        changes[i] = change_of(&entries[i]);
    }
    return delta_create_come(arenas, before, after, entries, changes,
                             (uint32_t)new->count);
}

/* Of a whole listing. */
static struct offer *make_offer(struct worker *worker, struct snapshot *before,
                                struct snapshot *after, uint64_t begun)
{
    struct arenas *arenas = &worker->engine->arenas;
    uint64_t start = now_ns();
    struct delta *delta = NULL;
    struct offer *offer;

    if (before != NULL && before != after) {
        delta = make_delta(arenas, &worker->builder, before, after);
        if (delta == NULL)
            return NULL;
        tally_add(worker->tally, TALLY_DELTAS, 1);
        tally_stage(worker->tally, STAGE_DIFF, now_ns() - start);
    }
    offer = offer_create(after, delta, begun);
    if (offer == NULL)
        arena_free(arenas, delta);
    return offer;
}

/* By the vnode's own descriptor; one that is gone for good has no entries. */
static int list_by_own(struct worker *worker, struct vnode *vnode,
                       struct stream *stream)
{
    struct vnotify *engine = worker->engine;
    struct snapshot *before = vnode->current;
    int fd = vnode_fd(engine, vnode), err;

    worker->builder.base = vnode->ino;
    if (fd == -ESTALE) {
        snapshot_list_removed(&worker->builder);
        return 0;
    }
    if (fd < 0)
        return fd;
    if (fault_hits(&engine->fault, FAULT_OPEN))
        return -EMFILE;
    if (before == NULL)
        return snapshot_list(&worker->builder, fd, NULL, NULL, &engine->fault);
    snapshot_acquire(before); /* the stream may replace it meanwhile */
    err = snapshot_list(&worker->builder, fd, before, &stream->follower,
                        &engine->fault);
    snapshot_release(&engine->arenas, before);
    return err;
}

/* Since the listing before began, that is. */
uint64_t vnode_has_crossed(const struct vnode *vnode)
{
    return vnode_crossed_since(vnode, more(vnode)->listed_ns);
}

static int take_listing(struct serving *s, struct vnode *vnode,
                        struct stream *stream)
{
    struct worker *worker = s->worker;
    struct vnotify *engine = worker->engine;
    uint64_t start = now_ns(), begun, end;
    int err;

    /* V3: "about to begin", then the ticket: an add_watch that still sees the
       one before has looked before the ticket was drawn. */
    atomic_store_explicit(&more(vnode)->begun, UINT64_MAX,
                          memory_order_seq_cst);
    begun = engine_tick(engine);
    atomic_store_explicit(&more(vnode)->begun, begun, /* V3 */
                          memory_order_seq_cst);
    stream_begin(stream, s, vnode, begun);
    worker->builder.yielded_ns = 0;
    err = list_by_own(worker, vnode, stream);
    end = now_ns() - worker->builder.yielded_ns;
    vnode->least_cost_ns =
        vnode->cost_ns < end - start ? vnode->cost_ns : end - start;
    vnode->cost_ns = end - start;
    tally_stage(worker->tally, STAGE_LISTING, vnode->cost_ns);
    TRACE(&engine->trace, "listing vnode=%u entries=%u ns=%llu result=%d",
          vnode->slot, worker->builder.count,
          (unsigned long long)vnode->cost_ns, err);
    if (err != 0)
        return err;
    stream->begun_ns = start;
    tally_add(worker->tally, TALLY_LISTINGS, 1);
    tally_add(worker->tally, TALLY_ENTRIES, worker->builder.count);
    return 0;
}

/* For the rows, which follow whole listings alone: since the one before. */
static struct delta *delta_for_rows(const struct stream *stream,
                                    const struct offer *offer)
{
    const struct arenas *arenas = &stream->serving->worker->engine->arenas;
    struct delta *delta;

    if (stream->before == NULL || !vnode_has_children(stream->vnode))
        return NULL;
    delta = delta_create(arenas, stream->before, offer->after);
    if (delta != NULL)
        delta_inherit(delta, offer->delta); /* since the partial one */
    for (uint32_t i = 0; delta != NULL && i < delta->come; i++) {
        struct change *come = &delta->changes[delta->gone + i];
        struct birth birth;

        come->is_new =
            snapshot_birth(stream->vnode->current, come->ino, &birth);
    }
    return delta; /* NULL: no memory, and they are compared with the listing */
}

/* Has anything come of which nothing but the host's word can say whether it was
   moved in? */
static bool has_doubtful(const struct delta *delta)
{
    for (uint32_t i = delta->gone; i < delta->gone + delta->come; i++)
        if (delta_may_be_moved_in(delta, &delta->changes[i]))
            return true;
    return false;
}

/*
 * When the host noted a rename across directories that this listing may be the
 * first to show, or 0.  The host has noted it by the time that a listing can
 * show it, but its note may not have been read yet.
 */
static uint64_t await_crossing(struct vnotify *engine,
                               const struct vnode *vnode,
                               const struct delta *delta, uint64_t crossed_ns)
{
    if (crossed_ns != 0 || !has_doubtful(delta) ||
        (kq_notes_dir(engine->kq) & NOTE_EXTEND) == 0)
        return crossed_ns;
    (void)reader_await_turn(engine, now_ns() + engine->crossing_wait_ns);
    return vnode_has_crossed(vnode);
}

/* What has changed by the listing in the builder; *offer is NULL if nothing
   has that anybody need be told. */
static int compare(struct serving *s, struct vnode *vnode,
                   const struct stream *stream, struct offer **offer)
{
    struct worker *worker = s->worker;
    struct vnotify *engine = worker->engine;
    struct snapshot *after = vnode->current;
    uint64_t crossed_ns = vnode_has_crossed(vnode);
    /* V3: a watch may have joined with a listing of its own; until it has
       been offered a later one, it is offered what we have. */
    bool joined = atomic_load_explicit(&vnode->joined, memory_order_seq_cst) >=
                  more(vnode)->offered;

    if (after == NULL || stream->before != NULL ||
        !snapshot_same(&worker->builder, after)) {
        after = snapshot_create(&engine->arenas, &worker->builder,
                                &engine->fault, engine_snapshot_id(engine));
        if (after == NULL)
            return -ENOMEM;
    } else {
        tally_add(worker->tally, TALLY_LISTINGS_UNCHANGED, 1);
        if (!joined)
            return 0;
        snapshot_acquire(after);
    }
    *offer = make_offer(worker, vnode->current, after, stream->begun);
    if (*offer == NULL) {
        snapshot_release(&engine->arenas, after);
        return -ENOMEM;
    }
    if ((*offer)->delta != NULL) {
        learn_newcomers(engine, vnode, (*offer)->delta, crossed_ns != 0);
        crossed_ns =
            await_crossing(engine, vnode, (*offer)->delta, crossed_ns);
        keep_ask_gone(engine, vnode, (*offer)->delta);
        TRACE(&engine->trace, "delta vnode=%u gone=%u come=%u", vnode->slot,
              (*offer)->delta->gone, (*offer)->delta->come);
    }
    (*offer)->crossed_ns = crossed_ns;
    (*offer)->for_rows = delta_for_rows(stream, *offer);
    snapshot_release(&engine->arenas, vnode->current);
    vnode->current = after;
    more(vnode)->offered = stream->begun;
    return 0;
}

int serve_list(struct serving *s, struct vnode *vnode, struct offer **offer)
{
    struct stream stream;
    int err = take_listing(s, vnode, &stream);

    *offer = NULL;
    if (err == 0)
        err = compare(s, vnode, &stream, offer);
    if (err == 0)
        more(vnode)->listed_ns = stream.begun_ns;
    snapshot_release(&s->worker->engine->arenas, stream.before);
    return err;
}
