/*
 * vnotify.h under threads: joining while all changes, readiness, opening and
 * closing, removing while it is deleted.
 *
 * The two tests of joining look into the engine: what a watch has been told is
 * what its guest's model must be, however it came to know it.
 */
#include "pipeline/backlog.h"
#include "pipeline/engine.h"

#include "engine-fixture.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/syscall.h>

enum {
    NAMED = VN_IN_CREATE | VN_IN_DELETE | VN_IN_MOVED_FROM | VN_IN_MOVED_TO,
};

static atomic_bool stop;
static atomic_int wrong;

/* Joining. */

static int count_entries(const struct snapshot *snapshot)
{
    struct entry entry;
    char name[256];
    int count = 0;

    for (size_t at = 0; at < snapshot->bytes; count++) {
        at = snapshot_entry(snapshot, at, &entry);
        memcpy(name, entry.name, entry.name_len);
        name[entry.name_len] = '\0';
        if (faccessat(root_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) != 0)
            return -1; /* told of, and not there */
    }
    return count;
}

static const struct snapshot *told_of(int wd)
{
    radix_word *word = radix_find(&instance->seats, (uint32_t)wd);
    uint64_t seat = word == NULL ? 0 : atomic_load(word);

    assert_true(seat != 0);
    return seat_is_dormant(seat)
               ? registry_slot(&engine->registry, seat_slot(seat))->current
               : seat_watch(seat)->told;
}

/* When still: what the watch has been told is what the directory is. */
static void assert_told_is_true(int wd)
{
    struct dirent *entry;
    int there = 0;
    DIR *dir;

    dir = fdopendir(openat(root_fd, ".", O_RDONLY | O_CLOEXEC));
    while ((entry = readdir(dir)) != NULL)
        there += strcmp(entry->d_name, ".") != 0 &&
                 strcmp(entry->d_name, "..") != 0;
    closedir(dir);
    assert_int_equal(count_entries(told_of(wd)), there);
    /* So that what the engine does next is seen to come after our look. */
    barrier_await(&engine->barrier, barrier_request(&engine->barrier));
}

/* The watch of a directory that asks for content is never dormant. */
enum { AWAKE = NAMED | VN_IN_ACCESS };

static void *join(void *arg)
{
    *(int *)arg = vnotify_add_watch_fd(instance, root_fd, AWAKE);
    return NULL;
}

/*
 *     add_watch                      worker
 *       begin, list, end
 *                                      begin, list: a change, nobody watches
 *       enter the list of watches
 *       order a listing
 *                                      begin, list: nothing new
 *
 * The second listing finds what the first found, and must be offered to the
 * new watch all the same, whose own is older than both.
 */
static void test_engine_tells_a_new_watch_what_came_as_it_joined(void **state)
{
    pthread_t thread;
    struct vnode *vnode;
    int wd = 0;

    (void)state;
    make_file("before");
    /* The caller lists, then needs the lock to enter its watch. */
    pthread_mutex_lock(&instance->lock);
    pthread_create(&thread, NULL, join, &wd);
    do {
        sched_yield();
        vnode = registry_slot(&engine->registry, 1);
    } while (atomic_load(&engine->registry.in_use) == 0 ||
             atomic_load(&vnode->armed) != 1 ||
             atomic_load(&engine->snapshot_id) == 0 ||
             (atomic_load(&vnode->claim.word) & UINT64_C(1) << 26) != 0);
    make_file("during");
    sync_now();
    pthread_mutex_unlock(&instance->lock);
    pthread_join(thread, NULL);
    assert_int_equal(wd, 1);
    expect("1 create during");
    assert_told_is_true(wd);
    remove_file("during");
    expect("1 delete during");
}

/* What was listed before the watch's own listing had ended is no news. */
static void test_engine_refuses_a_listing_that_began_too_early(void **state)
{
    struct snapshot_builder builder;
    struct offer *offer = calloc(1, sizeof(*offer));
    struct watch *watch;

    (void)state;
    make_file("a");
    assert_int_equal(add("", AWAKE), 1);
    watch = seat_watch(atomic_load(radix_find(&instance->seats, 1)));
    assert_non_null(watch);
    assert_int_equal(snapshot_builder_init(&builder), 0);
    atomic_init(&offer->refs, 1);
    offer->begun = watch->told_ended - 1;
    offer->after = snapshot_create(&engine->arenas, &builder, &engine->fault,
                                   1 + atomic_fetch_add(&engine->snapshot_id,
                                                        1));
    snapshot_builder_fini(&builder);
    atomic_store(&watch->offer, offer); /* as a worker does: it is empty */
    backlog_enlist(watch);
    dispatch_order(engine, instance, INSTANCE_DIRTY,
                   barrier_join(&engine->barrier));
    expect("");
    remove_file("a");
    expect("1 delete a");
}

