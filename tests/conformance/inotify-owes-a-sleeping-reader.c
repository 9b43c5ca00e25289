/*
 * A reader that sleeps while much happens is told all of it when it wakes, and
 * nothing had to be kept for it but the difference.  (The kernel's own queue
 * overflows at max_queued_events; there the overflow is accepted.)
 */
#include "guest-model.h"

#include <string.h>

#define FILES 50000
#define CHURN_NAMES 1000
#define CHURN_ROUNDS 20
#define MEMORY_KIB_MAX (96 * 1024)

static void file_name(char path[64], int number)
{
    snprintf(path, 64, "d/file-%d", number);
}

static void expect_memory_bounded(long before_kib)
{
    long after_kib = guest_supervisor_kib();
    printf("     supervisor: %ld KiB before, %ld KiB after\n", before_kib,
           after_kib);
    CHECK(after_kib - before_kib < MEMORY_KIB_MAX,
          "expected at most %d KiB more, seen %ld", MEMORY_KIB_MAX,
          after_kib - before_kib);
}

/* Reads until `count` creates were seen; the number of overflow records. */
static int read_creates(struct guest_queue *q, struct model *model, int count)
{
    struct model_moves moves = {0};
    struct guest_event event;
    int overflows = 0;
    for (int seen = 0; seen < count && guest_next(q, &event);) {
        if ((event.mask & IN_Q_OVERFLOW) != 0) {
            overflows++;
            continue;
        }
        CHECK(event.mask == IN_CREATE, "expected IN_CREATE, seen 0x%x",
              event.mask);
        model_apply(model, 1, &moves, &event);
        seen++;
    }
    return overflows;
}

static void fifty_thousand_creates_are_all_named(void)
{
    struct guest_queue q;
    struct model model;
    char path[64];
    long before_kib = guest_supervisor_kib();
    guest_mkdir("d");
    guest_open(&q);
    int wd = guest_watch(&q, "d", IN_CREATE);
    model_init(&model, wd);
    for (int i = 0; i < FILES; i++) {
        file_name(path, i);
        guest_touch(path);
    }
    expect_memory_bounded(before_kib);
    int overflows = read_creates(&q, &model, FILES);
    if (guest_native()) {
        CHECK(overflows == 1, "expected one overflow, seen %d", overflows);
        printf("     the kernel's queue overflowed, as it must\n");
    } else {
        CHECK(overflows == 0, "expected no IN_Q_OVERFLOW, seen %d", overflows);
        const char *difference = model_difference(&model, "d");
        CHECK(difference == NULL, "expected all %d names, seen: %s", FILES,
              difference);
    }
    expect_memory_bounded(before_kib);
    model_fini(&model);
    guest_close(&q);
}

/* Names come and go unread, many times over; the net difference is none. */
static void churn_costs_no_memory(void)
{
    struct guest_queue q;
    struct model model;
    struct model_moves moves = {0};
    char path[64];
    guest_mkdir("d");
    guest_open(&q);
    int wd = guest_watch(&q, "d", IN_CREATE | IN_DELETE);
    model_init(&model, wd);
    long before_kib = guest_supervisor_kib();
    for (int round = 0; round < CHURN_ROUNDS; round++) {
        for (int i = 0; i < CHURN_NAMES; i++) {
            file_name(path, i);
            guest_touch(path);
        }
        for (int i = 0; i < CHURN_NAMES; i++) {
            file_name(path, i);
            guest_unlink(path);
        }
    }
    guest_touch("d/last");
    expect_memory_bounded(before_kib);
    struct guest_event event;
    while (guest_next(&q, &event)) {
        if ((event.mask & IN_Q_OVERFLOW) != 0 && guest_native())
            break;
        model_apply(&model, 1, &moves, &event);
        if (strcmp(event.name, "last") == 0)
            break;
    }
    guest_settle_in(&q, wd, "d");
    while (q.head < q.count)
        model_apply(&model, 1, &moves, &q.events[q.head++]);
    const char *difference =
        guest_native() ? NULL : model_difference(&model, "d");
    CHECK(difference == NULL, "expected d/last alone, seen: %s", difference);
    model_fini(&model);
    guest_close(&q);
}

int main(int argc, char **argv)
{
    static const struct guest_case cases[] = {
        GUEST_CASE(fifty_thousand_creates_are_all_named),
        GUEST_CASE(churn_costs_no_memory),
    };
    return guest_main(argc, argv, cases, GUEST_COUNT(cases));
}
