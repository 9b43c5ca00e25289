/*
 * How knotes behave, whatever the notes: identity, flags, queue, waking.
 */
#include "kq-fixture.h"

#include <pthread.h>
#include <time.h>

static int add_flags(struct fixture *fx, int host_fd, unsigned short flags,
                     uint32_t asked)
{
    return change(fx, (uintptr_t)host_fd, EVFILT_VNODE, flags, asked);
}

static void test_kq_takes_the_whole_hint_if_part_was_asked_for(void **state)
{
    struct fixture *fx = *state;
    int d = open_quietly(".");
    make_file("f", "x");
    int f = open_quietly("f");
    add(fx, d, L);
    add(fx, f, X);
    make_file("g", "");
    expect(fx, d, 0); /* no part of it */
    assert_int_equal(mkdir("sub", 0700), 0);
    expect(fx, d, W | L);
    write_file("f", "longer");
    expect(fx, f, either(W | X, X)); /* macOS posts the two one by one */
    add(fx, f, DEL);
    assert_int_equal(unlink("f"), 0);
    expect(fx, f, either(DEL, DEL | L));
    expect_nothing(fx);
    kq_close(fx->kq, f);
    kq_close(fx->kq, d);
}

static void test_kq_coalesces_in_order_of_first_hints(void **state)
{
    struct fixture *fx = *state;
    make_file("a", "x");
    make_file("b", "x");
    int a = watch(fx, "a");
    int b = watch(fx, "b");
    write_file("b", "y");
    assert_int_equal(chmod("a", 0400), 0);
    assert_int_equal(chmod("b", 0400), 0); /* does not move it back */
    struct kevent events[4];
    assert_int_equal(kq_event(fx->kq, NULL, 0, events, 1), 1);
    assert_int_equal(events[0].ident, b);
    assert_int_equal(events[0].fflags, W | A);
    assert_true(kq_pending(fx->kq));
    assert_int_equal(kq_event(fx->kq, NULL, 0, events, 4), 1);
    assert_int_equal(events[0].ident, a);
    expect_nothing(fx);
    kq_close(fx->kq, a);
    kq_close(fx->kq, b);
}

static void
test_kq_descriptors_of_one_file_fire_last_attached_first(void **state)
{
    struct fixture *fx = *state;
    make_file("f", "x");
    int fds[3] = {open_quietly("f")};
    fds[1] = dup(fds[0]);
    fds[2] = open("f", O_RDONLY | O_CLOEXEC);
    add(fx, fds[1], ASKED);
    add(fx, fds[2], ASKED);
    add(fx, fds[0], A);
    write_file("f", "y");
    assert_int_equal(chmod("f", 0400), 0);
    collect(fx);
    assert_int_equal(fx->nevents, 3);
    assert_int_equal(fx->events[0].ident, fds[2]); /* of those that want W */
    assert_int_equal(fx->events[1].ident, fds[1]);
    assert_int_equal(fx->events[2].ident, fds[0]);
    expect(fx, fds[2], W | A);
    expect(fx, fds[1], W | A);
    expect(fx, fds[0], A);
    expect_nothing(fx);
    for (int i = 0; i < 3; i++)
        kq_close(fx->kq, fds[i]);
}

static void test_kq_close_drops_the_knote_of_this_number_only(void **state)
{
    struct fixture *fx = *state;
    make_file("f", "x");
    int f = watch(fx, "f");
    int g = dup(f);
    add(fx, g, ASKED);
    write_file("f", "y");
    collect(fx);
    fx->nevents = 0;
    write_file("f", "z");
    kq_close(fx->kq, f); /* with its note */
    expect(fx, g, W);
    expect_nothing(fx);
    write_file("f", "w");
    expect(fx, g, W);
    kq_close(fx->kq, g);
    write_file("f", "v");
    collect(fx);
    expect_nothing(fx);
}

static void test_kq_delete_throws_the_note_away(void **state)
{
    struct fixture *fx = *state;
    make_file("f", "x");
    int f = watch(fx, "f");
    write_file("f", "y");
    assert_true(kq_pending(fx->kq));
    assert_int_equal(kq_wait(fx->kq, NULL), 0); /* taken in, not collected */
    assert_true(kq_pending(fx->kq));
    assert_int_equal(add_flags(fx, f, EV_DELETE, 0), 0);
    assert_int_equal(add_flags(fx, f, EV_DELETE, 0), -ENOENT);
    collect(fx);
    expect_nothing(fx);
    close(f);
}

