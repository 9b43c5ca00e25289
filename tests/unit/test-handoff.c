/*
 * handoff.h: any thread gives, any thread takes all, oldest first.
 */
#include "pipeline/handoff.h"

#include "unit.h"

#include <pthread.h>
#include <sched.h>

struct object {
    int number; /* plain: what was written before giving is seen */
    int giver;
    struct handoff_link link;
};

static struct handoff handoff;

static struct object *object_of(struct handoff_link *link)
{
    return HANDOFF_OBJECT(struct object, link, link);
}

static void test_handoff_takes_all_oldest_first(void **state)
{
    struct object objects[5];
    struct handoff_link *link;

    (void)state;
    handoff_init(&handoff);
    assert_true(handoff_empty(&handoff));
    assert_null(handoff_take(&handoff));
    for (int i = 0; i < 5; i++) {
        objects[i].number = i;
        handoff_give(&handoff, &objects[i].link);
    }
    assert_false(handoff_empty(&handoff));
    link = handoff_take(&handoff);
    assert_true(handoff_empty(&handoff));
    assert_null(handoff_take(&handoff));
    for (int i = 0; i < 5; i++, link = link->next)
        assert_int_equal(object_of(link)->number, i);
    assert_null(link);
}

static void test_handoff_takes_an_object_again(void **state)
{
    struct object object = { .number = 1 };

    (void)state;
    handoff_init(&handoff);
    for (int i = 0; i < 3; i++) {
        handoff_give(&handoff, &object.link);
        assert_ptr_equal(handoff_take(&handoff), &object.link);
    }
}

enum { GIVERS = 3, TAKERS = 2, OBJECTS = 30000 };

static struct object given[GIVERS][OBJECTS];
static _Atomic unsigned taken, out_of_order;
static _Atomic unsigned char times[GIVERS][OBJECTS];

static void *give(void *arg)
{
    int giver = (int)(intptr_t)arg;

    for (int i = 0; i < OBJECTS; i++) {
        given[giver][i].number = i;
        given[giver][i].giver = giver;
        handoff_give(&handoff, &given[giver][i].link);
    }
    return NULL;
}

static void *take(void *arg)
{
    (void)arg;
    while (atomic_load(&taken) < GIVERS * OBJECTS) {
        struct handoff_link *link = handoff_take(&handoff);
        int last[GIVERS] = { -1, -1, -1 };

        if (link == NULL)
            sched_yield();
        while (link != NULL) {
            struct object *object = object_of(link);

            link = link->next;
            if (object->number <= last[object->giver])
                atomic_fetch_add(&out_of_order, 1);
            last[object->giver] = object->number;
            atomic_fetch_add(&times[object->giver][object->number], 1);
            atomic_fetch_add(&taken, 1);
        }
    }
    return NULL;
}

static void test_handoff_gives_each_object_to_one_taker(void **state)
{
    pthread_t threads[GIVERS + TAKERS];

    (void)state;
    handoff_init(&handoff);
    for (intptr_t i = 0; i < GIVERS; i++)
        pthread_create(&threads[i], NULL, give, (void *)i);
    for (int i = 0; i < TAKERS; i++)
        pthread_create(&threads[GIVERS + i], NULL, take, NULL);
    for (int i = 0; i < GIVERS + TAKERS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(taken, GIVERS * OBJECTS);
    assert_int_equal(out_of_order, 0);
    for (int i = 0; i < GIVERS; i++)
        for (int k = 0; k < OBJECTS; k++)
            assert_int_equal(times[i][k], 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_handoff_takes_all_oldest_first),
        cmocka_unit_test(test_handoff_takes_an_object_again),
        cmocka_unit_test(test_handoff_gives_each_object_to_one_taker),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
