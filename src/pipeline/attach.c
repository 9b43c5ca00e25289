#include "pipeline/attach.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pipeline/arm.h"
#include "pipeline/descriptor.h"
#include "pipeline/engine.h"
#include "pipeline/give-back.h"
#include "port/child-open.h"
#include "port/listing.h"

enum { CHANGED_PART = 8 };

/*
 * Is a descriptor to be spent?  Not past the budget, not where the host has had
 * no room for a knote, which a watch may need, and not on a directory that would
 * take a large part of it: sweeping that costs others nothing.  But what was
 * found changed is likely to change again, wherever it is: a part of the budget
 * is kept for that.
 */
static bool pays(const struct attaching *a)
{
    const struct vnotify *engine = a->engine;
    uint32_t budget = engine->fd_budget;
    /* relaxed: a bound, kept about right */
    uint32_t spent =
        atomic_load_explicit(&engine->child_fds, memory_order_relaxed);

    if (fault_hits(&engine->fault, FAULT_OPEN))
        return false;
    if (a->park)
        return true;
    return a->changed ? spent < budget
                      : spent < budget - budget / CHANGED_PART &&
                            a->dir->current->count <= budget / 2 &&
                            give_back_refusals(engine) == 0;
}

/* What the directory lists has another number if something is mounted there:
   that is not its child. */
static bool is_listed_one(const struct attaching *a)
{
    return a->look.ino == a->ino && a->look.dev == a->dir->dev;
}

static int look_only(struct attaching *a, const char *name)
{
    int err = vnode_look_below(a->engine, a->dir, name, &a->look);

    if (err != 0)
        return err == -ENOENT ? err : -EAGAIN;
    return is_listed_one(a) ? 0 : -ENOENT;
}

/* Would opening the file be told to somebody? */
static bool opens_are_told(const struct attaching *a)
{
    return (a->wanted & NOTE_OPENS) != 0;
}

/*
 * A descriptor that can tell who has the file open, or -1.  It is needed for a
 * newborn file, and for one whose opens are told: to open that later would be
 * told.
 */
static int open_to_ask(const struct attaching *a, int fd)
{
    bool closes = (a->wanted & VN_IN_CLOSE_WRITE) != 0;

    if (!S_ISREG(a->look.mode) || !engine_sees_closes(a->engine) ||
        !(opens_are_told(a) || (a->newborn && closes)))
        return -1;
    return holders_open(fd);
}

/*
 * The new vnode's descriptor, instead of fd: a directory may come to be watched
 * itself, and then is listed by it; a file's may tell who has it open.
 */
static int own_descriptor(struct attaching *a, int fd, int ask_fd)
{
    int own = fd;

    if (S_ISDIR(a->look.mode)) {
        own = listing_open(fd);
        if (own < 0)
            own = -errno;
    } else if (ask_fd >= 0 && opens_are_told(a)) {
        vnode_give_ask_fd(a->vnode, ask_fd); /* the first: it was made */
        own = ask_fd;
    }
    if (own != fd)
        close(fd);
    return own;
}

/*
 * Who was writing before the knote was there and who is now that it is: if
 * nobody was, the close is not noted; if somebody is, it will be.  Between the
 * two nobody knows.
 */
static int arm(struct attaching *a, int fd, const char *name)
{
    int ask_fd = open_to_ask(a, fd), err;
    bool ask = ask_fd >= 0 && a->newborn;
    struct look behind = { 0 }; /* so that who looks first can tell */
    const struct kq_known known = { &a->look, name, &behind };

    a->writers = ask ? holders_writing(ask_fd) : HOLDERS_UNKNOWN;
    err = vnode_arm(a->engine, a->vnode, own_descriptor(a, fd, ask_fd),
                    &known, a->wanted, a->park);
    if (err == 0)
        a->look = behind;
    else if (err == -ESTALE)
        *a->misnumbered = true;
    if (a->writers == HOLDERS_SOME && holders_writing(ask_fd) != HOLDERS_SOME)
        a->writers = HOLDERS_UNKNOWN;
    if (ask_fd >= 0 && vnode_ask_fd(a->vnode) != ask_fd)
        close(ask_fd);
    if (a->park && (err == -ENOSPC ||
                    (err == 0 && !vnode_is_parked(a->vnode))))
        /* relaxed: a bound.  There is no room for knotes that could be done
           without, or nothing can be parked. */
        atomic_store_explicit(&a->engine->watch_budget, 0,
                              memory_order_relaxed);
    if (a->vnode->host_fd >= 0 && !vnode_is_parked(a->vnode)) {
        a->vnode->counted = true;
        /* relaxed: a bound, kept about right */
        atomic_fetch_add_explicit(&a->engine->child_fds, 1,
                                  memory_order_relaxed);
    }
    return err;
}

