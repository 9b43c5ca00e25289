/*
 * delta_create: what is gone and what has come between two listings.
 */
#include "pipeline/delta.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "listing-fixture.h"


static struct delta *diff(const struct row *before, size_t befores,
                          const struct row *after, size_t afters)
{
    struct snapshot *b = make_snapshot(1, before, befores);
    struct snapshot *a = make_snapshot(2, after, afters);
    struct delta *delta = delta_create(&arenas, b, a);

    assert_non_null(delta);
    assert_int_equal(delta->before_id, 1);
    assert_int_equal(delta->after_id, 2);
    snapshot_release(&arenas, b);
    snapshot_release(&arenas, a);
    return delta;
}

static void assert_change(const struct delta *delta, uint32_t index,
                          const char *name, uint64_t ino)
{
    const struct change *change = &delta->changes[index];

    assert_true(index < delta->gone + delta->come);
    assert_string_equal(change_name(delta, change), name);
    assert_int_equal(change->name_len, strlen(name));
    assert_int_equal(change->ino, ino);
}

static void test_delta_of_equal_listings_is_empty(void **state)
{
    const struct row rows[] = { { "a", 1, DT_REG },
                                { "b", 2, DT_REG },
                                { "c", 3, DT_REG } };
    struct delta *delta = diff(rows, 3, rows, 3);

    (void)state;
    assert_true(delta_empty(delta));
    arena_free(&arenas, delta);
    delta = diff(NULL, 0, NULL, 0);
    assert_true(delta_empty(delta));
    arena_free(&arenas, delta);
}

static void test_delta_ignores_the_order_of_listings(void **state)
{
    enum { N = 100 };
    static char names[N][8];
    struct row before[N], after[N];
    struct delta *delta;

    (void)state;
    for (int i = 0; i < N; i++) {
        snprintf(names[i], sizeof(names[i]), "f%d", i);
        before[i] = (struct row){ names[i], 10 + (uint64_t)i, 0 };
        after[N - 1 - i] = before[i];
    }
    delta = diff(before, N, after, N);
    assert_true(delta_empty(delta));
    arena_free(&arenas, delta);
}

static void test_delta_of_names_gone_and_come(void **state)
{
    const struct row before[] = { { "a", 1, DT_REG },
                                  { "b", 2, DT_REG },
                                  { "c", 3, DT_REG } };
    const struct row after[] = { { "a", 1, DT_REG },
                                 { "c", 3, DT_REG },
                                 { "d", 4, DT_DIR } };
    struct delta *delta = diff(before, 3, after, 3);

    (void)state;
    assert_int_equal(delta->gone, 1);
    assert_int_equal(delta->come, 1);
    assert_change(delta, 0, "b", 2);
    assert_change(delta, 1, "d", 4);
    assert_int_equal(delta->changes[0].type, DT_REG);
    assert_int_equal(delta->changes[1].type, DT_DIR);
    assert_int_equal(delta->changes[0].twin, DELTA_NO_TWIN);
    assert_int_equal(delta->changes[1].twin, DELTA_NO_TWIN);
    arena_free(&arenas, delta);
}

static void test_delta_from_and_to_an_empty_directory(void **state)
{
    const struct row rows[] = { { "a", 1, DT_REG }, { "b", 2, DT_REG } };
    struct delta *delta = diff(NULL, 0, rows, 2);

    (void)state;
    assert_int_equal(delta->gone, 0);
    assert_int_equal(delta->come, 2);
    arena_free(&arenas, delta);
    delta = diff(rows, 2, NULL, 0);
    assert_int_equal(delta->gone, 2);
    assert_int_equal(delta->come, 0);
    arena_free(&arenas, delta);
}

