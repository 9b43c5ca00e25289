/*
 * keep.c - which inodes a directory has rows for
 *
 * A row comes with a listing and goes with one, but for what was renamed out of
 * the directory: it may be in another one that is about to list it, and between
 * the two nothing must be missed.  So its child stays for a while (LEAVE_NS).
 */
#include "pipeline/keep.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "pipeline/arm.h"
#include "pipeline/attach.h"
#include "pipeline/descriptor.h"
#include "pipeline/engine.h"
#include "pipeline/sweep.h"

enum {
    LEAVE_NS = 20 * 1000 * 1000,
    RETRY_NS = 2 * 1000 * 1000,
};

/* One pass over a directory's rows. */
struct keeper {
    struct vnotify *engine;
    struct vnode *dir;
    struct children *children;
    const struct offer *offer; /* NULL: any listing may have been missed */
    uint64_t now;
    bool first;                /* what is there now has no history */
    bool again;                /* entries may have no row, or rows too little */
    int64_t missed_rt_ns;      /* children.missed_rt_ns before this pass */
};

/* Which entries have rows: nobody closes after writing what is no file. */
static bool is_wanted(uint32_t wanted, uint8_t type)
{
    const uint32_t of_files = VN_IN_ACCESS | VN_IN_CLOSE_WRITE;

    return (wanted & ~of_files) != 0 || (type != DT_DIR && type != DT_LNK);
}

static void retry_soon(struct keeper *k)
{
    k->children->retry_ns = k->now + RETRY_NS;
}

/* An entry without a row, until then. */
static void miss(struct keeper *k)
{
    retry_soon(k);
    if (k->children->missed_rt_ns == 0)
        k->children->missed_rt_ns = k->dir->current->begun_rt_ns;
}

/* What is new in the directory. */

/* Written since it was listed?  It may have been written to under the name that
   it was moved from, and be told there. */
static uint32_t written_since(const struct change *come,
                              const struct look *look)
{
    return come != NULL && come->learned &&
                   look->modified != come->modified_rt_ns
               ? VN_IN_MODIFY
               : 0;
}

/* There was no row for it while others armed its vnode, and its notes were told
   elsewhere. */
static uint32_t written_unseen(const struct keeper *k,
                               const struct look *look)
{
    return k->missed_rt_ns != 0 && S_ISREG(look->mode) &&
                   look->modified >= k->missed_rt_ns - BIRTH_TICK_NS
               ? VN_IN_MODIFY
               : 0;
}

/*
 * A file with one name that was born since is new; what was renamed into the
 * directory is not.  "Since" is since the listing before began: what was born
 * while it was made need not be in it.
 */
static int64_t born_after(const struct keeper *k)
{
    return k->first || (k->offer != NULL && k->offer->crossed_ns != 0)
               ? INT64_MAX
               : k->children->begun_rt_ns - BIRTH_TICK_NS;
}

/*
 * What befell a newborn file before we got hold of it, from what is left of it.
 * Files are made by opening them (mknod(2) of a regular file, which nobody
 * uses, looks the same).
 */
static uint32_t life_so_far(const struct look *look)
{
    uint32_t bits = VN_IN_OPEN;

    if (look->size > 0 ||
        (look->modified > look->born && look->modified != look->accessed))
        return bits | VN_IN_MODIFY;
    /* That its name has gone since is no ATTRIB of the name. */
    return look->changed > look->born && look->links == 1
               ? bits | VN_IN_ATTRIB
               : bits;
}

/*
 * A newborn file may be closed already.  If nobody knows, it is said after a
 * quiet time: by the child's vnode, or where there is none of ours, by the row.
 */
static uint32_t closing(struct keeper *k, struct attaching *a,
                        uint64_t *close_ns)
{
    if ((k->children->wanted & VN_IN_CLOSE_WRITE) == 0)
        return 0;
    if (a->writers != HOLDERS_UNKNOWN)
        return a->writers == HOLDERS_NONE ? VN_IN_CLOSE_WRITE : 0;
    if (a->made)
        *close_ns = k->now + k->engine->close_write_after_ns;
    else if (!sweep_close_later(k->engine, k->children, a->ino, k->now))
        return VN_IN_CLOSE_WRITE; /* no memory: rather now than never */
    return 0;
}

/* Makes a row for an entry; `come` is the change that brought it, or NULL. */
static void take_in(struct keeper *k, uint64_t ino, const char *name,
                    uint8_t type, const struct change *come)
{
    struct children *children = k->children;
    struct attaching a = {
        .engine = k->engine,
        .dir = k->dir,
        .ino = ino,
        .wanted = children->wanted,
        .born_after = born_after(k),
    };
    struct row row = { .ino = ino };
    uint64_t close_ns = 0;
    uint32_t bits = 0;
    int err;

    if (!is_wanted(children->wanted, type))
        return;
    err = attach_begin(&a, name, type);
    if (err != 0) {
        if (err == -EAGAIN)
            miss(k);
        return; /* gone again, or replaced: another listing is coming */
    }
    if (a.newborn)
        bits = life_so_far(&a.look) | closing(k, &a, &close_ns);
    else if (!k->first)
        bits = written_since(come, &a.look) | written_unseen(k, &a.look);
    if (a.vnode != NULL)
        row.child = attach_finish(&a, close_ns);
    row.footprint = footprint_of(&a.look);
    if (row.child == NULL)
        children->swept++;
    children_append(children, &row);
    children_found(children, ino, bits & children->wanted, false);
}

