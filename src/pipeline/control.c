/*
 * control.c - add_watch, in the caller's thread
 *
 * The knote first, the listing second: whatever changes after the listing is
 * noted, so the listing is what the new watch has been told.  A vnode that is
 * watched already has its knote; the new watch still takes a listing of its
 * own, since what the vnode has may be older than this call.  (If it is the
 * same, which it nearly always is, the vnode's is shared.)
 *
 * V3, the one trap.  A worker may have begun to list before our listing ended:
 * that one is no newer than ours and must not be told (backlog.c refuses what
 * began before told had ended), but the note that made it begin is used up.
 *
 *     add_watch                          worker
 *       begin = tick                       begun = about to; begun = tick
 *       list                               list
 *       end = tick                         walk the watches: offer
 *       put the watch into the list
 *       joined = tick
 *       look at vnode.begun
 *
 * If begun > begin, the listing overlapped ours or came between it and our
 * entry in the list: another is ordered, which begins after `end` and finds
 * us.  If not, every listing to come begins after our look, hence after `end`,
 * and walks the list after us.  All are seq_cst, since each side writes one
 * word and reads the other's.
 *
 * `joined` is for a listing that finds nothing new: a worker offers it all the
 * same if a watch has joined since the last offer, since that watch may not
 * have been in the list yet then, and its own listing may be older.
 */
#include <errno.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "abi/linux-inotify.h"
#include "pipeline/arm.h"
#include "pipeline/descriptor.h"
#include "pipeline/engine.h"
#include "pipeline/give-back.h"
#include "pipeline/join.h"
#include "pipeline/keep.h"
#include "pipeline/opened.h"
#include "port/holders.h"

/*
 * The vnode's own descriptor.  A file's, if opens of it will be noted, is one
 * that can tell who has it open (fate.c): to open that later would be noted.
 */
static int own_descriptor(struct joining *j)
{
    bool may_ask = j->vnode->is_file && engine_sees_closes(j->engine) &&
                   (j->mask & NOTE_OPENS) != 0;
    int fd;

    if (j->vnode->is_dir)
        return opened_take_directory(j->opened);
    fd = may_ask ? holders_open(j->opened->host_fd) : -EOPNOTSUPP;
    if (fd < 0)
        return opened_take_file(j->opened);
    vnode_give_ask_fd(j->vnode, fd); /* the first: it was made */
    return fd;
}

static uint32_t wanted_by(const struct joining *j)
{
    return (j->mask & VN_IN_ALL_EVENTS) | NOTE_WANT_SELF;
}

/* Listing. */

enum { NEWBORN_MAX = 1024 }; /* about a millisecond */

static int make_told(struct joining *j, int list_fd,
                     struct snapshot_builder *builder)
{
    struct vnotify *engine = j->engine;
    int err;

    builder->base = j->vnode->ino;
    j->begin = engine_tick(engine);
    err = fault_hits(&engine->fault, FAULT_OPEN)
              ? -EMFILE
              : snapshot_list(builder, list_fd, NULL, NULL,
                            &engine->fault);
    j->end = engine_tick(engine);
    if (err != 0)
        return err;
    j->told = snapshot_create(&engine->arenas, builder, &engine->fault,
                              engine_snapshot_id(engine));
    if (j->told == NULL)
        return -ENOMEM;
    /* By the look from before: an entry that came since then and is renamed
       within this tick will be taken for another one. */
    if (j->opened->look.modified >=
        builder->listed_rt_ns - 2 * BIRTH_TICK_NS)
        delta_look_at_newborn(j->told, list_fd, NEWBORN_MAX);
    return 0;
}

static int list_told(struct joining *j, int list_fd)
{
    struct builders *builders = &j->engine->builders;
    struct snapshot_builder *builder;
    int err;

    if (list_fd < 0)
        return list_fd;
    builder = builders_take(builders);
    if (builder == NULL)
        return -ENOMEM;
    builder->first = j->opened->fresh;
    j->opened->fresh = false;
    err = make_told(j, list_fd, builder);
    builders_give(builders, builder);
    return err;
}

