/*
 * read() takes as many whole events as fit and never a part of one; what it
 * cannot take stays queued.
 *
 * Without --strict a read of 4,096 bytes or more may return fewer events than
 * there are (one packet); shorter reads are exact everywhere.
 */
#include "guest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#define HEADER 16
#define SHORT_EVENT 32 /* a name of up to 15 bytes */
#define PACKET_MAX 4096

static void *volatile nowhere = (void *)8;

/* A file whose name is `length` bytes; its event's size. */
static int make_file(int number, int length)
{
    char path[300];
    snprintf(path, sizeof path, "d/%0*d", length, number);
    guest_touch(path);
    return HEADER + (length + 1 + 15) / 16 * 16;
}

/* Events in the order of their making, one by one; the bytes queued. */
static int make_events(int inotify_fd, int count, int length_max)
{
    int bytes = guest_pending(inotify_fd);
    for (int i = 0; i < count; i++) {
        bytes += make_file(i, 3 + (i * 37) % (length_max - 2));
        guest_await_pending(inotify_fd, bytes);
    }
    return bytes;
}

static int open_watching(uint32_t mask)
{
    int inotify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    CHECK(inotify_fd >= 0, "inotify_init1: %s", strerror(errno));
    guest_mkdir("d");
    CHECK(inotify_add_watch(inotify_fd, "d", mask) == 1, "add_watch: %s",
          strerror(errno));
    return inotify_fd;
}

static void finish(int inotify_fd)
{
    struct guest_queue q;
    guest_adopt(&q, inotify_fd);
    guest_close(&q);
}

static void expect_names(const struct guest_event *events, size_t count,
                         int *next)
{
    for (size_t i = 0; i < count; i++, (*next)++)
        CHECK(events[i].mask == IN_CREATE && atoi(events[i].name) == *next,
              "expected the name of %d, seen %s", *next, events[i].name);
}

/* Any more event would not have fitted. */
static void expect_full(int inotify_fd, int got, int size, int count,
                        int length_max)
{
    if (guest_pending(inotify_fd) == 0 || (guest_lags() && size >= PACKET_MAX))
        return;
    int next_bytes =
        HEADER + (3 + (count * 37) % (length_max - 2) + 16) / 16 * 16;
    CHECK(got + next_bytes > size,
          "read(%d): expected the next event of %d bytes too, seen %d bytes",
          size, next_bytes, got);
}

/* So many that FIONREAD tells of all: where events lag, it tells of what one
   read of the packet pipe returns. */
static int countable(int length_max)
{
    return guest_lags() && length_max > 60 ? 20 : 40;
}

static void read_in_pieces(int size, int length_max)
{
    const int files = countable(length_max);
    static char bytes[65536];
    static struct guest_event events[2048];
    int inotify_fd = open_watching(IN_CREATE);
    int left = make_events(inotify_fd, files, length_max), next = 0;
    while (left > 0) {
        memset(bytes, 0x5a, sizeof bytes);
        int got = (int)read(inotify_fd, bytes, (size_t)size);
        CHECK(got > 0 && got <= size, "read(%d): %s", size, strerror(errno));
        for (size_t i = (size_t)got; i < sizeof bytes; i++)
            CHECK(bytes[i] == 0x5a, "read(%d) returned %d, but wrote byte %zu",
                  size, got, i);
        expect_names(events, guest_parse(bytes, (size_t)got, events, 2048),
                     &next);
        left -= got;
        CHECK(guest_pending(inotify_fd) == left,
              "FIONREAD after read(%d): expected %d, seen %d", size, left,
              guest_pending(inotify_fd));
        expect_full(inotify_fd, got, size, next, length_max);
    }
    CHECK(next == files, "expected %d events, seen %d", files, next);
    CHECK_FAILS(read(inotify_fd, bytes, (size_t)size), EAGAIN);
    finish(inotify_fd);
}

static void reads_of_42_bytes(void)
{
    read_in_pieces(42, 15);
}

static void reads_of_272_bytes(void)
{
    read_in_pieces(272, 255);
}

static void reads_of_1024_bytes(void)
{
    read_in_pieces(1024, 255);
}

static void reads_of_65536_bytes(void)
{
    read_in_pieces(65536, 255);
}