static void *change(void *arg)
{
    struct random random = { (uintptr_t)arg };
    char name[16];
    int fd;

    while (!atomic_load(&stop)) {
        snprintf(name, sizeof(name), "n%u", random_below(&random, 40));
        fd = openat(root_fd, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC,
                    0600);
        if (fd >= 0)
            close(fd);
        else
            unlinkat(root_fd, name, 0);
        if (random_below(&random, 16) == 0)
            sched_yield();
    }
    return NULL;
}

static void test_engine_join_misses_no_change(void **state)
{
    struct vnotify_instance *other = open_instance();
    uint64_t seed = random_seed();

    (void)state;
    for (uint64_t round = 0; round < 150; round++) {
        pthread_t thread;
        int wd;

        if (round % 2 == 0) /* the vnode is there, and is being listed */
            vnotify_add_watch_fd(other, root_fd, NAMED);
        atomic_store(&stop, false);
        pthread_create(&thread, NULL, change,
                       (void *)(uintptr_t)(seed + round));
        for (uint64_t n = round % 7; n > 0; n--)
            sched_yield();
        wd = vnotify_add_watch_fd(instance, root_fd, NAMED);
        atomic_store(&stop, true);
        pthread_join(thread, NULL);
        assert_int_equal(wd, round + 1);
        sync_now();
        assert_told_is_true(wd);
        assert_int_equal(vnotify_rm_watch(instance, wd), 0);
        sync_now();
        read_words(instance);
        if (round % 4 == 0)
            vnotify_rm_watch(other, (int)round / 4 + 1);
        sync_now();
        read_words(other);
    }
    vnotify_instance_destroy(other);
}

/* Readiness. */

static void test_engine_descriptor_is_never_left_readable(void **state)
{
    struct pollfd fd = { .fd = vnotify_instance_fd(instance),
                         .events = POLLIN };
    _Alignas(struct vnotify_event) char buf[512];

    (void)state;
    assert_int_equal(add("", NAMED), 1);
    for (int round = 0; round < 3000; round++) {
        if (round % 2 == 0)
            make_file("a");
        else
            remove_file("a");
        /* The reader is as fast as can be. */
        while (vnotify_read(instance, buf, sizeof(buf)) == -EAGAIN)
            continue;
        sync_now();
        assert_int_equal(vnotify_pending(instance), 0);
        assert_int_equal(poll(&fd, 1, 0), 0);
    }
}

/*
 * Every read(2) of this program goes through here.  Armed, it lets an event
 * come just before the engine resets the instance's descriptor:
 *
 *     vnotify_read                   worker
 *       take the last event
 *       nothing left: reset
 *                                      push, signal
 *       read(2) takes the signal
 *
 * The reader must look once more, and signal in the worker's stead.
 */
static atomic_bool interrupt_reset;

ssize_t read(int host_fd, void *buf, size_t bytes)
{
    if (atomic_load(&interrupt_reset) &&
        host_fd == vnotify_instance_fd(instance)) {
        atomic_store(&interrupt_reset, false);
        make_file("between");
        sync_now();
    }
    return syscall(SYS_read, host_fd, buf, bytes);
}

static void test_engine_descriptor_keeps_what_comes_at_its_reset(void **state)
{
    struct pollfd fd = { .fd = vnotify_instance_fd(instance),
                         .events = POLLIN };
    _Alignas(struct vnotify_event) char buf[512];

    (void)state;
    assert_int_equal(add("", NAMED), 1);
    make_file("a");
    sync_now();
    atomic_store(&interrupt_reset, true);
    assert_int_equal(vnotify_read(instance, buf, sizeof(buf)), 32);
    assert_false(atomic_load(&interrupt_reset));
    assert_int_equal(vnotify_pending(instance), 32);
    assert_int_equal(poll(&fd, 1, 0), 1);
    expect("1 create between");
    assert_int_equal(poll(&fd, 1, 0), 0);
}