static void
test_kq_adding_again_replaces_and_keeps_what_is_pending(void **state)
{
    struct fixture *fx = *state;
    struct kevent kev;
    make_file("f", "x");
    int f = watch(fx, "f");
    write_file("f", "y");
    assert_int_equal(kq_wait(fx->kq, NULL), 0);
    EV_SET(&kev, f, EVFILT_VNODE, EV_ADD, A, 0, fx); /* flags: no effect */
    assert_int_equal(kq_event(fx->kq, &kev, 1, NULL, 0), 0);
    write_file("f", "z"); /* not asked for any more */
    assert_int_equal(chmod("f", 0400), 0);
    collect(fx);
    assert_int_equal(fx->nevents, 1);
    assert_ptr_equal(fx->events[0].udata, fx);
    assert_int_equal(fx->events[0].flags, EV_CLEAR | either(0, EV_ADD));
    expect(fx, f, W | A);
    expect_nothing(fx);
    /* More is asked for: the kernel must be, too. */
    add(fx, f, R);
    assert_int_equal(rename("f", "g"), 0);
    expect(fx, f, R);
    expect_nothing(fx);
    kq_close(fx->kq, f);
}

static void test_kq_without_clear_is_returned_again(void **state)
{
    struct fixture *fx = *state;
    struct kevent events[4];
    make_file("f", "x");
    int f = open_quietly("f");
    assert_int_equal(add_flags(fx, f, EV_ADD, ASKED), 0);
    write_file("f", "y");
    for (int i = 0; i < 3; i++) {
        assert_int_equal(kq_event(fx->kq, NULL, 0, events, 4), 1);
        assert_int_equal(events[0].fflags, W);
    }
    assert_int_equal(kq_wait(fx->kq, NULL), 0);
    assert_true(kq_pending(fx->kq));
    kq_close(fx->kq, f);
    expect_nothing(fx);
}

static void test_kq_oneshot_is_dropped_when_handed_out(void **state)
{
    struct fixture *fx = *state;
    make_file("f", "x");
    int f = open_quietly("f");
    assert_int_equal(add_flags(fx, f, EV_ADD | EV_ONESHOT, ASKED), 0);
    write_file("f", "y");
    expect(fx, f, W);
    write_file("f", "z");
    expect_nothing(fx);
    assert_int_equal(add_flags(fx, f, EV_DELETE, 0), -ENOENT);
    assert_int_equal(fcntl(f, F_GETFD), FD_CLOEXEC); /* still open */
    kq_close(fx->kq, f);
}

static void test_kq_dispatch_disables_until_enabled(void **state)
{
    struct fixture *fx = *state;
    make_file("f", "x");
    int f = open_quietly("f");
    unsigned short flags = EV_ADD | EV_CLEAR | EV_DISPATCH;
    assert_int_equal(add_flags(fx, f, flags, ASKED), 0);
    write_file("f", "y");
    expect(fx, f, W);
    assert_int_equal(chmod("f", 0400), 0);
    expect_nothing(fx);
    assert_int_equal(add_flags(fx, f, EV_ENABLE, ASKED), 0);
    expect(fx, f, A); /* was noted while it was disabled */
    expect_nothing(fx);
    kq_close(fx->kq, f);
}

static void test_kq_disabled_collects_and_tells_when_enabled(void **state)
{
    struct fixture *fx = *state;
    make_file("f", "x");
    int f = watch(fx, "f");
    write_file("f", "y");
    assert_int_equal(kq_wait(fx->kq, NULL), 0); /* queued by now */
    assert_int_equal(add_flags(fx, f, EV_DISABLE, ASKED), 0);
    assert_int_equal(chmod("f", 0400), 0);
    expect_nothing(fx);
    assert_int_equal(add_flags(fx, f, EV_ENABLE | EV_DISABLE, ASKED), -EINVAL);
    assert_int_equal(add_flags(fx, f, EV_ENABLE, ASKED), 0);
    expect(fx, f, W | A);
    int g = dup(f);
    assert_int_equal(add_flags(fx, g, EV_ADD | EV_CLEAR | EV_DISABLE, ASKED),
                     0);
    write_file("f", "z");
    expect(fx, g, 0);
    expect(fx, f, W);
    expect_nothing(fx);
    kq_close(fx->kq, g);
    kq_close(fx->kq, f);
}

