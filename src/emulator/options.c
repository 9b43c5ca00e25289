/*
 * options.c - the command line
 */
#include "emulator/options.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/fault.h"

enum option_key {
    KEY_HELP = 'h',
    KEY_RECURSIVE = 'r',
    KEY_FIRST_LONG = UCHAR_MAX + 1,
    KEY_STRICT = KEY_FIRST_LONG,
    KEY_WORKERS,
    KEY_NOTES,
    KEY_STATS,
    KEY_TRACE,
    KEY_FAULT,
    KEY_QUEUE_EVENTS,
    KEY_QUEUE_LIMIT,
    KEY_FD_BUDGET,
    KEY_WATCH_BUDGET,
    KEY_OPEN_BUDGET,
    KEY_CLOSE_WRITE_AFTER,
    KEY_VERSION,
};

static const char usage_text[] =
    "usage: vnotify run [OPTION...] [--] PROGRAM [ARG...]\n"
    "       vnotify watch [-r] [OPTION...] [--] PATH...\n"
    "       vnotify --help | --version\n"
    "\n"
    "run    runs a Linux program and serves its inotify from user space\n"
    "watch  prints the events of files and directories as they come\n"
    "\n"
    "Both:\n"
    "  --workers N         threads that list directories, 2..64\n"
    "                      (default: one per CPU, at least 2)\n"
    "  --notes SET         the notes that the host's kqueue posts: freebsd\n"
    "                      (default), or macos: without open, close and read\n"
    "  --queue-events N    slots of each instance's queue, a power of two,\n"
    "                      64..65536 (default 4096); what does not fit waits\n"
    "  --fd-budget N       descriptors to spend on what is in watched\n"
    "                      directories (default: half of the limit); changes\n"
    "                      in the rest are found by comparing, a little later\n"
    "  --watch-budget N    kernel watches to use in all before what is not open\n"
    "                      is found by comparing for good (default: 7/8 of\n"
    "                      fs.inotify.max_user_watches; 0: it is at once)\n"
    "  --open-budget N     descriptors to hold for what is watched\n"
    "                      (default: a quarter of the limit); the others are\n"
    "                      opened when something happens there\n"
    "  --close-write-after MS\n"
    "                      where the host does not tell who closes a file, a\n"
    "                      changed one counts as closed when it was left alone\n"
    "                      for so long, 1..60000 (default 50)\n"
    "  --stats             a table of every stage on stderr at the end\n"
    "  --trace FILE        a line for each note, listing, delta and event\n"
    "  --fault SPEC        for tests: open=PATH,read=PATH,alloc=PATH:\n"
    "                      listings fail at that step while PATH exists\n"
    "  -h, --help          this text\n"
    "  --version\n"
    "run only:\n"
    "  --strict            what the program did itself is in its queue when\n"
    "                      its call returns, as on Linux; slower\n"
    "  --queue-limit N     at most N unread events, then IN_Q_OVERFLOW, as\n"
    "                      max_queued_events does on Linux, 1..65536 (default:\n"
    "                      no limit, and nothing is ever lost)\n"
    "watch only:\n"
    "  -r                  directories below, and new ones, as well\n"
    "\n"
    "run exits with the program's own status; 128+N if signal N ended it; 127\n"
    "if it was not found, 126 if it could not be run, 125 if vnotify failed.\n";

static const struct option long_options[] = {
    { "help", no_argument, NULL, KEY_HELP },
    { "version", no_argument, NULL, KEY_VERSION },
    { "strict", no_argument, NULL, KEY_STRICT },
    { "workers", required_argument, NULL, KEY_WORKERS },
    { "notes", required_argument, NULL, KEY_NOTES },
    { "queue-events", required_argument, NULL, KEY_QUEUE_EVENTS },
    { "queue-limit", required_argument, NULL, KEY_QUEUE_LIMIT },
    { "fd-budget", required_argument, NULL, KEY_FD_BUDGET },
    { "watch-budget", required_argument, NULL, KEY_WATCH_BUDGET },
    { "open-budget", required_argument, NULL, KEY_OPEN_BUDGET },
    { "close-write-after", required_argument, NULL, KEY_CLOSE_WRITE_AFTER },
    { "stats", no_argument, NULL, KEY_STATS },
    { "trace", required_argument, NULL, KEY_TRACE },
    { "fault", required_argument, NULL, KEY_FAULT },
    { "recursive", no_argument, NULL, KEY_RECURSIVE },
    { NULL, 0, NULL, 0 },
};

static enum options_command bad(const char *what, const char *value)
{
    fprintf(stderr, "vnotify: %s%s%s; try 'vnotify --help'\n", what,
            value ? ": " : "", value ? value : "");
    return OPTIONS_ERROR;
}

static bool parse_number(const char *text, unsigned min, unsigned max,
                         unsigned *to)
{
    char *end;
    unsigned long value;

    errno = 0;
    value = strtoul(text, &end, 10);
    if (errno || end == text || *end || *text == '-' || value < min ||
        value > max)
        return false;
    *to = (unsigned)value;
    return true;
}

static bool is_power_of_two(unsigned value)
{
    return (value & (value - 1)) == 0;
}

static bool parse_notes(const char *text, enum vnotify_notes *to)
{
    if (!strcmp(text, "macos"))
        *to = VNOTIFY_NOTES_MACOS;
    else if (!strcmp(text, "freebsd"))
        *to = VNOTIFY_NOTES_FREEBSD;
    else
        return false;
    return true;
}

