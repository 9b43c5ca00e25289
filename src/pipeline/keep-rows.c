#include "pipeline/keep-rows.h"

#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>

#include "pipeline/attach.h"
#include "pipeline/descriptor.h"
#include "pipeline/engine.h"
#include "pipeline/sweep.h"

enum { LEAVE_NS = 20 * 1000 * 1000 };

/* Which entries have rows: nobody closes after writing what is no file. */
static bool is_wanted(uint32_t wanted, uint8_t type)
{
    const uint32_t of_files = VN_IN_ACCESS | VN_IN_CLOSE_WRITE;

    return (wanted & ~of_files) != 0 || (type != DT_DIR && type != DT_LNK);
}

static void note_missed(struct keeper *k)
{
    if (k->children->missed_rt_ns == 0)
        k->children->missed_rt_ns = k->dir->current->begun_rt_ns;
}

/* An entry without a row, until then. */
static void miss(struct keeper *k)
{
    keep_retry_soon(k);
    note_missed(k);
}

/* It was gone again, or replaced: another listing is coming, which may show the
   same once more. */
static void lack(struct keeper *k)
{
    k->children->lacking = true;
    note_missed(k);
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
static uint32_t written_unseen(const struct keeper *k, const struct look *look)
{
    return k->missed_rt_ns != 0 && S_ISREG(look->mode) &&
                   look->modified >= k->missed_rt_ns - BIRTH_TICK_NS
               ? VN_IN_MODIFY
               : 0;
}

/*
 * A file with one name that was born since is new; what was renamed into the
 * directory is not.  "Since" is since the listing before began: what was born
 * while it was made need not be in it.  Where something was renamed in or out
 * it may be this, if it was touched since its birth.
 */
static int64_t born_after(const struct keeper *k, const struct change *come)
{
    bool crossed = k->offer != NULL && k->offer->crossed_ns != 0;

    if (come != NULL && come->is_new)
        return INT64_MIN;
    return k->first || (crossed && (come == NULL || !come->untouched))
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
    return look->changed > look->born && look->links == 1 ? bits | VN_IN_ATTRIB
                                                          : bits;
}

/*
 * An ATTRIB may be half a write: it stamps the time of change before that of
 * content, and a look may come between the two.  Whoever is at it is not at it
 * for long; and as we look after the knote is there, or will compare with what
 * we saw, the write is told all the same.
 */
static uint32_t sure_life_so_far(const struct attaching *a, const char *name)
{
    uint32_t bits = life_so_far(&a->look);
    struct look again;
    int err;

    if ((bits & VN_IN_ATTRIB) == 0)
        return bits;
    err = a->vnode != NULL
              ? vnode_look(a->engine, a->vnode, &again)
              : vnode_look_below(a->engine, a->dir, name, &again);
    return err == 0 && (again.modified != a->look.modified ||
                        again.size != a->look.size)
               ? bits & ~(uint32_t)VN_IN_ATTRIB
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
void row_take_in(struct keeper *k, uint64_t ino, const char *name, uint8_t type,
                 const struct change *come)
{
    struct children *children = k->children;
    struct attaching a = {
        .engine = k->engine,
        .dir = k->dir,
        .ino = ino,
        .wanted = children->wanted,
        .misnumbered = &children->misnumbered,
        .born_after = born_after(k, come),
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
        else
            lack(k);
        return;
    }
    if (a.newborn)
        bits = sure_life_so_far(&a, name) | closing(k, &a, &close_ns);
    else if (!k->first)
        bits = written_since(come, &a.look) | written_unseen(k, &a.look);
    if (k->renewing && S_ISREG(a.look.mode))
        bits |= VN_IN_MODIFY;
    if (a.vnode != NULL)
        row.child = attach_finish(&a, close_ns);
    row.footprint = footprint_of(&a.look);
    if (row.child == NULL)
        children->swept++;
    children_append(children, &row);
    children_found(children, ino, bits & children->wanted, false);
}

void row_let_go(struct keeper *k, struct row *row)
{
    if (row->child != NULL)
        attach_end(k->engine, row->child);
    else
        k->children->swept--;
    children_remove(k->children, row);
}

/* Of a child's inode we hold a descriptor, unless it is parked: that one may be
   gone, and its number another's. */
static bool row_has_ended(const struct keeper *k, const struct row *row)
{
    struct look look;

    return row->child != NULL && vnode_is_parked(row->child->vnode) &&
           vnode_look(k->engine, row->child->vnode, &look) == 0 &&
           look.links == 0;
}

/* Of what is another inode now. */
static void take_in_anew(struct keeper *k, struct row *row, const char *name,
                         uint8_t type, const struct change *come)
{
    uint64_t ino = row->ino;

    row_let_go(k, row);
    row_take_in(k, ino, name, type, come);
    children_sort(k->children);
}

bool row_renew(struct keeper *k, struct row *row, const char *name,
               uint8_t type)
{
    uint64_t ino = row->ino;
    struct look look;

    if (vnode_look_below(k->engine, k->dir, name, &look) != 0 ||
        look.ino != ino)
        return false;
    k->renewing = true;
    take_in_anew(k, row, name, type, NULL);
    k->renewing = false;
    if (children_find(k->children, ino) == NULL)
        miss(k); /* gone between the two */
    return true;
}

/* A row whose inode is listed under another name now, or its number is. */
void row_stay(struct keeper *k, struct row *row, const char *name,
              const struct change *come)
{
    bool ended = row_has_ended(k, row);
    struct look look;

    row->leaving = false;
    if ((row->child != NULL && !ended) ||
        vnode_look_below(k->engine, k->dir, name, &look) != 0)
        return;
    if (ended || attach_is_newborn(&look, born_after(k, come))) {
        take_in_anew(k, row, name, come == NULL ? DT_REG : come->type, come);
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

void row_leave(struct keeper *k, struct row *row)
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
        row_let_go(k, row);
    else if (k->children->leave_ns == 0)
        k->children->leave_ns = k->now + LEAVE_NS;
}
