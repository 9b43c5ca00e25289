/*
 * snapshot.h: listings become snapshots; failed is never empty; each name is
 * there once; the CPU is offered on the way.  listing_read is a fake: it gives
 * the rows of the test; and so is sched_yield.
 */
#include "pipeline/delta.h"
#include "pipeline/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "listing-fixture.h"
#include "port/listing.h"

static const struct row *fake_rows;
static size_t fake_count;
static int fake_end; /* what the listing says after the rows */

enum { ROWS_OF_A_CALL = 1000 };

int listing_read(int host_fd, void *buf, size_t bytes, listing_fn *fn,
                 void *arg)
{
    (void)host_fd;
    assert_non_null(buf);
    assert_true(bytes >= LISTING_BUFFER_MIN);
    for (size_t i = 0; i < fake_count; i++) {
        struct listing_entry entry = {
            .ino = fake_rows[i].ino,
            .name = fake_rows[i].name,
            .name_len = (uint16_t)strlen(fake_rows[i].name),
            .type = fake_rows[i].type,
        };
        int stop = fn(arg, &entry);

        if (stop == 0 &&
            (i % ROWS_OF_A_CALL == ROWS_OF_A_CALL - 1 || i == fake_count - 1))
            stop = fn(arg, NULL);
        if (stop != 0)
            return stop;
    }
    return fake_end;
}

int listing_read_first(int host_fd, void *buf, size_t bytes, listing_fn *fn,
                       void *arg)
{
    return listing_read(host_fd, buf, bytes, fn, arg);
}

static unsigned yields;
static uint64_t others_want_ns;

int sched_yield(void)
{
    uint64_t until = now_ns() + others_want_ns;

    yields++;
    while (now_ns() < until)
        continue;
    return 0;
}

static struct snapshot_builder builder;
static struct fault no_fault;

static int setup(void **state)
{
    (void)state;
    fake_count = 0;
    fake_end = 0;
    yields = 0;
    others_want_ns = 0;
    return snapshot_builder_init(&builder);
}

static int teardown(void **state)
{
    (void)state;
    snapshot_builder_fini(&builder);
    return 0;
}

static int list_after(const struct snapshot *before, const struct row *rows,
                      size_t count)
{
    fake_rows = rows;
    fake_count = count;
    return snapshot_list(&builder, -1, before, NULL, &no_fault);
}

static int list(const struct row *rows, size_t count)
{
    return list_after(NULL, rows, count);
}

static struct snapshot *make(uint64_t id)
{
    struct snapshot *snapshot =
        snapshot_create(&arenas, &builder, &no_fault, id);

    assert_non_null(snapshot);
    assert_int_equal(snapshot->id, id);
    return snapshot;
}

static void test_snapshot_holds_entries_in_the_order_listed(void **state)
{
    const struct row rows[] = { { "b", 2, DT_REG },
                                { "directory", UINT64_MAX, DT_DIR },
                                { "a", 1, DT_LNK } };
    struct snapshot *snapshot;
    struct entry entry;
    size_t at = 0;

    (void)state;
    assert_int_equal(list(rows, 3), 0);
    snapshot = make(5);
    assert_int_equal(snapshot->count, 3);
    for (int i = 0; i < 3; i++) {
        at = snapshot_entry(snapshot, at, &entry);
        assert_int_equal(entry.ino, rows[i].ino);
        assert_int_equal(entry.type, rows[i].type);
        assert_int_equal(entry.name_len, strlen(rows[i].name));
        assert_memory_equal(entry.name, rows[i].name, entry.name_len);
    }
    assert_int_equal(at, snapshot->bytes);
    snapshot_release(&arenas, snapshot);
    snapshot_release(&arenas, NULL);
}

/* On both sides of every width that a difference is packed in. */
static void test_snapshot_keeps_any_inode_from_any_base(void **state)
{
    static const uint64_t bases[] = { 0, 1, 1000, UINT32_MAX, 1ull << 40,
                                      UINT64_MAX };
    static const uint64_t steps[] = { 0,         0x7f,       0x80,
                                      0x7fff,    0x8000,     0x7fffffff,
                                      0x80000000, 1ull << 62, 1ull << 63 };
    enum { STEPS = sizeof(steps) / sizeof(steps[0]) };
    struct row rows[2 * STEPS];
    static char names[2 * STEPS][8];

    (void)state;
    for (size_t b = 0; b < sizeof(bases) / sizeof(bases[0]); b++) {
        struct snapshot *snapshot;
        struct entry entry;
        size_t at = 0;

        for (int i = 0; i < 2 * STEPS; i++) {
            snprintf(names[i], sizeof(names[i]), "%d", i);
            rows[i] = (struct row){
                names[i],
                i < STEPS ? bases[b] + steps[i] : bases[b] - steps[i - STEPS],
                DT_REG,
            };
        }
        builder.base = bases[b];
        assert_int_equal(list(rows, 2 * STEPS), 0);
        snapshot = make(1);
        for (int i = 0; i < 2 * STEPS; i++) {
            at = snapshot_entry(snapshot, at, &entry);
            assert_true(entry.ino == rows[i].ino);
            assert_memory_equal(entry.name, names[i], entry.name_len);
        }
        assert_int_equal(at, snapshot->bytes);
        snapshot_release(&arenas, snapshot);
    }
}