/* 0 on the command line is none; in the config that is the default. */
static bool parse_budget(const char *text, int *budget)
{
    unsigned value;

    if (!parse_number(text, 0, INT_MAX, &value))
        return false;
    *budget = value == 0 ? -1 : (int)value;
    return true;
}

/* The engine would refuse it as well, but cannot say which option it was. */
static bool parse_faults(const char *text, const char **to)
{
    struct fault fault;
    bool good = fault_init(&fault, text) != -EINVAL;

    fault_fini(&fault);
    *to = text;
    return good;
}

/* Options with a value that may be wrong: NULL, or what is. */
static const char *set_value(struct options *options, int key)
{
    struct vnotify_config *config = &options->config;

    switch (key) {
    case KEY_WORKERS:
        return parse_number(optarg, 2, 64, &config->workers)
                   ? NULL
                   : "--workers takes a number from 2 to 64, not";
    case KEY_QUEUE_EVENTS:
        return parse_number(optarg, 64, 65536, &config->queue_events) &&
                       is_power_of_two(config->queue_events)
                   ? NULL
                   : "--queue-events takes a power of two from 64 to 65536, "
                     "not";
    case KEY_QUEUE_LIMIT:
        return parse_number(optarg, 1, 65536, &options->queue_limit)
                   ? NULL
                   : "--queue-limit takes a number from 1 to 65536, not";
    case KEY_FD_BUDGET:
        return parse_budget(optarg, &config->fd_budget)
                   ? NULL
                   : "--fd-budget takes a number of descriptors, 0 for none, "
                     "not";
    case KEY_WATCH_BUDGET:
        return parse_budget(optarg, &config->watch_budget)
                   ? NULL
                   : "--watch-budget takes a number of watches, 0 for none, "
                     "not";
    case KEY_OPEN_BUDGET:
        return parse_budget(optarg, &config->open_budget)
                   ? NULL
                   : "--open-budget takes a number of descriptors, 0 for none, "
                     "not";
    case KEY_CLOSE_WRITE_AFTER:
        return parse_number(optarg, 1, 60000, &config->close_write_after_ms)
                   ? NULL
                   : "--close-write-after takes milliseconds from 1 to "
                     "60000, not";
    case KEY_FAULT:
        return parse_faults(optarg, &config->faults)
                   ? NULL
                   : "--fault takes open=PATH, read=PATH and alloc=PATH, "
                     "separated by commas, not";
    default:
        return parse_notes(optarg, &config->notes)
                   ? NULL
                   : "--notes takes macos or freebsd, not";
    }
}

static enum options_command print(const char *text)
{
    fputs(text, stdout);
    if (fflush(stdout) == 0)
        return OPTIONS_DONE;
    fprintf(stderr, "vnotify: standard output: %s\n", strerror(errno));
    return OPTIONS_ERROR;
}

/* One option; returns `command` to go on. */
static enum options_command set_option(struct options *options,
                                       enum options_command command, int key)
{
    const char *wrong;

    switch (key) {
    case KEY_HELP:
        return print(usage_text);
    case KEY_VERSION:
        return print("vnotify " VNOTIFY_VERSION "\n");
    case KEY_STATS:
        options->stats = true;
        return command;
    case KEY_TRACE:
        options->trace_path = optarg;
        return command;
    case KEY_STRICT:
        options->strict = options->config.ordered = true;
        return command == OPTIONS_RUN
                   ? command
                   : bad("--strict is an option of run", NULL);
    case KEY_RECURSIVE:
        options->recursive = true;
        return command == OPTIONS_WATCH
                   ? command
                   : bad("-r is an option of watch", NULL);
    case ':':
        return bad("a value is missing after", optarg);
    case '?':
        return bad("there is no such option", optarg);
    default:
        if (key == KEY_QUEUE_LIMIT && command != OPTIONS_RUN)
            return bad("--queue-limit is an option of run", NULL);
        wrong = set_value(options, key);
        return wrong ? bad(wrong, optarg) : command;
    }
}

static enum options_command find_command(const char *name)
{
    if (!name)
        return bad("a command is missing: run or watch", NULL);
    if (!strcmp(name, "run"))
        return OPTIONS_RUN;
    if (!strcmp(name, "watch"))
        return OPTIONS_WATCH;
    if (!strcmp(name, "--help") || !strcmp(name, "-h"))
        return print(usage_text);
    if (!strcmp(name, "--version"))
        return print("vnotify " VNOTIFY_VERSION "\n");
    return bad("there is no such command", name);
}

enum options_command options_parse(int argc, char **argv,
                                   struct options *options)
{
    enum options_command command = find_command(argc > 1 ? argv[1] : NULL);
    enum options_command wanted = command;

    *options = (struct options){ 0 };
    if (command != OPTIONS_RUN && command != OPTIONS_WATCH)
        return command;
    argc--;
    argv++;
    optind = 0; /* a fresh scan, in tests too */
    opterr = 0;
    while (command == wanted) {
        int at = optind ? optind : 1;
        /* '+': the program's own options are not ours. */
        int key = getopt_long(argc, argv, "+:hr", long_options, NULL);

        if (key < 0)
            break;
        if (key == '?' || key == ':')
            optarg = argv[at];
        command = set_option(options, command, key);
    }
    if (command != wanted)
        return command;
    options->operands = argv + optind;
    options->operand_count = argc - optind;
    if (!options->operand_count)
        return bad(command == OPTIONS_RUN ? "a program to run is missing"
                                          : "a path to watch is missing",
                   NULL);
    return command;
}
