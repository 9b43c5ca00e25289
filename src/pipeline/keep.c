/*
 * keep.c - which inodes a directory has rows for
 *
 * A row comes with a listing and goes with one, but for what was renamed out of
 * the directory: it may be in another one that is about to list it, and between
 * the two nothing must be missed.  So its child stays for a while (LEAVE_NS).
 */
#include "pipeline/keep.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "pipeline/arm.h"
#include "pipeline/attach.h"
#include "pipeline/descriptor.h"
#include "pipeline/engine.h"
#include "pipeline/keep-rows.h"
#include "pipeline/sweep.h"

static void let_leaving_go(struct keeper *k)
{
    k->children->leave_ns = 0;
    for (uint32_t i = k->children->count; i-- > 0;)
        if (k->children->rows[i].leaving)
            row_let_go(k, &k->children->rows[i]);
}

/* Following the listing. */

/* By what the last listing has changed. */
static int follow_delta(struct keeper *k, const struct delta *delta)
{
    struct children *children = k->children;
    int err = children_reserve(children, delta->come, delta->come);

    if (err != 0)
        return err;
    /* What has come may have the number of what is gone. */
    for (uint32_t i = 0; i < delta->gone; i++) {
        struct row *row = children_find(children, delta->changes[i].ino);

        if (row != NULL)
            row->leaving = true;
    }
    for (uint32_t i = delta->gone; i < delta->gone + delta->come; i++) {
        const struct change *come = &delta->changes[i];
        struct row *row = children_find(children, come->ino);
        const char *name = change_name(delta, come);

        if (row != NULL)
            row_stay(k, row, name, come);
        else
            row_take_in(k, come->ino, name, come->type, come);
    }
    children_sort(children);
    for (uint32_t i = 0; i < delta->gone; i++) {
        struct row *row = children_find(children, delta->changes[i].ino);

        if (row != NULL && row->leaving)
            row_leave(k, row);
    }
    return 0;
}

static void take_in_entry(struct keeper *k, const struct entry *entry)
{
    char name[UINT8_MAX + 1];

    entry_name(entry, name);
    row_take_in(k, entry->ino, name, entry->type, NULL);
}

/* By comparing all rows with all entries. */
static int follow_listing(struct keeper *k)
{
    struct children *children = k->children;
    const struct snapshot *listing = k->dir->current;
    struct entry entry;
    int err = children_reserve(children, listing->count, listing->count);

    if (err != 0)
        return err;
    for (uint32_t i = 0; i < children->count; i++)
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
            row_leave(k, &children->rows[i]);
    return 0;
}

/* What has changed since the whole listing before, or NULL. */
static const struct delta *since_followed(const struct offer *offer)
{
    if (offer == NULL)
        return NULL;
    return offer->for_rows != NULL ? offer->for_rows : offer->delta;
}

static int follow(struct keeper *k)
{
    struct children *children = k->children;
    const struct snapshot *listing = k->dir->current;
    const struct delta *delta = since_followed(k->offer);
    int err;

    k->first = children->listing == 0;
    if (!k->again && !k->lacks && delta != NULL &&
        delta->before_id == children->listing && delta->after_id == listing->id)
        err = follow_delta(k, delta);
    else
        err = follow_listing(k);
    if (err != 0)
        return err;
    /* Two names of one new inode have given two rows. */
    for (uint32_t i = children->count; i-- > 1;)
        if (children->rows[i].ino == children->rows[i - 1].ino)
            row_let_go(k, &children->rows[i]);
    children->listing = listing->id;
    /* Else some are new that have no row yet. */
    if (children->retry_ns == 0 && !children->lacking)
        children->begun_rt_ns = listing->begun_rt_ns;
    return 0;
}

/* V9: the claim's bits were taken before: acquire all the same, as a child may
   have ended since. */
static bool has_ended(const struct row *row)
{
    return row->child != NULL &&
           atomic_load_explicit(&row->child->ended, /* V9 */
                                memory_order_acquire) != 0;
}

static int renew_rows(struct keeper *k)
{
    const struct snapshot *listing = k->dir->current;
    struct children *children = k->children;
    uint32_t count = 0;
    struct entry entry;

    for (uint32_t i = 0; i < children->count; i++)
        count += has_ended(&children->rows[i]);
    if (children_reserve(children, count, count) != 0)
        return -ENOMEM;
    for (size_t at = 0; count > 0 && at < listing->bytes;) {
        char name[UINT8_MAX + 1];
        struct row *row;

        at = snapshot_entry(listing, at, &entry);
        row = children_find(children, entry.ino);
        if (row == NULL || row->leaving || !has_ended(row))
            continue;
        count--;
        entry_name(&entry, name);
        if (!row_renew(k, row, name, entry.type))
            atomic_store_explicit(&more(k->dir)->rows_ended, 1, /* V9 */
                                  memory_order_relaxed);
    }
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
            keep_retry_soon(k);
    }
}

static void set_alarm(struct keeper *k)
{
    const struct children *children = k->children;
    uint64_t due = sweep_due_ns(children);

    due = sooner(due, children->leave_ns);
    due = sooner(due, children->retry_ns);
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
    k.lacks = k.children->lacking;
    k.children->lacking = false;
    if (k.again || k.lacks)
        k.children->missed_rt_ns = 0;
    if (k.again) {
        k.children->retry_ns = 0;
        want_more(&k, wanted);
    }
    if (k.again || k.lacks || dir->current->id != k.children->listing)
        err = follow(&k);
    if (err != 0 && k.lacks)
        k.children->lacking = true;
    if (atomic_exchange_explicit(&more(dir)->rows_ended, 0, /* V9 */
                                 memory_order_acquire) != 0 &&
        renew_rows(&k) != 0) {
        atomic_store_explicit(&more(dir)->rows_ended, 1, /* V9 */
                              memory_order_relaxed);
        err = -ENOMEM;
    }
    if (k.children->leave_ns != 0 && k.children->leave_ns <= k.now)
        let_leaving_go(&k);
    sweep_children(engine, dir, k.now);
    if (err != 0) {
        keep_retry_soon(&k);
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

    keep_retry_soon(&k);
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
