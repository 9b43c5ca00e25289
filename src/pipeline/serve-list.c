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

/*
 * A listing in pieces can be told from early, and be torn by what changes
 * meanwhile.  In a directory that need not be listed so, the first is for lone
 * changes, and the second for nobody.
 */
static struct snapshot_follower *follower_of(struct worker *worker,
                                             struct stream *stream,
                                             const struct snapshot *before)
{
    struct vnotify *engine = worker->engine;

    return !engine->ordered && (snapshot_is_large(&worker->builder, before) ||
                                reader_has_collected(engine))
               ? &stream->follower
               : NULL;
}

static bool has_changed_meanwhile(struct vnotify *engine,
                                  const struct vnode *vnode)
{
    return !reader_has_collected(engine) ||
           (claim_pending(&vnode->claim) & HINT_LIST) != 0;
}

/* By the vnode's own descriptor; one that is gone for good has no entries. */
static int list_by_own(struct worker *worker, struct vnode *vnode,
                       struct stream *stream)
{
    struct vnotify *engine = worker->engine;
    struct snapshot_builder *builder = &worker->builder;
    struct snapshot *before = vnode->current;
    int fd = vnode_fd(engine, vnode), err;

    builder->base = vnode->ino;
    if (fd == -ESTALE) {
        snapshot_list_removed(builder);
        return 0;
    }
    if (fd < 0)
        return fd;
    if (fault_hits(&engine->fault, FAULT_OPEN))
        return -EMFILE;
    if (before == NULL)
        return snapshot_list(builder, fd, NULL, NULL, &engine->fault);
    snapshot_acquire(before); /* the stream may replace it meanwhile */
    err = snapshot_list(builder, fd, before,
                        follower_of(worker, stream, before), &engine->fault);
    if (err == 0 && snapshot_may_be_torn(builder, before) &&
        has_changed_meanwhile(engine, vnode))
        err = snapshot_list(builder, fd, before, NULL, &engine->fault);
    snapshot_release(&engine->arenas, before);
    return err;
}

/* Since the listing before began, that is. */
uint64_t vnode_has_crossed(const struct vnode *vnode)
{
    return vnode_crossed_since(vnode, more(vnode)->listed_ns);
}

static int list_timed(struct worker *worker, struct vnode *vnode,
                      struct stream *stream)
{
    struct vnotify *engine = worker->engine;
    uint64_t end;
    int err;

    stream_begin_listing(stream, now_ns());
    worker->builder.yielded_ns = 0;
    err = list_by_own(worker, vnode, stream);
    end = now_ns() - worker->builder.yielded_ns;
    vnode->least_cost_ns = vnode->cost_ns < end - stream->begun_ns
                               ? vnode->cost_ns
                               : end - stream->begun_ns;
    vnode->cost_ns = end - stream->begun_ns;
    tally_stage(worker->tally, STAGE_LISTING, vnode->cost_ns);
    TRACE(&engine->trace, "listing vnode=%u entries=%u ns=%llu result=%d",
          vnode->slot, worker->builder.count,
          (unsigned long long)vnode->cost_ns, err);
    if (err != 0)
        return err;
    tally_add(worker->tally, TALLY_LISTINGS, 1);
    tally_add(worker->tally, TALLY_ENTRIES, worker->builder.count);
    return 0;
}

static void take_ticket(struct serving *s, struct vnode *vnode,
                        struct stream *stream)
{
    struct vnotify *engine = s->worker->engine;
    uint64_t begun;

    /* V3: "about to begin", then the ticket: an add_watch that still sees the
       one before has looked before the ticket was drawn. */
    atomic_store_explicit(&more(vnode)->begun, UINT64_MAX,
                          memory_order_seq_cst);
    begun = engine_tick(engine);
    atomic_store_explicit(&more(vnode)->begun, begun, /* V3 */
                          memory_order_seq_cst);
    stream_begin(stream, s, vnode, begun);
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

/* What has changed by the listing in the builder; *offer is NULL if nothing
   has that anybody need be told. */
static int compare(struct serving *s, struct vnode *vnode,
                   const struct stream *stream, struct offer **offer)
{
    struct worker *worker = s->worker;
    struct vnotify *engine = worker->engine;
    struct snapshot *after = vnode->current;
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
    snapshot_release(&engine->arenas, after);
    if (*offer == NULL)
        return -ENOMEM;
    if ((*offer)->delta != NULL)
        learn_newcomers(engine, vnode, (*offer)->delta,
                        vnode_has_crossed(vnode) != 0);
    return 0;
}

/* Of some of what is gone or has come, nothing but the host's word may say
   whether it was moved. */
static bool has_doubtful(const struct delta *delta)
{
    if (delta->gone > 0)
        return true;
    for (uint32_t i = delta->gone; i < delta->gone + delta->come; i++) {
        const struct change *come = &delta->changes[i];

        if (come->learned && come->only_name && !come->untouched)
            return true;
    }
    return false;
}

/*
 * The host has noted a rename by the time that a listing can show it, but its
 * note may not have been read yet.  And a note names no entry: if it was read
 * after the listing had begun, the listing need not show what it is about.
 */
static bool must_look_again(struct vnotify *engine, const struct vnode *vnode,
                            const struct stream *stream,
                            const struct offer *offer)
{
    if (offer == NULL || offer->delta == NULL ||
        (kq_notes_dir(engine->kq) & NOTE_EXTEND) == 0)
        return false;
    if (has_doubtful(offer->delta))
        (void)reader_await_turn(engine, now_ns() + engine->crossing_wait_ns);
    return vnode_crossed_since(vnode, stream->begun_ns) != 0;
}

/* It is what the watches are told next, and the vnode's newest listing. */
static void accept(struct vnotify *engine, struct vnode *vnode,
                   const struct stream *stream, struct offer *offer)
{
    offer->crossed_ns = vnode_has_crossed(vnode);
    if (offer->delta != NULL) {
        keep_ask_gone(engine, vnode, offer->delta);
        TRACE(&engine->trace, "delta vnode=%u gone=%u come=%u", vnode->slot,
              offer->delta->gone, offer->delta->come);
    }
    offer->for_rows = delta_for_rows(stream, offer);
    snapshot_acquire(offer->after);
    snapshot_release(&engine->arenas, vnode->current);
    vnode->current = offer->after;
    more(vnode)->offered = stream->begun;
}

static int list_and_compare(struct serving *s, struct vnode *vnode,
                            struct stream *stream, struct offer **offer)
{
    int err = list_timed(s->worker, vnode, stream);

    *offer = NULL;
    return err != 0 ? err : compare(s, vnode, stream, offer);
}

int serve_list(struct serving *s, struct vnode *vnode, struct offer **offer)
{
    struct vnotify *engine = s->worker->engine;
    struct stream stream;
    int err;

    take_ticket(s, vnode, &stream);
    err = list_and_compare(s, vnode, &stream, offer);
    if (err == 0 && must_look_again(engine, vnode, &stream, *offer)) {
        offer_release(engine, *offer);
        err = list_and_compare(s, vnode, &stream, offer);
    }
    if (err == 0 && *offer != NULL)
        accept(engine, vnode, &stream, *offer);
    if (err == 0)
        more(vnode)->listed_ns = stream.begun_ns;
    snapshot_release(&engine->arenas, stream.before);
    return err;
}
