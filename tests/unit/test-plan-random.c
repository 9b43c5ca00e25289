/*
 * plan.h and delta.h together: random changes of several directories, with
 * links, chains, cycles and replacements, whose events a model applies.  Every
 * event is legal, and the model is the directories afterwards.
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

static void reset(void)
{
    plan_fini(&plan);
    for (uint32_t i = 0; i < SOURCES_MAX; i++)
        arena_free(&arenas, deltas[i]);
    memset(sources, 0, sizeof(sources));
    memset(deltas, 0, sizeof(deltas));
    source_count = 0;
}

enum { DIRS = 5, NAMES = 10, INOS = 4096, EVENTS_MAX = 1024 };

struct slot {
    uint64_t ino; /* 0: not there */
    bool dir;
};

struct tree {
    struct slot at[DIRS][NAMES]; /* directory d has inode 1000 + d */
    bool removed[DIRS];
    bool moved[DIRS];
    bool crossed[DIRS];  /* a rename went into it or out of it */
    bool fresh[INOS]; /* born after the first listing */
    uint64_t next_ino, freed;
};

static int watched(const struct slot *slot)
{
    return slot->ino >= 1000 && slot->ino < 1000 + DIRS
               ? (int)slot->ino - 1000
               : -1;
}

static void put_new(struct tree *tree, struct random *random,
                    struct slot *slot)
{
    bool again = tree->freed != 0 && random_below(random, 4) == 0;

    slot->ino = again ? tree->freed : ++tree->next_ino;
    slot->dir = random_below(random, 3) == 0;
    tree->fresh[slot->ino] = true;
    if (again)
        tree->freed = 0;
}

static bool linked(const struct tree *tree, uint64_t ino)
{
    for (int d = 0; d < DIRS; d++)
        for (int n = 0; n < NAMES; n++)
            if (tree->at[d][n].ino == ino)
                return true;
    return false;
}

/* Empties the slot; false if a watched directory with directories is there. */
static bool clear(struct tree *tree, struct slot *slot)
{
    int dir = watched(slot);
    uint64_t ino = slot->ino;

    if (ino == 0)
        return true;
    for (int n = 0; dir >= 0 && n < NAMES; n++)
        if (watched(&tree->at[dir][n]) >= 0)
            return false;
    for (int n = 0; dir >= 0 && n < NAMES; n++)
        tree->at[dir][n].ino = 0;
    if (dir >= 0)
        tree->removed[dir] = true;
    slot->ino = 0;
    if (dir < 0 && !linked(tree, ino))
        tree->freed = ino;
    return true;
}

/* A watched directory goes only into one of a lower number: no loops. */
static bool may_be_in(const struct slot *slot, int dir)
{
    return watched(slot) < 0 || dir < watched(slot);
}

static void note_move(struct tree *tree, const struct slot *slot)
{
    if (watched(slot) >= 0)
        tree->moved[watched(slot)] = true;
}

static void swap(struct tree *tree, struct slot *a, int dir_a, struct slot *b,
                 int dir_b)
{
    struct slot slot = *a;

    if (!may_be_in(a, dir_b) || !may_be_in(b, dir_a))
        return;
    note_move(tree, a);
    note_move(tree, b);
    *a = *b;
    *b = slot;
}

static void change(struct tree *tree, struct random *random)
{
    int d = (int)random_below(random, DIRS);
    int e = (int)random_below(random, DIRS);
    struct slot *a, *b;

    if (random_below(random, 2) == 0)
        e = d;
    a = &tree->at[d][random_below(random, NAMES)];
    b = &tree->at[e][random_below(random, NAMES)];
    if (tree->removed[d] || tree->removed[e] || a == b)
        return;
    switch (random_below(random, 10)) {
    case 0:
    case 1:
        if (a->ino == 0)
            put_new(tree, random, a);
        break;
    case 2:
        clear(tree, a);
        break;
    case 3: /* replaced by a new one */
        if (clear(tree, a))
            put_new(tree, random, a);
        break;
    case 4: /* a hard link */
        if (a->ino != 0 && !a->dir && b->ino == 0)
            *b = *a;
        break;
    case 5:
        swap(tree, a, d, b, e);
        break;
    default:
        if (a->ino == 0 || !may_be_in(a, e) || b->ino == a->ino ||
            watched(b) >= 0 || !clear(tree, b))
            break;
        note_move(tree, a);
        *b = *a;
        a->ino = 0;
        if (d != e)
            tree->crossed[d] = tree->crossed[e] = true;
    }
}

