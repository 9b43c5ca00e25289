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

static double number(const char *text, const char *option)
{
    char *end;
    double value = strtod(text, &end);

    if (*text == '\0' || *end != '\0' || value < 0) {
        fprintf(stderr, "vnotify: %s wants a number, not '%s'\n", option,
                text);
        exit(125);
    }
    return value;
}

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
    { NULL, 0, NULL, 0 },
};

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
        options->seed = strtoull(optarg, NULL, 0);
        break;
    case 't':
        options->seconds = number(optarg, "--seconds");
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
        options->rounds = (unsigned)number(optarg, "--rounds");
        if (options->rounds == 0)
            options->rounds = 1;
        break;
    case 'S':
        options->subjects = optarg;
        break;
    case 'c':
        options->count = (unsigned long)number(optarg, "--count");
        break;
    case 'D':
        options->descriptors =
            (unsigned long)number(optarg, "--descriptors");
        break;
    case 'x':
        options->scale = number(optarg, "--scale");
        break;
    case 'C':
        options->clients = optarg;
        break;
    case 'u':
        options->libuv = true;
        break;
    default:
        exit(125);
    }
}

void options_parse(struct options *options, int argc, char **argv)
{
    int which;

    set_defaults(options);
    while ((which = getopt_long(argc, argv, "", longs, NULL)) != -1)
        set_option(options, which);
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
