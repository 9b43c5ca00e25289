/*
 * relay.h: any thread gives, any thread takes one, oldest first.
 */
#include "pipeline/relay.h"

#include "unit.h"

#include <pthread.h>
#include <sched.h>

struct object {
    int number; /* plain: what was written before giving is seen */
    struct handoff_link link;
};

static struct relay relay;

static struct object *object_of(struct handoff_link *link)
{
    return HANDOFF_OBJECT(struct object, link, link);
}

static void test_relay_takes_one_oldest_first(void **state)
{
    struct object objects[5];

    (void)state;
    relay_init(&relay);
    assert_true(relay_empty(&relay));
    assert_null(relay_take(&relay));
    for (int i = 0; i < 5; i++) {
        objects[i].number = i;
        relay_give(&relay, &objects[i].link);
    }
    for (int i = 0; i < 5; i++) {
        assert_false(relay_empty(&relay));
        assert_int_equal(object_of(relay_take(&relay))->number, i);
    }
    assert_true(relay_empty(&relay));
    assert_null(relay_take(&relay));
}

static void test_relay_puts_what_is_given_again_behind_the_rest(void **state)
{
    static const int order[] = { 0, 1, 2, 0, 1, 2, 0, 1, 2 };
    struct object objects[3];

    (void)state;
    relay_init(&relay);
    for (int i = 0; i < 3; i++) {
        objects[i].number = i;
        relay_give(&relay, &objects[i].link);
    }
    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
        struct handoff_link *link = relay_take(&relay);

        assert_int_equal(object_of(link)->number, order[i]);
        relay_give(&relay, link);
    }
}

/*
 * A million takes of a relay that is never short of 20,000: were each of them
 * to move the rest, this would be 10^10 moves.
 */
static void test_relay_takes_from_many_as_fast_as_from_few(void **state)
{
    enum { MANY = 20000, TAKES = 1000000 };
    static struct object objects[MANY];

    (void)state;
    relay_init(&relay);
    for (int i = 0; i < MANY; i++)
        relay_give(&relay, &objects[i].link);
    for (int i = 0; i < TAKES; i++) {
        struct handoff_link *link = relay_take(&relay);

        assert_non_null(link);
        relay_give(&relay, link);
    }
}

enum { GIVERS = 3, TAKERS = 3, OBJECTS = 20000 };

static struct object given[GIVERS][OBJECTS];
static _Atomic unsigned taken, wrong;
static _Atomic unsigned char times[GIVERS][OBJECTS];

static void *give(void *arg)
{
    int giver = (int)(intptr_t)arg;

    for (int i = 0; i < OBJECTS; i++) {
        given[giver][i].number = giver * OBJECTS + i;
        relay_give(&relay, &given[giver][i].link);
    }
    return NULL;
}

/* Takes until all are taken; refused or early, it tries again. */
static void *take(void *arg)
{
    int latest[GIVERS];

    (void)arg;
    for (int i = 0; i < GIVERS; i++)
        latest[i] = -1;
    while (atomic_load(&taken) < GIVERS * OBJECTS) {
        struct handoff_link *link = relay_take(&relay);
        int giver, number;

        if (link == NULL) {
            sched_yield();
            continue;
        }
        giver = object_of(link)->number / OBJECTS;
        number = object_of(link)->number % OBJECTS;
        if (number <= latest[giver])
            atomic_fetch_add(&wrong, 1);
        latest[giver] = number;
        atomic_fetch_add(&times[giver][number], 1);
        atomic_fetch_add(&taken, 1);
    }
    return NULL;
}

static void test_relay_gives_each_object_to_one_taker(void **state)
{
    pthread_t threads[GIVERS + TAKERS];

    (void)state;
    relay_init(&relay);
    for (int i = 0; i < GIVERS + TAKERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL,
                                        i < GIVERS ? give : take,
                                        (void *)(intptr_t)i),
                         0);
    for (int i = 0; i < GIVERS + TAKERS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&wrong), 0);
    assert_true(relay_empty(&relay));
    for (int giver = 0; giver < GIVERS; giver++)
        for (int i = 0; i < OBJECTS; i++)
            assert_int_equal(atomic_load(&times[giver][i]), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_relay_takes_one_oldest_first),
        cmocka_unit_test(
            test_relay_puts_what_is_given_again_behind_the_rest),
        cmocka_unit_test(test_relay_takes_from_many_as_fast_as_from_few),
        cmocka_unit_test(test_relay_gives_each_object_to_one_taker),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