/* A row whose inode is listed under another name now, or its number is. */
static void stay(struct keeper *k, struct row *row, const char *name,
                 const struct change *come)
{
    struct look look;

    row->leaving = false;
    if (row->child != NULL ||
        vnode_look_below(k->engine, k->dir, name, &look) != 0)
        return; /* a child's inode cannot be another's: we hold it */
    if (S_ISREG(look.mode) && look.links == 1 && look.born >= born_after(k)) {
        uint64_t ino = row->ino;
        uint8_t type = come == NULL ? DT_REG : come->type;

        children_remove(k->children, row);
        k->children->swept--;
        take_in(k, ino, name, type, come);
        children_sort(k->children);
        return;
    }
    /* A rename changes the time of change, and is no ATTRIB. */
    row->footprint.changed = footprint_of(&look).changed;
}

/* What is gone from the directory. */

static bool is_listed(const struct snapshot *snapshot, uint64_t ino)
{
    struct entry entry;

    for (size_t at = 0; at < snapshot->bytes;) {
        at = snapshot_entry(snapshot, at, &entry);
        if (entry.ino == ino)
            return true;
    }
    return false;
}

static void let_go(struct keeper *k, struct row *row)
{
    if (row->child != NULL)
        attach_end(k->engine, row->child);
    else
        k->children->swept--;
    children_remove(k->children, row);
}

static void leave(struct keeper *k, struct row *row)
{
    struct look look;
    bool lives = row->child != NULL &&
                 vnode_look(k->engine, row->child->vnode, &look) == 0 &&
                 look.links > 0;

    row->leaving = true;
    if ((lives || row->footprint.links > 1) &&
        is_listed(k->dir->current, row->ino))
        row->leaving = false;
    else if (!lives)
        let_go(k, row);
    else if (k->children->leave_ns == 0)
        k->children->leave_ns = k->now + LEAVE_NS;
}

static void let_leaving_go(struct keeper *k)
{
    k->children->leave_ns = 0;
    for (uint32_t i = k->children->count; i-- > 0;)
        if (k->children->rows[i].leaving)
            let_go(k, &k->children->rows[i]);
}

/* Following the listing. */

/* By what the last listing has changed. */
static int follow_delta(struct keeper *k, const struct delta *delta)
{
    struct children *children = k->children;
    int err = children_reserve(children, delta->come, delta->come);

    if (err != 0)
        return err;
    for (uint32_t i = delta->gone; i < delta->gone + delta->come; i++) {
        const struct change *come = &delta->changes[i];
        struct row *row = children_find(children, come->ino);
        const char *name = change_name(delta, come);

        if (row != NULL)
            stay(k, row, name, come);
        else
            take_in(k, come->ino, name, come->type, come);
    }
    children_sort(children);
    for (uint32_t i = 0; i < delta->gone; i++) {
        struct row *row = children_find(children, delta->changes[i].ino);

        if (row != NULL)
            leave(k, row);
    }
    return 0;
}

static void take_in_entry(struct keeper *k, const struct entry *entry)
{
    char name[UINT8_MAX + 1];

    entry_name(entry, name);
    take_in(k, entry->ino, name, entry->type, NULL);
}

/* By comparing all rows with all entries. */
static int follow_listing(struct keeper *k)
{
    struct children *children = k->children;
    const struct snapshot *listing = k->dir->current;
    uint32_t known = children->count;
    struct entry entry;
    int err = children_reserve(children, listing->count, listing->count);

    if (err != 0)
        return err;
    for (uint32_t i = 0; i < known; i++)
        children->rows[i].leaving = true;
    for (size_t at = 0; at < listing->bytes;) {
        struct row *row;

        at = snapshot_entry(listing, at, &entry);
        row = children_find(children, entry.ino);
        if (row != NULL)
            row->leaving = false;
        else
            take_in_entry(k, &entry);
    }
    children_sort(children);
    for (uint32_t i = children->count; i-- > 0;)
        if (children->rows[i].leaving)
            leave(k, &children->rows[i]);
    return 0;
}