static void test_engine_descriptor_wakes_for_every_event(void **state)
{
    struct pollfd fd = { .fd = vnotify_instance_fd(instance),
                         .events = POLLIN };
    _Alignas(struct vnotify_event) char buf[512];

    (void)state;
    assert_int_equal(add("", NAMED), 1);
    for (int round = 0; round < 3000; round++) {
        if (round % 2 == 0)
            make_file("a");
        else
            remove_file("a");
        assert_int_equal(poll(&fd, 1, 20000), 1);
        assert_true(vnotify_read(instance, buf, sizeof(buf)) > 0);
    }
}

/* Opening and closing. */

static int count_links(const char *of)
{
    DIR *dir = opendir(of);
    int count = 0;

    while (readdir(dir) != NULL)
        count++;
    closedir(dir);
    return count;
}

static void await_rest(void)
{
    struct vnotify_stats stats;

    do { /* the housekeeper closes when nobody looks any more */
        sched_yield();
        vnotify_stats(engine, &stats);
    } while (stats.vnodes > 0 || stats.watches > 0);
}

static void test_engine_opens_and_closes_1000_instances(void **state)
{
    struct vnotify_instance *open_ones[8] = { NULL };
    pthread_t thread;
    int fds, tasks;

    (void)state;
    make_dir("d");
    /* What is started for the first that is parked stays. */
    open_ones[0] = open_instance();
    assert_int_equal(vnotify_add_watch(open_ones[0], path("d"), NAMED), 1);
    vnotify_instance_destroy(open_ones[0]);
    open_ones[0] = NULL;
    await_rest();
    fds = count_links("/proc/self/fd");
    tasks = count_links("/proc/self/task");
    atomic_store(&stop, false);
    pthread_create(&thread, NULL, change, (void *)1);
    for (int i = 0; i < 1000; i++) {
        struct vnotify_instance **slot = &open_ones[i % 8];

        if (*slot != NULL)
            vnotify_instance_destroy(*slot);
        *slot = open_instance();
        assert_int_equal(vnotify_add_watch(*slot, root, NAMED), 1);
        assert_int_equal(vnotify_add_watch(*slot, path("d"), NAMED), 2);
        if (i % 3 == 0)
            assert_int_equal(vnotify_rm_watch(*slot, 1), 0);
    }
    atomic_store(&stop, true);
    pthread_join(thread, NULL);
    for (int i = 0; i < 8; i++)
        vnotify_instance_destroy(open_ones[i]);
    await_rest();
    sync_now();
    assert_int_equal(count_links("/proc/self/task"), tasks);
    /* eventfds go with the last reference, by the housekeeper as well */
    for (int tries = 0; tries < 10000000; tries++)
        if (count_links("/proc/self/fd") == fds)
            return;
    assert_int_equal(count_links("/proc/self/fd"), fds);
}

static void test_engine_starts_and_stops_without_a_trace(void **state)
{
    int fds = count_links("/proc/self/fd");
    int tasks = count_links("/proc/self/task");

    (void)state;
    for (int i = 0; i < 30; i++) {
        struct vnotify_config config = { .workers = 2 + (unsigned)i % 5 };
        struct vnotify *other;
        struct vnotify_instance *its;

        assert_int_equal(vnotify_create(&other, &config), 0);
        assert_int_equal(vnotify_instance_create(other, NULL, NULL, &its), 0);
        assert_int_equal(vnotify_add_watch(its, root, NAMED), 1);
        make_file("a");
        remove_file("a");
        vnotify_instance_destroy(its);
        vnotify_destroy(other);
    }
    assert_int_equal(count_links("/proc/self/fd"), fds);
    assert_int_equal(count_links("/proc/self/task"), tasks);
}

/* Racing calls: CONFORMANCE 43. */

static void *remove_watches(void *arg)
{
    (void)arg;
    for (int wd = 1; !atomic_load(&stop); wd++) {
        int err = vnotify_rm_watch(instance, wd);

        if (err != 0 && err != -EINVAL)
            atomic_fetch_add(&wrong, 1);
        if (err != 0)
            wd = wd > 3 ? wd - 3 : 0;
    }
    return NULL;
}

