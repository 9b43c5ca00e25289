#include "devserver-loads.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    PATH_BYTES = 1024,
    CHECKOUT_FILES = 20000,
    CHECKOUT_PER_DIR = 50,
    CHECKOUT_APART = 20, /* one in so many is removed, and one is new */
    REMOVED_DIRS = 10,
    REMOVED_PER_DIR = 100,
};

const char *const load_names[LOADS] = { "checkout", "install", "remove" };

/* Run by a shell in the project's directory. */
static const char *const commands[LOADS] = {
    "git --git-dir=../git --work-tree=. checkout -q changed",
    "cd app && exec npm ci --ignore-scripts --prefer-offline --no-audit "
    "--no-fund --no-update-notifier >../../npm.log 2>&1",
    "rm -rf old",
};

static char project[PATH_BYTES / 2];
static unsigned checkout_files;
static struct changes *walked; /* by nftw, whose callback has no argument */

static _Noreturn void give_up(const char *what, const char *which)
{
    fprintf(stderr, "vnotify: cannot %s %s: %s\n", what, which,
            strerror(errno));
    exit(125);
}

static void run(const char *command)
{
    char line[2 * PATH_BYTES];

    snprintf(line, sizeof(line), "cd '%s' && { %s ; }", project, command);
    if (system(line) != 0) {
        fprintf(stderr, "vnotify: failed: %s\n", command);
        exit(125);
    }
}

static void add_change(struct changes *changes, const char *path, bool gone)
{
    if (changes->count == changes->room) {
        changes->room = changes->room * 2 + 1024;
        changes->all = realloc(changes->all,
                               changes->room * sizeof(*changes->all));
        if (changes->all == NULL)
            give_up("remember", path);
    }
    changes->all[changes->count] = (struct change){ strdup(path), gone, false };
    if (changes->all[changes->count++].path == NULL)
        give_up("remember", path);
}

static int by_path(const void *a, const void *b)
{
    const struct change *x = a, *y = b;

    return strcmp(x->path, y->path);
}

static void sort(struct changes *changes)
{
    qsort(changes->all, changes->count, sizeof(*changes->all), by_path);
}

void changes_free(struct changes *changes)
{
    for (size_t i = 0; i < changes->count; i++)
        free(changes->all[i].path);
    free(changes->all);
    *changes = (struct changes){ 0 };
}

size_t changes_told(struct changes *changes, const char *path, bool gone)
{
    size_t low = 0, high = changes->count, told = 0;
    size_t length = strlen(path);

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (strcmp(changes->all[middle].path, path) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    /* Names that only begin like it come between it and what is below it. */
    for (; low < changes->count; low++) {
        struct change *change = &changes->all[low];
        bool same = strcmp(change->path, path) == 0;

        if (strncmp(change->path, path, length) != 0)
            break;
        if (change->told || change->gone != gone ||
            !(same || (gone && change->path[length] == '/')))
            continue;
        change->told = true;
        told++;
    }
    return told;
}

/* What is in the repository. */

static void checkout_name(char *name, unsigned i)
{
    snprintf(name, PATH_BYTES, "tree/d%u/f%u.ts", i / CHECKOUT_PER_DIR, i);
}

static void write_checkout(unsigned i, const char *text)
{
    char name[PATH_BYTES], path[2 * PATH_BYTES];
    FILE *file;

    checkout_name(name, i);
    snprintf(path, sizeof(path), "%s/tree/d%u", project, i / CHECKOUT_PER_DIR);
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        give_up("make", path);
    snprintf(path, sizeof(path), "%s/%s", project, name);
    file = fopen(path, "we");
    if (file == NULL || fprintf(file, "%s %u\n", text, i) < 0 ||
        fclose(file) != 0)
        give_up("write", path);
}

static void make_repository(void)
{
    char path[2 * PATH_BYTES];

    snprintf(path, sizeof(path), "%s/tree", project);
    if (mkdir(path, 0700) != 0)
        give_up("make", path);
    for (unsigned i = 0; i < checkout_files; i++)
        if (i % CHECKOUT_APART != 0)
            write_checkout(i, "before");
    run("export GIT_DIR=../git GIT_WORK_TREE=. && git init -q -b before && "
        "git config user.name bench && git config user.email bench@localhost "
        "&& git config gc.auto 0 && git config commit.gpgsign false && "
        "git add tree && git commit -qm before && git checkout -qb changed");
    for (unsigned i = 0; i < checkout_files; i++)
        if (i % CHECKOUT_APART != 1)
            write_checkout(i, "changed");
    for (unsigned i = 1; i < checkout_files; i += CHECKOUT_APART) {
        char name[PATH_BYTES];

        checkout_name(name, i);
        snprintf(path, sizeof(path), "%s/%s", project, name);
        if (unlink(path) != 0)
            give_up("remove", path);
    }
    run("export GIT_DIR=../git GIT_WORK_TREE=. && git add -A tree && "
        "git commit -qm changed");
}

void loads_make(const char *path, double scale)
{
    snprintf(project, sizeof(project), "%s/project", path);
    checkout_files = (unsigned)(CHECKOUT_FILES * scale);
    if (mkdir(project, 0700) != 0)
        give_up("make", project);
    make_repository();
    run("mkdir app && cp '" DEVSERVER_LOCK_DIR "/package.json' '"
        DEVSERVER_LOCK_DIR "/package-lock.json' app");
}

const char *loads_project(void)
{
    return project;
}

void load_prepare(enum load_id load)
{
    char command[PATH_BYTES];

    switch (load) {
    case LOAD_CHECKOUT:
        run("git --git-dir=../git --work-tree=. checkout -q before");
        break;
    case LOAD_INSTALL:
        run("rm -rf app/node_modules");
        break;
    default:
        for (int d = 0; d < REMOVED_DIRS; d++) {
            snprintf(command, sizeof(command),
                     "mkdir -p old/d%d && cd old/d%d && "
                     "for i in $(seq %d); do echo $i >f$i; done",
                     d, d, REMOVED_PER_DIR);
            run(command);
        }
    }
}

static int note_file(const char *path, const struct stat *st, int type,
                     struct FTW *at)
{
    (void)st;
    (void)at;
    if (type == FTW_F && S_ISREG(st->st_mode))
        add_change(walked, path + strlen(project) + 1, false);
    return 0;
}

static void note_files(const char *below, struct changes *changes)
{
    char path[PATH_BYTES];

    snprintf(path, sizeof(path), "%s/%s", project, below);
    walked = changes;
    if (nftw(path, note_file, 32, FTW_PHYS) != 0)
        give_up("list", path);
}

int load_begin(enum load_id load, struct changes *changes)
{
    pid_t pid;

    *changes = (struct changes){ 0 };
    if (load == LOAD_REMOVE)
        note_files("old", changes);
    for (size_t i = 0; i < changes->count; i++)
        changes->all[i].gone = true;
    pid = fork();
    if (pid < 0)
        give_up("start", load_names[load]);
    if (pid > 0)
        return pid;
    if (chdir(project) == 0)
        execl("/bin/sh", "sh", "-c", commands[load], (char *)NULL);
    _exit(125);
}

void load_end(enum load_id load, struct changes *changes)
{
    char name[PATH_BYTES];

    if (load == LOAD_INSTALL)
        note_files("app/node_modules", changes);
    for (unsigned i = 0; load == LOAD_CHECKOUT && i < checkout_files; i++) {
        checkout_name(name, i);
        add_change(changes, name, i % CHECKOUT_APART == 1);
    }
    sort(changes);
}
