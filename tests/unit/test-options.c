/*
 * test-options.c - the command line of vnotify
 */
#include "unit.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "emulator/options.h"

static struct options options;

/* Parses words separated by single spaces, with stderr shut. */
static enum options_command parse(const char *words)
{
    static char copy[256];
    static char *argv[32];
    enum options_command command;
    int saved = dup(STDERR_FILENO);
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    int argc = 0;

    strcpy(copy, words);
    for (char *word = strtok(copy, " "); word; word = strtok(NULL, " "))
        argv[argc++] = word;
    argv[argc] = NULL;
    dup2(null, STDERR_FILENO);
    command = options_parse(argc, argv, &options);
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(null);
    return command;
}

static void test_options_leave_the_guests_alone(void **state)
{
    (void)state;
    assert_int_equal(parse("vnotify run ls --strict -l"), OPTIONS_RUN);
    assert_false(options.strict);
    assert_int_equal(options.operand_count, 3);
    assert_string_equal(options.operands[0], "ls");
    assert_string_equal(options.operands[1], "--strict");
    assert_int_equal(parse("vnotify run --strict -- --stats -x"), OPTIONS_RUN);
    assert_true(options.strict);
    assert_false(options.stats);
    assert_string_equal(options.operands[0], "--stats");
}

static void test_options_take_values(void **state)
{
    (void)state;
    assert_int_equal(parse("vnotify run --workers 2 --notes macos --stats "
                           "--queue-events=64 --trace t --fault open=/x p"),
                     OPTIONS_RUN);
    assert_int_equal(options.config.workers, 2);
    assert_int_equal(options.config.notes, VNOTIFY_NOTES_MACOS);
    assert_int_equal(options.config.queue_events, 64);
    assert_string_equal(options.config.faults, "open=/x");
    assert_string_equal(options.trace_path, "t");
    assert_true(options.stats);
    assert_string_equal(options.operands[0], "p");
    assert_int_equal(parse("vnotify run --fd-budget 0 --queue-limit 3 "
                           "--close-write-after 7 p"),
                     OPTIONS_RUN);
    assert_int_equal(options.config.fd_budget, -1);
    assert_int_equal(options.queue_limit, 3);
    assert_int_equal(options.config.close_write_after_ms, 7);
    assert_int_equal(parse("vnotify watch --fd-budget 1000 --watch-budget 0 "
                           "p"),
                     OPTIONS_WATCH);
    assert_int_equal(options.config.fd_budget, 1000);
    assert_int_equal(options.config.watch_budget, -1);
    assert_int_equal(parse("vnotify run p"), OPTIONS_RUN);
    assert_int_equal(options.config.fd_budget, 0);
    assert_int_equal(options.queue_limit, 0);
    assert_int_equal(options.config.workers, 0);
    assert_int_equal(options.config.notes, VNOTIFY_NOTES_FREEBSD);
}

static void test_options_refuse_bad_usage(void **state)
{
    static const char *const bad[] = {
        "vnotify",
        "vnotify walk",
        "vnotify run",
        "vnotify run --",
        "vnotify run --bogus p",
        "vnotify run --workers",
        "vnotify run --fd-budget -1 p",
        "vnotify run --fd-budget many p",
        "vnotify run --watch-budget -1 p",
        "vnotify run --queue-limit 0 p",
        "vnotify run --queue-limit 65537 p",
        "vnotify watch --queue-limit 5 p",
        "vnotify run --close-write-after 0 p",
        "vnotify run --close-write-after 60001 p",
        "vnotify run --workers 1 p",
        "vnotify run --workers 65 p",
        "vnotify run --workers 4x p",
        "vnotify run --workers -4 p",
        "vnotify run --queue-events 100 p",
        "vnotify run --queue-events 32 p",
        "vnotify run --notes linux p",
        "vnotify run --fault bogus p",
        "vnotify watch --fault open= .",
        "vnotify run -r p",
        "vnotify watch",
        "vnotify watch --strict .",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (parse(bad[i]) != OPTIONS_ERROR)
            fail_msg("taken: %s", bad[i]);
    }
}

static void test_options_watch(void **state)
{
    (void)state;
    assert_int_equal(parse("vnotify watch -r a b"), OPTIONS_WATCH);
    assert_true(options.recursive);
    assert_int_equal(options.operand_count, 2);
    assert_int_equal(parse("vnotify watch a"), OPTIONS_WATCH);
    assert_false(options.recursive);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options_leave_the_guests_alone),
        cmocka_unit_test(test_options_take_values),
        cmocka_unit_test(test_options_refuse_bad_usage),
        cmocka_unit_test(test_options_watch),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
