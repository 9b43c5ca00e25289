/*
 * kq_sleep and kq_rest of the Linux port: threads that sleep in the kqueue, one
 * of whom is woken, and letting notes gather.
 */
#include "kq-fixture.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <time.h>

enum { SLEEPERS = 2, ROUNDS = 300, IDENT = 7 };

static const uint64_t long_ns = UINT64_C(900000000);

static struct {
    struct kq *kq;
    atomic_bool over;
    atomic_uint notes; /* collected, under the lock of a turn */
    pthread_mutex_t turn;
} shared = { .turn = PTHREAD_MUTEX_INITIALIZER };

static uint64_t clock_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void add_trigger(struct kq *kq)
{
    struct kevent kev;

    EV_SET(&kev, IDENT, EVFILT_USER, EV_ADD | EV_CLEAR, NOTE_FFNOP, 0, NULL);
    assert_int_equal(kq_event(kq, &kev, 1, NULL, 0), 0);
}

static void trigger(struct kq *kq)
{
    struct kevent kev;

    EV_SET(&kev, IDENT, EVFILT_USER, 0, NOTE_TRIGGER, 0, NULL);
    (void)kq_event(kq, &kev, 1, NULL, 0);
}

/* As readers do, with a lock for the turn. */
static void *sleep_and_collect(void *arg)
{
    struct kevent events[16];

    (void)arg;
    while (!atomic_load(&shared.over)) {
        (void)kq_sleep(shared.kq);
        pthread_mutex_lock(&shared.turn);
        int n = kq_event(shared.kq, NULL, 0, events, 16);
        pthread_mutex_unlock(&shared.turn);
        for (int i = 0; i < n; i++)
            if (events[i].filter == EVFILT_VNODE)
                atomic_fetch_add(&shared.notes, 1);
    }
    trigger(shared.kq); /* the next */
    return NULL;
}

static void await_notes(unsigned count)
{
    uint64_t deadline = clock_now() + UINT64_C(60000000000);

    while (atomic_load(&shared.notes) < count && clock_now() < deadline)
        sched_yield();
    assert_int_equal(atomic_load(&shared.notes), count);
}

/* Each change is made when all before it have been collected: so it finds both
   asleep, or one on its way there, and somebody must come for it. */
static void test_kq_sleep_misses_no_note(void **state)
{
    struct fixture *fx = *state;
    pthread_t sleepers[SLEEPERS];
    int d = watch(fx, ".");

    shared.kq = fx->kq;
    atomic_store(&shared.over, false);
    atomic_store(&shared.notes, 0);
    add_trigger(fx->kq);
    for (int i = 0; i < SLEEPERS; i++)
        pthread_create(&sleepers[i], NULL, sleep_and_collect, NULL);
    for (unsigned i = 0; i < ROUNDS; i++) {
        if (i % 2 == 0)
            make_file("f", "");
        else
            assert_return_code(unlink("f"), errno);
        if (i % 3 == 0)
            trigger(fx->kq);
        await_notes(i + 1);
    }
    atomic_store(&shared.over, true);
    trigger(fx->kq);
    for (int i = 0; i < SLEEPERS; i++)
        pthread_join(sleepers[i], NULL);
    kq_close(fx->kq, d);
}

/* What comes while nobody is woken is not lost to kq_sleep. */
static void test_kq_rest_leaves_what_came_to_kq_sleep(void **state)
{
    struct fixture *fx = *state;
    int d = watch(fx, ".");

    for (int i = 0; i < 50; i++) {
        make_file("f", "");
        kq_rest(fx->kq, 1000);
        assert_int_equal(kq_sleep(fx->kq), 0);
        expect(fx, d, W);
        kq_rest(fx->kq, 1000);
        assert_return_code(unlink("f"), errno);
        assert_int_equal(kq_sleep(fx->kq), 0);
        expect(fx, d, W);
    }
    expect_nothing(fx);
    kq_close(fx->kq, d);
}

static _Atomic pid_t sleeper, rester;

/* Stays until the turn's lock is free: its times are to be read. */
static void *sleep_once(void *arg)
{
    atomic_store(&sleeper, gettid());
    assert_int_equal(kq_sleep(arg), 0);
    pthread_mutex_lock(&shared.turn);
    pthread_mutex_unlock(&shared.turn);
    return NULL;
}

static void *rest_once(void *arg)
{
    atomic_store(&rester, gettid());
    kq_rest(arg, long_ns);
    return NULL;
}

/* A line of /proc/self/task/TID/status: what follows its key. */
static void read_status(pid_t tid, const char *key, char value[32])
{
    char path[64], line[256];
    FILE *file;

    snprintf(path, sizeof(path), "/proc/self/task/%d/status", (int)tid);
    file = fopen(path, "re");
    assert_non_null(file);
    do
        assert_non_null(fgets(line, sizeof(line), file));
    while (strncmp(line, key, strlen(key)) != 0);
    fclose(file);
    snprintf(value, 32, "%.31s", line + strlen(key) + 2);
}

static void await_asleep(const _Atomic pid_t *tid)
{
    uint64_t deadline = clock_now() + UINT64_C(60000000000);
    char state[32] = "";

    while (atomic_load(tid) == 0 || state[0] != 'S') {
        assert_true(clock_now() < deadline);
        sched_yield();
        if (atomic_load(tid) != 0)
            read_status(atomic_load(tid), "State", state);
    }
}

static unsigned long times_asleep(void)
{
    char times[32];

    read_status(atomic_load(&sleeper), "voluntary_ctxt_switches", times);
    return strtoul(times, NULL, 10);
}

/* Not even for a look: who changes files pays for each wake. */
static void test_kq_rest_wakes_nobody(void **state)
{
    enum { FILES = 50 };
    struct fixture *fx = *state;
    int d = watch(fx, ".");
    unsigned long before, wakes;
    pthread_t threads[2];

    add_trigger(fx->kq);
    atomic_store(&sleeper, 0);
    atomic_store(&rester, 0);
    pthread_mutex_lock(&shared.turn);
    pthread_create(&threads[0], NULL, sleep_once, fx->kq);
    await_asleep(&sleeper);
    pthread_create(&threads[1], NULL, rest_once, fx->kq);
    await_asleep(&rester);
    before = times_asleep();
    for (int i = 0; i < FILES; i++) {
        make_file("f", "");
        await_asleep(&sleeper); /* again, if it was woken */
        assert_return_code(unlink("f"), errno);
        await_asleep(&sleeper);
    }
    wakes = times_asleep() - before;
    pthread_mutex_unlock(&shared.turn);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    assert_true(wakes < FILES / 10);
    collect(fx);
    fx->nevents = 0;
    kq_close(fx->kq, d);
}

static void test_kq_rest_ends_with_a_trigger(void **state)
{
    struct fixture *fx = *state;
    uint64_t before = clock_now();

    add_trigger(fx->kq);
    trigger(fx->kq);
    kq_rest(fx->kq, long_ns);
    assert_true(clock_now() - before < long_ns);
    assert_int_equal(kq_sleep(fx->kq), 0);
    collect(fx);
    assert_int_equal(fx->nevents, 1);
    assert_int_equal(fx->events[0].filter, EVFILT_USER);
    fx->nevents = 0;
}

static const struct CMUnitTest tests[] = {
    KQ_TEST(test_kq_sleep_misses_no_note),
    KQ_TEST(test_kq_rest_leaves_what_came_to_kq_sleep),
    KQ_TEST(test_kq_rest_wakes_nobody),
    KQ_TEST(test_kq_rest_ends_with_a_trigger),
};

KQ_TESTS(tests)
