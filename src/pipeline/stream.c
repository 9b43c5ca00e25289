#include "pipeline/stream.h"

#include <string.h>

#include "pipeline/descriptor.h"
#include "pipeline/engine.h"
#include "pipeline/fate.h"

enum {
    /* So few more entries are listed sooner than a name is told: 0.1 ms. */
    LEFT_MIN = 256,
};

/* New names, and what is known of each. */
struct arrivals {
    int count;
    struct newcomer at[NEWCOMERS_MAX];
    struct entry entries[NEWCOMERS_MAX];
    struct change changes[NEWCOMERS_MAX];
};

static bool is_worth_it(const struct stream *stream,
                        const struct snapshot_builder *builder)
{
    const struct newcomers *new = &builder->newcomers;

    return new->before != NULL &&
           builder->count + LEFT_MIN < new->before->count &&
           new->count > stream->judged;
}

/* Drops those whose name or inode was there before: replaced, renamed, linked,
   or listed in another place. */
static void drop_known(struct arrivals *new, const struct snapshot *current)
{
    struct entry entry;
    int kept = 0;

    for (size_t at = 0; at < current->bytes && new->count > 0;) {
        at = snapshot_entry(current, at, &entry);
        for (int i = 0; i < new->count; i++)
            if (new->entries[i].name != NULL &&
                (new->entries[i].ino == entry.ino ||
                 entry_same_name(&new->entries[i], &entry)))
                new->entries[i].name = NULL;
    }
    for (int i = 0; i < new->count; i++) {
        if (new->entries[i].name == NULL)
            continue;
        new->at[kept] = new->at[i];
        new->entries[kept++] = new->entries[i];
    }
    new->count = kept;
}

/* Could no note be on its way that says that an entry crossed directories? */
static bool nothing_under_way(const struct stream *stream)
{
    struct vnotify *engine = stream->serving->worker->engine;
    unsigned mine = (unsigned)__builtin_popcount(stream->serving->phases);

    return (kq_notes_dir(engine->kq) & NOTE_EXTEND) != 0 &&
           engine_all_served(engine, mine);
}

/*
 * Is this a new object, rather than one that was renamed into the directory?
 * It is if it was not touched since its birth.  One that was, written to say,
 * was born since the last listing, and the host would have said otherwise.
 */
static bool is_new(const struct stream *stream, const struct change *change)
{
    const struct snapshot *current = stream->vnode->current;

    return change->learned &&
           (change->untouched ||
            (change->born_rt_ns > current->begun_rt_ns &&
             nothing_under_way(stream)));
}

static void drop_doubtful(const struct stream *stream, struct arrivals *new)
{
    int fd = vnode_fd(stream->serving->worker->engine, stream->vnode);
    int kept = 0;

    for (int i = 0; i < new->count; i++) {
        char name[UINT8_MAX + 1];

        entry_name(&new->entries[i], name);
        new->changes[i] = change_of(&new->entries[i]);
        change_learn(&new->changes[i], fd, name);
        if (!is_new(stream, &new->changes[i]))
            continue;
        new->at[kept] = new->at[i];
        new->at[kept].born_rt_ns = new->changes[i].born_rt_ns;
        new->entries[kept] = new->entries[i];
        new->changes[kept++] = new->changes[i];
    }
    new->count = kept;
}

/* The newcomers that came since the last call, in the order listed. */
static void take_newcomers(struct stream *stream,
                           const struct snapshot_builder *builder,
                           struct arrivals *new)
{
    const struct newcomers *all = &builder->newcomers;

    new->count = 0;
    for (; stream->judged < all->count; stream->judged++) {
        struct newcomer at = all->all[stream->judged];

        entry_read(builder->bytes + at.at, builder->base,
                   &new->entries[new->count]);
        at.before_at += stream->inserted;
        new->at[new->count++] = at;
    }
}

static struct offer *make_offer(const struct stream *stream,
                                const struct arrivals *new,
                                struct snapshot *after)
{
    struct vnotify *engine = stream->serving->worker->engine;
    struct delta *delta =
        delta_create_come(&engine->arenas, stream->vnode->current, after,
                          new->entries, new->changes, (uint32_t)new->count);
    struct offer *offer =
        delta == NULL ? NULL : offer_create(after, delta, stream->begun);

    if (offer == NULL) {
        arena_free(&engine->arenas, delta);
        return NULL;
    }
    offer->noted_ns = stream->serving->noted_ns;
    offer->partial = true;
    return offer;
}

static void tell(struct stream *stream, const struct arrivals *new,
                 const struct snapshot_builder *builder)
{
    static const struct fate none;
    struct worker *worker = stream->serving->worker;
    struct vnotify *engine = worker->engine;
    struct vnode *vnode = stream->vnode;
    struct snapshot *after =
        snapshot_insert(&engine->arenas, vnode->current, builder, new->at,
                        new->count, engine_snapshot_id(engine));
    struct offer *offer = after == NULL ? NULL : make_offer(stream, new, after);

    if (offer == NULL) { /* the whole listing tells it */
        snapshot_release(&engine->arenas, after);
        return;
    }
    stream->inserted += after->bytes - vnode->current->bytes;
    if (stream->before == NULL)
        stream->before = vnode->current;
    else
        snapshot_release(&engine->arenas, vnode->current);
    vnode->current = after;
    /* Until all have been offered a whole listing, they are to be (V3). */
    more(vnode)->offered = 0;
    tally_add(worker->tally, TALLY_STREAMED, (uint64_t)new->count);
    offer_to_watches(stream->serving, vnode, offer, &none);
    offer_dispatch(stream->serving);
    offer_release(engine, offer);
}

static void call_ended(struct snapshot_follower *follower,
                       struct snapshot_builder *builder)
{
    struct stream *stream = (struct stream *)follower;
    struct arrivals new;

    if (!is_worth_it(stream, builder) || vnode_has_crossed(stream->vnode))
        return;
    take_newcomers(stream, builder, &new);
    drop_known(&new, stream->vnode->current);
    drop_doubtful(stream, &new);
    if (new.count > 0)
        tell(stream, &new, builder);
}

void stream_begin(struct stream *stream, struct serving *serving,
                  struct vnode *vnode, uint64_t begun)
{
    *stream = (struct stream){
        .follower = { call_ended },
        .serving = serving,
        .vnode = vnode,
        .begun = begun,
    };
}

void stream_begin_listing(struct stream *stream, uint64_t now)
{
    stream->begun_ns = now;
    stream->judged = 0;
    stream->inserted = 0;
}
