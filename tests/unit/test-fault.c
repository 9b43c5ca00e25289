/*
 * fault.h: a step fails while its path exists.
 */
#include "pipeline/fault.h"

#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

static void test_fault_without_a_specification_never_hits(void **state)
{
    struct fault fault;

    (void)state;
    assert_int_equal(fault_init(&fault, NULL), 0);
    for (int step = 0; step < FAULT_STEPS; step++)
        assert_false(fault_hits(&fault, (enum fault_step)step));
    fault_fini(&fault);
    assert_int_equal(fault_init(&fault, ""), 0);
    assert_false(fault_hits(&fault, FAULT_OPEN));
    fault_fini(&fault);
}

static void test_fault_hits_while_its_path_exists(void **state)
{
    char path[] = "/tmp/vnotify-unit-XXXXXX", spec[128];
    int fd = mkstemp(path);
    struct fault fault;

    (void)state;
    assert_return_code(fd, errno);
    close(fd);
    snprintf(spec, sizeof(spec), "open=/nowhere/at/all,read=%s", path);
    assert_int_equal(fault_init(&fault, spec), 0);
    assert_true(fault_hits(&fault, FAULT_READ));
    assert_false(fault_hits(&fault, FAULT_OPEN));
    assert_false(fault_hits(&fault, FAULT_ALLOC));
    unlink(path);
    assert_false(fault_hits(&fault, FAULT_READ));
    fault_fini(&fault);
}

static void test_fault_takes_the_last_path_of_a_step(void **state)
{
    struct fault fault;

    (void)state;
    assert_int_equal(fault_init(&fault, "alloc=/nowhere,alloc=/,"), 0);
    assert_true(fault_hits(&fault, FAULT_ALLOC));
    fault_fini(&fault);
}

static void test_fault_refuses_what_is_no_specification(void **state)
{
    static const char *const bad[] = {
        "open", "open=", "close=/x", "open=/x,read", "=", ",", "openx=/x",
        "open=/x,,read=/y", " open=/x",
    };
    struct fault fault;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(fault_init(&fault, bad[i]), -EINVAL);
        assert_false(fault_hits(&fault, FAULT_OPEN)); /* it is whole */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fault_without_a_specification_never_hits),
        cmocka_unit_test(test_fault_hits_while_its_path_exists),
        cmocka_unit_test(test_fault_takes_the_last_path_of_a_step),
        cmocka_unit_test(test_fault_refuses_what_is_no_specification),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