/* Whatever the order of the listing; two names of one inode as listed. */
static void test_delta_has_what_came_by_inode_number(void **state)
{
    const struct row before[] = { { "old", 1, DT_REG }, { "c", 2, DT_REG } };
    const struct row after[] = { { "z", 30, DT_REG }, { "c", 20, DT_REG },
                                 { "link", 10, DT_REG },
                                 { "a", 10, DT_REG }, { "old", 1, DT_REG },
                                 { "b", UINT64_MAX, DT_REG } };
    struct delta *delta = diff(before, 2, after, 6);

    (void)state;
    assert_int_equal(delta->gone, 1);
    assert_int_equal(delta->come, 5);
    assert_change(delta, 1, "link", 10);
    assert_change(delta, 2, "a", 10);
    assert_change(delta, 3, "c", 20);
    assert_change(delta, 4, "z", 30);
    assert_change(delta, 5, "b", UINT64_MAX);
    assert_int_equal(delta->changes[0].twin, 3);
    assert_int_equal(delta->changes[3].twin, 0);
    arena_free(&arenas, delta);
}

static void test_delta_links_a_replaced_name_with_its_twin(void **state)
{
    const struct row before[] = { { "x", 9, DT_REG },
                                  { "a", 1, DT_REG },
                                  { "b", 2, DT_REG } };
    const struct row after[] = { { "a", 5, DT_REG },
                                 { "x", 9, DT_REG },
                                 { "b", 2, DT_DIR } };
    struct delta *delta = diff(before, 3, after, 3);

    (void)state;
    assert_int_equal(delta->gone, 2);
    assert_int_equal(delta->come, 2);
    for (uint32_t i = 0; i < 4; i++) {
        const struct change *change = &delta->changes[i];
        const struct change *twin = &delta->changes[change->twin];

        assert_in_range(change->twin, i < 2 ? 2 : 0, i < 2 ? 3 : 1);
        assert_int_equal(twin->twin, i);
        assert_string_equal(change_name(delta, change),
                            change_name(delta, twin));
    }
    arena_free(&arenas, delta);
}

static void test_delta_of_a_rename_is_one_inode_on_both_sides(void **state)
{
    const struct row before[] = { { "a", 1, DT_REG }, { "b", 2, DT_REG } };
    const struct row after[] = { { "a", 2, DT_REG } }; /* mv b a */
    struct delta *delta = diff(before, 2, after, 1);

    (void)state;
    assert_int_equal(delta->gone, 2);
    assert_int_equal(delta->come, 1);
    assert_change(delta, 0, "a", 1);
    assert_change(delta, 1, "b", 2);
    assert_change(delta, 2, "a", 2);
    assert_int_equal(delta->changes[0].twin, 2);
    assert_int_equal(delta->changes[1].twin, DELTA_NO_TWIN);
    arena_free(&arenas, delta);
}

static void test_delta_tells_names_apart_that_begin_alike(void **state)
{
    const struct row before[] = { { "ab", 1, DT_REG }, { "abc", 1, DT_REG } };
    const struct row after[] = { { "abc", 1, DT_REG }, { "a", 1, DT_REG } };
    struct delta *delta = diff(before, 2, after, 2);

    (void)state;
    assert_int_equal(delta->gone, 1);
    assert_int_equal(delta->come, 1);
    assert_change(delta, 0, "ab", 1);
    assert_change(delta, 1, "a", 1);
    arena_free(&arenas, delta);
}

/* Random listings against a comparison name by name. */

enum { NAMES = 60 };
static char name_of[NAMES][8];

struct side {
    uint64_t ino[NAMES]; /* 0: not there */
    uint8_t type[NAMES];
};

static void draw(struct random *random, struct side *side,
                 const struct side *like)
{
    *side = *like;
    for (unsigned n = random_below(random, NAMES); n > 0; n--) {
        unsigned i = random_below(random, NAMES);

        side->ino[i] = random_below(random, 3) == 0
                           ? 0
                           : 1 + random_below(random, 40);
        side->type[i] = random_below(random, 4) == 0 ? DT_DIR : DT_REG;
    }
}

