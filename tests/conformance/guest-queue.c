/*
 * guest-queue.c - reading events, and expecting them
 */
#include "guest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READ_BYTES 65536
#define SENTINEL_ROUNDS 2

void guest_open(struct guest_queue *q)
{
    int inotify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    CHECK(inotify_fd >= 0, "inotify_init1: %s", strerror(errno));
    guest_adopt(q, inotify_fd);
}

void guest_adopt(struct guest_queue *q, int inotify_fd)
{
    *q = (struct guest_queue){.fd = inotify_fd};
    q->patience_ms = guest_lags() ? GUEST_DEADLINE_MS : 0;
}

int guest_watch(struct guest_queue *q, const char *path, uint32_t mask)
{
    int wd = inotify_add_watch(q->fd, path, mask);
    CHECK(wd >= 1, "inotify_add_watch %s: %s", path, strerror(errno));
    if (wd >= q->masks_room) {
        int room = wd * 2 + 8;
        q->masks = realloc(q->masks, (size_t)room * sizeof *q->masks);
        CHECK(q->masks != NULL, "out of memory");
        q->masks_room = room;
    }
    q->masks[wd] = mask;
    return wd;
}

void guest_unwatch(struct guest_queue *q, int wd)
{
    CHECK(inotify_rm_watch(q->fd, wd) == 0, "inotify_rm_watch %d: %s", wd,
          strerror(errno));
    guest_expect(q, wd, IN_IGNORED, NULL);
}

/* Room for one more read at the end of the list. */
static struct guest_event *queue_room(struct guest_queue *q, size_t more)
{
    if (q->head == q->count)
        q->head = q->count = 0;
    if (q->count + more > q->room) {
        q->room = (q->count + more) * 2;
        q->events = realloc(q->events, q->room * sizeof *q->events);
        CHECK(q->events != NULL, "out of memory");
    }
    return q->events + q->count;
}

/* Everything that can be read now. */
static void queue_fill(struct guest_queue *q)
{
    static _Thread_local char bytes[READ_BYTES];
    for (;;) {
        ssize_t got = read(q->fd, bytes, sizeof bytes);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && errno == EAGAIN)
            return;
        CHECK(got > 0, "read: expected events, seen %zd (%s)", got,
              got < 0 ? strerror(errno) : "never from inotify");
        size_t most = READ_BYTES / sizeof(struct inotify_event);
        struct guest_event *room = queue_room(q, most);
        q->count += guest_parse(bytes, (size_t)got, room, most);
    }
}

bool guest_next(struct guest_queue *q, struct guest_event *event)
{
    if (q->head == q->count)
        queue_fill(q);
    if (q->head == q->count && q->patience_ms > 0) {
        if (!guest_readable(q->fd, q->patience_ms))
            return false;
        queue_fill(q);
        CHECK(q->head < q->count, "poll said readable, read says EAGAIN");
    }
    if (q->head == q->count)
        return false;
    *event = q->events[q->head++];
    return true;
}

static bool matches(const struct guest_event *event,
                    const struct guest_want *want)
{
    return event->wd == want->wd && event->mask == want->mask &&
           strcmp(event->name, want->name != NULL ? want->name : "") == 0;
}

static void fail_expected(const struct guest_want *want,
                          const struct guest_event *event)
{
    char wanted[400], seen[400] = "nothing";
    guest_describe(wanted, sizeof wanted, want->wd, want->mask, want->name);
    if (event != NULL)
        guest_describe(seen, sizeof seen, event->wd, event->mask, event->name);
    guest_fail("expected %s, seen %s", wanted, seen);
}

struct guest_event guest_expect(struct guest_queue *q, int wd, uint32_t mask,
                                const char *name)
{
    struct guest_want want = {wd, mask, name};
    struct guest_event event;
    if (!guest_next(q, &event))
        fail_expected(&want, NULL);
    if (!matches(&event, &want))
        fail_expected(&want, &event);
    return event;
}

void guest_expect_all(struct guest_queue *q, const struct guest_want *wants,
                      size_t count)
{
    bool seen[64] = {false};
    CHECK(count <= GUEST_COUNT(seen), "too many events for one list");
    for (size_t n = 0; n < count; n++) {
        struct guest_event event;
        size_t i = 0;
        bool any = guest_next(q, &event);
        while (i < count - 1 &&
               (seen[i] || (any && guest_lags() && wants[i].wd != event.wd)))
            i++;
        if (!any)
            fail_expected(&wants[i], NULL);
        if (seen[i] || !matches(&event, &wants[i]))
            fail_expected(&wants[i], &event);
        seen[i] = true;
    }
}

