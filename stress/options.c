#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { FIGURES_MAX = 256 };

static struct {
    const char *name, *unit;
    double value;
} figures[FIGURES_MAX];
static int figure_count;

static const char usage[] =
    "All programs:\n"
    "  --seed N          of all that is random; drawn and printed if not given\n"
    "  --seconds N       stress-*: how long it runs; bench-*: one measurement\n"
    "  --json FILE       the printed figures, for programs\n"
    "  --dir DIR         where it makes its files; /tmp\n"
    "bench-*:\n"
    "  --memory-dir DIR  the same on a tmpfs; /dev/shm, \"\" for none\n"
    "  --rounds N        medians are over so many; 5\n"
    "  --subjects A,B    only these\n"
    "  --count N         the most of what is counted: entries, watches\n"
    "  --libuv           watch with node's mask, content of children too\n"
    "bench-devserver, bench-devloads:\n"
    "  --scale X         of the tree; 1 is 400,000 files\n"
    "  --clients A,B     only these\n"
    "  --loads A,B       only these\n"
    "stress-parked, stress-files, stress-budget:\n"
    "  --count N         directories or files to watch\n"
    "  --descriptors N   the limit that it gives itself\n";

static const struct option longs[] = {
    { "seed", required_argument, NULL, 's' },
    { "seconds", required_argument, NULL, 't' },
    { "json", required_argument, NULL, 'j' },
    { "dir", required_argument, NULL, 'd' },
    { "memory-dir", required_argument, NULL, 'm' },
    { "rounds", required_argument, NULL, 'r' },
    { "subjects", required_argument, NULL, 'S' },
    { "count", required_argument, NULL, 'c' },
    { "libuv", no_argument, NULL, 'u' },
    { "descriptors", required_argument, NULL, 'D' },
    { "scale", required_argument, NULL, 'x' },
    { "clients", required_argument, NULL, 'C' },
    { "loads", required_argument, NULL, 'L' },
    { "help", no_argument, NULL, 'h' },
    { NULL, 0, NULL, 0 },
};

static double number(const char *option)
{
    char *end;
    double value = strtod(optarg, &end);

    if (*optarg == '\0' || *end != '\0' || !(value >= 0 && value < 1e15)) {
        fprintf(stderr, "vnotify: %s wants a number, not '%s'\n", option,
                optarg);
        exit(125);
    }
    return value;
}

static uint64_t whole_number(const char *option)
{
    char *end;
    uint64_t value;

    errno = 0;
    value = strtoull(optarg, &end, 0);
    if (*optarg < '0' || *optarg > '9' || *end != '\0' || errno != 0) {
        fprintf(stderr, "vnotify: %s wants a whole number, not '%s'\n",
                option, optarg);
        exit(125);
    }
    return value;
}

static void set_defaults(struct options *options)
{
    if (options->seconds == 0)
        options->seconds = 10;
    if (options->rounds == 0)
        options->rounds = 5;
    options->dir = "/tmp";
    options->memory_dir = "/dev/shm";
    if (getentropy(&options->seed, sizeof(options->seed)) != 0)
        options->seed = 1;
    options->seed >>= 32; /* short enough to copy */
}

static void set_option(struct options *options, int which)
{
    switch (which) {
    case 's':
        options->seed = whole_number("--seed");
        break;
    case 't':
        options->seconds = number("--seconds");
        break;
    case 'j':
        options->json = optarg;
        break;
    case 'd':
        options->dir = optarg;
        break;
    case 'm':
        options->memory_dir = optarg;
        break;
    case 'r':
        options->rounds = (unsigned)whole_number("--rounds");
        if (options->rounds == 0)
            options->rounds = 1;
        break;
    case 'S':
        options->subjects = optarg;
        break;
    case 'c':
        options->count = whole_number("--count");
        break;
    case 'D':
        options->descriptors = whole_number("--descriptors");
        break;
    case 'x':
        options->scale = number("--scale");
        break;
    case 'C':
        options->clients = optarg;
        break;
    case 'L':
        options->loads = optarg;
        break;
    case 'u':
        options->libuv = true;
        break;
    case 'h':
        fputs(usage, stdout);
        exit(0);
    default:
        exit(125);
    }
}

void options_parse(struct options *options, int argc, char **argv)
{
    int which;

    set_defaults(options);
    opterr = 0;
    while ((which = getopt_long(argc, argv, ":", longs, NULL)) != -1) {
        if (which == '?' || which == ':')
            fprintf(stderr, which == '?'
                                ? "vnotify: there is no option %s; --help "
                                  "lists them\n"
                                : "vnotify: %s wants a value\n",
                    argv[optind - 1]);
        set_option(options, which);
    }
    if (optind != argc) {
        fprintf(stderr, "vnotify: what is '%s'?\n", argv[optind]);
        exit(125);
    }
    if (options->seed == 0)
        options->seed = 1;
    printf("seed %" PRIu64 "\n", options->seed);
    fflush(stdout);
}

bool options_list_has(const char *list, const char *word)
{
    size_t length = strlen(word);

    for (const char *at = list; at != NULL;) {
        if (strncmp(at, word, length) == 0 &&
            (at[length] == ',' || at[length] == '\0'))
            return true;
        at = strchr(at, ',');
        if (at == NULL)
            return false;
        at++;
    }
    return true;
}

static const char *name_at(const char *const *names, size_t i, size_t stride)
{
    return *(const char *const *)(const void *)((const char *)names +
                                                i * stride);
}

void options_check(const char *option, const char *list,
                   const char *const *names, size_t count, size_t stride)
{
    for (const char *at = list; at != NULL; at = strchr(at, ',')) {
        size_t length, i = 0;

        at += at != list;
        length = strcspn(at, ",");
        while (i < count && (strlen(name_at(names, i, stride)) != length ||
                             strncmp(name_at(names, i, stride), at, length)))
            i++;
        if (i < count)
            continue;
        fprintf(stderr, "vnotify: --%s: there is no '%.*s', but:", option,
                (int)length, at);
        for (i = 0; i < count; i++)
            fprintf(stderr, " %s", name_at(names, i, stride));
        fputc('\n', stderr);
        exit(125);
    }
}

bool options_want(const struct options *options, const char *subject)
{
    return options_list_has(options->subjects, subject);
}

void figure(const char *name, double value, const char *unit)
{
    printf("%-32s %14.6g %s\n", name, value, unit);
    if (figure_count < FIGURES_MAX) {
        figures[figure_count].name = name;
        figures[figure_count].unit = unit;
        figures[figure_count++].value = value;
    }
}

int figures_write(const struct options *options, const char *program)
{
    FILE *out;
    int failed;

    if (options->json == NULL)
        return 0;
    out = fopen(options->json, "w");
    if (out == NULL) {
        fprintf(stderr, "vnotify: %s: %s\n", options->json, strerror(errno));
        return -1;
    }
    fprintf(out, "{\"program\":\"%s\",\"seed\":%" PRIu64, program,
            options->seed);
    for (int i = 0; i < figure_count; i++)
        fprintf(out, ",\n \"%s\":{\"value\":%.17g,\"unit\":\"%s\"}",
                figures[i].name, figures[i].value, figures[i].unit);
    fprintf(out, "}\n");
    failed = ferror(out);
    if (fclose(out) != 0 || failed) {
        fprintf(stderr, "vnotify: %s: cannot write\n", options->json);
        return -1;
    }
    return 0;
}
