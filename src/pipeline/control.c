/*
 * control.c - add_watch and rm_watch, in the caller's thread
 *
 * The knote first, the listing second: whatever changes after the listing is
 * noted, so the listing is what the new watch has been told.  A vnode that is
 * watched already has its knote; the new watch still takes a listing of its
 * own, since what the vnode has may be older than this call.  (If it is the
 * same, which it nearly always is, the vnode's is shared.)
 *
 * V3, the one trap.  A worker may have begun to list before our listing ended:
 * that one is no newer than ours and must not be told (dispatch.c refuses what
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
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "abi/linux-inotify.h"
#include "pipeline/arm.h"
#include "pipeline/backlog.h"
#include "pipeline/descriptor.h"
#include "pipeline/engine.h"
#include "pipeline/keep.h"
#include "port/holders.h"
#include "port/listing.h"

/* An add_watch call in progress. */
struct joining {
    struct vnotify *engine;
    struct vnotify_instance *instance;
    struct vnode *vnode;
    uint32_t generation; /* of the vnode: it may be gone once published */
    uint32_t mask;
    struct snapshot *told;
    uint64_t begin, end;
    uint64_t joined_ns;  /* watch.h */
};

/* Opening. */

/* Out of descriptors is out of watches, as a guest knows it. */
static int as_guest_knows(int err)
{
    return err == -EMFILE || err == -ENFILE ? -ENOSPC
           : err == -ESTALE                 ? -ENOENT
                                            : err;
}

/* For listing: with an offset of its own. */
static int reopen_directory(int host_fd)
{
    int fd = listing_open(host_fd);

    return fd < 0 ? as_guest_knows(-errno) : fd;
}

/*
 * The vnode's own descriptor.  A file's, if opens of it will be noted, is one
 * that can tell who has it open (fate.c): to open that later would be noted.
 */
static int own_descriptor(struct joining *j, int host_fd)
{
    bool may_ask = S_ISREG(j->vnode->seen.mode) &&
                   engine_sees_closes(j->engine) &&
                   (j->mask & (VN_IN_OPEN | VN_IN_CLOSE_NOWRITE |
                               VN_IN_ACCESS)) != 0;
    int fd;

    if (j->vnode->is_dir)
        return reopen_directory(host_fd);
    fd = may_ask ? holders_open(host_fd) : -EOPNOTSUPP;
    if (fd >= 0) {
        j->vnode->ask_fd = fd;
        return fd;
    }
    fd = fcntl(host_fd, F_DUPFD_CLOEXEC, 0);
    return fd < 0 ? as_guest_knows(-errno) : fd;
}

static uint32_t wanted_by(const struct joining *j)
{
    return (j->mask & VN_IN_ALL_EVENTS) | NOTE_WANT_SELF;
}

/* Listing. */

enum { NEWBORN_MAX = 1024 }; /* about a millisecond */

static int list_told(struct joining *j, int list_fd)
{
    struct vnotify *engine = j->engine;
    struct snapshot_builder builder;
    int err = snapshot_builder_init(&builder);

    if (err != 0)
        return err;
    j->begin = engine_tick(engine);
    err = list_fd < 0 ? list_fd
          : fault_hits(&engine->fault, FAULT_OPEN)
              ? -EMFILE
              : snapshot_list(&builder, list_fd, NULL, &engine->fault);
    j->end = engine_tick(engine);
    if (err == 0) {
        /* relaxed: unique is enough */
        uint64_t id = 1 + atomic_fetch_add_explicit(&engine->snapshot_id, 1,
                                                    memory_order_relaxed);
        j->told = snapshot_create(&engine->arenas, &builder, &engine->fault,
                                  id);
        if (j->told == NULL)
            err = -ENOMEM;
        else
            delta_look_at_newborn(j->told, list_fd, NEWBORN_MAX);
    }
    snapshot_builder_fini(&builder);
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
    } else if (theirs->bytes == mine->bytes &&
               memcmp(theirs->entries, mine->entries, mine->bytes) == 0) {
        snapshot_acquire(theirs);
        snapshot_release(&j->engine->arenas, mine);
        j->told = theirs;
    }
}

/* Joining. */

/* Instance lock held: its live watch on this vnode, or NULL. */
static struct watch *find_watch(struct joining *j)
{
    struct watch *watch = NULL;
    struct chain_link *at;

