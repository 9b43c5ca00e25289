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
#include <unistd.h>

#include "abi/linux-inotify.h"
#include "pipeline/engine.h"
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
};

/* Opening. */

static int reopen(int host_fd, bool is_dir)
{
    int fd = is_dir ? listing_open(host_fd)
                    : fcntl(host_fd, F_DUPFD_CLOEXEC, 0);

    /* Out of descriptors is out of watches, as a guest knows it. */
    if (fd < 0)
        return errno == EMFILE || errno == ENFILE ? -ENOSPC : -errno;
    return fd;
}

/* Sets armed and wakes who waits for it. */
static void set_armed(struct vnode *vnode, int32_t armed)
{
    /* V1: release: host_fd and the knote are there; pairs with await_armed */
    atomic_store_explicit(&vnode->armed, armed, memory_order_release);
    park_wake((_Atomic uint32_t *)(void *)&vnode->armed, INT_MAX);
}

static int32_t await_armed(struct vnode *vnode)
{
    int32_t armed;

    while ((armed = atomic_load_explicit(&vnode->armed, /* V1 */
                                         memory_order_acquire)) == 0)
        park_wait((_Atomic uint32_t *)(void *)&vnode->armed, 0, NULL);
    return armed;
}

/* The one that set armed to 0: asks the kqueue for these notes as well. */
static int ask(struct vnotify *engine, struct vnode *vnode, uint32_t want)
{
    uint32_t notes = vnode->fflags | want;
    struct kevent kev;
    int err;

    EV_SET(&kev, vnode->host_fd, EVFILT_VNODE, EV_ADD | EV_CLEAR, notes, 0,
           engine_udata(vnode));
    err = kq_event(engine->kq, &kev, 1, NULL, 0);
    if (err >= 0)
        /* relaxed: published by armed */
        atomic_store_explicit(&vnode->fflags, notes, memory_order_relaxed);
    return err < 0 ? err : 0;
}

static uint32_t notes_for(struct joining *j)
{
    struct kq *kq = j->engine->kq;
    bool is_dir = j->vnode->is_dir;

    return note_wanted(is_dir ? kq_notes_dir(kq) : kq_notes_file(kq), is_dir,
                       j->mask);
}

/* The maker's part: opens the vnode and registers its knote. */
static int arm(struct joining *j, int host_fd)
{
    struct vnode *vnode = j->vnode;
    int err = reopen(host_fd, vnode->is_dir);

    if (err >= 0) {
        vnode->host_fd = err;
        err = ask(j->engine, vnode, notes_for(j));
    }
    set_armed(vnode, err < 0 ? err : 1);
    return err < 0 ? err : 0;
}