static int follow(struct keeper *k)
{
    struct children *children = k->children;
    const struct snapshot *listing = k->dir->current;
    const struct delta *delta = k->offer == NULL ? NULL : k->offer->delta;
    int err;

    k->first = children->listing == 0;
    if (!k->again && delta != NULL && delta->before_id == children->listing &&
        delta->after_id == listing->id)
        err = follow_delta(k, delta);
    else
        err = follow_listing(k);
    if (err != 0)
        return err;
    /* Two names of one new inode have given two rows. */
    for (uint32_t i = children->count; i-- > 1;)
        if (children->rows[i].ino == children->rows[i - 1].ino)
            let_go(k, &children->rows[i]);
    children->listing = listing->id;
    if (children->retry_ns == 0) /* else some are new that have no row yet */
        children->begun_rt_ns = listing->begun_rt_ns;
    return 0;
}

/* A watch asks for more than the rows were made for. */
static void want_more(struct keeper *k, uint32_t wanted)
{
    struct children *children = k->children;

    children->wanted = wanted;
    for (uint32_t i = 0; i < children->count; i++) {
        struct child *child = children->rows[i].child;

        if (child != NULL &&
            vnode_try_join(k->engine, child->vnode, -1, wanted) == -EAGAIN)
            retry_soon(k);
    }
}

static void set_alarm(struct keeper *k)
{
    const struct children *children = k->children;
    uint64_t due = sweep_due_ns(children);

    if (children->leave_ns != 0 && (due == 0 || children->leave_ns < due))
        due = children->leave_ns;
    if (children->retry_ns != 0 && (due == 0 || children->retry_ns < due))
        due = children->retry_ns;
    if (due != 0)
        alarm_set(k->engine, k->dir, due);
}

/* V5: who waits for its mask's bits looks at `kept` again. */
static void tell_kept(struct vnode *dir, uint32_t wanted)
{
    /* relaxed: holders alone write it */
    if (atomic_load_explicit(&more(dir)->kept, memory_order_relaxed) == wanted)
        return;
    atomic_store_explicit(&more(dir)->kept, wanted, /* V5 */
                          memory_order_release);
    park_wake(&more(dir)->kept, INT_MAX);
}

int keep_children(struct vnotify *engine, struct vnode *dir,
                  const struct offer *offer)
{
    /* V5: set before HINT_KEEP was posted */
    uint32_t wanted =
        atomic_load_explicit(&more(dir)->content, memory_order_acquire);
    struct keeper k = {
        .engine = engine,
        .dir = dir,
        .offer = offer,
        .now = now_ns(),
    };
    int err = 0;

    if (wanted == 0 || dir->current == NULL)
        return 0;
    if (more(dir)->children == NULL)
        more(dir)->children = calloc(1, sizeof(struct children));
    k.children = more(dir)->children;
    if (k.children == NULL)
        return -ENOMEM;
    k.again = k.children->retry_ns != 0 || wanted != k.children->wanted;
    k.missed_rt_ns = k.children->missed_rt_ns;
    if (k.again) {
        k.children->retry_ns = 0;
        k.children->missed_rt_ns = 0;
        want_more(&k, wanted);
    }
    if (k.again || dir->current->id != k.children->listing)
        err = follow(&k);
    if (k.children->leave_ns != 0 && k.children->leave_ns <= k.now)
        let_leaving_go(&k);
    sweep_children(engine, dir, k.now);
    if (err != 0) {
        retry_soon(&k);
        k.children->missed_rt_ns = k.missed_rt_ns;
    }
    set_alarm(&k);
    if (err == 0)
        tell_kept(dir, wanted);
    return err;
}

bool keep_misses(const struct vnode *dir)
{
    const struct children *children = more(dir)->children;

    return children != NULL && children->retry_ns != 0;
}

void keep_owe(struct vnotify *engine, struct vnode *dir)
{
    struct keeper k = {
        .engine = engine,
        .dir = dir,
        .children = more(dir)->children,
        .now = now_ns(),
    };

    retry_soon(&k);
    set_alarm(&k);
}

/*
 * A number of links that did not fall says that the name was moved: also if a
 * link was made and then the name removed, which comes to the same.
 */
static bool lives_on(struct vnotify *engine, const struct child *child)
{
    struct look look;

    if (vnode_look(engine, child->vnode, &look) != 0 || look.links == 0)
        return false;
    return S_ISDIR(look.mode) ||
           /* relaxed: a hint */
           look.links >= atomic_load_explicit(&more(child->vnode)->most_links,
                                              memory_order_relaxed);
}

void keep_ask_gone(struct vnotify *engine, struct vnode *dir,
                   struct delta *delta)
{
    const struct children *children = more(dir)->children;

    for (uint32_t i = 0; children != NULL && i < delta->gone; i++) {
        struct change *gone = &delta->changes[i];
        const struct row *row = children_find(children, gone->ino);

        gone->lives = row != NULL && row->child != NULL &&
                      lives_on(engine, row->child);
    }
}

void keep_end(struct vnotify *engine, struct vnode *dir)
{
    struct children *children = more(dir)->children;

    for (uint32_t i = 0; children != NULL && i < children->count; i++)
        if (children->rows[i].child != NULL)
            attach_end(engine, children->rows[i].child);
    if (children != NULL)
        sweep_end(engine, children);
    children_free(children);
    if (children != NULL)
        more(dir)->children = NULL;
}
