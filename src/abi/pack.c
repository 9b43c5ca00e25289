#include "abi/pack.h"

#include <string.h>

size_t pack_bytes(size_t name_len)
{
    size_t header = sizeof(struct vnotify_event);

    if (name_len == 0)
        return header;
    return header + (name_len + 1 + header - 1) / header * header;
}

void pack_event(struct vnotify_event *event, int wd, uint32_t mask,
                uint32_t cookie, const char *name, size_t name_len)
{
    event->wd = wd;
    event->mask = mask;
    event->cookie = cookie;
    event->len = (uint32_t)(pack_bytes(name_len) - sizeof(*event));
    if (name_len == 0)
        return;
    memcpy(event->name, name, name_len);
    memset(event->name + name_len, 0, event->len - name_len);
}

bool pack_merges(const struct vnotify_event *a, const struct vnotify_event *b)
{
    return a->wd == b->wd && a->mask == b->mask && a->len == b->len &&
           memcmp(a->name, b->name, a->len) == 0;
}
