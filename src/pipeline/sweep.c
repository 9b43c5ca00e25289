/*
 * sweep.c - what a pass compares, and when the next one comes
 *
 * A change is told when it cannot hide another any more: file systems stamp
 * with a clock that may stand still for a tick, so what changed within the last
 * tick is left for the next pass (the row keeps its old footprint).  Unless that
 * goes on and on with the same row: then it forgets the time that it has seen,
 * so that the change is told once more rather than lost.
 */
#include "pipeline/sweep.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "pipeline/attach.h"
#include "pipeline/descriptor.h"
#include "pipeline/engine.h"
#include "pipeline/hash.h"
#include "pipeline/park-turns.h"

enum {
    SLICE = 1024,                     /* entries: about a millisecond */
    SLICE_PAUSE_NS = 1000 * 1000,     /* for the directory's own notes */
    PASS_NS_MIN = 50 * 1000 * 1000,   /* between passes that find something */
    PASS_NS_QUIET = 500 * 1000 * 1000, /* and between those that do not */
    CPU_SHARE = 20,                   /* sweeping takes a twentieth of one */
    BUSY_NS = 1000 * 1000 * 1000,     /* while watches are added */
    YOUNG_MAX = 5,       /* passes, 2 * BIRTH_TICK_NS apart and their length */
    PARK_LOT = 64,                    /* rows of a slice: one or two, too */
};

static uint32_t fold(uint64_t value)
{
    return (uint32_t)(hash_u64(value) >> 32);
}

struct footprint footprint_of(const struct look *look)
{
    return (struct footprint){
        .size = fold((uint64_t)look->size),
        .modified = fold((uint64_t)look->modified),
        .changed = fold((uint64_t)look->changed),
        .attributes = fold(hash_u64(look->mode) ^
                           ((uint64_t)look->uid << 32 | look->gid)),
        .links = look->links,
    };
}

/*
 * MODIFY or ATTRIB?  Content has changed with the size, or with its time, if
 * that was not set together with the access time, as touch(1) does.  A change
 * that only a link has made is told of the link, not of this name.
 */
static uint32_t compare(const struct footprint *old,
                        const struct footprint *now, const struct look *look)
{
    uint32_t bits = 0;

    if (now->attributes != old->attributes)
        bits |= VN_IN_ATTRIB;
    if (now->size != old->size)
        return bits | VN_IN_MODIFY;
    if (now->modified != old->modified)
        return bits | (look->modified == look->accessed ? VN_IN_ATTRIB
                                                        : VN_IN_MODIFY);
    if (now->changed != old->changed && now->links == old->links)
        bits |= VN_IN_ATTRIB;
    return bits;
}

struct sweeping {
    struct vnotify *engine;
    struct vnode *dir;
    struct children *children;
    uint64_t now;       /* when the slice began */
    bool its_turn;      /* to park rows */
    uint32_t parked;
    uint64_t parked_ns; /* what that has taken of the slice */
};

/* *look is what was there when the child's knote was. */
static bool attach(struct sweeping *s, struct row *row, const char *name,
                   bool park, struct look *look)
{
    struct attaching a = {
        .engine = s->engine,
        .dir = s->dir,
        .ino = row->ino,
        .wanted = s->children->wanted,
        .misnumbered = &s->children->misnumbered,
        .changed = !park,
        .park = park,
        .born_after = INT64_MAX,
    };

    if (attach_begin(&a, name, S_ISDIR(look->mode) ? DT_DIR : DT_REG) != 0 ||
        a.vnode == NULL)
        return false;
    row->child = attach_finish(&a, 0);
    s->children->swept--;
    *look = a.look;
    return true;
}

/*
 * Who has nothing better to do parks what has not changed, where the host can:
 * then it needs no sweeping any more.  Not while watches are added, and not what
 * may have to be opened to be asked who has it open.
 */
static bool may_park(const struct sweeping *s, const struct look *look)
{
    const struct vnotify *engine = s->engine;
    /* relaxed: bounds, kept about right */
    uint32_t in_use = atomic_load_explicit(&engine->registry.in_use,
                                           memory_order_relaxed);
    uint32_t budget = atomic_load_explicit(&engine->watch_budget,
                                           memory_order_relaxed);

    return in_use < budget && park_turns_quiet(&engine->park_turns, s->now) &&
           (S_ISREG(look->mode) || S_ISDIR(look->mode)) &&
           s->children->quiet_count == 0 &&
           (s->children->wanted & NOTE_OPENS) == 0;
}

static bool park(struct sweeping *s, struct row *row, const char *name,
                 struct look *look)
{
    uint64_t begun = now_ns();

    if (!attach(s, row, name, true, look))
        return false;
    s->parked++;
    s->parked_ns += now_ns() - begun;
    return true;
}