static void let_vnode_go(struct attaching *a)
{
    if (a->made)
        worker_give_back(a->engine, a->vnode);
    housekeeper_put_vnode(a->engine, a->vnode);
    a->vnode = NULL;
}

/* Of what was guessed: is it what is open?  Else its vnode would be taken for one
   that has ended. */
static int join_what_is_open(struct vnotify *engine, struct vnode *vnode,
                             int fd, uint32_t wanted)
{
    struct look look;

    if (look_at(fd, "", &look) != 0 || look.ino != vnode->ino ||
        look.dev != vnode->dev)
        return -ENOENT;
    return vnode_try_join(engine, vnode, fd, wanted);
}

/* Takes over fd. */
static int join_vnode(struct attaching *a, int fd, const char *name)
{
    int err = vnode_find(a->engine, &a->look, fd, a->wanted,
                         a->guessed ? join_what_is_open : vnode_try_join,
                         &a->vnode, &a->made);

    if (err != 0 || !a->made) {
        if (err == 0 && a->guessed)
            (void)look_at(fd, "", &a->look);
        close(fd);
        return err;
    }
    err = arm(a, fd, name);
    if (err != 0)
        let_vnode_go(a);
    return err;
}

/* From here on, what the vnode's notes say is told to the directory. */
static int link_child(struct attaching *a)
{
    struct child *child = calloc(1, sizeof(*child));

    if (child == NULL) {
        let_vnode_go(a);
        return -ENOMEM;
    }
    child->dir = a->dir;
    child->vnode = a->vnode;
    child->ino = a->ino;
    registry_link(&a->engine->registry, &a->vnode->parents, &child->chain);
    a->child = child;
    return 0;
}

static int open_child(const struct attaching *a, const char *name,
                      uint8_t type)
{
    int dir_fd;

    if (!pays(a))
        return -EMFILE;
    dir_fd = vnode_fd(a->engine, a->dir);
    return dir_fd < 0 ? dir_fd : child_open(dir_fd, name, type);
}

bool attach_is_newborn(const struct look *look, int64_t born_after)
{
    return S_ISREG(look->mode) && look->links == 1 && look->born >= born_after;
}

static void judge_age(struct attaching *a)
{
    a->newborn = attach_is_newborn(&a->look, a->born_after);
}

/*
 * One look is enough, behind the knote, for what is a file by its listing and
 * nobody asks the age of before that: it is taken for what was listed until
 * then.  (Some file systems list other numbers than their files have.)
 */
static bool may_look_later(struct attaching *a, uint8_t type)
{
    if (type != DT_REG || *a->misnumbered ||
        (a->wanted & (VN_IN_CLOSE_WRITE | NOTE_OPENS)) != 0)
        return false;
    a->look = (struct look){
        .dev = a->dir->dev,
        .ino = a->ino,
        .mode = S_IFREG,
        .links = 1,
    };
    return true;
}

static int begin(struct attaching *a, const char *name, uint8_t type)
{
    int fd = open_child(a, name, type), err;

    if (fd < 0)
        return look_only(a, name);
    a->guessed = may_look_later(a, type);
    if (!a->guessed) {
        if (look_at(fd, "", &a->look) != 0 || !is_listed_one(a)) {
            close(fd);
            return -ENOENT;
        }
        judge_age(a); /* for `arm` */
    }
    err = join_vnode(a, fd, name);
    if (err == -EAGAIN)
        return err;
    if (err != 0 || link_child(a) != 0)
        return look_only(a, name);
    /* Behind the knote: what changes from here on is noted, and told as the link
       is there before the claim is given back.  Of a vnode that others serve,
       behind the link too. */
    if (!a->made)
        (void)vnode_look(a->engine, a->vnode, &a->look);
    return 0;
}

int attach_begin(struct attaching *a, const char *name, uint8_t type)
{
    int err;

    a->vnode = NULL;
    a->child = NULL;
    a->newborn = false;
    a->writers = HOLDERS_UNKNOWN;
    err = begin(a, name, type);
    judge_age(a);
    return err;
}

struct child *attach_finish(struct attaching *a, uint64_t close_ns)
{
    if (a->made) {
        if (close_ns != 0) {
            more(a->vnode)->quiet_ns = close_ns;
            alarm_set(a->engine, a->vnode, close_ns);
        }
        worker_give_back(a->engine, a->vnode);
    }
    return a->child;
}

void attach_end(struct vnotify *engine, struct child *child)
{
    registry_unlink(&engine->registry, &child->vnode->parents, &child->chain);
    housekeeper_retire_child(engine, child);
}
