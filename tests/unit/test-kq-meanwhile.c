/*
 * What is done to a file while its knote is being made: between the kernel's
 * watch and the knote an event is nobody's.  So what it has told must not be
 * told once more, as something else, by the next one.
 */
#include "kq-fixture.h"

#include <time.h>

static void (*meanwhile)(struct fixture *);
static struct fixture *meanwhile_fx;
static unsigned looks_before;

/* In place of the C library's: the port looks by it, and then something happens
   and is collected. */
int fstat(int host_fd, struct stat *st)
{
    int rc = fstatat(host_fd, "", st, AT_EMPTY_PATH);
    if (meanwhile && looks_before-- == 0) {
        void (*happen)(struct fixture *) = meanwhile;
        meanwhile = NULL;
        happen(meanwhile_fx);
    }
    return rc;
}

static void write_and_collect(struct fixture *fx)
{
    /* so that the stamp is another */
    static const struct timespec tick = {.tv_nsec = 20000000};
    nanosleep(&tick, NULL);
    write_file("f", "longer");
    collect(fx);
}

/* After so many looks of the port. */
static void write_after(struct fixture *fx, unsigned looks)
{
    meanwhile_fx = fx;
    looks_before = looks;
    meanwhile = write_and_collect;
}

/* It was written to, and has told nothing. */
static void remove_and_expect(struct fixture *fx, int f)
{
    assert_null(meanwhile);
    assert_int_equal(unlink("f"), 0);
    expect(fx, f, either(DEL, DEL | L));
    expect_nothing(fx);
    kq_close(fx->kq, f);
}

static void test_kq_write_while_a_knote_is_made(void **state)
{
    struct fixture *fx = *state;
    make_file("f", "x");
    write_after(fx, 1); /* the one before the kernel's watch */
    remove_and_expect(fx, watch(fx, "f"));
}

/* The look from before the call is not what is compared with, either. */
static void test_kq_write_while_a_known_knote_is_made(void **state)
{
    struct fixture *fx = *state;
    struct look look;
    make_file("f", "x");
    int f = open_quietly("f");
    assert_int_equal(look_at(f, "", &look), 0);
    write_after(fx, 0);
    add_known(fx, f, &look, "f");
    remove_and_expect(fx, f);
}

static const struct CMUnitTest tests[] = {
    KQ_TEST(test_kq_write_while_a_knote_is_made),
    KQ_TEST(test_kq_write_while_a_known_knote_is_made),
};

KQ_TESTS(tests)