/* The others': waits for that, and asks for what its mask needs beyond. */
static int join_armed(struct joining *j)
{
    struct vnode *vnode = j->vnode;
    uint32_t want = notes_for(j);

    for (;;) {
        int32_t armed = await_armed(vnode);
        int err;

        if (armed < 0)
            return armed;
        /* relaxed: published by armed (V1) */
        if ((want & ~atomic_load_explicit(&vnode->fflags,
                                          memory_order_relaxed)) == 0)
            return 0;
        if (!atomic_compare_exchange_strong_explicit(
                &vnode->armed, &armed, 0, memory_order_acquire, /* V1 */
                memory_order_relaxed))
            continue;
        err = ask(j->engine, vnode, want);
        set_armed(vnode, 1);
        if (err != 0)
            return err;
    }
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
    err = fault_hits(&engine->fault, FAULT_OPEN)
              ? -EMFILE
              : snapshot_list(&builder, list_fd, &engine->fault);
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

/* Gives back a vnode's claim that this thread holds. */
static void give_back(struct vnotify *engine, struct vnode *vnode)
{
    if (!claim_release(&vnode->claim))
        worker_defer(engine, vnode, 0);
}

/* If the vnode has the very same listing, one is enough. */
static void share_told(struct joining *j)
{
    struct vnode *vnode = j->vnode;
    struct snapshot *mine = j->told, *theirs;

    if (claim_post(&vnode->claim, &j->engine->barrier,
                   claim_generation(&vnode->claim), 0,
                   BARRIER_UNCOUNTED) != CLAIM_TAKEN)
        return;
    theirs = vnode->current;
    if (theirs == NULL) {
        snapshot_acquire(mine);
        vnode->current = mine;
    } else if (theirs->bytes == mine->bytes &&
               memcmp(theirs->entries, mine->entries, mine->bytes) == 0) {
        snapshot_acquire(theirs);
        snapshot_release(&j->engine->arenas, mine);
        j->told = theirs;
    }
    give_back(j->engine, vnode);
}

/* Joining. */

/* Instance lock held: its live watch on this vnode, or NULL. */
static struct watch *find_watch(struct joining *j)
{
    struct watch *watch;

    /* Its own watches leave the list only after they have left the table,
       under the lock that we hold; others' are only walked over, under the
       registry's. */
    pthread_mutex_lock(&j->engine->registry.lock);
    /* relaxed: the list's writers hold this lock (V2) */
    watch = atomic_load_explicit(&j->vnode->watches, memory_order_relaxed);
    while (watch != NULL &&
           (watch->instance != j->instance || !watch_live(watch)))
        watch = atomic_load_explicit(&watch->next, memory_order_relaxed);
    pthread_mutex_unlock(&j->engine->registry.lock);
    return watch;
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
    pthread_mutex_lock(&j->engine->registry.lock);
    vnode_add_watch(vnode, watch);
    pthread_mutex_unlock(&j->engine->registry.lock);
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

static int first_watch(struct joining *j, int host_fd)
{
    struct vnode *vnode = j->vnode;
    int err = arm(j, host_fd);
    uint64_t start = now_ns();

    /* We hold the claim, so its descriptor is ours to list by. */
    if (err == 0 && vnode->is_dir)
        err = list_told(j, vnode->host_fd);
    vnode->cost_ns = vnode->least_cost_ns = now_ns() - start;
    if (err == 0 && j->told != NULL) {
        snapshot_acquire(j->told);
        vnode->current = j->told;
    }
    give_back(j->engine, vnode);
    return err;
}

static int further_watch(struct joining *j, int host_fd)
{
    int err = join_armed(j), fd;

    if (err != 0 || !j->vnode->is_dir)
        return err;
    /* An offset of our own: a worker may be listing by the vnode's. */
    fd = reopen(host_fd, true);
    if (fd < 0)
        return fd;
    err = list_told(j, fd);
    close(fd);
    if (err == 0)
        share_told(j);
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
    struct stat st;
    bool made;
    int err;

    err = check_mask(mask);
    if (err != 0)
        return err;
    if (fstat(host_fd, &st) != 0)
        return -errno;
    if ((mask & VN_IN_ONLYDIR) != 0 && !S_ISDIR(st.st_mode))
        return -ENOTDIR;
    j.vnode = registry_get(&j.engine->registry, &st, &made);
    if (j.vnode == NULL)
        return -ENOMEM;
    j.generation = claim_generation(&j.vnode->claim);
    if (!made && join_armed(&j) == 0 && updated(&j, &err)) {
        housekeeper_put_vnode(j.engine, j.vnode);
        return err;
    }
    err = made ? first_watch(&j, host_fd) : further_watch(&j, host_fd);
    if (err == 0)
        return join(&j);
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

/* Workers need not offer it anything any more. */
static void unlink_watch(struct vnotify *engine, struct watch *watch)
{
    pthread_mutex_lock(&engine->registry.lock);
    vnode_remove_watch(watch->vnode, watch);
    pthread_mutex_unlock(&engine->registry.lock);
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
        unlink_watch(engine, watch);
        watch->removed = true;
        /* relaxed: a bound, kept about right */
        atomic_fetch_add_explicit(&instance->ended, 1, memory_order_relaxed);
    }
    pthread_mutex_unlock(&instance->lock);
    if (!ended)
        return -EINVAL;
    atomic_fetch_or_explicit(&watch->self, SELF_IGNORED,
                             memory_order_acq_rel); /* W3 */
    dispatch_enlist(watch);
    watch_release(engine, watch);
    /* A worker's job: a round may be long, and this call must not be. */
    dispatch_order(engine, instance, INSTANCE_DIRTY,
                   barrier_join(&engine->barrier));
    return 0;
}