/* With the claim: if the vnode has the very same listing, one is enough. */
static void share_told(struct joining *j)
{
    struct vnode *vnode = j->vnode;
    struct snapshot *mine = j->told, *theirs = vnode->current;

    if (theirs == NULL) {
        snapshot_acquire(mine);
        vnode->current = mine;
    } else if (snapshot_equal(theirs, mine)) {
        snapshot_acquire(theirs);
        snapshot_release(&j->engine->arenas, mine);
        j->told = theirs;
    }
}

static int first_watch(struct joining *j)
{
    struct vnode *vnode = j->vnode;
    const struct kq_known known = { &j->opened->look, j->opened->name,
                                    NULL };
    int err = vnode_arm(j->engine, vnode, own_descriptor(j), &known,
                        wanted_by(j), false);
    uint64_t start = now_ns();

    /* We hold the claim, so its descriptor is ours to list by. */
    if (err == 0 && vnode->is_dir)
        err = list_told(j, vnode_fd(j->engine, vnode));
    vnode->cost_ns = vnode->least_cost_ns = (uint32_t)(now_ns() - start);
    if (err == 0 && j->told != NULL) {
        snapshot_acquire(j->told);
        vnode->current = j->told;
        join_want_children(j);
        err = keep_children(j->engine, vnode, NULL);
    }
    return err;
}

/* Would opening the directory come back as an event? */
static bool opens_are_told(const struct joining *j)
{
    /* relaxed: published by armed (V1) */
    uint32_t wanted =
        atomic_load_explicit(&j->vnode->wanted, memory_order_relaxed);

    return (wanted & (VN_IN_OPEN | VN_IN_CLOSE_NOWRITE)) != 0 &&
           engine_sees_closes(j->engine);
}

static int list_apart(struct joining *j)
{
    int fd = opened_take_directory(j->opened), err;

    if (fd < 0)
        return fd;
    err = list_told(j, fd);
    close(fd);
    return err;
}

/* By the vnode's own descriptor, which nobody else lists by meanwhile.  If that
   is in use: by one with an offset of its own, or after its holder. */
static int further_listing(struct joining *j)
{
    const struct timespec nap = { .tv_nsec = CLAIM_NAP_NS };
    int err;

    while (claim_post(&j->vnode->claim, &j->engine->barrier, j->generation, 0,
                      BARRIER_UNCOUNTED) != CLAIM_TAKEN) {
        if (j->opened->lists || !opens_are_told(j))
            return list_apart(j);
        nanosleep(&nap, NULL);
    }
    err = list_told(j, j->opened->lists ? j->opened->host_fd
                                        : vnode_fd(j->engine, j->vnode));
    j->holds = true;
    if (err == 0)
        share_told(j);
    return err;
}

static int further_watch(struct joining *j)
{
    int err;

    if (!j->vnode->is_dir)
        return 0;
    err = further_listing(j);
    if (err == 0)
        join_want_children(j);
    return err;
}

static int check_mask(uint32_t mask)
{
    if (mask == 0 || (mask & ~(uint32_t)ABI_ADD_BITS) != 0)
        return -EINVAL;
    if ((mask & VN_IN_MASK_ADD) != 0 && (mask & VN_IN_MASK_CREATE) != 0)
        return -EINVAL;
    return 0;
}

static void let_claim_go(struct joining *j)
{
    if (j->holds)
        worker_give_back(j->engine, j->vnode);
    j->holds = false;
}

/*
 * May the watch be a dormant one?  Its vnode's newest listing is what it has
 * been told, which stays so while we hold the claim; and everything that is
 * noted is for it to tell: all that was noted before has been served.
 */
static bool is_dormant(struct joining *j, bool made)
{
    struct vnotify *engine = j->engine;
    struct vnode *vnode = j->vnode;

    if (!join_may_sleep(j, j->mask) ||
        (vnode->is_dir && (!j->holds || j->told != vnode->current)))
        return false;
    return made ? j->joined_ns == 0
                : barrier_quiet(&engine->barrier, 0) &&
                      /* E1: relaxed: ordered by the items' counts */
                      atomic_load_explicit(&engine->failing,
                                           memory_order_relaxed) == 0 &&
                      /* A1: relaxed: set before its item had ended */
                      atomic_load_explicit(&more(vnode)->alarm_ns,
                                           memory_order_relaxed) == 0;
}

