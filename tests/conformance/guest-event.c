/*
 * guest-event.c - event records, and raw access to a descriptor
 */
#include "guest.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static const struct {
    uint32_t bit;
    const char *name;
} bit_names[] = {
    {IN_ACCESS, "ACCESS"},
    {IN_MODIFY, "MODIFY"},
    {IN_ATTRIB, "ATTRIB"},
    {IN_CLOSE_WRITE, "CLOSE_WRITE"},
    {IN_CLOSE_NOWRITE, "CLOSE_NOWRITE"},
    {IN_OPEN, "OPEN"},
    {IN_MOVED_FROM, "MOVED_FROM"},
    {IN_MOVED_TO, "MOVED_TO"},
    {IN_CREATE, "CREATE"},
    {IN_DELETE, "DELETE"},
    {IN_DELETE_SELF, "DELETE_SELF"},
    {IN_MOVE_SELF, "MOVE_SELF"},
    {IN_UNMOUNT, "UNMOUNT"},
    {IN_Q_OVERFLOW, "Q_OVERFLOW"},
    {IN_IGNORED, "IGNORED"},
    {IN_ISDIR, "ISDIR"},
};
#define DELIVERED                                                              \
    (IN_ALL_EVENTS | IN_UNMOUNT | IN_Q_OVERFLOW | IN_IGNORED | IN_ISDIR)

void guest_describe(char *text, size_t room, int wd, uint32_t mask,
                    const char *name)
{
    size_t used = (size_t)snprintf(text, room, "wd %d ", wd);
    const char *bar = "";
    for (size_t i = 0; i < GUEST_COUNT(bit_names) && used < room; i++) {
        if ((mask & bit_names[i].bit) == 0)
            continue;
        used += (size_t)snprintf(text + used, room - used, "%s%s", bar,
                                 bit_names[i].name);
        bar = "|";
    }
    if ((mask & ~(uint32_t)DELIVERED) != 0 && used < room)
        used += (size_t)snprintf(text + used, room - used, "|0x%x",
                                 mask & ~(uint32_t)DELIVERED);
    if (name != NULL && name[0] != '\0' && used < room)
        snprintf(text + used, room - used, " \"%s\"", name);
}

/* What holds of every event that any inotify ever delivers. */
static void check_record(const struct inotify_event *raw, const char *name)
{
    bool moved = (raw->mask & (IN_MOVED_FROM | IN_MOVED_TO)) != 0;
    size_t length = raw->len == 0 ? 0 : strnlen(name, raw->len);
    CHECK((raw->mask & ~(uint32_t)DELIVERED) == 0,
          "expected only event bits, seen mask 0x%x", raw->mask);
    CHECK((raw->cookie != 0) == moved, "mask 0x%x: seen cookie %u", raw->mask,
          raw->cookie);
    CHECK(raw->len % 16 == 0 && raw->len <= 256,
          "expected a multiple of 16, seen len %u", raw->len);
    if (raw->len == 0)
        return;
    CHECK(length > 0 && (length + 1 + 15) / 16 * 16 == raw->len,
          "expected len for a name of %zu bytes, seen %u", length, raw->len);
    for (size_t i = length; i < raw->len; i++)
        CHECK(name[i] == 0, "\"%s\": padding is not zero", name);
    CHECK(memchr(name, '/', length) == NULL, "\"%s\": a slash", name);
}

size_t guest_parse(const void *bytes, size_t size, struct guest_event *events,
                   size_t room)
{
    const char *at = bytes;
    size_t count = 0;
    while (size > 0) {
        struct inotify_event raw;
        CHECK(size >= sizeof raw, "expected a header, seen %zu bytes", size);
        memcpy(&raw, at, sizeof raw);
        CHECK(size >= sizeof raw + raw.len,
              "expected a whole event of %zu bytes, seen %zu",
              sizeof raw + raw.len, size);
        CHECK(count < room, "expected at most %zu events in a read", room);
        check_record(&raw, at + sizeof raw);
        events[count] = (struct guest_event){.wd = raw.wd,
                                             .mask = raw.mask,
                                             .cookie = raw.cookie,
                                             .len = raw.len};
        if (raw.len > 0)
            strcpy(events[count].name, at + sizeof raw);
        count++;
        at += sizeof raw + raw.len;
        size -= sizeof raw + raw.len;
    }
    return count;
}

int guest_pending(int inotify_fd)
{
    int bytes = -1;
    CHECK(ioctl(inotify_fd, FIONREAD, &bytes) == 0, "FIONREAD: %s",
          strerror(errno));
    return bytes;
}

bool guest_readable(int inotify_fd, int wait_ms)
{
    struct pollfd wait = {.fd = inotify_fd, .events = POLLIN};
    int64_t end_ms = guest_now_ms() + wait_ms;
    int ready;
    while ((ready = poll(&wait, 1, wait_ms)) < 0) {
        CHECK(errno == EINTR, "poll: %s", strerror(errno));
        int64_t left_ms = end_ms - guest_now_ms();
        wait_ms = left_ms > 0 ? (int)left_ms : 0;
    }
    CHECK(ready == 0 || (wait.revents & ~(POLLIN | POLLRDNORM)) == 0,
          "expected POLLIN alone, seen 0x%x", (unsigned)wait.revents);
    return ready == 1;
}

void guest_await_pending(int inotify_fd, int bytes)
{
    int64_t end_ms = guest_now_ms() + (guest_lags() ? GUEST_DEADLINE_MS : 0);
    int seen;
    while ((seen = guest_pending(inotify_fd)) < bytes &&
           guest_now_ms() < end_ms)
        usleep(200);
    CHECK(seen == bytes, "FIONREAD: expected %d, seen %d", bytes, seen);
}
