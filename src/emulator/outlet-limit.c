#include "emulator/outlet-limit.h"

#include <string.h>

#include "emulator/filter.h"
#include "emulator/outlets.h"

/* In the pipe: the latest packets, as far as it is filled. */
static unsigned pipe_events(const struct outlet *outlet)
{
    size_t left = outlet_pipe_bytes(outlet);
    unsigned events = 0;

    for (unsigned i = 1; left && i <= OUTLET_SLOTS_MAX; i++) {
        unsigned slot = (outlet->sizes_next - i) % OUTLET_SLOTS_MAX;

        events += outlet->counts[slot];
        left -= outlet->sizes[slot] < left ? outlet->sizes[slot] : left;
    }
    return events;
}

static void add(struct outlet *outlet, const char *event, size_t bytes)
{
    if (outlet_backlog_add(outlet, event, bytes) != 0)
        return; /* no memory to queue it: dropped, as Linux does */
    memcpy(outlet->last, event, bytes);
    outlet->last_bytes = bytes;
    if (outlet->after_overflow != 0)
        outlet->after_overflow++;
}

/* `after_overflow`: the record and what was queued behind it. */
static void overflow(struct outlet *outlet, unsigned unread)
{
    const struct vnotify_event event = {
        .wd = -1,
        .mask = VN_IN_Q_OVERFLOW,
    };

    if (outlet->after_overflow != 0 && outlet->after_overflow <= unread)
        return; /* it is unread still */
    outlet->after_overflow = 0;
    add(outlet, (const char *)&event, sizeof(event));
    outlet->after_overflow = 1;
}

static void take_one(struct outlet *outlet, const char *event, size_t bytes)
{
    unsigned unread = pipe_events(outlet) + outlet->backlog_events;

    if (unread >= outlets_limit(outlet->all))
        overflow(outlet, unread);
    else if (unread == 0 || !outlet_same_event(outlet->last,
                                               outlet->last_bytes, event,
                                               bytes))
        add(outlet, event, bytes);
}

void outlet_limit_take(struct outlet *outlet)
{
    _Alignas(struct vnotify_event) char events[FILTER_PACKET_MAX];
    ssize_t got;

    while ((got = vnotify_read(outlet->instance, events, sizeof(events))) > 0)
        for (ssize_t at = 0; at < got;) {
            size_t bytes = outlet_event_bytes(events + at);

            take_one(outlet, events + at, bytes);
            at += (ssize_t)bytes;
        }
}
