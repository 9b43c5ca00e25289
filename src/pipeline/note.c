#include "pipeline/note.h"

#include "abi/linux-inotify.h"
#include "port/kq.h"

/* Notes that not every host has. */
#ifndef NOTE_OPEN
#define NOTE_OPEN 0
#define NOTE_CLOSE 0
#define NOTE_CLOSE_WRITE 0
#define NOTE_READ 0
#endif

static const struct {
    uint32_t fflags;
    uint16_t file, dir; /* hints */
} hints_of[] = {
    { NOTE_WRITE, HINT_MODIFY, HINT_LIST },
    { NOTE_EXTEND, HINT_MODIFY, HINT_LIST | HINT_CROSSED },
    /* Apple's HFS posts ATTRIB on a directory for entry changes. */
    { NOTE_ATTRIB, HINT_ATTRIB, HINT_ATTRIB | HINT_LIST },
    { NOTE_LINK, HINT_LINKS, HINT_LIST },
    { NOTE_DELETE, HINT_LINKS, HINT_LINKS | HINT_LIST },
    { NOTE_RENAME, HINT_RENAME, HINT_RENAME },
    { NOTE_REVOKE, HINT_REVOKE, HINT_REVOKE },
    { NOTE_OPEN, HINT_OPEN, HINT_OPEN },
    { NOTE_READ, HINT_ACCESS, HINT_ACCESS },
    { NOTE_CLOSE_WRITE, HINT_CLOSE_WRITE, 0 },
    { NOTE_CLOSE, HINT_CLOSE, HINT_CLOSE },
};

/*
 * Only a mask that wants them makes us ask for the frequent ones.  READ never
 * for a directory: our own listings would come back as its guests' events.
 */
static const struct {
    uint32_t in, fflags;
} on_request[] = {
    { VN_IN_OPEN, NOTE_OPEN },
    { VN_IN_ACCESS, NOTE_READ },
    { VN_IN_CLOSE_WRITE, NOTE_CLOSE_WRITE },
    { VN_IN_CLOSE_NOWRITE, NOTE_CLOSE },
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

uint32_t note_wanted(uint32_t host_notes, bool is_dir, uint32_t wanted)
{
    uint32_t notes = host_notes;

    for (size_t i = 0; i < COUNT(on_request); i++)
        if ((wanted & on_request[i].in) == 0)
            notes &= ~(uint32_t)on_request[i].fflags;
    if (is_dir)
        notes &= ~(uint32_t)(NOTE_READ | NOTE_CLOSE_WRITE);
    if (is_dir && (wanted & (VN_IN_ATTRIB | VN_IN_MODIFY)) == 0)
        notes &= ~(uint32_t)NOTE_ATTRIB;
    /* Of a child directory only what its parent's watch tells of it. */
    if (is_dir && (wanted & NOTE_WANT_SELF) == 0)
        notes &= ~(uint32_t)(NOTE_WRITE | NOTE_EXTEND | NOTE_LINK);
    /* Of what is only held, how many names it has. */
    if ((wanted & (NOTE_CONTENT | NOTE_WANT_SELF)) == 0)
        notes &= NOTE_DELETE | NOTE_LINK | NOTE_REVOKE;
    return notes;
}

uint32_t note_children_wanted(uint32_t host_notes_dir, uint32_t mask)
{
    uint32_t wanted = mask & (uint32_t)NOTE_CONTENT;

    /* EXTEND says that a name went by a rename; else only its inode knows. */
    if ((mask & (VN_IN_MOVED_FROM | VN_IN_DELETE)) != 0 &&
        (host_notes_dir & NOTE_EXTEND) == 0)
        wanted |= NOTE_WANT_LIVES;
    return wanted;
}

uint32_t note_hints(uint32_t fflags, bool is_dir)
{
    uint32_t hints = 0;

    for (size_t i = 0; i < COUNT(hints_of); i++)
        if ((fflags & hints_of[i].fflags) != 0)
            hints |= is_dir ? hints_of[i].dir : hints_of[i].file;
    return hints;
}

static const struct {
    uint32_t hint, file, dir; /* IN_* */
} self_of[] = {
    { HINT_MODIFY, VN_IN_MODIFY, VN_IN_MODIFY },
    { HINT_ATTRIB, VN_IN_ATTRIB, VN_IN_ATTRIB },
    { HINT_LINKS, VN_IN_ATTRIB, 0 },
    { HINT_RENAME, VN_IN_MOVE_SELF, VN_IN_MOVE_SELF },
    { HINT_OPEN, VN_IN_OPEN, VN_IN_OPEN },
    { HINT_ACCESS, VN_IN_ACCESS, VN_IN_ACCESS },
    { HINT_CLOSE_WRITE, VN_IN_CLOSE_WRITE, 0 },
    { HINT_CLOSE, VN_IN_CLOSE_NOWRITE, VN_IN_CLOSE_NOWRITE },
};

uint32_t note_self_events(uint32_t hints, bool is_dir)
{
    uint32_t events = 0;

    for (size_t i = 0; i < COUNT(self_of); i++)
        if ((hints & self_of[i].hint) != 0)
            events |= is_dir ? self_of[i].dir : self_of[i].file;
    return events;
}