uint32_t guest_expect_move(struct guest_queue *q, int wd_from, const char *from,
                           int wd_to, const char *to, uint32_t isdir)
{
    struct guest_event gone, come;
    gone = guest_expect(q, wd_from, IN_MOVED_FROM | isdir, from);
    come = guest_expect(q, wd_to, IN_MOVED_TO | isdir, to);
    CHECK(gone.cookie == come.cookie, "expected one cookie, seen %u and %u",
          gone.cookie, come.cookie);
    return gone.cookie;
}

/*
 * Is it the marker's event?  What came just after a rename across directories
 * that was undone at once may be taken for that rename (known-differences,
 * inotify-pairs-renames:something_newborn): it came, all the same.
 */
static bool is_marker(const struct guest_event *event,
                      const struct guest_want *want)
{
    struct guest_want moved = *want;
    moved.mask = IN_MOVED_TO;
    return matches(event, want) ||
           (want->mask == IN_CREATE && matches(event, &moved));
}

/* Reads on until this event comes, and takes it out of the list. */
static void await_marker(struct guest_queue *q, const struct guest_want *want)
{
    int64_t end_ms = guest_now_ms() + GUEST_DEADLINE_MS;
    size_t at = q->head;
    for (;;) {
        for (; at < q->count; at++) {
            if (!is_marker(&q->events[at], want))
                continue;
            memmove(q->events + at, q->events + at + 1,
                    (q->count - at - 1) * sizeof *q->events);
            q->count--;
            return;
        }
        size_t ahead = at - q->head;
        int64_t left_ms = end_ms - guest_now_ms();
        if (left_ms <= 0 || !guest_readable(q->fd, (int)left_ms))
            fail_expected(want, NULL);
        queue_fill(q);
        at = q->head + ahead;
    }
}

/* In a directory that others look at, the marker must go again. */
static void marker_round(struct guest_queue *q, int wd, const char *dir)
{
    char name[64], path[700];
    snprintf(name, sizeof name, "marker-%u", ++q->markers);
    snprintf(path, sizeof path, "%s/%s", dir, name);
    guest_touch(path);
    await_marker(q, &(struct guest_want){wd, IN_CREATE, name});
    if (wd == q->sentinel_wd)
        return;
    guest_unlink(path);
    if ((q->masks[wd] & IN_DELETE) != 0)
        await_marker(q, &(struct guest_want){wd, IN_DELETE, name});
}

void guest_settle(struct guest_queue *q)
{
    static unsigned serial;
    if (!guest_lags()) {
        queue_fill(q);
        return;
    }
    if (q->sentinel_wd == 0) {
        snprintf(q->sentinel, sizeof q->sentinel, "%s/%d-%d-%u",
                 guest_sentinels(), getpid(), q->fd, serial++);
        guest_mkdir(q->sentinel);
        q->sentinel_wd = guest_watch(q, q->sentinel, IN_CREATE);
    }
    for (int i = 0; i < SENTINEL_ROUNDS; i++)
        marker_round(q, q->sentinel_wd, q->sentinel);
}

void guest_settle_in(struct guest_queue *q, int wd, const char *dir)
{
    guest_settle(q);
    CHECK((q->masks[wd] & IN_CREATE) != 0, "a marker needs IN_CREATE");
    if (guest_lags())
        marker_round(q, wd, dir);
}

static void expect_empty(struct guest_queue *q)
{
    char seen[400];
    if (q->head == q->count)
        return;
    struct guest_event *event = &q->events[q->head];
    guest_describe(seen, sizeof seen, event->wd, event->mask, event->name);
    guest_fail("expected nothing more, seen %s and %zu more", seen,
               q->count - q->head - 1);
}

void guest_expect_quiet(struct guest_queue *q)
{
    guest_settle(q);
    expect_empty(q);
}

void guest_expect_quiet_in(struct guest_queue *q, int wd, const char *dir)
{
    guest_settle_in(q, wd, dir);
    expect_empty(q);
}

void guest_close(struct guest_queue *q)
{
    guest_expect_quiet(q);
    int left = guest_pending(q->fd);
    CHECK(left == 0, "FIONREAD at the end: expected 0, seen %d", left);
    CHECK(close(q->fd) == 0, "close: %s", strerror(errno));
    free(q->events);
    free(q->masks);
}