/* A listing and the children, for a watch that the instance has not got. */
static int prepare(struct joining *j, bool made)
{
    int err = made ? first_watch(j) : further_watch(j);

    /* V5: relaxed: join_await_kept looks again */
    if (!join_may_sleep(j, j->mask) || err != 0 ||
        (join_content(j) & ~atomic_load_explicit(&more(j->vnode)->kept,
                                                 memory_order_relaxed)) != 0)
        let_claim_go(j);
    if (err == 0)
        err = join_await_kept(j);
    /* What was noted before is not this watch's to tell, nor is our opening of
       the directory, which a vnode that is about to go may have had noted. */
    if (!made || opens_are_told(j)) {
        (void)reader_await_turn(j->engine, 0);
        j->joined_ns = now_ns();
    }
    j->sleeps = err == 0 && is_dormant(j, made);
    if (!j->sleeps)
        let_claim_go(j);
    return err;
}

static int try_add_watch(struct vnotify_instance *instance,
                         struct opened *opened, uint32_t mask)
{
    struct joining j = {
        .engine = instance->engine,
        .instance = instance,
        .opened = opened,
        .mask = mask,
    };
    bool made;
    int result = look_at(opened->host_fd, "", &opened->look);

    park_turns_joined(&j.engine->park_turns, now_ns());
    if (result != 0)
        return result;
    if ((mask & VN_IN_ONLYDIR) != 0 && !S_ISDIR(opened->look.mode))
        return -ENOTDIR;
    result = vnode_find(j.engine, &opened->look, opened->host_fd,
                        wanted_by(&j), vnode_join, &j.vnode, &made);
    if (result != 0)
        return opened_as_guest_knows(result);
    j.generation = claim_generation(&j.vnode->claim);
    j.holds = made;
    if (!made && join_updates(&j, &result)) {
        int kept;

        join_want_children(&j);
        kept = result > 0 ? join_await_kept(&j) : 0;
        housekeeper_put_vnode(j.engine, j.vnode);
        return kept != 0 ? kept : result;
    }
    result = opened_as_guest_knows(prepare(&j, made));
    if (result == 0)
        result = join_publish(&j);
    let_claim_go(&j);
    snapshot_release(&j.engine->arenas, j.told);
    if (!j.published)
        housekeeper_put_vnode(j.engine, j.vnode);
    return result;
}

/* Did the host have no room for its knote, and is there some now? */
static bool has_room_now(struct vnotify *engine, int result, uint32_t refusals)
{
    return result == -ENOSPC && give_back_refusals(engine) != refusals &&
           give_back_knotes(engine);
}

/* Of what is open at host_fd, or else, opened anew each time, by its path. */
static int add_watch(struct vnotify_instance *instance, bool is_open,
                     int host_fd, const char *path, uint32_t mask)
{
    struct vnotify *engine = instance->engine;
    uint32_t refusals;
    int result = check_mask(mask);

    if (result != 0)
        return result;
    do {
        struct opened opened = {
            .host_fd = host_fd,
            .name = path == NULL ? "" : opened_last_name(path),
        };

        refusals = give_back_refusals(engine);
        result = is_open ? 0 : opened_by_path(engine, path, mask, &opened);
        if (result != 0)
            return result;
        result = try_add_watch(instance, &opened, mask);
        opened_close(&opened);
    } while (has_room_now(engine, result, refusals));
    return result;
}

int vnotify_add_watch_opened(struct vnotify_instance *instance, int host_fd,
                             const char *path, uint32_t mask)
{
    return add_watch(instance, true, host_fd, path, mask);
}

int vnotify_add_watch_fd(struct vnotify_instance *instance, int host_fd,
                         uint32_t mask)
{
    return add_watch(instance, true, host_fd, NULL, mask);
}

int vnotify_add_watch(struct vnotify_instance *instance, const char *path,
                      uint32_t mask)
{
    return add_watch(instance, false, -1, path, mask);
}
