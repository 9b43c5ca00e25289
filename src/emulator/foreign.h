/*
 * foreign.h - finds a program, and what can run it
 *
 * A program for another CPU is run by QEMU's user mode, which makes its
 * inotify calls as calls of its own, so that they are trapped like any.
 *
 * Threads: any; reads files, changes nothing.
 */
#pragma once

#include <stdbool.h>

struct foreign_plan {
    char *path;  /* to execute */
    char **argv; /* for it; NULL-terminated */
    /* QEMU only: strings of argv that are the plan's own. */
    char *program, *interpreter, *argument;
};

/*
 * What to execute for argv[0], looked up in PATH as a shell does.  0, or the
 * exit status 126 or 127, said on stderr.
 */
int foreign_plan(char *const argv[], struct foreign_plan *);
void foreign_plan_fini(struct foreign_plan *);

/* PROGRAM as execvp would find it, or NULL with errno; the caller's to free. */
char *foreign_find(const char *program);

/* May a shell take it for a script?  Not with ELF's magic or a NUL in line 1. */
bool foreign_is_text(const char *path);

/* An ELF header's machine by QEMU's name; NULL: ours, or not ELF at all. */
const char *foreign_machine(const unsigned char *header, unsigned long bytes);
