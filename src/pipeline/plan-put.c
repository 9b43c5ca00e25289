#include "pipeline/plan-put.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>

#include "abi/linux-inotify.h"
#include "pipeline/note.h"

void plan_put(struct round *round, uint32_t source, uint32_t mask,
              uint32_t cookie, const char *name, uint32_t name_len)
{
    struct plan *plan = round->plan;

    if (plan->count == plan->size) {
        size_t size = plan->size == 0 ? 16 : plan->size * 2;
        struct planned *events =
            realloc(plan->events, size * sizeof(*events));

        if (events == NULL) {
            round->err = -ENOMEM;
            return;
        }
        plan->events = events;
        plan->size = size;
    }
    plan->events[plan->count++] = (struct planned){
        .source = source,
        .mask = mask,
        .cookie = cookie,
        .name_len = name_len,
        .name = name,
    };
}

void plan_put_part(struct round *round, const struct part *part,
                   uint32_t event, uint32_t cookie)
{
    uint32_t isdir = part->change->type == DT_DIR ? VN_IN_ISDIR : 0;

    plan_put(round, part->source, event | isdir, cookie,
             change_name(round->sources[part->source].delta, part->change),
             part->change->name_len);
}

/* The order that Linux has them in when one call causes several. */
static const struct {
    uint32_t events, together; /* only if that is said beside them */
} self_order[] = {
    { VN_IN_OPEN, 0 },
    { VN_IN_ACCESS, 0 },
    { VN_IN_MODIFY | VN_IN_ATTRIB, NOTE_AT_ONCE },
    { VN_IN_ATTRIB, NOTE_ATTRIB_FIRST },
    { VN_IN_MODIFY, 0 },
    { VN_IN_ATTRIB, 0 },
    { VN_IN_CLOSE_WRITE, 0 },
    { VN_IN_CLOSE_NOWRITE, 0 },
    { VN_IN_MOVE_SELF, 0 },
    { VN_IN_UNMOUNT, 0 },
    { VN_IN_DELETE_SELF, 0 },
};
enum { SELF_ORDER = sizeof(self_order) / sizeof(self_order[0]) };

/* The event of this step, if `bits` have it, and takes it out of them; or 0. */
static uint32_t take_event(uint32_t *bits, size_t step)
{
    uint32_t events = self_order[step].events;

    if ((*bits & events) == 0 ||
        (self_order[step].together & ~*bits) != 0)
        return 0;
    *bits &= ~events;
    return events;
}

static void put_self_event(struct round *round, uint32_t source, size_t step)
{
    struct plan_source *from = &round->sources[source];
    uint32_t event = take_event(&from->self, step);
    uint32_t isdir = 0;

    if (event == 0)
        return;
    if (from->is_dir && (event & (VN_IN_MOVE_SELF | VN_IN_DELETE_SELF)) == 0)
        isdir = VN_IN_ISDIR;
    plan_put(round, source, event | isdir, 0, NULL, 0);
}

void plan_put_self(struct round *round, uint32_t source, uint32_t which)
{
    for (size_t step = 0; step < SELF_ORDER; step++)
        if ((self_order[step].events & ~which) == 0)
            put_self_event(round, source, step);
}

int64_t plan_object_of(const struct round *round, const struct part *part)
{
    return plan_source_of(round->plan, round->sources,
                          round->sources[part->source].dev,
                          part->change->ino);
}

/*
 * What happened in a child, under this name.  Of what it is told itself, each
 * event follows the one by name.
 */
static void put_content(struct round *round, uint32_t source,
                        struct content *content, const char *name,
                        uint32_t name_len)
{
    uint32_t isdir = content->is_dir ? VN_IN_ISDIR : 0;
    uint32_t bits = content->bits;
    int64_t object = plan_source_of(round->plan, round->sources,
                                    round->sources[source].dev, content->ino);

    if (object >= 0 && (round->sources[object].state != STATE_OPEN ||
                        round->sources[object].waits))
        object = -1;
    for (size_t step = 0; step < SELF_ORDER; step++) {
        uint32_t event = take_event(&bits, step);

        if (event != 0)
            plan_put(round, source, event | isdir, 0, name, name_len);
        if (object >= 0 && (self_order[step].events & NOTE_CONTENT) != 0)
            put_self_event(round, (uint32_t)object, step);
    }
    content->told = true;
}

void plan_put_content_of_gone(struct round *round, const struct part *gone)
{
    const struct plan_source *source = &round->sources[gone->source];
    struct content *content =
        plan_content_of(source, gone->change->ino, gone->change->type);

    if (content != NULL && !content->told &&
        (!content->is_listed || content->noted_ns < source->listed_ns))
        put_content(round, gone->source, content,
                    change_name(source->delta, gone->change),
                    gone->change->name_len);
}

void plan_put_named(struct round *round, uint32_t source, bool early)
{
    const struct plan_source *from = &round->sources[source];

    for (uint32_t i = 0; i < from->named_count; i++) {
        const struct named *named =
            &round->plan->named[from->first_named + i];
        struct content *content = named->content;

        /* Several names of one inode: which was used is not known. */
        if ((content->told && (i == 0 || named[-1].content != content)) ||
            (early && !named_is_early(from, content)))
            continue;
        put_content(round, source, content, named->name, named->name_len);
    }
}
