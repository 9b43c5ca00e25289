#include "pipeline/fate.h"

#include <sys/stat.h>
#include <unistd.h>

#include "pipeline/arm.h"
#include "pipeline/descriptor.h"
#include "pipeline/engine.h"
#include "port/holders.h"

static bool same_attributes(const struct seen *a, const struct look *b)
{
    return a->mode == b->mode && a->uid == b->uid && a->gid == b->gid;
}

/* As touch(1) does. */
static bool both_times_set(const struct look *look)
{
    return look->modified == look->accessed;
}

/*
 * Hosts post a truncation as an attribute change, and so is a time of change
 * that was set.  It is one of content if the size is another, or if the
 * content's time moved, but not together with the access time.
 */
static bool is_modification(const struct seen *old, const struct look *look)
{
    return look->size != old->size ||
           (look->modified != old->modified && !both_times_set(look));
}

/*
 * A directory's time moves with its entries, and then to a time that had not
 * come when it was last looked at.
 */
static bool is_time_set(const struct seen *old, const struct look *look)
{
    return look->modified != old->modified &&
           look->modified <= old->changed && !both_times_set(look);
}

static bool lost_set_id(const struct seen *old, const struct look *look)
{
    return (old->mode & ~look->mode & (S_ISUID | S_ISGID)) != 0 &&
           ((old->mode ^ look->mode) & ~(uint32_t)(S_ISUID | S_ISGID)) == 0;
}

/* What HINT_ATTRIB of an object is told as: one or both of MODIFY and ATTRIB,
   perhaps NOTE_TOGETHER. */
static uint32_t attribute_events(const struct vnode *vnode, uint32_t hints,
                                 bool entries_changed, const struct look *look)
{
    bool modified;

    if (vnode->is_dir)
        modified = !entries_changed && is_time_set(&vnode->seen, look);
    else /* beside a write, it was most likely the truncation before that */
        modified = (hints & HINT_MODIFY) != 0 ||
                   is_modification(&vnode->seen, look);
    if (!modified)
        return VN_IN_ATTRIB;
    if (same_attributes(&vnode->seen, look))
        return VN_IN_MODIFY;
    if (!lost_set_id(&vnode->seen, look))
        return VN_IN_MODIFY | VN_IN_ATTRIB;
    if ((hints & HINT_MODIFY) != 0)
        return VN_IN_MODIFY | VN_IN_ATTRIB | NOTE_ATTRIB_FIRST;
    /* Of the same size: it is a write, whose own note is on its way. */
    return look->size == vnode->seen.size
               ? VN_IN_ATTRIB | NOTE_ATTRIB_FIRST
               : VN_IN_MODIFY | VN_IN_ATTRIB | NOTE_AT_ONCE;
}

/*
 * Its last name is gone.  Somebody may have it open: then it ends with the last
 * close, if that can be known.  The descriptor that asks is opened where its
 * opening is noted by nobody: before opens are asked for, or here, if nobody
 * has.
 */
static bool is_held(struct vnotify *engine, struct vnode *vnode)
{
    uint32_t closes = VN_IN_CLOSE_WRITE | VN_IN_CLOSE_NOWRITE;
    uint32_t wanted;
    int fd;

    if (!vnode->is_file || !engine_sees_closes(engine))
        return false;
    /* relaxed: published by armed (V1) */
    wanted = atomic_load_explicit(&vnode->wanted, memory_order_relaxed);
    if (vnode_ask_fd(vnode) < 0 && (wanted & NOTE_OPENS) == 0) {
        fd = vnode_fd(engine, vnode);
        fd = fd < 0 ? fd : holders_open(fd);
        if (fd >= 0)
            vnode_give_ask_fd(vnode, fd);
    }
    if (vnode_ask_fd(vnode) < 0)
        return false;
    /* First the notes, then the question: the last close is not missed. */
    return vnode_try_join(engine, vnode, -1, wanted | closes) == 0 &&
           holders_any(vnode_ask_fd(vnode)) == HOLDERS_SOME;
}

/* CLOSE_WRITE where no note tells it: when it was quiet for long enough. */
static uint32_t close_after_quiet(struct vnotify *engine, struct vnode *vnode,
                                  uint32_t hints, uint32_t events)
{
    uint64_t now = now_ns();
    /* relaxed: a new mask takes effect soon */
    uint32_t wanted =
        atomic_load_explicit(&vnode->wanted, memory_order_relaxed);

    if ((hints & HINT_CLOSE_WRITE) != 0)
        more(vnode)->quiet_ns = 0;
    if ((events & VN_IN_MODIFY) != 0 && !vnode->is_dir &&
        !engine_sees_closes(engine) && (wanted & VN_IN_CLOSE_WRITE) != 0)
        more(vnode)->quiet_ns = now + engine->close_write_after_ns;
    if (more(vnode)->quiet_ns == 0)
        return 0;
    if ((hints & HINT_ALARM) == 0 || more(vnode)->quiet_ns > now) {
        alarm_set(engine, vnode, more(vnode)->quiet_ns);
        return 0;
    }
    more(vnode)->quiet_ns = 0;
    return VN_IN_CLOSE_WRITE;
}