    /* Its own watches leave the list only after they have left the table,
       under the lock that we hold; others' are only walked over, under the
       registry's. */
    pthread_mutex_lock(&j->engine->registry.lock);
    for (at = chain_first(&j->vnode->watches); at != NULL;
         at = chain_next(at)) {
        watch = CHAIN_OBJECT(struct watch, chain, at);
        if (watch->instance == j->instance && watch_live(watch))
            break;
    }
    pthread_mutex_unlock(&j->engine->registry.lock);
    return at == NULL ? NULL : watch;
}

/* Instance lock held: a watch that is there gets its new mask. */
static int update_watch(struct joining *j, struct watch *watch)
{
    uint32_t kept = j->mask & (uint32_t)ABI_KEPT_BITS;

    if ((j->mask & VN_IN_MASK_CREATE) != 0)
        return -EEXIST;
    /* relaxed: dispatch may use the old mask for what it is at */
    if ((j->mask & VN_IN_MASK_ADD) != 0)
        atomic_fetch_or_explicit(&watch->mask, kept, memory_order_relaxed);
    else
        atomic_store_explicit(&watch->mask, kept, memory_order_relaxed);
    return watch->wd;
}

static void raise_joined(struct vnode *vnode, uint64_t tick)
{
    uint64_t joined = atomic_load_explicit(&vnode->joined, /* V3 */
                                           memory_order_seq_cst);

    while (joined < tick &&
           !atomic_compare_exchange_weak_explicit(&vnode->joined, &joined, tick,
                                                  memory_order_seq_cst, /* V3 */
                                                  memory_order_seq_cst))
        continue;
}

/* Instance lock held: publishes the watch.  Its descriptor, or -errno. */
static int publish(struct joining *j, struct watch *watch)
{
    struct vnotify_instance *instance = j->instance;
    struct vnode *vnode = j->vnode;
    int err;

    /* relaxed: a bound, kept about right */
    if (instance->last_wd == INT_MAX ||
        atomic_load_explicit(&instance->ended, memory_order_relaxed) >=
            ENDED_UNTOLD_MAX)
        return -ENOSPC;
    watch->wd = instance->last_wd + 1;
    err = instance_insert(instance, watch);
    if (err != 0)
        return err;
    instance->last_wd++;
    /* relaxed: for decisions of cost, and a statistic */
    atomic_fetch_add_explicit(&instance->watches, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&j->engine->watches, 1, memory_order_relaxed);
    registry_link(&j->engine->registry, &vnode->watches, &watch->chain);
    raise_joined(vnode, engine_tick(j->engine));
    return watch->wd;
}

/*
 * V3: was a listing begun that this watch cannot use?  The watch is published:
 * it may have ended meanwhile, and the vnode with it.  Slots stay readable,
 * and a post to another generation is refused.
 */
static void order_listing(struct joining *j)
{
    struct vnode *vnode = j->vnode;

    if (atomic_load_explicit(&vnode->begun, memory_order_seq_cst) <= /* V3 */
        j->begin)
        return;
    if (claim_post(&vnode->claim, &j->engine->barrier, j->generation,
                   HINT_LIST, barrier_join(&j->engine->barrier)) ==
        CLAIM_TAKEN)
        worker_defer(j->engine, vnode, 0);
}

/* True: the instance watches it already, and *result is the answer. */
static bool answer_from_watch(struct joining *j, int *result)
{
    struct watch *watch = find_watch(j);

    if (watch == NULL)
        return false;
    *result = update_watch(j, watch);
    return true;
}

static int join(struct joining *j)
{
    struct vnotify_instance *instance = j->instance;
    struct watch *watch =
        watch_create(instance, j->vnode, j->mask & (uint32_t)ABI_KEPT_BITS,
                     j->told, j->end);
    int result;

    if (watch == NULL) {
        snapshot_release(&j->engine->arenas, j->told);
        housekeeper_put_vnode(j->engine, j->vnode);
        return -ENOMEM;
    }
    j->told = NULL; /* the watch's now */
    watch->joined_ns = j->joined_ns;
    pthread_mutex_lock(&instance->lock);
    if (answer_from_watch(j, &result)) {
        pthread_mutex_unlock(&instance->lock);
        housekeeper_put_vnode(j->engine, j->vnode);
        watch_release(j->engine, watch);
        return result;
    }
    result = publish(j, watch);
    pthread_mutex_unlock(&instance->lock);
    if (result > 0) {
        if (j->vnode->is_dir)
            order_listing(j);
        return result;
    }
    housekeeper_put_vnode(j->engine, j->vnode);
    watch_release(j->engine, watch);
    return result;
}

