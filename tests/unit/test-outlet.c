/*
 * test-outlet.c - the packet pipe between an instance and its guest
 */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "emulator/outlet-read.h"
#include "emulator/outlets.h"

enum {
    SMALL = 32, /* an event with a name of up to 15 bytes */
};

static struct vnotify *engine;
static struct outlets *all;
static struct outlet *outlet;
static int guest_end;
static char dir[] = "/tmp/vnotify-unit-XXXXXX";
static char buffer[65536];

static int setup_with(bool single, unsigned limit)
{
    strcpy(dir + strlen(dir) - 6, "XXXXXX");
    assert_non_null(mkdtemp(dir));
    assert_int_equal(vnotify_create(&engine, NULL), 0);
    assert_int_equal(outlets_create(engine, single, limit, &all), 0);
    assert_int_equal(outlet_create(all, true, &guest_end, &outlet), 0);
    /* A reference of our own, as a call that uses it has. */
    outlet_acquire(outlet);
    assert_int_equal(outlets_insert(all, outlet), 0);
    assert_int_equal(vnotify_add_watch(outlet->instance, dir,
                                       VN_IN_CREATE | VN_IN_ATTRIB),
                     1);
    return 0;
}

static int setup(void **state)
{
    (void)state;
    return setup_with(false, 0);
}

enum { LIMIT = 4 };

static int setup_limited(void **state)
{
    (void)state;
    return setup_with(false, LIMIT);
}

static int teardown(void **state)
{
    char command[64];

    (void)state;
    if (outlet)
        outlet_release(outlet);
    if (guest_end >= 0)
        close(guest_end);
    outlets_destroy(all);
    vnotify_destroy(engine);
    snprintf(command, sizeof(command), "rm -r %s", dir);
    return system(command);
}

static void make_file(int number)
{
    char path[64];

    snprintf(path, sizeof(path), "%s/%d", dir, number);
    assert_int_equal(mknod(path, S_IFREG | 0600, 0), 0);
    assert_int_equal(vnotify_sync(engine), 0);
}

/* Files 0..count-1, in the order of events: each is known before the next.  Who
   holds the outlet may leave several of them to one packet. */
static void make_files(int count)
{
    for (int i = 0; i < count; i++)
        make_file(i);
}

/* The same, each written as a packet of its own before the next is made. */
static void make_packets(int first, int count)
{
    for (int i = first; i < first + count; i++) {
        make_file(i);
        outlets_settle(all);
    }
}

static int event_number(const char *event)
{
    return atoi(((const struct vnotify_event *)(const void *)event)->name);
}

static ssize_t take(struct outlet_source *source, size_t bytes,
                    const char **data)
{
    const void *taken = NULL;
    ssize_t got = source->source.take(&source->source, bytes, &taken);

    *data = taken;
    return got;
}

static void test_outlet_passes_events_on(void **state)
{
    (void)state;
    assert_int_equal(read(guest_end, buffer, sizeof(buffer)), -1);
    assert_int_equal(errno, EAGAIN);
    make_packets(0, 3);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(read(guest_end, buffer, sizeof(buffer)), SMALL);
        assert_int_equal(event_number(buffer), i);
    }
    assert_int_equal(read(guest_end, buffer, sizeof(buffer)), -1);
}

static void test_outlet_short_reads_are_exact(void **state)
{
    struct outlet_source source;
    const char *data;

    (void)state;
    outlet_claim(outlet);
    outlet_source_init(&source, outlet);
    assert_int_equal(take(&source, 100, &data), -EAGAIN);
    make_files(10);
    assert_int_equal(take(&source, SMALL - 1, &data), -EINVAL);
    assert_int_equal(take(&source, 0, &data), -EINVAL);
    assert_int_equal(take(&source, SMALL + 10, &data), SMALL);
    assert_int_equal(event_number(data), 0);
    assert_int_equal(take(&source, 4 * SMALL, &data), 4 * SMALL);
    assert_int_equal(event_number(data), 1);
    assert_int_equal(source.source.pending(&source.source), 5 * SMALL);
    outlet_source_fini(&source);
    outlet_unclaim(outlet);
    /* The rest stays, one event a packet. */
    assert_int_equal(read(guest_end, buffer, sizeof(buffer)), SMALL);
    assert_int_equal(event_number(buffer), 5);
}

static void test_outlet_undo_puts_events_back_in_front(void **state)
{
    struct outlet_source source;
    const char *data;

    (void)state;
    make_packets(0, 6);
    outlet_claim(outlet);
    outlet_source_init(&source, outlet);
    assert_int_equal(take(&source, 2 * SMALL, &data), 2 * SMALL);
    assert_int_equal(take(&source, SMALL, &data), SMALL);
    outlet_source_undo(&source);
    outlet_source_fini(&source);
    outlet_unclaim(outlet);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(read(guest_end, buffer, sizeof(buffer)), SMALL);
        assert_int_equal(event_number(buffer), i);
    }
}