/* The most names that it had, for keep_ask_gone. */
static void count_links(struct vnode *vnode)
{
    /* relaxed: holders alone write it, and it is a hint to others */
    uint32_t most = atomic_load_explicit(&more(vnode)->most_links,
                                         memory_order_relaxed);

    if (vnode->seen.links > most)
        /* relaxed: as above */
        atomic_store_explicit(&more(vnode)->most_links, vnode->seen.links,
                              memory_order_relaxed);
}

/*
 * A close is noted before the kernel has let the file go, and who closes may
 * lose its CPU in between.  So if somebody seems to have it open still, that is
 * asked again: after 1 ms, 2, 4, ..., about a second in all.
 */
enum { CLOSE_ASK_NS = 1000 * 1000, CLOSE_ASKS_MAX = 10 };

static bool has_closed(struct vnotify *engine, struct vnode *vnode,
                       uint32_t hints)
{
    bool closed = (hints & (HINT_CLOSE | HINT_CLOSE_WRITE)) != 0;
    uint32_t *asks = &more(vnode)->close_asks;

    if (closed)
        *asks = 1;
    else if ((hints & HINT_ALARM) == 0 || *asks == 0)
        return false;
    if (!is_held(engine, vnode))
        return true;
    if (*asks <= CLOSE_ASKS_MAX)
        alarm_set(engine, vnode,
                  now_ns() + ((uint64_t)CLOSE_ASK_NS << (*asks)++) / 2);
    else
        *asks = 0; /* until the next close */
    return false;
}

static bool has_ended(struct vnotify *engine, struct vnode *vnode,
                      uint32_t hints)
{
    if (vnode->unlinked)
        return has_closed(engine, vnode, hints);
    if ((hints & HINT_LINKS) == 0 || vnode->seen.links != 0)
        return false;
    vnode->unlinked = true;
    return !is_held(engine, vnode);
}

/*
 * A link more or less is told of the object, not of its other names; and what
 * is read and written through a FIFO or a device is not its parent's business.
 */
static uint32_t named_events(const struct vnode *vnode, uint32_t events,
                             uint32_t hints)
{
    events &= NOTE_CONTENT | NOTE_TOGETHER;
    if ((hints & HINT_ATTRIB) == 0)
        events &= ~(uint32_t)VN_IN_ATTRIB;
    if (S_ISFIFO(vnode->seen.mode) || S_ISCHR(vnode->seen.mode) ||
        S_ISBLK(vnode->seen.mode))
        events &= ~(uint32_t)(VN_IN_MODIFY | VN_IN_ACCESS);
    return events;
}

struct fate fate_of(struct vnotify *engine, struct vnode *vnode,
                    uint32_t hints, bool entries_changed)
{
    uint32_t events, quiet, as = 0;
    uint32_t used = note_self_events(hints & ~(uint32_t)HINT_INODE,
                                     vnode->is_dir);
    struct fate fate = {
        .lasting = SELF_GONE | SELF_IGNORED | VN_IN_UNMOUNT,
    };
    struct look look;

    if ((hints & HINT_REVOKE) != 0) {
        fate.self = note_self_events(hints, vnode->is_dir) | VN_IN_UNMOUNT |
                    SELF_IGNORED;
        return fate;
    }
    if ((hints & (HINT_LINKS | HINT_ATTRIB | HINT_MODIFY | HINT_LOOK)) != 0 &&
        vnode_look_held(engine, vnode, &look) == 0) {
        if ((hints & HINT_ATTRIB) != 0)
            as = attribute_events(vnode, hints, entries_changed, &look);
        if ((as & VN_IN_MODIFY) != 0)
            hints |= HINT_MODIFY;
        if (as == VN_IN_MODIFY)
            hints &= ~(uint32_t)HINT_ATTRIB;
        vnode->seen = seen_in(&look);
        count_links(vnode);
    }
    events = note_self_events(hints, vnode->is_dir) | (as & NOTE_TOGETHER);
    quiet = close_after_quiet(engine, vnode, hints, events);
    fate.lasting |= quiet;
    events |= quiet;
    fate.self = events;
    if (vnode->unlinked)
        fate.unnamed = used & events;
    fate.named = named_events(vnode, events, hints);
    if (has_ended(engine, vnode, hints))
        fate.self |= SELF_GONE;
    return fate;
}