/* Is it watched already?  Then no listing is needed. */
static bool updated(struct joining *j, int *result)
{
    bool found;

    pthread_mutex_lock(&j->instance->lock);
    found = answer_from_watch(j, result);
    pthread_mutex_unlock(&j->instance->lock);
    return found;
}

/*
 * The children, where this mask asks for what becomes of them: before the call
 * returns, so that what the guest does next is noticed.
 */
static uint32_t content_of(const struct joining *j)
{
    return j->vnode->is_dir
               ? note_children_wanted(kq_notes_dir(j->engine->kq), j->mask)
               : 0;
}

/* This thread holds the claim and can do it itself. */
static int keep_here(struct joining *j)
{
    struct vnode *vnode = j->vnode;
    int err;

    if (vnode->current == NULL && j->told != NULL) {
        snapshot_acquire(j->told);
        vnode->current = j->told;
    }
    err = keep_children(j->engine, vnode, NULL);
    if (vnode->children != NULL && vnode->children->finding_count != 0)
        keep_owe(j->engine, vnode); /* a worker offers them */
    worker_give_back(j->engine, vnode);
    return err;
}

/* V5.  0, or -ENOMEM. */
static int await_kept(struct joining *j)
{
    struct vnotify *engine = j->engine;
    struct vnode *vnode = j->vnode;
    uint32_t wanted = content_of(j);

    for (;;) {
        uint32_t kept =
            atomic_load_explicit(&vnode->kept, memory_order_acquire); /* V5 */
        int err = 0;

        if ((wanted & ~kept) == 0)
            return 0;
        if (claim_post(&vnode->claim, &engine->barrier, j->generation, 0,
                       BARRIER_UNCOUNTED) == CLAIM_TAKEN) {
            err = keep_here(j);
            if (err != 0)
                return err;
            continue;
        }
        if (claim_post(&vnode->claim, &engine->barrier, j->generation,
                       HINT_KEEP, barrier_join(&engine->barrier)) ==
            CLAIM_TAKEN)
            worker_defer(engine, vnode, 0);
        park_wait(&vnode->kept, kept, NULL);
    }
}

static void want_children(struct joining *j)
{
    /* V5: before HINT_KEEP is posted, or the claim is given back */
    atomic_fetch_or_explicit(&j->vnode->content, content_of(j),
                             memory_order_release);
}