static size_t rows_of(struct random *random, const struct side *side,
                      bool shuffled, struct row *rows)
{
    size_t count = 0;

    for (int i = 0; i < NAMES; i++)
        if (side->ino[i] != 0)
            rows[count++] = (struct row){ name_of[i], side->ino[i],
                                          side->type[i] };
    for (size_t i = 1; shuffled && i < count; i++) {
        size_t other = random_below(random, (unsigned)i + 1);
        struct row row = rows[i];

        rows[i] = rows[other];
        rows[other] = row;
    }
    return count;
}

static bool differs(const struct side *a, const struct side *b, int i)
{
    return a->ino[i] != b->ino[i] ||
           (a->ino[i] != 0 && a->type[i] != b->type[i]);
}

static void check(const struct delta *delta, const struct side *before,
                  const struct side *after)
{
    int gone = 0, come = 0;
    bool seen[2][NAMES] = { 0 };

    for (uint32_t k = 0; k < delta->gone + delta->come; k++) {
        const struct change *change = &delta->changes[k];
        bool is_gone = k < delta->gone;
        const struct side *side = is_gone ? before : after;
        int i = atoi(change_name(delta, change) + 1);

        assert_false(seen[is_gone][i]);
        seen[is_gone][i] = true;
        assert_true(differs(before, after, i));
        assert_int_equal(change->ino, side->ino[i]);
        assert_int_equal(change->type, side->type[i]);
        assert_int_equal(change->twin != DELTA_NO_TWIN,
                         before->ino[i] != 0 && after->ino[i] != 0);
        if (change->twin != DELTA_NO_TWIN)
            assert_int_equal(delta->changes[change->twin].twin, k);
    }
    for (int i = 0; i < NAMES; i++) {
        gone += differs(before, after, i) && before->ino[i] != 0;
        come += differs(before, after, i) && after->ino[i] != 0;
    }
    assert_int_equal(delta->gone, gone);
    assert_int_equal(delta->come, come);
}

static void test_delta_agrees_with_a_comparison_name_by_name(void **state)
{
    struct random random = { random_seed() };

    (void)state;
    for (int i = 0; i < NAMES; i++)
        snprintf(name_of[i], sizeof(name_of[i]), "n%d", i);
    for (int round = 0; round < 5000; round++) {
        struct side nothing = { 0 }, before, after;
        struct row b[NAMES], a[NAMES];
        size_t nb, na;
        struct delta *delta;

        draw(&random, &before, &nothing);
        draw(&random, &after, &before);
        nb = rows_of(&random, &before, round % 2, b);
        na = rows_of(&random, &after, round % 3, a);
        delta = diff(b, nb, a, na);
        check(delta, &before, &after);
        arena_free(&arenas, delta);
    }
}

/* Quadratic work would take minutes. */
static void test_delta_of_large_reordered_listings_is_linear(void **state)
{
    enum { N = 200000 };
    char(*names)[8] = malloc(sizeof(*names) * N);
    struct row *before = malloc(sizeof(*before) * N);
    struct row *after = malloc(sizeof(*after) * N);
    struct delta *delta;

    (void)state;
    for (unsigned i = 0; i < N; i++) {
        snprintf(names[i], sizeof(names[i]), "%u", i);
        before[i] = (struct row){ names[i], 1 + i, 0 };
        /* 7919 is prime to N: a permutation */
        after[(uint64_t)i * 7919 % N] = before[i];
    }
    after[N / 2].ino = 0x700000;
    delta = diff(before, N, after, N - 1);
    assert_int_equal(delta->gone, 2);
    assert_int_equal(delta->come, 1);
    arena_free(&arenas, delta);
    free(names);
    free(before);
    free(after);
}