static void test_outlet_splits_packets_written_before(void **state)
{
    struct outlet_source source;
    const char *data;
    int bytes = 0;

    (void)state;
    outlet_claim(outlet); /* so that all go in one packet */
    make_files(8);
    outlet_unclaim(outlet);
    assert_int_equal(ioctl(guest_end, FIONREAD, &bytes), 0);
    assert_int_equal(bytes, 8 * SMALL);
    outlet_claim(outlet);
    outlet_source_init(&source, outlet);
    assert_int_equal(take(&source, 3 * SMALL + 1, &data), 3 * SMALL);
    assert_int_equal(event_number(data), 0);
    outlet_source_fini(&source);
    outlet_unclaim(outlet);
    assert_int_equal(read(guest_end, buffer, sizeof(buffer)), SMALL);
    assert_int_equal(event_number(buffer), 3);
}

static void test_outlet_refills_a_full_pipe(void **state)
{
    enum { MANY = 600 };
    int seen = 0;

    (void)state;
    outlet_claim(outlet);
    outlet->single = true; /* 256 packets at most */
    outlet_unclaim(outlet);
    make_files(MANY);
    while (seen < MANY) {
        ssize_t got = read(guest_end, buffer, sizeof(buffer));

        if (got < 0) {
            sched_yield(); /* the other thread refills */
            continue;
        }
        assert_int_equal(got, SMALL);
        assert_int_equal(event_number(buffer), seen++);
    }
}

static void change_mode(mode_t mode)
{
    assert_int_equal(chmod(dir, mode), 0);
    assert_int_equal(vnotify_sync(engine), 0);
    outlets_settle(all);
}

static void test_outlet_merges_with_what_is_unread(void **state)
{
    int bytes = 0;

    (void)state;
    change_mode(0750);
    change_mode(0700);
    assert_int_equal(ioctl(guest_end, FIONREAD, &bytes), 0);
    assert_int_equal(bytes, 16);
    assert_int_equal(read(guest_end, buffer, sizeof(buffer)), 16);
    /* What was read merges with nothing. */
    change_mode(0750);
    assert_int_equal(ioctl(guest_end, FIONREAD, &bytes), 0);
    assert_int_equal(bytes, 16);
}

/* All that is unread, one event a letter: a number, or O for the overflow. */
static void assert_unread(const char *expected)
{
    char seen[32] = "";
    ssize_t got;

    while ((got = read(guest_end, buffer, sizeof(buffer))) > 0)
        for (ssize_t at = 0; at < got;) {
            const struct vnotify_event *event = (void *)(buffer + at);
            bool lost = (event->mask & VN_IN_Q_OVERFLOW) != 0;

            assert_true(event->wd == (lost ? -1 : 1));
            seen[strlen(seen)] = lost ? 'O' : event->name[0];
            at += (ssize_t)(sizeof(*event) + event->len);
        }
    assert_string_equal(seen, expected);
}

static void test_outlet_overflows_when_limited(void **state)
{
    (void)state;
    make_files(9);
    outlets_settle(all);
    assert_unread("0123O");
    assert_unread("");
    change_mode(0750);
    /* Alike, and merged: unless the queue is full. */
    change_mode(0700);
    assert_int_equal(read(guest_end, buffer, sizeof(buffer)), 16);
}

static void test_outlet_has_one_overflow_unread(void **state)
{
    (void)state;
    make_packets(0, 6);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(read(guest_end, buffer, sizeof(buffer)), SMALL);
        assert_int_equal(event_number(buffer), i);
    }
    /* Three are unread: there is room for one behind the record. */
    make_packets(7, 2);
    assert_unread("23O7");
}

static void test_outlet_ends_with_the_last_descriptor(void **state)
{
    struct vnotify_stats stats;
    int copy = dup(guest_end);

    (void)state;
    close(guest_end);
    guest_end = copy;
    assert_ptr_equal(outlets_find(all, outlet->dev, outlet->ino), outlet);
    close(guest_end);
    guest_end = -1;
    outlet_release(outlet); /* what outlets_find took */
    outlet_release(outlet);
    outlet = NULL;
    do {
        sched_yield();
        vnotify_stats(engine, &stats);
    } while (stats.instances);
}

/* A guest with many instances leaves room for other pipes of its user. */
static void test_outlet_takes_little_where_there_are_many(void **state)
{
    enum { FEW = 8, MANY = 12 };
    int ends[MANY];
    int large = fcntl(guest_end, F_GETPIPE_SZ);

    (void)state;
    for (int i = 1; i < MANY; i++) {
        struct outlet *another;

        assert_int_equal(outlet_create(all, true, &ends[i], &another), 0);
        assert_int_equal(outlets_insert(all, another), 0);
        if (i < FEW)
            assert_int_equal(fcntl(ends[i], F_GETPIPE_SZ), large);
        else
            assert_in_range(fcntl(ends[i], F_GETPIPE_SZ), 1, 1 << 16);
    }
    assert_in_range(large, (1 << 16) + 1, 1 << 20);
    for (int i = 1; i < MANY; i++)
        close(ends[i]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_outlet_passes_events_on),
        TEST(test_outlet_short_reads_are_exact),
        TEST(test_outlet_undo_puts_events_back_in_front),
        TEST(test_outlet_splits_packets_written_before),
        TEST(test_outlet_refills_a_full_pipe),
        TEST(test_outlet_merges_with_what_is_unread),
        TEST(test_outlet_takes_little_where_there_are_many),
        cmocka_unit_test_setup_teardown(test_outlet_overflows_when_limited,
                                        setup_limited, teardown),
        cmocka_unit_test_setup_teardown(test_outlet_has_one_overflow_unread,
                                        setup_limited, teardown),
        TEST(test_outlet_ends_with_the_last_descriptor),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
