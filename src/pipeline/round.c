/*
 * round.c - a round's plan from what is pending, and what of it must wait
 */
#include "pipeline/round.h"

#include <errno.h>
#include <stdlib.h>

#include "abi/linux-inotify.h"
#include "pipeline/backlog.h"
#include "pipeline/engine.h"
#include "pipeline/hold.h"

void round_sift(struct dispatch *d)
{
    struct vnotify_instance *instance = d->instance;
    struct watch *watch = backlog_take(instance);

    while (watch != NULL) {
        struct watch *next = watch->untold->next;

        watch->listed = false;
        if (backlog_is_due(watch)) {
            backlog_append(instance, watch);
        } else {
            hold_end(d, watch);
            backlog_drop(d->engine, watch);
        }
        watch = next;
    }
}

/* Making a round's plan. */

/*
 * A listing may show a rename before its note is here, and the next one then
 * comes with that note, and with something else that is new: which was no
 * rename.  So a note that was read before the last round was planned is taken
 * for that round's.  If both halves were in it, so are notes read later, until
 * a barrier asked for then is reached: all that there were have been served.
 */
static bool has_crossed(struct dispatch *d, struct watch *watch)
{
    if (watch->crossing_ticket != 0 &&
        barrier_reached(&d->engine->barrier, watch->crossing_ticket))
        watch->crossing_ticket = 0;
    return watch->crossing_ticket == 0 &&
           watch->untold->crossed_ns > watch->planned_ns;
}

static void expect_crossings(struct dispatch *d, struct watch *watch,
                             const struct plan_source *source)
{
    uint32_t noted = watch->untold->crossed_ns > watch->planned_ns ? 1 : 0;

    if (source->crossings > noted &&
        (kq_notes_dir(d->engine->kq) & NOTE_EXTEND) != 0)
        watch->crossing_ticket = barrier_request(&d->engine->barrier);
    /* What a partial listing has not reached may have crossed already. */
    if (source->delta != NULL && !watch->untold->latest->partial)
        watch->planned_ns = now_ns();
}

static const struct delta *delta_of(struct dispatch *d, struct watch *watch,
                                    int *err)
{
    struct vnotify *engine = d->engine;
    struct untold *untold = watch->untold;
    struct offer *latest = untold->latest;

    if (latest == NULL || latest->after->id == watch->told->id)
        return NULL;
    if (latest->delta != NULL && latest->delta->before_id == watch->told->id)
        return latest->delta;
    if (untold->own == NULL) { /* it joined meanwhile, or no memory */
        untold->own =
            delta_create(&engine->arenas, watch->told, latest->after);
        if (untold->own == NULL)
            *err = -ENOMEM;
        else if (latest->delta != NULL)
            delta_inherit(untold->own, latest->delta);
        tally_add(d->tally, TALLY_DELTAS, 1);
    }
    return untold->own;
}

static int make_source(struct dispatch *d, struct watch *watch,
                       struct plan_source *source)
{
    const struct vnode *vnode = watch->vnode;
    struct untold *untold = watch->untold;
    /* relaxed: a new mask takes effect soon */
    uint32_t mask =
        atomic_load_explicit(&watch->mask, memory_order_relaxed);
    bool ended = !watch_live(watch); /* by rm_watch: only IGNORED is left */
    int err = 0;

    *source = (struct plan_source){
        .dev = vnode->dev,
        .ino = vnode->ino,
        .is_dir = vnode->is_dir,
        .ends = (untold->self & (SELF_IGNORED | SELF_GONE)) != 0,
        .wants_moves = (mask & ABI_MOVES) != 0,
        .crossed = has_crossed(d, watch),
        .may_lack_names = watch->is_fresh && untold->latest == NULL,
    };
    hold_look(d, watch, source);
    if (ended)
        return 0;
    source->self =
        untold->self &
        (VN_IN_ALL_EVENTS | VN_IN_UNMOUNT | NOTE_TOGETHER);
    if ((untold->self & SELF_GONE) != 0)
        source->self |= VN_IN_DELETE_SELF;
    source->delta = delta_of(d, watch, &err);
    source->now =
        untold->latest == NULL ? watch->told : untold->latest->after;
    source->content = &untold->content;
    source->listed_ns = untold->latest == NULL ? 0 : untold->latest->noted_ns;
    return err;
}