static const struct change *find_change(const struct delta *delta,
                                        const char *name)
{
    for (uint32_t i = 0; i < delta->gone + delta->come; i++)
        if (strcmp(change_name(delta, &delta->changes[i]), name) == 0)
            return &delta->changes[i];
    fail_msg("expected a change of %s", name);
    return NULL;
}

static void test_delta_learns_what_was_born_and_touched(void **state)
{
    char path[] = "/tmp/vnotify-unit-XXXXXX";
    struct row rows[3] = { { "new", 0, DT_REG },
                           { "touched", 0, DT_REG },
                           { "absent", UINT64_MAX, DT_REG } };
    const struct change *new, *touched;
    struct delta *delta;
    int dir_fd, fd;
    struct stat st;

    (void)state;
    assert_non_null(mkdtemp(path));
    dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int i = 0; i < 2; i++) {
        fd = openat(dir_fd, rows[i].name, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
        assert_return_code(fd, 0);
        fstat(fd, &st);
        rows[i].ino = st.st_ino;
        close(fd);
    }
    /* The clock of time stamps is coarse: until the change shows. */
    do {
        struct timespec before = st.st_ctim;
        fchmodat(dir_fd, "touched", 0640, 0);
        fstatat(dir_fd, "touched", &st, 0);
        if (st.st_ctim.tv_nsec != before.tv_nsec)
            break;
    } while (true);
    delta = diff(NULL, 0, rows, 3);
    delta_learn(delta, dir_fd, 3);
    new = find_change(delta, "new");
    touched = find_change(delta, "touched");
    assert_true(new->learned);
    assert_true(touched->learned);
    assert_false(find_change(delta, "absent")->learned);
    assert_true(new->untouched);
    assert_false(touched->untouched);
    assert_true(new->only_name);
    assert_int_not_equal(new->born_rt_ns, 0);
    arena_free(&arenas, delta);
    unlinkat(dir_fd, "new", 0);
    unlinkat(dir_fd, "touched", 0);
    close(dir_fd);
    rmdir(path);
}

/* What was taken for new is nobody's other half, nor is it for who inherits. */
static void test_delta_takes_for_new(void **state)
{
    const struct row before[] = { { "a", 1, DT_REG } };
    const struct row after[] = { { "b", 1, DT_REG }, { "c", 2, DT_REG } };
    struct delta *gone = diff(before, 1, after, 2);
    struct delta *come = diff(NULL, 0, after, 2);
    struct delta *heir = diff(NULL, 0, after, 2);

    (void)state;
    delta_take_for_new(come);
    delta_inherit(heir, come);
    for (unsigned i = 0; i < 2; i++) {
        assert_true(heir->changes[i].untouched);
        assert_false(heir->changes[i].learned);
        assert_false(delta_same_inode(gone, &gone->changes[0],
                                      &heir->changes[i]));
        assert_false(delta_moved_in(heir, &heir->changes[i]));
    }
    arena_free(&arenas, gone);
    arena_free(&arenas, come);
    arena_free(&arenas, heir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_delta_of_equal_listings_is_empty),
        cmocka_unit_test(test_delta_ignores_the_order_of_listings),
        cmocka_unit_test(test_delta_of_names_gone_and_come),
        cmocka_unit_test(test_delta_from_and_to_an_empty_directory),
        cmocka_unit_test(test_delta_has_what_came_by_inode_number),
        cmocka_unit_test(test_delta_links_a_replaced_name_with_its_twin),
        cmocka_unit_test(test_delta_of_a_rename_is_one_inode_on_both_sides),
        cmocka_unit_test(test_delta_tells_names_apart_that_begin_alike),
        cmocka_unit_test(test_delta_agrees_with_a_comparison_name_by_name),
        cmocka_unit_test(test_delta_of_large_reordered_listings_is_linear),
        cmocka_unit_test(test_delta_learns_what_was_born_and_touched),
        cmocka_unit_test(test_delta_takes_for_new),
    };
    return cmocka_run_group_tests(tests, arenas_setup, arenas_teardown);
}