/* In its turn, which is booked for as many as could be parked. */
static bool park_in_turn(struct sweeping *s, struct row *row, const char *name,
                         struct look *look)
{
    if (!may_park(s, look))
        return false;
    if (s->its_turn)
        return park(s, row, name, look);
    s->children->parkable++;
    return false;
}

/*
 * A file that has changed gets a child, if it may: then its next changes are
 * told at once.  Not where closes or opens are told as well: who has it open by
 * now would be told of twice.
 */
static bool hold(struct sweeping *s, struct row *row, const char *name,
                 struct look *look)
{
    return S_ISREG(look->mode) &&
           (s->children->wanted & (VN_IN_CLOSE_WRITE | NOTE_OPENS)) == 0 &&
           (attach(s, row, name, false, look) ||
            (may_park(s, look) && park(s, row, name, look)));
}

/* One swept row. */
static void sweep_row(struct sweeping *s, struct row *row, const char *name)
{
    struct vnotify *engine = s->engine;
    struct children *children = s->children;
    int64_t rt = (int64_t)clock_ns(CLOCK_REALTIME);
    struct footprint footprint;
    struct look look;
    uint32_t bits;
    bool young;

    if (vnode_look_below(engine, s->dir, name, &look) != 0 ||
        look.ino != row->ino)
        return; /* another listing will tell */
    footprint = footprint_of(&look);
    bits = compare(&row->footprint, &footprint, &look);
    young = look.changed > rt - BIRTH_TICK_NS && look.changed <= rt;
    if (bits != 0 ? hold(s, row, name, &look)
                  : park_in_turn(s, row, name, &look)) {
        footprint = footprint_of(&look);
        bits = compare(&row->footprint, &footprint, &look);
    } else if (bits != 0 && young) {
        if (row->young++ < YOUNG_MAX) {
            children->has_young = true;
            return;
        }
        footprint.changed = ~footprint.changed;
        footprint.modified = ~footprint.modified;
    }
    row->young = 0;
    row->footprint = footprint;
    if (bits == 0)
        return;
    children->sweep_changed = true;
    if (S_ISDIR(look.mode))
        bits &= ~(uint32_t)VN_IN_MODIFY; /* entries came or went */
    else if ((bits & VN_IN_MODIFY) != 0 && S_ISREG(look.mode) &&
             (children->wanted & VN_IN_CLOSE_WRITE) != 0 &&
             !sweep_close_later(engine, children, row->ino, s->now))
        bits |= VN_IN_CLOSE_WRITE; /* no memory: rather now than never */
    children_found(children, row->ino, bits & children->wanted,
                   S_ISDIR(look.mode));
}

/* How seldom everything may be swept, by what the last passes have cost. */
static uint64_t pause_of_all(const struct vnotify *engine)
{
    /* relaxed: of cost alone */
    return atomic_load_explicit(&engine->sweep_cost_ns, memory_order_relaxed) *
           CPU_SHARE;
}

/* Who adds many watches waits for the CPU: that comes first, if it can. */
static uint64_t least_pause(const struct vnotify *engine, uint64_t now)
{
    return park_turns_busy(&engine->park_turns, now) ? BUSY_NS : PASS_NS_MIN;
}

/* After a pass that could have parked more. */
static void book_turn(struct vnotify *engine, struct children *children,
                      uint64_t now)
{
    if (children->turn_ns == 0 && children->parkable != 0)
        children->turn_ns =
            park_turns_book(&engine->park_turns, children->parkable, now);
    children->parkable = 0;
    if (children->turn_ns != 0)
        children->sweep_ns = sooner(children->sweep_ns, children->turn_ns);
}

/*
 * Quick after a pass that found something; else the slower the more there is
 * to sweep in all.  A directory that is new here starts with that: thousands
 * that come at once, as a watcher of a tree starts, must not be swept at the
 * pace of one while it does.
 */
static void end_pass(struct vnotify *engine, struct children *children,
                     uint64_t now)
{
    uint64_t total, own = children->cost_ns * CPU_SHARE;
    uint64_t least = children->sweep_changed ? PASS_NS_MIN
                                             : least_pause(engine, now);

    /* relaxed: of cost alone */
    atomic_fetch_add_explicit(&engine->sweep_cost_ns,
                              children->cost_ns - children->last_cost_ns,
                              memory_order_relaxed);
    total = pause_of_all(engine);
    children->last_cost_ns = children->cost_ns;
    children->cost_ns = 0;
    if (children->sweep_changed)
        children->pause_ns = PASS_NS_MIN;
    else
        children->pause_ns =
            children->pause_ns == 0 ? total : children->pause_ns * 2;
    if (total < PASS_NS_QUIET)
        total = PASS_NS_QUIET;
    if (children->pause_ns < own)
        children->pause_ns = own;
    if (children->pause_ns > total)
        children->pause_ns = total;
    if (children->pause_ns < least)
        children->pause_ns = least;
    children->sweep_ns = now + children->pause_ns;
    if (children->has_young)
        children->sweep_ns = now + 2 * BIRTH_TICK_NS;
    children->has_young = false;
    children->sweep_changed = false;
    children->sweep_at = 0;
    book_turn(engine, children, now);
}