static void test_kq_receipts_and_errors_are_returned_alone(void **state)
{
    struct fixture *fx = *state;
    struct kevent changes[3], events[4];
    make_file("f", "x");
    int f = watch(fx, "f");
    int g = dup(f);
    write_file("f", "y");
    EV_SET(&changes[0], g, EVFILT_VNODE, EV_ADD | EV_CLEAR | EV_RECEIPT, ASKED,
           0, NULL);
    EV_SET(&changes[1], 9999, EVFILT_VNODE, EV_DELETE, 0, 0, NULL);
    EV_SET(&changes[2], 1, EVFILT_USER, EV_ADD | EV_CLEAR, 0, 0, NULL);
    assert_int_equal(kq_event(fx->kq, changes, 3, events, 4), 2);
    assert_true(events[0].flags & EV_ERROR);
    assert_int_equal(events[0].ident, g);
    assert_int_equal(events[0].data, 0);
    assert_int_equal(events[1].data, ENOENT);
    expect(fx, f, W);
    fx->nevents = 0;
    write_file("f", "z");
    expect(fx, g, W); /* it was added */
    fx->nevents = 0;
    /* Without room for reports the first failure ends it. */
    EV_SET(&changes[0], 9999, EVFILT_VNODE, EV_DELETE, 0, 0, NULL);
    EV_SET(&changes[1], f, EVFILT_VNODE, EV_DELETE, 0, 0, NULL);
    assert_int_equal(kq_event(fx->kq, changes, 2, NULL, 0), -ENOENT);
    write_file("f", "w");
    expect(fx, f, W);
    expect(fx, g, W);
    kq_close(fx->kq, f);
    kq_close(fx->kq, g);
}

static void test_kq_errors(void **state)
{
    struct fixture *fx = *state;
    assert_int_equal(add_flags(fx, 9999, EV_ADD | EV_CLEAR, ASKED), -EBADF);
    assert_int_equal(add_flags(fx, -1, EV_ADD | EV_CLEAR, ASKED), -EBADF);
    assert_int_equal(add_flags(fx, 9999, EV_ENABLE, ASKED), -ENOENT);
    assert_int_equal(add_flags(fx, -1, EV_DELETE, 0), -ENOENT);
    assert_int_equal(change(fx, 5, EVFILT_USER, 0, NOTE_TRIGGER), -ENOENT);
    assert_int_equal(change(fx, 0, -1, EV_ADD, 0), -EINVAL);
    for (uintptr_t i = 0; i < 16; i++)
        assert_int_equal(change(fx, i, EVFILT_USER, EV_ADD, 0), 0);
    assert_int_equal(change(fx, 16, EVFILT_USER, EV_ADD, 0), -ENOMEM);
    expect_nothing(fx);
}

static void test_kq_unlinked_file_lives_on(void **state)
{
    struct fixture *fx = *state;
    make_file("f", "x");
    int other = open("f", O_WRONLY | O_CLOEXEC);
    int f = watch(fx, "f");
    assert_int_equal(unlink("f"), 0);
    expect(fx, f, either(DEL, DEL | L));
    assert_int_equal(write(other, "abc", 3), 3);
    expect(fx, f, either(W | X, W | X));
    int late = dup(f); /* added when it has no name any more */
    add(fx, late, ASKED);
    assert_int_equal(write(other, "def", 3), 3);
    expect(fx, late, W | X);
    expect(fx, f, W | X);
    expect_nothing(fx);
    close(other);
    kq_close(fx->kq, late);
    kq_close(fx->kq, f);
}

static void test_kq_removed_directory_added_late_is_no_news(void **state)
{
    struct fixture *fx = *state;
    assert_int_equal(mkdir("sub", 0700), 0);
    int sub = open_quietly("sub");
    assert_int_equal(rmdir("sub"), 0);
    add(fx, sub, ASKED);
    expect_nothing(fx);
    kq_close(fx->kq, sub);
}

/* close(2) without kq_close, and the number is another file's by then. */
static void test_kq_number_reused_behind_its_back(void **state)
{
    struct fixture *fx = *state;
    make_file("f", "x");
    make_file("g", "x");
    int f = watch(fx, "f");
    close(f);
    int g = open_quietly("g");
    assert_int_equal(g, f);
    add(fx, g, ASKED);
    write_file("f", "y");
    expect_nothing(fx);
    write_file("g", "y");
    expect(fx, g, W);
    kq_close(fx->kq, g);
    collect(fx);
    expect_nothing(fx);
}

/*** Waiting ***/

static const struct timespec soon = {.tv_nsec = 20000000};
static const struct timespec late = {.tv_sec = 20};

