#include "pipeline/attach.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pipeline/arm.h"
#include "pipeline/engine.h"
#include "port/child-open.h"
#include "port/listing.h"

/* Notes that our own opening of a file would post. */
#define OWN_USE                                                                \
    ((uint32_t)(VN_IN_OPEN | VN_IN_CLOSE_NOWRITE | VN_IN_ACCESS))

/*
 * Is a descriptor to be spent?  Not past the budget, and not on a directory
 * that would take a large part of it: sweeping that costs others nothing.
 */
static bool pays(const struct vnotify *engine, const struct vnode *dir)
{
    /* relaxed: a bound, kept about right */
    uint32_t spent =
        atomic_load_explicit(&engine->child_fds, memory_order_relaxed);

    return spent < engine->fd_budget &&
           dir->current->count <= engine->fd_budget / 2 &&
           !fault_hits(&engine->fault, FAULT_OPEN);
}

/* What the directory lists has another number if something is mounted there:
   that is not its child. */
static bool is_listed_one(const struct attaching *a)
{
    return a->look.ino == a->ino && a->look.dev == a->dir->dev;
}

static int look_only(struct attaching *a, const char *name)
{
    int err = look_at(a->dir->host_fd, name, &a->look);

    if (err != 0)
        return err == -ENOENT ? err : -EAGAIN;
    return is_listed_one(a) ? 0 : -ENOENT;
}

/* The new vnode's descriptor: a directory may come to be watched itself, and
   then is listed by it. */
static int own_descriptor(const struct attaching *a, int fd)
{
    int list_fd;

    if (!S_ISDIR(a->look.mode))
        return fd;
    list_fd = listing_open(fd);
    if (list_fd < 0)
        list_fd = -errno;
    close(fd);
    return list_fd;
}

/* Takes over fd. */
static int join_vnode(struct attaching *a, int fd)
{
    struct vnotify *engine = a->engine;
    int err;

    a->vnode = registry_get(&engine->registry, &a->look, &a->made);
    if (a->vnode == NULL) {
        close(fd);
        return -ENOMEM;
    }
    if (!a->made) {
        close(fd);
        err = vnode_try_join(engine, a->vnode, a->wanted);
    } else {
        err = vnode_arm(engine, a->vnode, own_descriptor(a, fd),
                        a->wanted & ~OWN_USE);
        if (a->vnode->host_fd >= 0) {
            a->vnode->counted = true;
            /* relaxed: a bound, kept about right */
            atomic_fetch_add_explicit(&engine->child_fds, 1,
                                      memory_order_relaxed);
        }
    }
    if (err == 0)
        return 0;
    if (a->made)
        worker_give_back(engine, a->vnode);
    housekeeper_put_vnode(engine, a->vnode);
    a->vnode = NULL;
    return err;
}

int attach_begin(struct attaching *a, const char *name, uint8_t type)
{
    int fd, err;

    a->vnode = NULL;
    if (!pays(a->engine, a->dir))
        return look_only(a, name);
    fd = child_open(a->dir->host_fd, name, type);
    if (fd < 0)
        return look_only(a, name);
    if (look_at(fd, "", &a->look) != 0 || !is_listed_one(a)) {
        close(fd);
        return -ENOENT;
    }
    err = join_vnode(a, fd);
    if (err == -EAGAIN)
        return err;
    if (err != 0)
        return look_only(a, name);
    /* Once more, behind the knote: what changes from here on is noted. */
    if (look_at(a->vnode->host_fd, "", &a->look) == 0 && a->made)
        a->vnode->seen = a->look;
    return 0;
}

/* On a host whose notes tell closes, and where the question posts none of the
   notes that it is about: the knote does not ask for opens yet. */
enum holders attach_writers(struct attaching *a)
{
    enum holders writers;
    int fd;

    if (a->vnode == NULL || !a->made || !S_ISREG(a->look.mode) ||
        (a->wanted & VN_IN_CLOSE_WRITE) == 0 ||
        !engine_sees_closes(a->engine))
        return HOLDERS_UNKNOWN;
    fd = holders_open(a->vnode->host_fd);
    if (fd < 0)
        return HOLDERS_UNKNOWN;
    writers = holders_writing(fd);
    close(fd);
    return writers;
}

struct child *attach_finish(struct attaching *a, uint64_t close_ns)
{
    struct vnotify *engine = a->engine;
    struct child *child = calloc(1, sizeof(*child));

    if (a->made) {
        /* It was asked already for all but our own use: it does not wait. */
        (void)vnode_try_join(engine, a->vnode, a->wanted);
        if (child != NULL && close_ns != 0) {
            a->vnode->quiet_ns = close_ns;
            alarm_set(engine, a->vnode, close_ns);
        }
        worker_give_back(engine, a->vnode);
    }
    if (child == NULL) {
        housekeeper_put_vnode(engine, a->vnode);
        return NULL;
    }
    child->dir = a->dir;
    child->vnode = a->vnode;
    child->ino = a->ino;
    registry_link(&engine->registry, &a->vnode->parents, &child->chain);
    return child;
}

void attach_end(struct vnotify *engine, struct child *child)
{
    registry_unlink(&engine->registry, &child->vnode->parents, &child->chain);
    housekeeper_retire_child(engine, child);
}
