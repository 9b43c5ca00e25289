/*
 * queue.h: bounded, first in first out, merging with the last unread event.
 */
#include "pipeline/queue.h"

#include "unit.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

enum { CAPACITY = 64 };

static struct arenas arenas;
static struct queue queue;

static int setup(void **state)
{
    (void)state;
    arenas_init(&arenas);
    return queue_init(&queue, &arenas, CAPACITY);
}

static int teardown(void **state)
{
    (void)state;
    queue_fini(&queue);
    arenas_fini(&arenas);
    return 0;
}

static enum queue_outcome push(int wd, uint32_t mask, const char *name)
{
    return queue_push(&queue, wd, mask, 0, name,
                      name == NULL ? 0 : strlen(name));
}

static void assert_popped(int wd, uint32_t mask, const char *name)
{
    const struct vnotify_event *event = queue_peek(&queue);

    assert_non_null(event);
    assert_ptr_equal(event, queue_peek(&queue));
    assert_int_equal(event->wd, wd);
    assert_int_equal(event->mask, mask);
    if (name != NULL)
        assert_string_equal(event->name, name);
    else
        assert_int_equal(event->len, 0);
    queue_pop(&queue);
}

static void test_queue_gives_events_in_the_order_they_came(void **state)
{
    (void)state;
    assert_null(queue_peek(&queue));
    assert_int_equal(push(1, VN_IN_CREATE, "a"), QUEUE_PUSHED);
    assert_int_equal(push(1, VN_IN_DELETE, "a"), QUEUE_PUSHED);
    assert_int_equal(push(2, VN_IN_IGNORED, NULL), QUEUE_PUSHED);
    assert_int_equal(queue_events(&queue), 3);
    assert_popped(1, VN_IN_CREATE, "a");
    assert_popped(1, VN_IN_DELETE, "a");
    assert_popped(2, VN_IN_IGNORED, NULL);
    assert_null(queue_peek(&queue));
}

static void test_queue_counts_the_bytes_that_are_unread(void **state)
{
    (void)state;
    assert_int_equal(queue_bytes(&queue), 0);
    push(1, VN_IN_CREATE, "a");
    push(1, VN_IN_CREATE, "a-name-of-sixteen");
    push(2, VN_IN_IGNORED, NULL);
    assert_int_equal(queue_bytes(&queue), 32 + 48 + 16);
    queue_peek(&queue);
    assert_int_equal(queue_bytes(&queue), 96);
    queue_pop(&queue);
    assert_int_equal(queue_bytes(&queue), 64);
    queue_peek(&queue);
    queue_pop(&queue);
    queue_peek(&queue);
    queue_pop(&queue);
    assert_int_equal(queue_bytes(&queue), 0);
}

static void test_queue_refuses_what_it_has_no_room_for(void **state)
{
    char name[16];

    (void)state;
    for (int round = 0; round < 3; round++) { /* around the ring's end */
        int n = 0;

        for (; n < 1000; n++) {
            snprintf(name, sizeof(name), "%d", n);
            if (push(1, VN_IN_CREATE, name) != QUEUE_PUSHED)
                break;
        }
        assert_in_range(n, CAPACITY - 2, CAPACITY - 1);
        assert_int_equal(push(1, VN_IN_CREATE, "more"), QUEUE_FULL);
        assert_int_equal(push(1, VN_IN_CREATE, "more"), QUEUE_FULL);
        for (int i = 0; i < n; i++) {
            snprintf(name, sizeof(name), "%d", i);
            assert_popped(1, VN_IN_CREATE, name);
        }
        assert_null(queue_peek(&queue));
    }
}