static void put_dirs(struct tree *tree, struct random *random)
{
    for (int d = 1; d < DIRS; d++) {
        struct slot *slot =
            &tree->at[random_below(random, (unsigned)d)]
                     [random_below(random, NAMES)];
        if (slot->ino == 0) /* else it is not in one of ours */
            *slot = (struct slot){ 1000 + (uint64_t)d, true };
    }
}

static struct snapshot *list_tree(const struct tree *tree, int d, uint64_t id,
                                  struct random *random)
{
    static char names[NAMES][4];
    struct row rows[NAMES];
    unsigned first = random_below(random, NAMES);
    size_t count = 0;

    for (unsigned i = 0; i < NAMES; i++) {
        unsigned n = (first + i) % NAMES;
        const struct slot *slot = &tree->at[d][n];

        snprintf(names[n], sizeof(names[n]), "n%u", n);
        if (slot->ino != 0)
            rows[count++] = (struct row){ names[n], slot->ino,
                                          slot->dir ? DT_DIR : DT_REG };
    }
    return make_snapshot(id, rows, count);
}

static void add_tree_dir(const struct tree *before, const struct tree *after,
                         int d, struct random *random)
{
    struct snapshot *b = list_tree(before, d, 1, random);
    struct snapshot *a = list_tree(after, d, 2, random);
    struct plan_source *source = &sources[source_count];
    struct delta *delta = delta_create(&arenas, b, a);

    deltas[source_count++] = delta;
    for (uint32_t k = delta->gone; k < delta->gone + delta->come; k++) {
        struct change *come = &delta->changes[k];

        come->learned = random_below(random, 8) != 0;
        come->born_rt_ns = come->ino < INOS && after->fresh[come->ino]
                               ? 1
                               : -INT64_C(1000000000);
        come->untouched = random_below(random, 4) == 0;
        come->only_name = random_below(random, 2) == 0;
    }
    *source = (struct plan_source){
        .delta = delta,
        .dev = 1,
        .ino = 1000 + (uint64_t)d,
        .is_dir = true,
        .self = (after->removed[d] ? VN_IN_DELETE_SELF : 0) |
                (after->moved[d] ? VN_IN_MOVE_SELF : 0),
        .ends = after->removed[d],
        .wants_moves = random_below(random, 4) != 0,
        .crossed = after->crossed[d],
    };
    snapshot_release(&arenas, b);
    snapshot_release(&arenas, a);
}

struct model {
    struct slot at[DIRS][NAMES]; /* ino: 0 or 1 */
    bool ignored[DIRS], move_self[DIRS], delete_self[DIRS];
    uint32_t cookies[EVENTS_MAX];
    unsigned cookie_count, pairs;
};

static int dir_of(const struct planned *event)
{
    return (int)(sources[event->source].ino - 1000);
}

static void apply_named(struct model *model, const struct tree *before,
                        const struct planned *event)
{
    int d = dir_of(event), n = atoi(event->name + 1);
    uint32_t what = event->mask & VN_IN_ALL_EVENTS;
    bool dir = (event->mask & VN_IN_ISDIR) != 0;
    struct slot *slot = &model->at[d][n];

    if (what == VN_IN_CREATE) {
        assert_int_equal(slot->ino, 0);
    } else if (what == VN_IN_DELETE || what == VN_IN_MOVED_FROM) {
        assert_int_equal(slot->ino, 1);
        assert_int_equal(slot->dir, dir);
    } else {
        assert_int_equal(what, VN_IN_MOVED_TO);
    }
    /* What is removed has said so before its name goes. */
    if (what == VN_IN_DELETE && watched(&before->at[d][n]) >= 0) {
        int object = watched(&before->at[d][n]);

        for (uint32_t i = 0; i < source_count; i++)
            if (sources[i].ino == 1000 + (uint64_t)object &&
                sources[i].ends && !sources[i].waits)
                assert_true(model->ignored[object]);
    }
    slot->ino = what == VN_IN_CREATE || what == VN_IN_MOVED_TO;
    slot->dir = dir;
}

static void apply_self(struct model *model, const struct planned *event)
{
    int d = dir_of(event);

    bool *once = event->mask == VN_IN_IGNORED       ? &model->ignored[d]
                 : event->mask == VN_IN_MOVE_SELF   ? &model->move_self[d]
                 : event->mask == VN_IN_DELETE_SELF ? &model->delete_self[d]
                                                    : NULL;

    if ((event->mask & VN_IN_ATTRIB) != 0)
        return; /* of what is renamed over */
    assert_non_null(once);
    assert_false(*once);
    *once = true;
}