static void test_snapshot_of_nothing_is_empty(void **state)
{
    struct snapshot *snapshot;

    (void)state;
    assert_int_equal(list(NULL, 0), 0);
    snapshot = make(1);
    assert_int_equal(snapshot->count, 0);
    assert_int_equal(snapshot->bytes, 0);
    assert_true(snapshot_same(&builder, snapshot));
    snapshot_release(&arenas, snapshot);
}

static void test_snapshot_same_looks_at_every_byte(void **state)
{
    const struct row rows[] = { { "a", 1, DT_REG }, { "b", 2, DT_REG } };
    const struct row others[][2] = {
        { { "a", 1, DT_REG }, { "b", 3, DT_REG } },
        { { "a", 1, DT_REG }, { "b", 2, DT_DIR } },
        { { "a", 1, DT_REG }, { "c", 2, DT_REG } },
        { { "b", 2, DT_REG }, { "a", 1, DT_REG } },
    };
    struct snapshot *snapshot;

    (void)state;
    assert_int_equal(list(rows, 2), 0);
    snapshot = make(1);
    assert_int_equal(list(rows, 2), 0);
    assert_true(snapshot_same(&builder, snapshot));
    for (int i = 0; i < 4; i++) {
        assert_int_equal(list(others[i], 2), 0);
        assert_false(snapshot_same(&builder, snapshot));
    }
    assert_int_equal(list(rows, 1), 0);
    assert_false(snapshot_same(&builder, snapshot));
    snapshot_release(&arenas, snapshot);
}

static void test_snapshot_lives_as_long_as_its_references(void **state)
{
    const struct row rows[] = { { "a", 1, DT_REG } };
    struct snapshot *snapshot;

    (void)state;
    assert_int_equal(list(rows, 1), 0);
    snapshot = make(1);
    snapshot_acquire(snapshot);
    snapshot_release(&arenas, snapshot);
    assert_int_equal(snapshot->refs, 1);
    assert_int_equal(snapshot->count, 1);
    snapshot_release(&arenas, snapshot);
}

static void test_snapshot_listing_that_fails_fails(void **state)
{
    const struct row rows[] = { { "a", 1, DT_REG } };

    (void)state;
    fake_end = -EIO;
    assert_int_equal(list(rows, 1), -EIO);
    assert_int_equal(list(rows, 0), -EIO);
    fake_end = -ENOMEM;
    assert_int_equal(list(rows, 1), -ENOMEM);
}

static void test_snapshot_refuses_names_that_cannot_be(void **state)
{
    char name[300];
    struct row row = { name, 1, DT_REG };

    (void)state;
    memset(name, 'n', sizeof(name));
    name[255] = '\0';
    assert_int_equal(list(&row, 1), 0);
    name[255] = 'n';
    name[256] = '\0';
    assert_int_equal(list(&row, 1), -EIO);
    row.name = "";
    assert_int_equal(list(&row, 1), -EIO);
}

static int list_path(const char *path, bool removed)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), err;

    assert_return_code(fd, errno);
    if (removed)
        rmdir(path);
    fake_count = 0;
    fake_end = -ENOENT;
    err = snapshot_list(&builder, fd, NULL, NULL, &no_fault);
    close(fd);
    return err;
}

static void test_snapshot_of_a_removed_directory_is_empty(void **state)
{
    char path[] = "/tmp/vnotify-unit-XXXXXX";

    (void)state;
    assert_non_null(mkdtemp(path));
    /* ENOENT of a directory that is there is an error like any other. */
    assert_int_equal(list_path(path, false), -ENOENT);
    assert_int_equal(list_path(path, true), 0);
    assert_int_equal(builder.used, 0);
    assert_int_equal(builder.count, 0);
}

