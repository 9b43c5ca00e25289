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

void options_parse(struct options *options, int argc, char **argv)
{
    static const struct option longs[] = {
        { "seed", required_argument, NULL, 's' },
        { "seconds", required_argument, NULL, 't' },
        { "json", required_argument, NULL, 'j' },
        { "dir", required_argument, NULL, 'd' },
        { NULL, 0, NULL, 0 },
    };
    int which;

    *options = (struct options){ .seconds = 10, .dir = "/tmp" };
    if (getentropy(&options->seed, sizeof(options->seed)) != 0)
        options->seed = 1;
    options->seed >>= 32; /* short enough to copy */
    while ((which = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        if (which == 's')
            options->seed = strtoull(optarg, NULL, 0);
        else if (which == 't')
            options->seconds = number(optarg, "--seconds");
        else if (which == 'j')
            options->json = optarg;
        else if (which == 'd')
            options->dir = optarg;
        else
            exit(125);
    }
    if (options->seed == 0)
        options->seed = 1;
    printf("seed %" PRIu64 "\n", options->seed);
    fflush(stdout);
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
