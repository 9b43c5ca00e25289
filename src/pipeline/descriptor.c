#include "pipeline/descriptor.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "abi/linux-inotify.h"
#include "pipeline/engine.h"
#include "pipeline/note.h"
#include "port/holders.h"

/* Notes that having a descriptor again would bring: of a directory, which is to
   be listed by it. */
static bool opens_are_told(const struct vnotify *engine,
                           const struct vnode *vnode, uint32_t wanted)
{
    return vnode->is_dir &&
           (wanted & (VN_IN_OPEN | VN_IN_CLOSE_NOWRITE)) != 0 &&
           engine_sees_closes(engine);
}

static void count_open(struct vnotify *engine, struct vnode *vnode)
{
    vnode->open = true;
    /* relaxed: a bound, kept about right */
    atomic_fetch_add_explicit(&engine->open_fds, 1, memory_order_relaxed);
}

void vnode_park(struct vnotify *engine, struct vnode *vnode,
                const struct look *look, uint32_t wanted, bool in_any_case)
{
    bool child_alone = (wanted & NOTE_WANT_SELF) == 0; /* fd_budget's */
    int id;

    if (!(vnode->is_dir || vnode->is_file) || (child_alone && !in_any_case))
        return;
    /* relaxed: a bound, kept about right */
    if (vnode_ask_fd(vnode) < 0 && !opens_are_told(engine, vnode, wanted) &&
        (in_any_case ||
         atomic_load_explicit(&engine->open_fds, memory_order_relaxed) >=
             engine->open_budget)) {
        id = kq_park(engine->kq, vnode->host_fd, look);
        if (id >= 0) {
            vnode->lent_fd = vnode->host_fd;
            vnode->host_fd = id;
            return;
        }
    }
    if (!child_alone)
        count_open(engine, vnode);
}

bool vnode_is_open_at(struct vnotify *engine, const struct vnode *vnode,
                      int host_fd)
{
    return !vnode_is_parked(vnode) ||
           kq_is_parked_one(engine->kq, vnode->host_fd, host_fd);
}

static int reopen(struct vnotify *engine, const struct vnode *vnode,
                  enum kq_reopen what_for)
{
    if (fault_hits(&engine->fault, FAULT_OPEN))
        return -EMFILE;
    return kq_reopen(engine->kq, vnode->host_fd, what_for);
}

int vnode_fd(struct vnotify *engine, struct vnode *vnode)
{
    int fd;

    if (!vnode_is_parked(vnode))
        return vnode->host_fd;
    if (vnode->lent_fd >= 0 || vnode->lent_fd == -ESTALE)
        return vnode->lent_fd;
    fd = reopen(engine, vnode, vnode->is_dir ? KQ_TO_LIST : KQ_TO_LOOK);
    /* That is for good.  (To ask again might fail otherwise: Linux has no
       memory for an inode whose number is just being used again.) */
    if (fd >= 0 || fd == -ESTALE)
        vnode->lent_fd = fd;
    return fd;
}

void vnode_fd_done(struct vnode *vnode)
{
    if (vnode->lent_fd < 0 || vnode->pinned)
        return;
    close(vnode->lent_fd);
    vnode->lent_fd = -1;
}

/* What is left of an inode that cannot be had again: nothing else of it has
   changed since it was seen. */
static int look_at_removed(const struct vnode *vnode, const struct seen *seen,
                           struct look *look)
{
    *look = (struct look){
        .dev = vnode->dev,
        .ino = vnode->ino,
        .size = seen->size,
        .modified = seen->modified,
        .changed = seen->changed,
        .mode = seen->mode,
        .uid = seen->uid,
        .gid = seen->gid,
    };
    return 0;
}

int vnode_look_held(struct vnotify *engine, struct vnode *vnode,
                    struct look *look)
{
    int fd = vnode_fd(engine, vnode);

    if (fd == -ESTALE)
        return look_at_removed(vnode, &vnode->seen, look);
    return fd < 0 ? fd : look_at(fd, "", look);
}

int vnode_look_below(struct vnotify *engine, struct vnode *vnode,
                     const char *name, struct look *look)
{
    int fd = vnode_fd(engine, vnode);

    if (fd == -ESTALE)
        return -ENOENT;
    return fd < 0 ? fd : look_at(fd, name, look);
}

int vnode_look(struct vnotify *engine, const struct vnode *vnode,
               struct look *look)
{
    const struct seen nothing = {
        .mode = vnode->is_dir ? S_IFDIR : S_IFREG,
    };
    int fd, err;

    if (!vnode_is_parked(vnode))
        return look_at(vnode->host_fd, "", look);
    fd = reopen(engine, vnode, KQ_TO_LOOK);
    if (fd == -ESTALE)
        return look_at_removed(vnode, &nothing, look);
    if (fd < 0)
        return fd;
    err = look_at(fd, "", look);
    close(fd);
    return err;
}

/*
 * The descriptor is opened where its opening is noted by nobody: before opens
 * are asked for.
 */
void vnode_prepare_to_ask(struct vnotify *engine, struct vnode *vnode,
                          uint32_t had, uint32_t wanted)
{
    int fd, ask_fd;

    if (!vnode->is_file || !engine_sees_closes(engine) ||
        (had & NOTE_OPENS) != 0 || (wanted & NOTE_OPENS) == 0 ||
        vnode_ask_fd(vnode) >= 0)
        return;
    fd = vnode_is_parked(vnode) ? reopen(engine, vnode, KQ_TO_LOOK)
                                : vnode->host_fd;
    if (fd < 0)
        return;
    ask_fd = holders_open(fd);
    if (ask_fd >= 0)
        vnode_give_ask_fd(vnode, ask_fd);
    if (fd != vnode->host_fd)
        close(fd);
}

int vnode_pin(struct vnotify *engine, struct vnode *vnode, uint32_t wanted)
{
    int fd;

    if (!vnode_is_parked(vnode) || !opens_are_told(engine, vnode, wanted))
        return 0;
    if (claim_post(&vnode->claim, &engine->barrier,
                   claim_generation(&vnode->claim), 0,
                   BARRIER_UNCOUNTED) != CLAIM_TAKEN)
        return -EAGAIN;
    fd = vnode_fd(engine, vnode);
    if (fd >= 0 && !vnode->pinned) {
        vnode->pinned = true;
        count_open(engine, vnode);
    }
    worker_give_back(engine, vnode);
    return fd < 0 ? fd : 0;
}

void vnode_close(struct vnotify *engine, struct vnode *vnode)
{
    vnode->pinned = false;
    vnode_fd_done(vnode);
    if (vnode->host_fd >= 0)
        kq_close(engine->kq, vnode->host_fd);
    if (vnode->open)
        /* relaxed: a bound, kept about right */
        atomic_fetch_sub_explicit(&engine->open_fds, 1, memory_order_relaxed);
}