static void test_snapshot_faults_hit_each_step(void **state)
{
    const struct row rows[] = { { "a", 1, DT_REG }, { "b", 2, DT_REG } };
    struct fault fault;

    (void)state;
    assert_int_equal(fault_init(&fault, "read=/,alloc=/nowhere"), 0);
    fake_rows = rows;
    for (fake_count = 0; fake_count <= 2; fake_count++)
        assert_int_equal(snapshot_list(&builder, -1, NULL, NULL, &fault), -EIO);
    fault_fini(&fault);
    assert_int_equal(fault_init(&fault, "read=/nowhere,alloc=/"), 0);
    fake_count = 2;
    assert_int_equal(snapshot_list(&builder, -1, NULL, NULL, &fault), 0);
    assert_null(snapshot_create(&arenas, &builder, &fault, 1));
    fault_fini(&fault);
}

enum { FEW = 40 };

/* Some of FEW names, in another order now and then. */
static size_t draw(struct random *random, char few[FEW][4], struct row *rows)
{
    size_t count = 0;

    for (int i = 0; i < FEW; i++)
        if (random_below(random, 8) != 0)
            rows[count++] = (struct row){
                few[i],
                random_below(random, 12) == 0 ? random_next(random)
                                              : 1000 + (uint64_t)i,
                random_below(random, 12) == 0 ? DT_DIR : DT_REG,
            };
    if (count > 1 && random_below(random, 3) == 0) {
        size_t i = random_below(random, (unsigned)count - 1);
        struct row row = rows[i];

        rows[i] = rows[count - 1];
        rows[count - 1] = row;
    }
    return count;
}

/* Up to three more, anywhere. */
static size_t grow(struct random *random, struct row *rows, size_t count)
{
    static const char *const more[] = { "x", "y", "z" };
    unsigned left = random_below(random, 4);

    while (left-- > 0) {
        size_t at = random_below(random, (unsigned)count + 1);

        memmove(rows + at + 1, rows + at, (count - at) * sizeof(*rows));
        rows[at] = (struct row){ more[left], 2000 + left, DT_REG };
        count++;
    }
    return count;
}

/* Is `alone`, which is what the builder holds, all of `before` and those? */
static void expect_newcomers(const struct snapshot *before,
                             const struct snapshot *alone)
{
    const struct newcomers *new = &builder.newcomers;
    struct delta *delta = delta_create(&arenas, before, alone);

    assert_non_null(delta);
    assert_int_equal(delta->gone, 0);
    assert_int_equal(delta->come, new->count);
    for (int i = 0; i < new->count; i++) {
        struct entry entry;
        uint32_t at = 0;

        snapshot_entry(alone, new->all[i].at, &entry);
        while (at < delta->come && delta->changes[at].ino != entry.ino)
            at++;
        assert_true(at < delta->come);
        assert_memory_equal(change_name(delta, &delta->changes[at]),
                            entry.name, entry.name_len);
    }
    arena_free(&arenas, delta);
}

/* What is as before is taken over from there, and nothing else is. */
static void test_snapshot_is_the_same_after_any_other(void **state)
{
    struct random random = { random_seed() };
    struct row rows[FEW + 3];
    char few[FEW][4];
    struct snapshot *before, *alone;
    int grown = 0;

    (void)state;
    for (int i = 0; i < FEW; i++)
        snprintf(few[i], sizeof(few[i]), "%d", i);
    for (int round = 0; round < 5000; round++) {
        size_t count = draw(&random, few, rows);

        builder.base = random_below(&random, 3) * 1000;
        assert_int_equal(list(rows, count), 0);
        before = make(1);
        if (random_below(&random, 8) == 0)
            builder.base++;
        count = random_below(&random, 2) == 0 ? draw(&random, few, rows)
                                              : grow(&random, rows, count);
        assert_int_equal(list(rows, count), 0);
        alone = make(2);
        assert_int_equal(alone->count, count);
        assert_int_equal(list_after(before, rows, count), 0);
        assert_true(snapshot_same(&builder, alone));
        assert_int_equal(builder.count, count);
        assert_int_equal(snapshot_same(&builder, before),
                         snapshot_equal(alone, before));
        if (newcomers_are_all(&builder.newcomers, before, builder.count)) {
            expect_newcomers(before, alone);
            grown++;
        }
        snapshot_release(&arenas, alone);
        snapshot_release(&arenas, before);
    }
    assert_true(grown > 1000);
}

/* More than one call's worth: names can be listed twice, the last counts. */
enum { MANY = 20000, MORE = 20 };

static char names[MANY][8];
static struct row rows_of_many[MANY + MORE];

static void make_many(void)
{
    for (int i = 0; i < MANY; i++) {
        snprintf(names[i], sizeof(names[i]), "f%d", i);
        rows_of_many[i] = (struct row){ names[i], 1 + (uint64_t)i, DT_REG };
    }
}