static void test_kq_wait_times_out_and_ignores_what_makes_no_note(void **state)
{
    struct fixture *fx = *state;
    int d = watch(fx, ".");
    make_file("f", "x");
    expect(fx, d, W);
    assert_int_equal(kq_wait(fx->kq, &soon), -ETIMEDOUT);
    assert_int_equal(chmod("f", 0400), 0); /* the kernel tells, we do not */
    int f = watch(fx, "f");
    assert_int_equal(add_flags(fx, f, EV_DELETE, 0), 0); /* and IN_IGNORED */
    assert_int_equal(kq_wait(fx->kq, &soon), -ETIMEDOUT);
    assert_int_equal(mkdir("sub", 0700), 0);
    assert_int_equal(kq_wait(fx->kq, &late), 0);
    assert_int_equal(kq_wait(fx->kq, NULL), 0); /* still there */
    expect(fx, d, W | L);
    close(f);
    kq_close(fx->kq, d);
}

static void *wait_for_one(void *arg)
{
    struct fixture *fx = arg;
    int rc = kq_wait(fx->kq, &late);
    collect(fx);
    return (void *)(intptr_t)rc;
}

/* True once the thread sleeps in the kernel. */
static void await_sleep(void)
{
    nanosleep(&soon, NULL); /* sooner is no harm: then it does not sleep */
}

static void test_kq_user_note_wakes_the_sleeper(void **state)
{
    struct fixture *fx = *state;
    pthread_t thread;
    void *rc;
    assert_int_equal(change(fx, 7, EVFILT_USER, EV_ADD | EV_CLEAR, 0), 0);
    expect_nothing(fx);
    for (int i = 0; i < 3; i++) {
        pthread_create(&thread, NULL, wait_for_one, fx);
        await_sleep();
        assert_int_equal(change(fx, 7, EVFILT_USER, 0, NOTE_TRIGGER), 0);
        pthread_join(thread, &rc);
        assert_int_equal((intptr_t)rc, 0);
        assert_int_equal(fx->nevents, 1);
        assert_int_equal(fx->events[0].ident, 7);
        assert_int_equal(fx->events[0].filter, EVFILT_USER);
        fx->nevents = 0;
        expect_nothing(fx);
    }
    assert_int_equal(change(fx, 7, EVFILT_USER, 0, NOTE_TRIGGER), 0);
    assert_true(kq_pending(fx->kq));
    assert_int_equal(change(fx, 7, EVFILT_USER, EV_DELETE, 0), 0);
    expect_nothing(fx);
}

static void test_kq_adding_a_pending_knote_wakes_the_sleeper(void **state)
{
    struct fixture *fx = *state;
    pthread_t thread;
    void *rc;
    make_file("f", "x");
    int f = watch(fx, "f");
    assert_int_equal(add_flags(fx, f, EV_DISABLE, ASKED), 0);
    write_file("f", "y");
    expect_nothing(fx);
    pthread_create(&thread, NULL, wait_for_one, fx);
    await_sleep();
    assert_int_equal(add_flags(fx, f, EV_ENABLE, ASKED), 0);
    pthread_join(thread, &rc);
    assert_int_equal((intptr_t)rc, 0);
    expect(fx, f, W);
    expect_nothing(fx);
    kq_close(fx->kq, f);
}

static const struct CMUnitTest tests[] = {
    KQ_TEST(test_kq_takes_the_whole_hint_if_part_was_asked_for),
    KQ_TEST(test_kq_coalesces_in_order_of_first_hints),
    KQ_TEST(test_kq_descriptors_of_one_file_fire_last_attached_first),
    KQ_TEST(test_kq_close_drops_the_knote_of_this_number_only),
    KQ_TEST(test_kq_delete_throws_the_note_away),
    KQ_TEST(test_kq_adding_again_replaces_and_keeps_what_is_pending),
    KQ_TEST(test_kq_without_clear_is_returned_again),
    KQ_TEST(test_kq_oneshot_is_dropped_when_handed_out),
    KQ_TEST(test_kq_dispatch_disables_until_enabled),
    KQ_TEST(test_kq_disabled_collects_and_tells_when_enabled),
    KQ_TEST(test_kq_receipts_and_errors_are_returned_alone),
    KQ_TEST(test_kq_errors),
    KQ_TEST(test_kq_unlinked_file_lives_on),
    KQ_TEST(test_kq_removed_directory_added_late_is_no_news),
    KQ_TEST(test_kq_number_reused_behind_its_back),
    KQ_TEST(test_kq_wait_times_out_and_ignores_what_makes_no_note),
    KQ_TEST(test_kq_user_note_wakes_the_sleeper),
    KQ_TEST(test_kq_adding_a_pending_knote_wakes_the_sleeper),
};

KQ_TESTS(tests)