/* A cookie is one event's, or those of two halves side by side. */
static void apply_cookie(struct model *model, size_t i)
{
    const struct planned *event = &plan.events[i];

    if ((event->mask & (uint32_t)ABI_MOVES) == 0) {
        assert_int_equal(event->cookie, 0);
        return;
    }
    assert_int_not_equal(event->cookie, 0);
    if ((event->mask & VN_IN_MOVED_TO) != 0 && i > 0 &&
        (plan.events[i - 1].mask & VN_IN_MOVED_FROM) != 0 &&
        plan.events[i - 1].cookie == event->cookie) {
        assert_int_equal(event->mask & VN_IN_ISDIR,
                         plan.events[i - 1].mask & VN_IN_ISDIR);
        model->pairs++;
        return;
    }
    for (unsigned k = 0; k < model->cookie_count; k++)
        assert_int_not_equal(model->cookies[k], event->cookie);
    model->cookies[model->cookie_count++] = event->cookie;
}

static void apply(struct model *model, const struct tree *before)
{
    for (size_t i = 0; i < plan.count; i++) {
        const struct planned *event = &plan.events[i];

        assert_false(sources[event->source].waits);
        assert_false(model->ignored[dir_of(event)]);
        apply_cookie(model, i);
        if (event->name != NULL)
            apply_named(model, before, event);
        else
            apply_self(model, event);
    }
}

static void compare(const struct model *model, const struct tree *after)
{
    for (uint32_t i = 0; i < source_count; i++) {
        int d = (int)(sources[i].ino - 1000);

        if (sources[i].waits)
            continue;
        for (int n = 0; n < NAMES; n++) {
            const struct slot *is = &after->at[d][n];

            assert_int_equal(model->at[d][n].ino, is->ino != 0);
            if (is->ino != 0)
                assert_int_equal(model->at[d][n].dir, is->dir);
        }
        assert_int_equal(model->ignored[d], after->removed[d]);
        assert_int_equal(model->delete_self[d], after->removed[d]);
        assert_int_equal(model->move_self[d], after->moved[d]);
    }
}

static void shuffle_sources(struct random *random)
{
    for (unsigned i = source_count; i > 1; i--) {
        unsigned other = random_below(random, i);
        struct plan_source source = sources[i - 1];

        sources[i - 1] = sources[other];
        sources[other] = source;
    }
}

static void one_round(struct random *random, bool waiting)
{
    static struct tree before, after;
    static struct model model;
    bool any = false;
    int waits;

    memset(&before, 0, sizeof(before));
    put_dirs(&before, random);
    for (unsigned n = random_below(random, 60); n > 0; n--)
        change(&before, random);
    memset(before.removed, 0, sizeof(before.removed));
    memset(before.moved, 0, sizeof(before.moved));
    memset(before.crossed, 0, sizeof(before.crossed));
    memset(before.fresh, 0, sizeof(before.fresh));
    after = before;
    for (unsigned n = random_below(random, 40); n > 0; n--)
        change(&after, random);

    reset();
    for (int d = 0; d < DIRS; d++)
        add_tree_dir(&before, &after, d, random);
    shuffle_sources(random);
    for (uint32_t i = 0; waiting && i < source_count; i++) {
        sources[i].may_wait = random_below(random, 2) == 0;
        sources[i].may_wait_long = random_below(random, 2) == 0;
    }
    waits = plan_pair(&plan, sources, source_count);
    for (uint32_t i = 0; i < source_count; i++)
        any = any || sources[i].waits;
    assert_int_equal(waits, any);
    assert_int_equal(plan_order(&plan, sources, source_count, &last_cookie),
                     0);

    memset(&model, 0, sizeof(model));
    for (int d = 0; d < DIRS; d++)
        for (int n = 0; n < NAMES; n++)
            model.at[d][n] = (struct slot){ before.at[d][n].ino != 0,
                                            before.at[d][n].dir };
    apply(&model, &before);
    compare(&model, &after);
    reset();
}

static void test_plan_of_random_changes_is_legal_and_complete(void **state)
{
    struct random random = { random_seed() };

    (void)state;
    for (int round = 0; round < 20000; round++)
        one_round(&random, false);
}

static void test_plan_of_random_changes_leaves_whole_directories(void **state)
{
    struct random random = { random_seed() };

    (void)state;
    for (int round = 0; round < 10000; round++)
        one_round(&random, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plan_of_random_changes_is_legal_and_complete),
        cmocka_unit_test(test_plan_of_random_changes_leaves_whole_directories),
    };
    return cmocka_run_group_tests(tests, arenas_setup, arenas_teardown);
}
