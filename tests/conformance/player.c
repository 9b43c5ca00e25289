/*
 * player.c - performs scripts and prints transcripts
 *
 *     player [--quiet MS] SCRIPT...
 *
 * Each script runs in a directory of its own below the current one, with
 * instances of its own.  See script-format.md.
 */
#include "player.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 4096 };

static int quiet_ms;
static bool burst; /* read at "step" and at the end, not after each line */

static int remove_one(const char *path, const struct stat *st, int type,
                      struct FTW *where)
{
    (void)st;
    (void)type;
    (void)where;
    return remove(path);
}

static void fail(const char *what)
{
    fprintf(stderr, "player: %s: %s\n", what, strerror(errno));
    exit(2);
}

static void begin(const char *name)
{
    if (mkdir("play", 0755) != 0 || chdir("play") != 0)
        fail("play");
    printf("@ %s\n", name);
    burst = false;
}

static void end(void)
{
    events_print(quiet_ms);
    operations_reset();
    events_reset();
    if (chdir("..") != 0 ||
        nftw("play", remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0)
        fail("play");
    printf(".\n");
    fflush(stdout);
}

static void split(char *line, struct operation *op)
{
    char *rest = NULL, *word;

    op->count = 0;
    for (word = strtok_r(line, " ", &rest); word && op->count < WORDS_MAX;
         word = strtok_r(NULL, " ", &rest))
        op->words[op->count++] = word;
}

static void perform(char *line)
{
    char copy[LINE_MAX_BYTES];
    struct operation op;
    int err;

    snprintf(copy, sizeof(copy), "%s", line);
    split(line, &op);
    if (!strcmp(copy, "burst")) {
        burst = true;
        return;
    }
    if (!strcmp(copy, "step")) {
        printf("= step\n");
        events_print(quiet_ms);
        return;
    }
    err = operation_perform(&op);
    if (err < 0) {
        fprintf(stderr, "player: no such operation: %s\n", copy);
        exit(2);
    }
    printf("= %s%s%s\n", copy, err ? " -> " : "",
           err ? strerrorname_np(err) : "");
    if (!burst)
        events_print(quiet_ms);
}

static void play(const char *path)
{
    FILE *file = fopen(path, "re");
    char line[LINE_MAX_BYTES];
    bool playing = false;

    if (!file)
        fail(path);
    while (fgets(line, sizeof(line), file)) {
        line[strcspn(line, "\n")] = '\0';
        if (line[0] == '\0' || line[0] == '#' || line[0] == ' ')
            continue; /* what is expected is the runner's */
        if (!strncmp(line, "script ", 7)) {
            if (playing)
                end();
            begin(line + 7);
            playing = true;
        } else if (!playing) {
            fprintf(stderr, "player: %s does not begin with a script line\n",
                    path);
            exit(2);
        } else {
            perform(line);
        }
    }
    if (playing)
        end();
    fclose(file);
}

int main(int argc, char **argv)
{
    int at = 1;

    if (argc > 2 && !strcmp(argv[1], "--quiet")) {
        quiet_ms = atoi(argv[2]);
        at = 3;
    }
    if (at >= argc) {
        fprintf(stderr, "usage: player [--quiet MS] SCRIPT...\n");
        return 2;
    }
    for (; at < argc; at++)
        play(argv[at]);
    return 0;
}
