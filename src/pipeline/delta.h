/*
 * delta.h - what changed between two listings of one directory
 *
 * Pure: two snapshots in, names gone and names come out.  Which of them are
 * renames, and in which order they are told, is the plan's business (plan.h),
 * since a rename's two halves may be in two directories.
 *
 * Cost: O(n) expected in the entries of both; a change costs about a walk
 * along the common entries, and only what differs is hashed.  To put k new names
 * in order: O(k log k).
 */
#pragma once

#include <stdbool.h>

#include "pipeline/snapshot.h"

enum { DELTA_NO_TWIN = UINT32_MAX };

struct change {
    uint64_t ino;
    int64_t born_rt_ns; /* wall clock of the inode's birth; if learned, or
                           gone and told early */
    int64_t modified_rt_ns; /* and of its content's last change */
    uint32_t name;      /* offset in delta.names, NUL-terminated there */
    uint32_t twin;      /* the change of the same name on the other side (its
                           inode was replaced), or DELTA_NO_TWIN */
    uint8_t name_len;
    uint8_t type;   /* DT_* */
    bool learned;   /* come: what delta_learn fills in is there */
    bool untouched; /* come: not changed, linked or renamed since its birth */
    bool only_name; /* come: it has no other name */
    bool is_new;    /* come: it was told to be (stream.h) */
    bool was_early; /* gone: it was told before it was in a whole listing */
    bool lives;     /* gone: the inode has as many names as before, so it has
                       another in its place: it was renamed */
};

/*
 * File systems stamp with a coarse clock, which a tick (10 ms with the slowest
 * configuration of Linux, HZ=100) may pass without moving.
 */
enum { BIRTH_TICK_NS = 10 * 1000 * 1000 };

/*
 * One block: changes, then names.  What has come is in the order of inode
 * numbers: file systems give them out in ascending order but for holes, so
 * what was made at once is told in the order in which it was made, mostly,
 * where a listing has it by hash (ext4) or backwards (tmpfs).
 */
struct delta {
    uint64_t before_id, after_id; /* of the snapshots */
    int64_t before_rt_ns;         /* before->begun_rt_ns */
    uint32_t gone, come;          /* changes[0..gone) and the `come` behind */
    char *names;
    struct change changes[];
};

/* A change of this entry, of which nothing is known yet; it has no name. */
static inline struct change change_of(const struct entry *entry)
{
    return (struct change){
        .ino = entry->ino,
        .twin = DELTA_NO_TWIN,
        .name_len = entry->name_len,
        .type = entry->type,
    };
}

static inline bool delta_empty(const struct delta *delta)
{
    return delta->gone + delta->come == 0;
}

static inline const char *change_name(const struct delta *delta,
                                      const struct change *change)
{
    return delta->names + change->name;
}

/*
 * For a directory that was changed in the last two ticks before it was listed
 * for the first time: looks at every entry, `limit` of them at most.  That makes
 * a kernel with multigrain timestamps (Linux 6.13) stamp what happens next to
 * them distinctly, so that a rename of something newborn can be told from its
 * number being used again; delta_learn does the same for what comes later.
 */
void delta_look_at_newborn(const struct snapshot *, int host_fd,
                           uint32_t limit);

/*
 * Takes over what another delta has learned of the same names and inodes: of
 * what has come, and, if both lead to the same listing, of what is gone (later
 * its number may be another's).
 */
void delta_inherit(struct delta *, const struct delta *other);

/*
 * Is what has come the inode that is gone, under another name, rather than a
 * new one with the same number?  (A file system gives a freed number out again
 * at once.)  Only a birth before `gone` was last listed can be; and one so
 * shortly before that the clock of births may have stood still meanwhile must
 * have been touched since, as a rename does.  What was told early was born since
 * that listing, and then was looked at: only that very birth can be.
 */
bool delta_same_inode(const struct delta *of_gone, const struct change *gone,
                      const struct change *come);

/*
 * Was what has come here moved in, rather than created or linked?  It is if it
 * was there before this directory was last listed, and has no other name.
 */
bool delta_moved_in(const struct delta *, const struct change *come);

/* NULL when memory is out.  Freed with arena_free. */
struct delta *delta_create(const struct arenas *, const struct snapshot *before,
                           const struct snapshot *after);

/* Where the caller knows: these have come, and nothing is gone. */
struct delta *delta_create_come(const struct arenas *,
                                const struct snapshot *before,
                                const struct snapshot *after,
                                const struct entry *, const struct change *,
                                uint32_t count);

/*
 * Learns from the host when what has come was born and whether it was touched
 * since, for `limit` of them at most.  What is not learned (past the limit, or
 * gone again) is not taken for a rename.
 */
void delta_learn(struct delta *, int host_fd, uint32_t limit);

/* The same of one change, by its name. */
void change_learn(struct change *, int host_fd, const char *name);

/* Instead: what has come is new, and nobody need wait for more of it. */
void delta_take_for_new(struct delta *);
