/*
 * plan.h: the events of a round, in a legal order.
 */
#include "pipeline/plan.h"

#include <stdio.h>

#include "abi/linux-inotify.h"
#include "listing-fixture.h"

enum { SOURCES_MAX = 8 };

static struct plan plan;
static struct plan_source sources[SOURCES_MAX];
static struct delta *deltas[SOURCES_MAX];
static uint32_t source_count;
static _Atomic uint32_t last_cookie;
static char told[4096]; /* the events, in short */
static bool singles;    /* half renames are expected */

static int setup(void **state)
{
    (void)state;
    plan = (struct plan){ 0 };
    memset(sources, 0, sizeof(sources));
    memset(deltas, 0, sizeof(deltas));
    source_count = 0;
    singles = false;
    atomic_store(&last_cookie, 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    plan_fini(&plan);
    for (uint32_t i = 0; i < SOURCES_MAX; i++)
        arena_free(&arenas, deltas[i]);
    return 0;
}

/* "a1 b2 D3": names with their inodes; a capital is a directory. */
static size_t parse(const char *text, char names[][2], struct row *rows)
{
    size_t count = 0;

    for (; *text != '\0'; text += strcspn(text, " ")) {
        text += strspn(text, " ");
        if (*text == '\0')
            break;
        names[count][0] = *text;
        names[count][1] = '\0';
        rows[count] = (struct row){
            .name = names[count],
            .ino = strtoull(text + 1, NULL, 10),
            .type = *text >= 'A' && *text <= 'Z' ? DT_DIR : DT_REG,
        };
        count++;
    }
    return count;
}

/* All that has come is old, was touched since, and may have other names. */
static void learn(struct delta *delta)
{
    for (uint32_t i = delta->gone; i < delta->gone + delta->come; i++)
        delta->changes[i].learned = true;
}

/* A directory source whose inode is 1000 + its index. */
static struct plan_source *add_dir(const char *before, const char *after)
{
    char names[2][32][2];
    struct row rows[2][32];
    size_t b = parse(before, names[0], rows[0]);
    size_t a = parse(after, names[1], rows[1]);
    struct snapshot *from = make_snapshot(1, rows[0], b);
    struct snapshot *to = make_snapshot(2, rows[1], a);
    struct plan_source *source = &sources[source_count];

    deltas[source_count] = delta_create(&arenas, from, to);
    learn(deltas[source_count]);
    *source = (struct plan_source){
        .delta = deltas[source_count],
        .wants_moves = true,
        .dev = 1,
        .ino = 1000 + source_count,
        .is_dir = true,
    };
    source_count++;
    snapshot_release(&arenas, from);
    snapshot_release(&arenas, to);
    return source;
}

/* A file of its own, or a directory of which nothing but itself changed. */
static struct plan_source *add_object(uint64_t ino, bool is_dir, uint32_t self)
{
    struct plan_source *source = &sources[source_count++];

    *source = (struct plan_source){
        .dev = 1, .ino = ino, .is_dir = is_dir, .self = self
    };
    return source;
}

static void tell_one(const struct planned *event, size_t *used)
{
    static const struct {
        uint32_t bit;
        const char *name;
    } words[] = {
        { VN_IN_CREATE, "create" },       { VN_IN_DELETE, "delete" },
        { VN_IN_MOVED_FROM, "from" },     { VN_IN_MOVED_TO, "to" },
        { VN_IN_MOVE_SELF, "move-self" }, { VN_IN_DELETE_SELF, "delete-self" },
        { VN_IN_ATTRIB, "attrib" },       { VN_IN_IGNORED, "ignored" },
        { VN_IN_MODIFY, "modify" },       { VN_IN_OPEN, "open" },
        { VN_IN_CLOSE_WRITE, "close-write" }, { VN_IN_UNMOUNT, "unmount" },
    };
    const char *word = "?";

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if ((event->mask & ~(uint32_t)VN_IN_ISDIR) == words[i].bit)
            word = words[i].name;
    *used += (size_t)snprintf(
        told + *used, sizeof(told) - *used, "%s%u %s%s%s", *used ? ", " : "",
        event->source, word, (event->mask & VN_IN_ISDIR) != 0 ? "/" : "",
        event->name == NULL ? "" : " ");
    if (event->name != NULL)
        *used += (size_t)snprintf(told + *used, sizeof(told) - *used, "%s",
                                  event->name);
}

/* Pairs and orders; `told` says what came out. */
static int run(void)
{
    int waits = plan_pair(&plan, sources, source_count);
    size_t used = 0;

    assert_true(waits >= 0);
    assert_int_equal(plan_order(&plan, sources, source_count, &last_cookie),
                     0);
    told[0] = '\0';
    for (size_t i = 0; i < plan.count; i++) {
        const struct planned *event = &plan.events[i];

        tell_one(event, &used);
        assert_int_equal(event->cookie != 0,
                         (event->mask & (uint32_t)ABI_MOVES) != 0);
        /* Two halves side by side are one rename's. */
        if (!singles && (event->mask & VN_IN_MOVED_TO) != 0) {
            assert_true(i > 0);
            assert_int_equal(plan.events[i - 1].mask & (uint32_t)ABI_MOVES,
                             VN_IN_MOVED_FROM);
            assert_int_equal(plan.events[i - 1].cookie, event->cookie);
        }
    }
    return waits;
}

static void test_plan_of_no_change_is_empty(void **state)
{
    (void)state;
    add_dir("a1", "a1");
    assert_false(run());
    assert_string_equal(told, "");
}

static void test_plan_deletes_and_creates(void **state)
{
    (void)state;
    add_dir("a1 D2", "a1 b3 E4");
    run();
    assert_string_equal(told, "0 delete/ D, 0 create b, 0 create/ E");
}

static void test_plan_frees_a_name_before_it_is_taken(void **state)
{
    (void)state;
    add_dir("a1", "a2"); /* rm a; create a */
    run();
    assert_string_equal(told, "0 delete a, 0 create a");
}

static void test_plan_renames_within_a_directory(void **state)
{
    (void)state;
    add_dir("a1 D2", "b1 E2");
    run();
    assert_string_equal(told, "0 from a, 0 to b, 0 from/ D, 0 to/ E");
    assert_int_not_equal(plan.events[0].cookie, plan.events[2].cookie);
}

static void test_plan_renames_across_directories(void **state)
{
    (void)state;
    add_dir("a1 c3", "c3");
    add_dir("", "b1");
    run();
    assert_string_equal(told, "0 from a, 1 to b");
}

static void test_plan_renames_over_a_name_without_deleting_it(void **state)
{
    (void)state;
    add_dir("a1 b2", "b1");
    run();
    assert_string_equal(told, "0 from a, 0 to b");
}

static void test_plan_renames_over_a_name_across_directories(void **state)
{
    (void)state;
    add_dir("b2", "b1");
    add_dir("a1", "");
    run();
    assert_string_equal(told, "1 from a, 0 to b");
}

static void test_plan_tells_a_chain_from_its_end(void **state)
{
    (void)state;
    add_dir("a1 b2 c3", "b1 c2 d3"); /* mv c d; mv b c; mv a b */
    run();
    assert_string_equal(told, "0 from c, 0 to d, 0 from b, 0 to c, "
                              "0 from a, 0 to b");
}

static void test_plan_tells_a_chain_whose_end_is_replaced(void **state)
{
    (void)state;
    add_dir("a1 b2 c3", "b1 c2");
    run();
    assert_string_equal(told, "0 from b, 0 to c, 0 from a, 0 to b");
}

static void test_plan_reuses_the_first_name_of_a_chain(void **state)
{
    (void)state;
    add_dir("a1 b2", "a9 b1 c2");
    run();
    assert_string_equal(told, "0 from b, 0 to c, 0 from a, 0 to b, "
                              "0 create a");
}

static void test_plan_breaks_a_swap_into_delete_and_create(void **state)
{
    (void)state;
    add_dir("a1 b2", "a2 b1");
    run();
    assert_string_equal(told, "0 delete b, 0 from a, 0 to b, 0 create a");
}

static void test_plan_breaks_a_swap_across_directories(void **state)
{
    (void)state;
    add_dir("a1", "a2");
    add_dir("b2", "b1");
    run();
    assert_string_equal(told, "1 delete b, 0 from a, 1 to b, 0 create a");
}

static void test_plan_breaks_a_longer_cycle_once(void **state)
{
    (void)state;
    add_dir("a1 b2 c3", "a3 b1 c2");
    run();
    assert_string_equal(told, "0 delete c, 0 from b, 0 to c, 0 from a, "
                              "0 to b, 0 create a");
}

static void test_plan_prefers_renames_within_one_directory(void **state)
{
    (void)state;
    add_dir("", "x1"); /* a link elsewhere */
    add_dir("a1", "b1");
    run();
    assert_string_equal(told, "0 create x, 1 from a, 1 to b");
}

static void test_plan_does_not_take_a_link_for_a_move(void **state)
{
    (void)state;
    add_dir("a1", "a1 b1");
    add_dir("", "c1");
    run();
    assert_string_equal(told, "0 create b, 1 create c");
}

static void test_plan_does_not_pair_a_number_used_again(void **state)
{
    (void)state;
    add_dir("a1", "b1");
    deltas[0]->before_rt_ns = 100;
    deltas[0]->changes[1].born_rt_ns = 101;
    run();
    assert_string_equal(told, "0 delete a, 0 create b");
}

static void test_plan_pairs_what_was_born_before_the_listing(void **state)
{
    (void)state;
    add_dir("a1", "b1");
    deltas[0]->before_rt_ns = 100;
    deltas[0]->changes[1].born_rt_ns = 100;
    run();
    assert_string_equal(told, "0 from a, 0 to b");
}

static void test_plan_does_not_pair_what_was_not_learned(void **state)
{
    (void)state;
    add_dir("a1", "b1");
    deltas[0]->changes[1].learned = false;
    run();
    assert_string_equal(told, "0 delete a, 0 create b");
}

/* The clock of births may have stood still since: only a touch can tell. */
static void test_plan_pairs_the_lately_born_only_if_touched(void **state)
{
    const int64_t s = 1000000000;

    (void)state;
    for (int touched = 0; touched < 2; touched++) {
        setup(NULL);
        add_dir("a1", "b1");
        deltas[0]->before_rt_ns = 100 * s;
        deltas[0]->changes[1].born_rt_ns = 100 * s - 1000;
        deltas[0]->changes[1].untouched = !touched;
        run();
        assert_string_equal(told, touched ? "0 from a, 0 to b"
                                          : "0 delete a, 0 create b");
        teardown(NULL);
    }
    setup(NULL);
    add_dir("a1", "b1"); /* a file system that does not touch it */
    deltas[0]->before_rt_ns = 100 * s;
    deltas[0]->changes[1].born_rt_ns = 99 * s;
    deltas[0]->changes[1].untouched = true;
    run();
    assert_string_equal(told, "0 from a, 0 to b");
}

static void test_plan_tells_what_was_moved_in_from_elsewhere(void **state)
{
    (void)state;
    singles = true;
    add_dir("", "a1 b2");
    deltas[0]->before_rt_ns = INT64_C(100000000000);
    deltas[0]->changes[0].only_name = true;
    run();
    assert_string_equal(told, "0 to a, 0 create b");
}

static void test_plan_tells_the_one_change_that_crossed_as_a_move(void **state)
{
    (void)state;
    singles = true;
    add_dir("a1", "")->crossed = true;
    add_dir("", "b2")->crossed = true;
    add_dir("c3 d4", "")->crossed = true; /* which of them, is not known */
    add_dir("e5 f6", "g6")->crossed = true;
    run();
    assert_string_equal(told, "0 from a, 1 to b, 2 delete c, 2 delete d, "
                              "3 from e, 3 from f, 3 to g");
    assert_int_not_equal(plan.events[0].cookie, plan.events[1].cookie);
}

static void test_plan_does_not_pair_across_devices_or_kinds(void **state)
{
    (void)state;
    add_dir("a1 b2", "");
    add_dir("", "c1 D2");
    sources[1].dev = 2;
    run();
    assert_string_equal(told, "0 delete a, 0 delete b, 1 create c, "
                              "1 create/ D");
    teardown(NULL);
    setup(NULL);
    add_dir("a1", "B1");
    run();
    assert_string_equal(told, "0 delete a, 0 create/ B");
}

static void test_plan_tells_a_gone_object_before_its_name(void **state)
{
    (void)state;
    add_dir("D1001 b2", "b2");
    add_dir("c3 d4", ""); /* inode 1001: rm -r D */
    sources[1].self = VN_IN_DELETE_SELF;
    sources[1].ends = true;
    run();
    assert_string_equal(told, "1 delete c, 1 delete d, 1 delete-self, "
                              "1 ignored, 0 delete/ D");
}

static void test_plan_tells_a_gone_file_in_linux_order(void **state)
{
    (void)state;
    add_dir("a7", "");
    add_object(7, false, VN_IN_ATTRIB | VN_IN_DELETE_SELF)->ends = true;
    run();
    assert_string_equal(told,
                        "1 attrib, 1 delete-self, 1 ignored, 0 delete a");
}

static void test_plan_tells_an_end_after_the_move_over_its_name(void **state)
{
    (void)state;
    add_object(7, false, VN_IN_ATTRIB | VN_IN_DELETE_SELF)->ends = true;
    add_dir("a1 b7", "b1"); /* mv a b */
    run();
    assert_string_equal(told, "1 from a, 1 to b, 0 attrib, 0 delete-self, "
                              "0 ignored");
}

static void test_plan_tells_move_self_after_the_move(void **state)
{
    (void)state;
    add_object(7, false, VN_IN_MOVE_SELF | VN_IN_ATTRIB);
    add_dir("a7", "b7");
    run();
    assert_string_equal(told, "1 from a, 1 to b, 0 move-self, 0 attrib");
}

static void test_plan_tells_move_self_once_if_the_move_is_unseen(void **state)
{
    (void)state;
    add_object(7, true, VN_IN_MOVE_SELF | VN_IN_ATTRIB);
    run();
    assert_string_equal(told, "0 move-self, 0 attrib/");
}

static void test_plan_orders_self_events_as_linux_does(void **state)
{
    (void)state;
    add_object(7, false, VN_IN_CLOSE_WRITE | VN_IN_OPEN | VN_IN_ATTRIB |
                             VN_IN_MODIFY);
    run();
    assert_string_equal(told, "0 open, 0 modify, 0 attrib, 0 close-write");
}

static void test_plan_says_isdir_of_self_events_but_not_of_its_end(void **state)
{
    (void)state;
    add_object(7, true, VN_IN_ATTRIB | VN_IN_UNMOUNT | VN_IN_DELETE_SELF)
        ->ends = true;
    run();
    assert_string_equal(told, "0 attrib/, 0 unmount/, 0 delete-self, "
                              "0 ignored");
}

static void test_plan_waits_for_a_half_that_may_come(void **state)
{
    (void)state;
    add_dir("a1", "")->may_wait = true;
    add_dir("", "c3");
    assert_true(run());
    assert_true(sources[0].waits);
    assert_false(sources[1].waits);
    assert_string_equal(told, "1 create c");
}

static void test_plan_does_not_wait_where_nothing_is_lacking(void **state)
{
    (void)state;
    add_dir("a1", "b1")->may_wait = true;
    add_dir("", "c3")->may_wait = true;
    deltas[1]->changes[0].untouched = true;
    add_dir("d4 e5", "d5")->may_wait = true; /* renamed over */
    assert_false(run());
    assert_string_equal(told, "0 from a, 0 to b, 1 create c, "
                              "2 from e, 2 to d");
}

static void test_plan_waits_for_moves_only_if_they_are_wanted(void **state)
{
    (void)state;
    add_dir("a1", "")->may_wait = true;
    add_dir("", "b2")->may_wait = true;
    add_dir("D3", "")->may_wait = true; /* its own end comes first */
    for (int i = 0; i < 3; i++)
        sources[i].wants_moves = false;
    assert_true(run());
    assert_string_equal(told, "0 delete a, 1 create b");
}

static void test_plan_waits_with_all_that_share_a_pair(void **state)
{
    (void)state;
    add_dir("a1", "");
    add_dir("b2", "a1");
    add_dir("c3", "b2")->may_wait = true; /* c is lacking */
    assert_true(run());
    assert_string_equal(told, "");
    for (int i = 0; i < 3; i++)
        assert_true(sources[i].waits);
}

static void test_plan_waits_for_the_move_of_move_self(void **state)
{
    (void)state;
    add_object(7, false, VN_IN_MOVE_SELF)->may_wait = true;
    assert_true(run());
    assert_string_equal(told, "");
}

static void test_plan_never_gives_the_cookie_0(void **state)
{
    (void)state;
    atomic_store(&last_cookie, UINT32_MAX);
    add_dir("a1", "b1");
    run();
    assert_int_equal(plan.events[0].cookie, 1);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_plan_of_no_change_is_empty),
        CASE(test_plan_deletes_and_creates),
        CASE(test_plan_frees_a_name_before_it_is_taken),
        CASE(test_plan_renames_within_a_directory),
        CASE(test_plan_renames_across_directories),
        CASE(test_plan_renames_over_a_name_without_deleting_it),
        CASE(test_plan_renames_over_a_name_across_directories),
        CASE(test_plan_tells_a_chain_from_its_end),
        CASE(test_plan_tells_a_chain_whose_end_is_replaced),
        CASE(test_plan_reuses_the_first_name_of_a_chain),
        CASE(test_plan_breaks_a_swap_into_delete_and_create),
        CASE(test_plan_breaks_a_swap_across_directories),
        CASE(test_plan_breaks_a_longer_cycle_once),
        CASE(test_plan_prefers_renames_within_one_directory),
        CASE(test_plan_does_not_take_a_link_for_a_move),
        CASE(test_plan_does_not_pair_a_number_used_again),
        CASE(test_plan_pairs_what_was_born_before_the_listing),
        CASE(test_plan_does_not_pair_what_was_not_learned),
        CASE(test_plan_pairs_the_lately_born_only_if_touched),
        CASE(test_plan_tells_what_was_moved_in_from_elsewhere),
        CASE(test_plan_tells_the_one_change_that_crossed_as_a_move),
        CASE(test_plan_does_not_pair_across_devices_or_kinds),
        CASE(test_plan_tells_a_gone_object_before_its_name),
        CASE(test_plan_tells_a_gone_file_in_linux_order),
        CASE(test_plan_tells_an_end_after_the_move_over_its_name),
        CASE(test_plan_tells_move_self_after_the_move),
        CASE(test_plan_tells_move_self_once_if_the_move_is_unseen),
        CASE(test_plan_orders_self_events_as_linux_does),
        CASE(test_plan_says_isdir_of_self_events_but_not_of_its_end),
        CASE(test_plan_waits_for_a_half_that_may_come),
        CASE(test_plan_does_not_wait_where_nothing_is_lacking),
        CASE(test_plan_waits_for_moves_only_if_they_are_wanted),
        CASE(test_plan_waits_with_all_that_share_a_pair),
        CASE(test_plan_waits_for_the_move_of_move_self),
        CASE(test_plan_never_gives_the_cookie_0),
    };
    return cmocka_run_group_tests(tests, arenas_setup, arenas_teardown);
}