static void sweep_slice(struct vnotify *engine, struct vnode *dir,
                        uint64_t now)
{
    struct children *children = more(dir)->children;
    struct sweeping s = {
        .engine = engine,
        .dir = dir,
        .children = children,
        .now = now,
        .its_turn = children->turn_ns != 0 && children->turn_ns <= now,
    };
    uint32_t index = 0, until = children->sweep_at + SLICE;
    char name[UINT8_MAX + 1];
    struct entry entry;
    size_t at = 0;

    if (children_reserve(children, 0, SLICE) != 0) {
        children->sweep_ns = now + PASS_NS_MIN;
        return;
    }
    for (; at < dir->current->bytes && index < until && s.parked < PARK_LOT;
         index++) {
        struct row *row;

        at = snapshot_entry(dir->current, at, &entry);
        if (index < children->sweep_at)
            continue;
        row = children_find(children, entry.ino);
        if (row == NULL || row->child != NULL)
            continue;
        entry_name(&entry, name);
        sweep_row(&s, row, name);
    }
    children->sweep_at = index;
    children->cost_ns += now_ns() - now - s.parked_ns;
    children->sweep_ns = now_ns() + SLICE_PAUSE_NS;
    if (s.parked != 0)
        children->sweep_ns +=
            park_turns_parked(&engine->park_turns, s.parked, s.parked_ns);
    if (at != dir->current->bytes)
        return;
    if (s.its_turn)
        children->turn_ns = 0; /* it is over */
    end_pass(engine, children, now_ns());
}

bool sweep_close_later(struct vnotify *engine, struct children *children,
                       uint64_t ino, uint64_t now)
{
    struct quiet_row *quiet;

    for (uint32_t i = 0; i < children->quiet_count; i++)
        if (children->quiet[i].ino == ino) {
            children->quiet[i].due_ns = now + engine->close_write_after_ns;
            return true;
        }
    if (children->quiet_count == children->quiet_size) {
        uint32_t size = children->quiet_size * 2 + 8;

        quiet = realloc(children->quiet, size * sizeof(*quiet));
        if (quiet == NULL)
            return false;
        children->quiet = quiet;
        children->quiet_size = size;
    }
    children->quiet[children->quiet_count++] = (struct quiet_row){
        .ino = ino,
        .due_ns = now + engine->close_write_after_ns,
    };
    return true;
}

static void say_closed(struct children *children, uint64_t now)
{
    uint32_t kept = 0;

    if (children->quiet_count == 0 ||
        children_reserve(children, 0, children->quiet_count) != 0)
        return;
    for (uint32_t i = 0; i < children->quiet_count; i++) {
        struct quiet_row quiet = children->quiet[i];

        if (quiet.due_ns <= now)
            children_found(children, quiet.ino, VN_IN_CLOSE_WRITE, false);
        else
            children->quiet[kept++] = quiet;
    }
    children->quiet_count = kept;
}

static void begin_sweeping(struct vnotify *engine, struct children *children,
                           uint64_t now)
{
    uint64_t pause = pause_of_all(engine);
    uint64_t least = least_pause(engine, now);

    children->sweep_ns = now + (pause > least ? pause : least);
}

void sweep_children(struct vnotify *engine, struct vnode *dir, uint64_t now)
{
    struct children *children = more(dir)->children;

    say_closed(children, now);
    if ((children->wanted & NOTE_CONTENT) != 0 && children->swept != 0) {
        if (children->sweep_ns == 0)
            begin_sweeping(engine, children, now);
        else if (children->sweep_ns <= now)
            sweep_slice(engine, dir, now);
        if (children->swept != 0)
            return;
    }
    children->sweep_ns = 0; /* nothing, or all are parked by now */
    sweep_end(engine, children);
}

uint64_t sweep_due_ns(const struct children *children)
{
    uint64_t due = children->sweep_ns;

    for (uint32_t i = 0; i < children->quiet_count; i++)
        due = sooner(due, children->quiet[i].due_ns);
    return due;
}

void sweep_end(struct vnotify *engine, struct children *children)
{
    /* relaxed: of cost alone */
    atomic_fetch_sub_explicit(&engine->sweep_cost_ns, children->last_cost_ns,
                              memory_order_relaxed);
    children->last_cost_ns = children->cost_ns = 0;
    children->sweep_at = children->parkable = 0;
    children->has_young = false;
    children->sweep_changed = false;
    children->turn_ns = 0; /* it was for rows that are none any more */
}
