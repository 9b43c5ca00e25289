/*
 * timer.h: the vnode that is due first comes first, whoever leaves between.
 */
#include "pipeline/timer.h"

#include "unit.h"

#include <string.h>

enum { VNODES = 300 };

static struct vnode *vnodes;
static struct timer timer;

static int setup(void **state)
{
    (void)state;
    vnodes = calloc(1, VNODE_CHUNK_BYTES);
    for (uint32_t i = 0; i < VNODES; i++)
        vnodes[i].slot = i;
    memset(&timer, 0, sizeof(timer));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    timer_fini(&timer);
    free(vnodes);
    return 0;
}

static void insert(int i, uint64_t due_ns)
{
    more(&vnodes[i])->due_ns = due_ns;
    assert_int_equal(timer_insert(&timer, &vnodes[i]), 0);
}

static void test_timer_gives_the_first_due_first(void **state)
{
    static const uint64_t due[] = { 50, 10, 40, 10, 30, 20, 60 };
    uint64_t last = 0;

    (void)state;
    assert_null(timer_first(&timer));
    for (int i = 0; i < 7; i++)
        insert(i, due[i]);
    for (int i = 0; i < 7; i++) {
        struct vnode *vnode = timer_first(&timer);

        assert_true(more(vnode)->due_ns >= last);
        last = more(vnode)->due_ns;
        timer_remove(&timer, vnode);
        assert_int_equal(timer.count, 6 - i);
    }
    assert_null(timer_first(&timer));
}

/* Any vnode may leave, wherever it is; the rest stays a heap. */
static void test_timer_agrees_with_a_search_at_random(void **state)
{
    struct random random = { random_seed() };
    bool in[VNODES] = { false };

    (void)state;
    for (int round = 0; round < 30000; round++) {
        int i = (int)random_below(&random, VNODES);
        uint64_t first = UINT64_MAX;
        uint32_t count = 0;

        if (in[i])
            timer_remove(&timer, &vnodes[i]);
        else
            insert(i, random_below(&random, 1000));
        in[i] = !in[i];
        for (int k = 0; k < VNODES; k++) {
            count += in[k];
            if (in[k] && more(&vnodes[k])->due_ns < first)
                first = more(&vnodes[k])->due_ns;
        }
        assert_int_equal(timer.count, count);
        for (uint32_t k = 1; k < count; k++)
            assert_true(more(timer.heap[(k - 1) / 2])->due_ns <=
                        more(timer.heap[k])->due_ns);
        if (count == 0)
            assert_null(timer_first(&timer));
        else
            assert_int_equal(more(timer_first(&timer))->due_ns, first);
    }
    while (timer_first(&timer) != NULL)
        timer_remove(&timer, timer_first(&timer));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_timer_gives_the_first_due_first,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_timer_agrees_with_a_search_at_random, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
