/*
 * player.h - what the parts of the script player share
 *
 * The player is a guest program.  It performs scripts (script-format.md) and
 * prints what every inotify instance of theirs told, with watches by label and
 * cookies by order of appearance, so that two runs can be compared.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { WORDS_MAX = 8 };

/* One line of a script. */
struct operation {
    char *words[WORDS_MAX];
    int count;
};

/* player-events.c: instances "A" to "D", their watches, their transcript. */
void events_reset(void);
/* 0 or errno.  `label` is INSTANCE:NAME. */
int events_watch(const char *label, const char *path, const char *mask);
int events_unwatch(const char *label);
/* Reads and prints all that is told.  quiet_ms 0: what is there now; else until
   nothing has come for so long. */
void events_print(int quiet_ms);

/* player-operations.c: 0, errno, or -1 for what is no operation. */
int operation_perform(const struct operation *);
void operations_reset(void); /* closes what is held open */
