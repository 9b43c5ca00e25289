/*
 * test-syscall-inotify.c - Linux's order of checks, and reads of whole events
 *
 * The guest is made up: its memory is ours, its descriptors are what a test
 * says, and each operation leaves a letter in a log, so that a test sees not
 * only which error won but what was looked at before.
 */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "syscall/inotify.h"
#include "syscall/read.h"

enum {
    GOOD_FD = 3,
    OTHER_FD = 4, /* open, but no instance */
    MADE_FD = 5,
};

struct fake {
    struct guest guest;
    char log[16];
    int copy_error, open_error, out_error;
    unsigned how;
    bool nonblock, cloexec;
};

static struct vnotify *engine;
static struct vnotify_instance *instance;
static char dir[] = "/tmp/vnotify-unit-XXXXXX";
static struct fake fake;

static void logged(struct guest *guest, char letter)
{
    char *log = ((struct fake *)guest)->log;
    size_t length = strlen(log);

    assert_true(length + 1 < sizeof(fake.log));
    log[length] = letter;
    log[length + 1] = '\0';
}

static int fake_copy_path(struct guest *guest, uint64_t guest_addr, char *path)
{
    logged(guest, 'c');
    if (((struct fake *)guest)->copy_error)
        return ((struct fake *)guest)->copy_error;
    strcpy(path, (const char *)(uintptr_t)guest_addr);
    return 0;
}

static int fake_copy_out(struct guest *guest, uint64_t guest_addr,
                         const void *from, size_t bytes)
{
    logged(guest, 'w');
    if (((struct fake *)guest)->out_error)
        return ((struct fake *)guest)->out_error;
    memcpy((void *)(uintptr_t)guest_addr, from, bytes);
    return 0;
}

static int fake_open_path(struct guest *guest, const char *path, unsigned how)
{
    struct fake *self = (struct fake *)guest;

    logged(guest, 'o');
    self->how = how;
    if (self->open_error)
        return self->open_error;
    return open(path, O_PATH | O_CLOEXEC);
}

static int fake_find(struct guest *guest, int guest_fd,
                     struct vnotify_instance **found)
{
    logged(guest, 'f');
    *found = instance;
    return guest_fd == GOOD_FD ? 0 : guest_fd == OTHER_FD ? -EINVAL : -EBADF;
}

static int fake_create(struct guest *guest, bool nonblock, bool cloexec)
{
    logged(guest, 'n');
    ((struct fake *)guest)->nonblock = nonblock;
    ((struct fake *)guest)->cloexec = cloexec;
    return MADE_FD;
}

static const struct guest_ops fake_ops = {
    .copy_path = fake_copy_path,
    .copy_out = fake_copy_out,
    .open_path = fake_open_path,
    .find_instance = fake_find,
    .create_instance = fake_create,
};

static int setup(void **state)
{
    (void)state;
    strcpy(dir + strlen(dir) - 6, "XXXXXX");
    assert_non_null(mkdtemp(dir));
    assert_int_equal(vnotify_create(&engine, NULL), 0);
    assert_int_equal(vnotify_instance_create(engine, NULL, NULL, &instance), 0);
    fake = (struct fake){ .guest = { &fake_ops } };
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    vnotify_instance_destroy(instance);
    vnotify_destroy(engine);
    return rmdir(dir);
}

static int64_t add(int guest_fd, uint32_t mask)
{
    fake.log[0] = '\0';
    return inotify_serve_add_watch(&fake.guest, guest_fd, (uintptr_t)dir, mask);
}

