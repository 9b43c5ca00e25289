/*
 * note.h - raw vnode notes, and what they hint at
 *
 * A note is what travels from the reader to the workers: which vnode is to be
 * served.  A hint is what the kqueue's bits may mean for a vnode of this kind;
 * hints are the pending bits of a vnode's claim.
 */
#pragma once

#include <stdbool.h>

#include "pipeline/sync.h"
#include "vnotify.h"

struct note {
    uint32_t vnode;      /* slot of one that is held, its hints are posted; 0 is
                            not a vnode but the retry order */
    uint8_t phases;      /* the retry order's: barrier phases that it holds */
    uint64_t read_ns;    /* when the reader had it */
};

enum note_hint {
    HINT_LIST = 1 << 0,     /* a directory's entries may have changed */
    HINT_MODIFY = 1 << 1,   /* content */
    HINT_ATTRIB = 1 << 2,   /* attributes */
    HINT_LINKS = 1 << 3,    /* link count: up, down, or gone */
    HINT_RENAME = 1 << 4,   /* the object itself got another name */
    HINT_REVOKE = 1 << 5,   /* its file system went away */
    HINT_OPEN = 1 << 6,
    HINT_ACCESS = 1 << 7,
    HINT_CLOSE_WRITE = 1 << 8,
    HINT_CLOSE = 1 << 9,
    HINT_RETRY = 1 << 10,   /* a failed listing is due again */
    HINT_RELEASE = 1 << 11, /* its last watch is gone */
    HINT_CROSSED = 1 << 12, /* an entry came or went by a rename from or to
                               another directory (FreeBSD's EXTEND) */
    HINT_KEEP = 1 << 13,    /* knotes on its children are wanted (keep.h) */
    HINT_ALARM = 1 << 14,   /* a time that its holder asked for (alarm.h) */
    HINT_LOOK = 1 << 15,    /* its attributes were not noted until now */
    /* What is done to an inode, by whatever way, and not to an open file. */
    HINT_INODE = HINT_ATTRIB | HINT_LINKS | HINT_RENAME,
};

enum {
    /* Who asks for these of a file is told when we open it. */
    NOTE_OPENS = VN_IN_OPEN | VN_IN_ACCESS | VN_IN_CLOSE_NOWRITE,
    /* What is told of a child by name beside its coming and going. */
    NOTE_CONTENT = VN_IN_ACCESS | VN_IN_MODIFY | VN_IN_ATTRIB |
                   VN_IN_CLOSE_WRITE | VN_IN_CLOSE_NOWRITE | VN_IN_OPEN,
    /* Beside MODIFY and ATTRIB: a set-id bit went with the content's change.
       Linux tells a truncation of both in one event, and ATTRIB before a
       write's MODIFY. */
    NOTE_AT_ONCE = 1 << 28,
    NOTE_ATTRIB_FIRST = 1 << 27,
    NOTE_TOGETHER = NOTE_AT_ONCE | NOTE_ATTRIB_FIRST,
    /* Beside IN_* bits: the object is watched itself, not only as a child. */
    NOTE_WANT_SELF = 1 << 30,
    /* Beside NOTE_CONTENT: children are held, so that they can be asked whether
       they live on when their name goes. */
    NOTE_WANT_LIVES = 1 << 29,
};

/* NOTE_* bits to ask for so that `wanted` can be served: IN_* bits, and
   NOTE_WANT_SELF. */
uint32_t note_wanted(uint32_t host_notes, bool is_dir, uint32_t wanted);

/* Of a directory that is watched with this mask: NOTE_CONTENT bits and
   NOTE_WANT_LIVES, which its children are kept for. */
uint32_t note_children_wanted(uint32_t host_notes_dir, uint32_t mask);

/* Hints of NOTE_* bits. */
uint32_t note_hints(uint32_t fflags, bool is_dir);

/*
 * The self events (IN_*) of hints, for an object that lives on.  HINT_LINKS of
 * a file is an attribute change; of a directory, entries came or went.
 */
uint32_t note_self_events(uint32_t hints, bool is_dir);