static int first_watch(struct joining *j, int host_fd)
{
    struct vnode *vnode = j->vnode;
    int err = vnode_arm(j->engine, vnode, own_descriptor(j, host_fd),
                        wanted_by(j));
    uint64_t start = now_ns();

    /* We hold the claim, so its descriptor is ours to list by. */
    if (err == 0 && vnode->is_dir)
        err = list_told(j, vnode_fd(j->engine, vnode));
    vnode->cost_ns = vnode->least_cost_ns = now_ns() - start;
    if (err == 0 && j->told != NULL) {
        snapshot_acquire(j->told);
        vnode->current = j->told;
        want_children(j);
        err = keep_children(j->engine, vnode, NULL);
    }
    worker_give_back(j->engine, vnode);
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

/* By the vnode's own descriptor, which nobody else lists by meanwhile.  If that
   is in use: by one with an offset of its own, or after its holder. */
static int further_listing(struct joining *j, int host_fd)
{
    const struct timespec nap = { .tv_nsec = CLAIM_NAP_NS };
    int err, fd;

    while (claim_post(&j->vnode->claim, &j->engine->barrier, j->generation, 0,
                      BARRIER_UNCOUNTED) != CLAIM_TAKEN) {
        if (opens_are_told(j)) {
            nanosleep(&nap, NULL);
            continue;
        }
        fd = reopen_directory(host_fd);
        if (fd < 0)
            return fd;
        err = list_told(j, fd);
        close(fd);
        return err;
    }
    err = list_told(j, vnode_fd(j->engine, j->vnode));
    if (err == 0)
        share_told(j);
    worker_give_back(j->engine, j->vnode);
    return err;
}

static int further_watch(struct joining *j, int host_fd)
{
    int err = vnode_join(j->engine, j->vnode, wanted_by(j));

    if (err != 0 || !j->vnode->is_dir)
        return err;
    err = further_listing(j, host_fd);
    if (err == 0)
        want_children(j);
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

int vnotify_add_watch_fd(struct vnotify_instance *instance, int host_fd,
                         uint32_t mask)
{
    struct joining j = {
        .engine = instance->engine,
        .instance = instance,
        .mask = mask,
    };
    struct look look;
    bool made;
    int err;

    err = check_mask(mask);
    if (err == 0)
        err = look_at(host_fd, "", &look);
    if (err != 0)
        return err;
    if ((mask & VN_IN_ONLYDIR) != 0 && !S_ISDIR(look.mode))
        return -ENOTDIR;
    j.vnode = registry_get(&j.engine->registry, &look, &made);
    if (j.vnode == NULL)
        return -ENOMEM;
    j.generation = claim_generation(&j.vnode->claim);
    if (!made && vnode_join(j.engine, j.vnode, wanted_by(&j)) == 0 &&
        updated(&j, &err)) {
        int kept;

        want_children(&j);
        kept = err > 0 ? await_kept(&j) : 0;
        housekeeper_put_vnode(j.engine, j.vnode);
        return kept != 0 ? kept : err;
    }
    err = made ? first_watch(&j, host_fd) : further_watch(&j, host_fd);
    if (err == 0)
        err = await_kept(&j);
    /* What was noted before is not this watch's to tell, nor is our opening of
       the directory, which a vnode that is about to go may have had noted. */
    if (!made || opens_are_told(&j)) {
        reader_await_turn(j.engine);
        j.joined_ns = now_ns();
    }
    if (err == 0)
        return join(&j);
    err = as_guest_knows(err);
    snapshot_release(&j.engine->arenas, j.told);
    housekeeper_put_vnode(j.engine, j.vnode);
    return err;
}

/* May the caller read it?  An O_PATH descriptor does not tell by itself. */
static int check_readable(int fd)
{
#ifdef O_PATH
    char link[64];
    struct stat st;

    if (fstat(fd, &st) != 0)
        return -errno;
    if (S_ISLNK(st.st_mode))
        return 0; /* every link can be read */
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    return faccessat(AT_FDCWD, link, R_OK, AT_EACCESS) == 0 ? 0 : -errno;
#else
    (void)fd; /* opening it has asked */
    return 0;
#endif
}

int vnotify_add_watch(struct vnotify_instance *instance, const char *path,
                      uint32_t mask)
{
    int flags = O_CLOEXEC | O_NONBLOCK | O_NOCTTY, fd, wd = check_mask(mask);

    if (wd != 0)
        return wd;

#ifdef O_PATH /* no side effects: no FIFO waits, no device is opened */
    flags |= O_PATH;
#elif defined(O_EVTONLY)
    flags |= O_EVTONLY;
#endif
    if ((mask & VN_IN_DONT_FOLLOW) != 0)
        flags |= O_NOFOLLOW;
    fd = open(path, flags);
    if (fd < 0)
        return -errno;
    wd = check_readable(fd);
    if (wd == 0)
        wd = vnotify_add_watch_fd(instance, fd, mask);
    close(fd);
    return wd;
}

int vnotify_rm_watch(struct vnotify_instance *instance, int wd)
{
    struct vnotify *engine = instance->engine;
    struct watch *watch;
    bool ended = false;

    pthread_mutex_lock(&instance->lock);
    watch = instance_find(instance, wd);
    if (watch != NULL && watch_end(watch)) {
        ended = true;
        watch_acquire(watch);
        /* Workers need not offer it anything any more. */
        registry_unlink(&engine->registry, &watch->vnode->watches,
                        &watch->chain);
        watch->removed = true;
        /* relaxed: a bound, kept about right */
        atomic_fetch_add_explicit(&instance->ended, 1, memory_order_relaxed);
    }
    pthread_mutex_unlock(&instance->lock);
    if (!ended)
        return -EINVAL;
    atomic_fetch_or_explicit(&watch->self, SELF_IGNORED,
                             memory_order_acq_rel); /* W3 */
    backlog_enlist(watch);
    watch_release(engine, watch);
    /* A worker's job: a round may be long, and this call must not be. */
    dispatch_order(engine, instance, INSTANCE_DIRTY,
                   barrier_join(&engine->barrier));
    return 0;
}