/* From here the plan tells this watch's guest: told moves on. */
static void commit(struct dispatch *d, struct watch *watch,
                   struct telling *telling)
{
    struct vnotify *engine = d->engine;
    struct untold *untold = watch->untold;

    hold_end(d, watch);
    *telling = (struct telling){ watch, untold->latest, untold->own };
    if (untold->latest != NULL) {
        snapshot_release(&engine->arenas, watch->told);
        snapshot_acquire(untold->latest->after);
        watch->told = untold->latest->after;
        watch->told_ended = untold->latest->begun;
        watch->is_fresh = false;
    }
    untold->latest = NULL; /* these two are the plan's, and so are the names */
    untold->own = NULL;
    watch->untold = NULL;
    untold_free(engine, untold);
}

/* Splits the pending list into what the plan tells and what waits on. */
static void commit_round(struct dispatch *d, struct plan_source *sources)
{
    struct vnotify_instance *instance = d->instance;
    struct watch *watch;
    uint32_t index = 0;
    uint64_t ticket = 0;

    instance->telling_count = instance->pending_count;
    watch = backlog_take(instance);
    for (; watch != NULL; index++) {
        struct watch *next = watch->untold->next;

        watch->listed = false;
        if (sources[index].waits) {
            instance->tellings[index] = (struct telling){ 0 };
            hold_begin(d, watch, &sources[index], &ticket);
        } else {
            expect_crossings(d, watch, &sources[index]);
            commit(d, watch, &instance->tellings[index]);
        }
        watch = next;
    }
}

static int make_sources(struct dispatch *d, struct plan_source *sources)
{
    struct watch *watch = d->instance->pending;
    int err = 0;

    for (uint32_t i = 0; watch != NULL && err == 0; i++) {
        err = make_source(d, watch, &sources[i]);
        watch = watch->untold->next;
    }
    return err;
}

/* Inside an epoch section.  Does a watch of the instance live there, asleep or
   awake? */
static bool watches(struct vnotify_instance *instance,
                    const struct vnode *vnode)
{
    struct roster_walk walk = roster_begin(&vnode->watches);
    uint64_t entry;

    while ((entry = roster_next(&walk)) != 0) {
        const struct watch *watch;
        _Atomic uint64_t *word;
        uint64_t seat;

        if (entry_instance(entry) != instance->index)
            continue;
        word = radix_find(&instance->seats, (uint32_t)entry_wd(entry));
        if (word == NULL) /* of an instance that had this number before */
            continue;
        seat = atomic_load_explicit(word, memory_order_acquire); /* W6 */
        watch = seat_watch(seat);
        if (watch == NULL ? seat_is_dormant(seat)
                          : watch_live(watch) && !watch->retired)
            return true;
    }
    return false;
}

/* plan_watched_fn: of a directory whose end is not in this round. */
static bool is_watched(void *arg, uint64_t dev, uint64_t ino)
{
    const struct dispatch *d = arg;
    ck_epoch_section_t section;
    struct vnode *vnode;
    bool sure, watched;

    worker_begin_walk(d->worker, &section);
    vnode = registry_peek(&d->engine->registry, dev, ino, &sure);
    /* If it was missed, it is waited for until a barrier says better. */
    watched = vnode == NULL ? !sure : watches(d->instance, vnode);
    worker_end_walk(d->worker, &section);
    return watched;
}

int round_plan(struct dispatch *d)
{
    struct vnotify_instance *instance = d->instance;
    uint32_t count = instance->pending_count;
    struct plan_source *sources;
    int err = -ENOMEM;

    if (count == 0)
        return 0;
    sources = malloc(count * sizeof(*sources));
    instance->tellings = malloc(count * sizeof(*instance->tellings));
    if (sources != NULL && instance->tellings != NULL)
        err = backlog_sort(instance);
    if (err == 0)
        err = make_sources(d, sources);
    instance->plan.is_watched = is_watched;
    instance->plan.arg = d;
    if (err == 0)
        err = plan_pair(&instance->plan, sources, count);
    if (err >= 0)
        hold_settle(d, sources, count, err > 0);
    if (err >= 0)
        err = plan_order(&instance->plan, sources, count,
                         &d->engine->last_cookie);
    if (err == 0) {
        commit_round(d, sources);
    } else { /* everything stays as it was */
        plan_fini(&instance->plan);
        free(instance->tellings);
        instance->tellings = NULL;
    }
    free(sources);
    return err == 0 ? 1 : err;
}