static void test_queue_merges_only_with_the_last_unread_event(void **state)
{
    (void)state;
    assert_int_equal(push(1, VN_IN_MODIFY, "a"), QUEUE_PUSHED);
    assert_int_equal(push(1, VN_IN_MODIFY, "a"), QUEUE_MERGED);
    assert_int_equal(push(1, VN_IN_MODIFY, "b"), QUEUE_PUSHED);
    assert_int_equal(push(1, VN_IN_MODIFY, "a"), QUEUE_PUSHED);
    assert_int_equal(push(2, VN_IN_MODIFY, "a"), QUEUE_PUSHED);
    assert_int_equal(push(2, VN_IN_ATTRIB, "a"), QUEUE_PUSHED);
    assert_int_equal(push(2, VN_IN_ATTRIB, NULL), QUEUE_PUSHED);
    assert_int_equal(push(2, VN_IN_ATTRIB, NULL), QUEUE_MERGED);
    assert_int_equal(queue_events(&queue), 6);
}

static void test_queue_does_not_merge_with_an_event_that_was_read(void **state)
{
    (void)state;
    push(1, VN_IN_MODIFY, "a");
    assert_popped(1, VN_IN_MODIFY, "a");
    assert_int_equal(push(1, VN_IN_MODIFY, "a"), QUEUE_PUSHED);
    assert_int_equal(push(1, VN_IN_MODIFY, "a"), QUEUE_MERGED);
}

static void test_queue_merges_even_when_full(void **state)
{
    char name[16];

    (void)state;
    for (int n = 0;; n++) {
        snprintf(name, sizeof(name), "%d", n);
        if (push(1, VN_IN_CREATE, name) == QUEUE_FULL)
            break;
    }
    snprintf(name, sizeof(name), "%d", (int)queue_events(&queue) - 1);
    assert_int_equal(push(1, VN_IN_CREATE, name), QUEUE_MERGED);
}

static void test_queue_keeps_the_cookie_of_the_first(void **state)
{
    (void)state;
    queue_push(&queue, 1, VN_IN_MOVED_FROM, 5, "a", 1);
    assert_int_equal(queue_push(&queue, 1, VN_IN_MOVED_FROM, 6, "a", 1),
                     QUEUE_MERGED);
    assert_int_equal(queue_peek(&queue)->cookie, 5);
}

/* One pushes numbers, one pops: none lost, none twice, none half written. */
enum { NUMBERS = 200000 };

static void *pusher(void *arg)
{
    char name[240];

    (void)arg;
    for (int n = 1; n <= NUMBERS; n++) {
        size_t len = (size_t)(n % 200) + 8;

        memset(name, 'a' + n % 26, len);
        while (queue_push(&queue, n, VN_IN_CREATE, (uint32_t)n, name, len) ==
               QUEUE_FULL)
            sched_yield();
    }
    return NULL;
}

static void test_queue_passes_whole_events_between_threads(void **state)
{
    pthread_t thread;
    char name[240];

    (void)state;
    pthread_create(&thread, NULL, pusher, NULL);
    for (int n = 1; n <= NUMBERS; n++) {
        const struct vnotify_event *event;
        size_t len = (size_t)(n % 200) + 8;

        while ((event = queue_peek(&queue)) == NULL)
            sched_yield();
        memset(name, 'a' + n % 26, len);
        assert_int_equal(event->wd, n);
        assert_int_equal(event->cookie, n);
        assert_int_equal(strlen(event->name), len);
        assert_memory_equal(event->name, name, len);
        assert_in_range(queue_bytes(&queue), 16 + event->len, 1 << 20);
        queue_pop(&queue);
    }
    pthread_join(thread, NULL);
    assert_int_equal(queue_bytes(&queue), 0);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_queue_gives_events_in_the_order_they_came),
        CASE(test_queue_counts_the_bytes_that_are_unread),
        CASE(test_queue_refuses_what_it_has_no_room_for),
        CASE(test_queue_merges_only_with_the_last_unread_event),
        CASE(test_queue_does_not_merge_with_an_event_that_was_read),
        CASE(test_queue_merges_even_when_full),
        CASE(test_queue_keeps_the_cookie_of_the_first),
        CASE(test_queue_passes_whole_events_between_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