/* Makes and removes a file: two events of 32 bytes. */
static void make_two_events(void)
{
    char path[64];

    snprintf(path, sizeof(path), "%s/name", dir);
    assert_int_equal(mknod(path, S_IFREG | 0600, 0), 0);
    assert_int_equal(vnotify_sync(engine), 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(vnotify_sync(engine), 0);
    assert_int_equal(vnotify_pending(instance), 64);
}

static void test_inotify_init1_takes_two_flags_only(void **state)
{
    (void)state;
    for (int bit = 0; bit < 31; bit++) {
        int flag = 1 << bit;
        bool good = flag == INOTIFY_NONBLOCK || flag == INOTIFY_CLOEXEC;

        fake.log[0] = '\0';
        assert_int_equal(inotify_serve_init1(&fake.guest, flag),
                         good ? MADE_FD : -22);
        assert_string_equal(fake.log, good ? "n" : "");
    }
    inotify_serve_init1(&fake.guest, INOTIFY_CLOEXEC);
    assert_true(fake.cloexec && !fake.nonblock);
    inotify_serve_init1(&fake.guest, INOTIFY_NONBLOCK);
    assert_true(!fake.cloexec && fake.nonblock);
    inotify_serve_init(&fake.guest);
    assert_true(!fake.cloexec && !fake.nonblock);
}

static void test_inotify_mask_bits_beat_everything(void **state)
{
    const uint32_t known = 0xf700efff;

    (void)state;
    assert_int_equal(add(-1, 0), -22);
    assert_string_equal(fake.log, "");
    for (int bit = 0; bit < 32; bit++) {
        uint32_t mask = UINT32_C(1) << bit;
        int64_t result = add(-1, mask | VN_IN_CREATE);

        assert_int_equal(result, mask & known ? -9 : -22);
        assert_string_equal(fake.log, mask & known ? "f" : "");
    }
}

static void test_inotify_bad_fd_beats_add_with_create(void **state)
{
    const uint32_t both = VN_IN_CREATE | VN_IN_MASK_ADD | VN_IN_MASK_CREATE;

    (void)state;
    assert_int_equal(add(-1, both), -9);
    assert_int_equal(add(GOOD_FD, both), -22);
    assert_string_equal(fake.log, "f");
    fake.copy_error = -EFAULT;
    assert_int_equal(add(OTHER_FD, VN_IN_CREATE), -22);
    assert_string_equal(fake.log, "f");
    assert_int_equal(add(GOOD_FD, VN_IN_CREATE), -14);
    assert_string_equal(fake.log, "fc");
}

static void test_inotify_path_comes_before_the_instance(void **state)
{
    (void)state;
    assert_int_equal(add(GOOD_FD, VN_IN_CREATE), 1);
    assert_string_equal(fake.log, "fco");
    fake.open_error = -ENOENT;
    assert_int_equal(add(GOOD_FD, VN_IN_CREATE | VN_IN_MASK_CREATE), -2);
    fake.open_error = 0;
    assert_int_equal(add(GOOD_FD, VN_IN_CREATE | VN_IN_MASK_CREATE), -17);
    assert_int_equal(add(GOOD_FD, VN_IN_CREATE), 1);
}

static void test_inotify_tells_how_to_open(void **state)
{
    (void)state;
    add(GOOD_FD, VN_IN_CREATE);
    assert_int_equal(fake.how, 0);
    add(GOOD_FD, VN_IN_CREATE | VN_IN_ONLYDIR);
    assert_int_equal(fake.how, GUEST_OPEN_DIRECTORY);
    add(GOOD_FD, VN_IN_CREATE | VN_IN_DONT_FOLLOW);
    assert_int_equal(fake.how, GUEST_OPEN_NOFOLLOW);
}

static void test_inotify_rm_watch_checks_fd_then_wd(void **state)
{
    (void)state;
    assert_int_equal(add(GOOD_FD, VN_IN_CREATE), 1);
    assert_int_equal(inotify_serve_rm_watch(&fake.guest, -1, 1), -9);
    assert_int_equal(inotify_serve_rm_watch(&fake.guest, OTHER_FD, 1), -22);
    assert_int_equal(inotify_serve_rm_watch(&fake.guest, GOOD_FD, 0), -22);
    assert_int_equal(inotify_serve_rm_watch(&fake.guest, GOOD_FD, -1), -22);
    assert_int_equal(inotify_serve_rm_watch(&fake.guest, GOOD_FD, 1), 0);
    assert_int_equal(inotify_serve_rm_watch(&fake.guest, GOOD_FD, 1), -22);
}

static int64_t read_queue(struct inotify_queue *queue, char *to, uint64_t bytes)
{
    return inotify_read(&fake.guest, &queue->source, (uintptr_t)to, bytes);
}

static void test_read_gives_whole_events_only(void **state)
{
    struct inotify_queue queue;
    char to[128];

    (void)state;
    inotify_queue_init(&queue, instance);
    assert_int_equal(read_queue(&queue, to, 0), -11);
    assert_int_equal(add(GOOD_FD, VN_IN_CREATE | VN_IN_DELETE), 1);
    make_two_events();
    assert_int_equal(read_queue(&queue, to, 0), -22);
    assert_int_equal(read_queue(&queue, to, 31), -22);
    assert_int_equal(read_queue(&queue, to, 63), 32);
    assert_string_equal(((struct vnotify_event *)to)->name, "name");
    assert_int_equal(read_queue(&queue, to, UINT64_C(1) << 40), 32);
    assert_int_equal(((struct vnotify_event *)to)->mask, VN_IN_DELETE);
    assert_int_equal(read_queue(&queue, to, 0), -11);
    inotify_queue_fini(&queue);
}

static void test_read_loses_what_it_cannot_copy(void **state)
{
    struct inotify_queue queue;
    char to[128];

    (void)state;
    inotify_queue_init(&queue, instance);
    assert_int_equal(add(GOOD_FD, VN_IN_CREATE | VN_IN_DELETE), 1);
    make_two_events();
    fake.out_error = -EFAULT;
    assert_int_equal(read_queue(&queue, to, 32), -14);
    fake.out_error = 0;
    assert_int_equal(read_queue(&queue, to, 128), 32);
    assert_int_equal(((struct vnotify_event *)to)->mask, VN_IN_DELETE);
    inotify_queue_fini(&queue);
}

static void test_readv_stops_at_the_first_not_filled(void **state)
{
    struct inotify_queue queue;
    char to[2][64];
    struct inotify_iovec iov[2] = {
        { (uintptr_t)to[0], 40 },
        { (uintptr_t)to[1], 64 },
    };

    (void)state;
    inotify_queue_init(&queue, instance);
    assert_int_equal(add(GOOD_FD, VN_IN_CREATE | VN_IN_DELETE), 1);
    make_two_events();
    assert_int_equal(
        inotify_readv(&fake.guest, &queue.source, iov, 2), 32);
    iov[0].bytes = 16;
    assert_int_equal(
        inotify_readv(&fake.guest, &queue.source, iov, 2), -22);
    iov[0].bytes = 32;
    iov[1].bytes = 16;
    assert_int_equal(
        inotify_readv(&fake.guest, &queue.source, iov, 2), 32);
    iov[0].bytes = iov[1].bytes = 0;
    assert_int_equal(inotify_readv(&fake.guest, &queue.source, iov, 2), 0);
    inotify_queue_fini(&queue);
}

static void test_fionread_counts_bytes(void **state)
{
    struct inotify_queue queue;
    int32_t value = -1;

    (void)state;
    inotify_queue_init(&queue, instance);
    assert_int_equal(
        inotify_fionread(&fake.guest, &queue.source, (uintptr_t)&value), 0);
    assert_int_equal(value, 0);
    assert_int_equal(add(GOOD_FD, VN_IN_CREATE | VN_IN_DELETE), 1);
    make_two_events();
    assert_int_equal(
        inotify_fionread(&fake.guest, &queue.source, (uintptr_t)&value), 0);
    assert_int_equal(value, 64);
    fake.out_error = -EFAULT;
    assert_int_equal(inotify_fionread(&fake.guest, &queue.source, 8), -14);
    inotify_queue_fini(&queue);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_inotify_init1_takes_two_flags_only),
        TEST(test_inotify_mask_bits_beat_everything),
        TEST(test_inotify_bad_fd_beats_add_with_create),
        TEST(test_inotify_path_comes_before_the_instance),
        TEST(test_inotify_tells_how_to_open),
        TEST(test_inotify_rm_watch_checks_fd_then_wd),
        TEST(test_read_gives_whole_events_only),
        TEST(test_read_loses_what_it_cannot_copy),
        TEST(test_readv_stops_at_the_first_not_filled),
        TEST(test_fionread_counts_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