static void too_small_is_refused_and_consumes_nothing(void)
{
    static const size_t small[] = {0, 1, 8, 15, 16, 17, 31};
    char bytes[64];
    struct guest_event event;
    int inotify_fd = open_watching(IN_CREATE);
    make_events(inotify_fd, 1, 3);
    for (size_t i = 0; i < GUEST_COUNT(small); i++) {
        CHECK_FAILS(read(inotify_fd, bytes, small[i]), EINVAL);
        CHECK(guest_pending(inotify_fd) == SHORT_EVENT,
              "read(%zu): expected the event to stay, FIONREAD is %d", small[i],
              guest_pending(inotify_fd));
    }
    CHECK(read(inotify_fd, bytes, SHORT_EVENT) == SHORT_EVENT,
          "expected its exact size to be enough: %s", strerror(errno));
    guest_parse(bytes, SHORT_EVENT, &event, 1);
    CHECK(strcmp(event.name, "000") == 0, "expected 000, seen %s", event.name);
    finish(inotify_fd);
}

static void a_longer_second_event_stays(void)
{
    char bytes[300];
    struct guest_event events[2];
    int inotify_fd = open_watching(IN_CREATE);
    int first = make_file(0, 10), second;
    guest_await_pending(inotify_fd, first);
    second = make_file(1, 200);
    guest_await_pending(inotify_fd, first + second);
    CHECK(read(inotify_fd, bytes, (size_t)(first + second - 1)) == first,
          "expected the first event alone");
    CHECK_FAILS(read(inotify_fd, bytes, (size_t)first), EINVAL);
    CHECK(read(inotify_fd, bytes, sizeof bytes) == second,
          "expected the second event");
    CHECK(guest_parse(bytes, (size_t)second, events, 2) == 1 &&
              atoi(events[0].name) == 1,
          "expected the second name, seen %s", events[0].name);
    finish(inotify_fd);
}

static void self_event_needs_sixteen_bytes(void)
{
    char bytes[16];
    int inotify_fd = open_watching(IN_ATTRIB);
    guest_chmod("d", 0700);
    guest_await_pending(inotify_fd, 16);
    CHECK_FAILS(read(inotify_fd, bytes, 15), EINVAL);
    CHECK(read(inotify_fd, bytes, 16) == 16, "read: %s", strerror(errno));
    finish(inotify_fd);
}

static void emptiness_is_decided_before_size(void)
{
    char bytes[64];
    int inotify_fd = open_watching(IN_CREATE);
    CHECK_FAILS(read(inotify_fd, bytes, 0), EAGAIN);
    CHECK_FAILS(read(inotify_fd, bytes, 8), EAGAIN);
    CHECK_FAILS(read(inotify_fd, bytes, 64), EAGAIN);
    finish(inotify_fd);
}

/* Also of more than a packet, and while more is coming. */
static void fionread_tells_what_a_read_returns(void)
{
    enum { AT_ONCE = 500 };
    static char bytes[8192];
    static struct guest_event events[512];
    int inotify_fd = open_watching(IN_CREATE), next = 0;
    CHECK(guest_pending(inotify_fd) == 0, "expected 0 before any event");
    int seen = 0;
    make_events(inotify_fd, 20, 60);
    for (int i = 20; i < AT_ONCE; i++)
        make_file(i, 8);
    while (seen < AT_ONCE && guest_readable(inotify_fd, GUEST_DEADLINE_MS)) {
        int pending = guest_pending(inotify_fd);
        if (pending > (int)sizeof bytes)
            pending = sizeof bytes / SHORT_EVENT * SHORT_EVENT;
        int got = (int)read(inotify_fd, bytes, (size_t)pending);
        CHECK(got == pending || (!guest_lags() && got > 0 &&
                                 pending + SHORT_EVENT > (int)sizeof bytes),
              "read(%d): expected as many, seen %d", pending, got);
        size_t count = guest_parse(bytes, (size_t)got, events, 512);
        if (seen == 0)
            expect_names(events, count < 20 ? count : 20, &next);
        seen += (int)count;
    }
    CHECK(seen == AT_ONCE, "expected %d events, seen %d", AT_ONCE, seen);
    CHECK_FAILS(ioctl(inotify_fd, FIONREAD, NULL), EFAULT);
    finish(inotify_fd);
}