/* Is each name in what was listed once, with its last row's inode? */
static void expect_last_of_each(size_t count)
{
    static uint64_t last[MANY];
    struct snapshot *snapshot = make(1);
    struct entry entry;

    for (size_t i = 0; i < count; i++)
        last[atoi(rows_of_many[i].name + 1)] = rows_of_many[i].ino;
    assert_int_equal(snapshot->count, MANY);
    for (size_t at = 0; at < snapshot->bytes;) {
        char name[8] = "";
        int i;

        at = snapshot_entry(snapshot, at, &entry);
        assert_in_range(entry.name_len, 2, sizeof(name) - 1);
        memcpy(name, entry.name, entry.name_len);
        i = atoi(name + 1);
        assert_in_range(i, 0, MANY - 1);
        assert_string_equal(name, names[i]);
        assert_int_equal(entry.ino, last[i]);
        last[i] = 0; /* seen; no row has it */
    }
    snapshot_release(&arenas, snapshot);
}

static void test_snapshot_drops_the_earlier_of_repeated_names(void **state)
{
    (void)state;
    make_many();
    rows_of_many[MANY] = (struct row){ names[0], 900001, DT_REG };
    rows_of_many[MANY + 1] = (struct row){ names[MANY - 1], 900002, DT_DIR };
    rows_of_many[MANY + 2] = (struct row){ names[0], 900003, DT_REG };
    assert_int_equal(list(rows_of_many, MANY + 3), 0);
    expect_last_of_each(MANY + 3);
}

/* The listing before only says where to look: the outcome is the same, with few
   names repeated or many, and whichever of the two is the one of before. */
static void test_snapshot_finds_repeated_names_by_the_one_before(void **state)
{
    struct snapshot *before;

    (void)state;
    make_many();
    assert_int_equal(list(rows_of_many, MANY), 0);
    before = make(2);
    assert_int_equal(list_after(before, rows_of_many, MANY), 0);
    expect_last_of_each(MANY);
    for (int more = 1; more <= MORE; more++) {
        make_many();
        /* The last one is as before, and listed again; the first of the others
           is replaced, and as before when it is listed again. */
        for (int i = 0; i < more; i++)
            rows_of_many[MANY + i] = rows_of_many[MANY - 1 - 7 * i];
        for (int i = 1; i < more; i++)
            rows_of_many[MANY - 1 - 7 * i].ino = 900000 + (uint64_t)i;
        assert_int_equal(list_after(before, rows_of_many, MANY + (size_t)more),
                         0);
        expect_last_of_each(MANY + (size_t)more);
    }
    snapshot_release(&arenas, before);
}

/* Between two calls; of a directory that takes one there is no between. */
static void test_snapshot_offers_the_cpu_between_calls(void **state)
{
    (void)state;
    make_many();
    assert_int_equal(list(rows_of_many, ROWS_OF_A_CALL), 0);
    assert_int_equal(yields, 0);
    assert_int_equal(list(rows_of_many, MANY), 0);
    assert_in_range(yields, 2, MANY / ROWS_OF_A_CALL);
    assert_true(builder.yielded_ns > 0);
}

/* Who computes there gets half of the time, not all but a call's. */
static void test_snapshot_offers_the_cpu_no_more_than_half_of_the_time(
    void **state)
{
    uint64_t before_ns;

    (void)state;
    make_many();
    others_want_ns = UINT64_C(100) * 1000 * 1000;
    before_ns = now_ns();
    assert_int_equal(list(rows_of_many, MANY), 0);
    assert_in_range(yields, 1, 1 + (now_ns() - before_ns) / (2 * others_want_ns));
    assert_true(builder.yielded_ns >= others_want_ns);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_snapshot_holds_entries_in_the_order_listed),
        CASE(test_snapshot_keeps_any_inode_from_any_base),
        CASE(test_snapshot_of_nothing_is_empty),
        CASE(test_snapshot_same_looks_at_every_byte),
        CASE(test_snapshot_lives_as_long_as_its_references),
        CASE(test_snapshot_listing_that_fails_fails),
        CASE(test_snapshot_refuses_names_that_cannot_be),
        CASE(test_snapshot_of_a_removed_directory_is_empty),
        CASE(test_snapshot_faults_hit_each_step),
        CASE(test_snapshot_is_the_same_after_any_other),
        CASE(test_snapshot_drops_the_earlier_of_repeated_names),
        CASE(test_snapshot_finds_repeated_names_by_the_one_before),
        CASE(test_snapshot_offers_the_cpu_between_calls),
        CASE(test_snapshot_offers_the_cpu_no_more_than_half_of_the_time),
    };
    return cmocka_run_group_tests(tests, arenas_setup, arenas_teardown);
}