static void *make_and_delete(void *arg)
{
    (void)arg;
    while (!atomic_load(&stop)) {
        int fd = openat(root_fd, "victim", O_CREAT | O_WRONLY | O_CLOEXEC,
                        0600);

        if (fd >= 0)
            close(fd);
        unlinkat(root_fd, "victim", 0);
    }
    return NULL;
}

enum { IGNORED_ENOUGH = 50 };
#define RACE_NS_MAX (60 * UINT64_C(1000000000))

static void test_engine_bears_racing_calls(void **state)
{
    _Alignas(struct vnotify_event) static char buf[65536];
    static char last[1 << 16]; /* wds whose IGNORED was read */
    pthread_t threads[2];
    uint64_t deadline = now_ns() + RACE_NS_MAX;
    int ignored = 0;

    (void)state;
    memset(last, 0, sizeof(last));
    atomic_store(&stop, false);
    pthread_create(&threads[0], NULL, remove_watches, NULL);
    pthread_create(&threads[1], NULL, make_and_delete, NULL);
    /* The file is there for moments only, and an add_watch must meet one. */
    for (int i = 0; i < 3000 || (ignored < IGNORED_ENOUGH &&
                                 now_ns() < deadline); i++) {
        int wd = add("victim", VN_IN_ALL_EVENTS);
        ssize_t n = vnotify_read(instance, buf, sizeof(buf));

        if (wd < 1 && wd != -ENOENT)
            atomic_fetch_add(&wrong, 1);
        for (ssize_t at = 0; at < n;) {
            const struct vnotify_event *event = (void *)(buf + at);

            assert_in_range(event->wd, 1, sizeof(last) - 1);
            assert_false(last[event->wd]); /* nothing after IGNORED */
            last[event->wd] = event->mask == VN_IN_IGNORED;
            ignored += event->mask == VN_IN_IGNORED;
            at += (ssize_t)(sizeof(*event) + event->len);
        }
    }
    atomic_store(&stop, true);
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
    assert_int_equal(wrong, 0);
    assert_true(ignored >= IGNORED_ENOUGH);
}

/*
 * Somebody else is arming the inode that has come: the directory must go without
 * it for now, and sync says so; then the next pass takes it in, though that
 * follows another listing.
 */
static void test_engine_takes_in_later_what_others_were_arming(void **state)
{
    const uint32_t mask = VN_IN_CREATE | VN_IN_MODIFY;
    struct vnode *vnode;
    struct stat st;
    bool sure;

    (void)state;
    make_dir("d");
    make_dir("e");
    make_file("d/f");
    assert_int_equal(add("d", mask), 1);
    assert_int_equal(add("e", mask), 2);
    assert_return_code(fstatat(root_fd, "d/f", &st, 0), errno);
    vnode = registry_peek(&engine->registry, st.st_dev, st.st_ino, &sure);
    assert_non_null(vnode);
    /* What was written just before may be taken for written meanwhile. */
    while ((int64_t)clock_ns(CLOCK_REALTIME) <
           st.st_mtim.tv_sec * INT64_C(1000000000) + st.st_mtim.tv_nsec +
               2 * BIRTH_TICK_NS)
        sched_yield();
    assert_int_equal(atomic_exchange(&vnode->armed, ARM_BUSY), ARM_DONE);
    link_file("d/f", "e/g");
    assert_int_equal(vnotify_sync(engine), -EAGAIN);
    assert_string_equal(read_words(instance), "2 create g");
    atomic_store(&vnode->armed, ARM_DONE);
    make_file("e/h");
    expect("2 create h");
    append_to("d/f");
    expect_in_any_order("1 modify f, 2 modify g");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ENGINE_TEST(test_engine_tells_a_new_watch_what_came_as_it_joined),
        ENGINE_TEST(test_engine_refuses_a_listing_that_began_too_early),
        ENGINE_TEST(test_engine_takes_in_later_what_others_were_arming),
        ENGINE_TEST(test_engine_join_misses_no_change),
        ENGINE_TEST(test_engine_descriptor_is_never_left_readable),
        ENGINE_TEST(test_engine_descriptor_keeps_what_comes_at_its_reset),
        ENGINE_TEST(test_engine_descriptor_wakes_for_every_event),
        ENGINE_TEST(test_engine_opens_and_closes_1000_instances),
        ENGINE_TEST(test_engine_starts_and_stops_without_a_trace),
        ENGINE_TEST(test_engine_bears_racing_calls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