static void readv_reads_each_buffer_in_turn(void)
{
    char bytes[3][64];
    struct iovec exact[3] = {{bytes[0], 32}, {bytes[1], 32}, {bytes[2], 64}};
    struct iovec loose[2] = {{bytes[0], 40}, {bytes[1], 64}};
    struct iovec small[2] = {{bytes[0], 16}, {bytes[1], 64}};
    int inotify_fd = open_watching(IN_CREATE);
    CHECK_FAILS(readv(inotify_fd, exact, 3), EAGAIN);
    make_events(inotify_fd, 5, 3);
    CHECK_FAILS(readv(inotify_fd, small, 2), EINVAL);
    CHECK(readv(inotify_fd, exact, 3) == 4 * SHORT_EVENT,
          "expected three buffers filled with four events");
    CHECK(memcmp(bytes[1] + HEADER, "001", 4) == 0,
          "expected the second name in the second buffer");
    CHECK(memcmp(bytes[2] + SHORT_EVENT + HEADER, "003", 4) == 0,
          "expected the fourth name in the third buffer");
    CHECK(readv(inotify_fd, loose, 2) == SHORT_EVENT, "expected one event");
    CHECK_FAILS(readv(inotify_fd, loose, 2), EAGAIN);
    finish(inotify_fd);
}

static void readv_stops_at_a_buffer_not_filled(void)
{
    char bytes[2][64];
    struct iovec loose[2] = {{bytes[0], 40}, {bytes[1], 64}};
    int inotify_fd = open_watching(IN_CREATE);
    make_events(inotify_fd, 3, 3);
    int got = (int)readv(inotify_fd, loose, 2);
    CHECK(got == SHORT_EVENT, "expected %d bytes, seen %d", SHORT_EVENT, got);
    got = (int)readv(inotify_fd, &loose[1], 1);
    CHECK(got == 2 * SHORT_EVENT, "expected the two others, seen %d", got);
    finish(inotify_fd);
}

static void bad_short_buffer_loses_the_event(void)
{
    if (guest_foreign())
        guest_skip("QEMU looks at the buffer itself, before the read");
    int inotify_fd = open_watching(IN_CREATE);
    make_events(inotify_fd, 2, 3);
    CHECK_FAILS(read(inotify_fd, nowhere, SHORT_EVENT), EFAULT);
    CHECK(guest_pending(inotify_fd) == SHORT_EVENT,
          "expected the second event alone, FIONREAD is %d",
          guest_pending(inotify_fd));
    char bytes[64];
    CHECK(read(inotify_fd, bytes, 64) == SHORT_EVENT &&
              memcmp(bytes + HEADER, "001", 4) == 0,
          "expected the second event");
    finish(inotify_fd);
}

static void bad_long_buffer_loses_the_event(void)
{
    if (guest_foreign())
        guest_skip("QEMU looks at the buffer itself, before the read");
    int inotify_fd = open_watching(IN_CREATE);
    make_events(inotify_fd, 1, 3);
    CHECK_FAILS(read(inotify_fd, nowhere, 65536), EFAULT);
    CHECK(guest_pending(inotify_fd) == 0, "expected none, FIONREAD is %d",
          guest_pending(inotify_fd));
    finish(inotify_fd);
}

int main(int argc, char **argv)
{
    static const struct guest_case cases[] = {
        GUEST_CASE(reads_of_42_bytes),
        GUEST_CASE(reads_of_272_bytes),
        GUEST_CASE(reads_of_1024_bytes),
        GUEST_CASE(reads_of_65536_bytes),
        GUEST_CASE(too_small_is_refused_and_consumes_nothing),
        GUEST_CASE(a_longer_second_event_stays),
        GUEST_CASE(self_event_needs_sixteen_bytes),
        GUEST_CASE(emptiness_is_decided_before_size),
        GUEST_CASE(fionread_tells_what_a_read_returns),
        GUEST_CASE(readv_reads_each_buffer_in_turn),
        GUEST_CASE(readv_stops_at_a_buffer_not_filled),
        GUEST_CASE(bad_short_buffer_loses_the_event),
        GUEST_CASE(bad_long_buffer_loses_the_event),
    };
    return guest_main(argc, argv, cases, GUEST_COUNT(cases));
}
