/*
 * Rests are longer than holds.  A rename whose first half is listed and held
 * ends the rest of the directory that has the second.
 *
 *     d rests .......| listed: held ... 5 ms .| let go
 *     e rests ..............................................| listed
 *
 * Nobody calls vnotify_sync here, which ends rests as well.
 */
#include "pipeline/engine.h"

#include "engine-fixture.h"

#include <sched.h>
#include <stdatomic.h>

enum {
    NAMED = VN_IN_CREATE | VN_IN_DELETE | VN_IN_MOVED_FROM | VN_IN_MOVED_TO,
    TRIES = 5, /* who is not let run for the 5 ms of a hold misses it */
};

static const uint64_t apart_ns = 4 * HOLD_NS_MAX;

/* Collects events until there are so many; each one's cookie. */
static void await_events(uint32_t *cookies, int count)
{
    _Alignas(struct vnotify_event) char buf[512];
    uint64_t deadline = now_ns() + UINT64_C(60000000000);

    for (int i = 0; i < count;) {
        ssize_t n = vnotify_read(instance, buf, sizeof(buf));

        assert_true(now_ns() < deadline);
        if (n == -EAGAIN)
            sched_yield();
        for (ssize_t at = 0; at < n && i < count; i++) {
            const struct vnotify_event *event = (void *)(buf + at);

            cookies[i] = event->cookie;
            at += (ssize_t)(sizeof(*event) + event->len);
        }
    }
}

static void await_ns(uint64_t ns)
{
    while (now_ns() < ns)
        sched_yield();
}

/* The listings of all directories have used up their share for long, and there
   is a slow one under way. */
static void let_it_storm(void)
{
    atomic_store(&engine->paced_ns, now_ns() + UINT64_C(1000000000000));
    atomic_store(&engine->slow_busy, 1); /* so no hold lasts longer */
}

/* Each name is new, and each directory's rest begins anew. */
static bool is_paired_while_both_rest(int i)
{
    uint32_t cookies[2];
    char from[16], to[16], other[16];

    snprintf(from, sizeof(from), "d/a%d", i);
    snprintf(to, sizeof(to), "e/a%d", i);
    snprintf(other, sizeof(other), "e/b%d", i);
    make_file(from);
    await_events(cookies, 1);
    await_ns(now_ns() + apart_ns);
    make_file(other);
    await_events(cookies, 1);
    move(from, to);
    await_events(cookies, 2);
    return cookies[0] != 0 && cookies[0] == cookies[1];
}

static void look_for_a_pair(void)
{
    int i = 0;

    make_dir("d");
    make_dir("e");
    assert_int_equal(add("d", NAMED), 1);
    assert_int_equal(add("e", NAMED), 2);
    let_it_storm();
    while (!is_paired_while_both_rest(i))
        assert_true(++i < TRIES);
}

static void test_engine_ends_a_rest_for_a_held_rename(void **state)
{
    (void)state;
    look_for_a_pair();
}

/* These notes do not say that an entry crossed directories. */
static int setup_macos(void **state)
{
    struct vnotify_config config = { .notes = VNOTIFY_NOTES_MACOS };

    (void)state;
    return setup_with(&config, "/tmp");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_engine_ends_a_rest_for_a_held_rename, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_engine_ends_a_rest_for_a_held_rename, setup_macos, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
