/*
 * A fresh directory and one file created in it: one named IN_CREATE, and
 * nothing after it.
 */
#include "guest.h"

static void one_file_gives_one_named_event(void)
{
    struct guest_queue q;
    guest_mkdir("fresh");
    guest_open(&q);
    int wd = guest_watch(&q, "fresh", IN_CREATE);
    guest_touch("fresh/file");
    guest_expect(&q, wd, IN_CREATE, "file");
    guest_expect_quiet_in(&q, wd, "fresh");
    guest_close(&q);
}

static void everything_asked_gives_no_other_event(void)
{
    struct guest_queue q;
    guest_mkdir("fresh");
    guest_open(&q);
    int wd = guest_watch(&q, "fresh",
                         IN_CREATE | IN_DELETE | IN_MOVE | IN_ATTRIB |
                             IN_DELETE_SELF | IN_MOVE_SELF);
    guest_touch("fresh/file");
    guest_expect(&q, wd, IN_CREATE, "file");
    guest_expect_quiet_in(&q, wd, "fresh");
    guest_close(&q);
}

static void what_was_there_before_is_not_told(void)
{
    struct guest_queue q;
    guest_mkdir("full");
    guest_touch("full/before");
    guest_open(&q);
    int wd = guest_watch(&q, "full", IN_CREATE | IN_DELETE | IN_MOVE);
    guest_expect_quiet_in(&q, wd, "full");
    guest_touch("full/after");
    guest_expect(&q, wd, IN_CREATE, "after");
    guest_unlink("full/before");
    guest_expect(&q, wd, IN_DELETE, "before");
    guest_expect_quiet_in(&q, wd, "full");
    guest_close(&q);
}

int main(int argc, char **argv)
{
    static const struct guest_case cases[] = {
        GUEST_CASE(one_file_gives_one_named_event),
        GUEST_CASE(everything_asked_gives_no_other_event),
        GUEST_CASE(what_was_there_before_is_not_told),
    };
    return guest_main(argc, argv, cases, GUEST_COUNT(cases));
}
