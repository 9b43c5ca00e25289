#include "module-tree.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "options.h"

enum {
    DIRS = 40000,
    FILES = 400000,
    HUGE_DIRS = 8, /* icons, locales: flat */
    HUGE_FILES = 2500,
    SOURCE_DIRS = 24,
    SOURCE_FILES = 240,
    SCOPES = 40,
    LEVELS_MAX = 5,
    PATH_BYTES = 1024,
};

/* How many packages of a hundred have how many directories below them. */
static const struct {
    unsigned percent, dirs_max;
    const char *dirs; /* whose names they take in turn, "|" between */
} kinds[] = {
    { 45, 0, "" },                              /* index.js and little else */
    { 30, 6, "lib|src|test" },                  /* plain */
    { 20, 40, "dist|cjs|esm|types|utils" },     /* built several times */
    { 5, 200, "lib|es|fp|internal|_shared" },   /* everything and the kettle */
};

struct making {
    struct module_tree *tree;
    uint64_t random;
    unsigned long dirs_left, files_left;
    unsigned long packages;
};

static _Noreturn void give_up(const char *what, const char *path)
{
    fprintf(stderr, "vnotify: cannot %s %s: %s\n", what, path,
            strerror(errno));
    exit(125);
}

/* DIR/NAME in a buffer of PATH_BYTES. */
static void join(char *path, const char *dir, const char *name)
{
    if (snprintf(path, PATH_BYTES, "%s/%s", dir, name) >= PATH_BYTES) {
        errno = ENAMETOOLONG;
        give_up("make", dir);
    }
}

static void join_numbered(char *path, const char *dir, const char *name,
                          unsigned long number)
{
    char numbered[64];

    snprintf(numbered, sizeof(numbered), "%s-%lu", name, number);
    join(path, dir, numbered);
}

/* From 0, less than 1. */
static double drawn(struct making *m)
{
    return (double)(random_next(&m->random) >> 11) / 9007199254740992.0;
}

/* Many small ones and few large: an exponential distribution. */
static unsigned long drawn_about(struct making *m, double mean)
{
    return (unsigned long)(-log(1 - drawn(m)) * mean + 0.5);
}

static void make_file(struct making *m, const char *relative)
{
    struct module_tree *tree = m->tree;
    char path[PATH_BYTES];
    int fd;

    join(path, tree->root, relative);
    fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, "/* */\n", 6) != 6 ||
        ftruncate(fd, (off_t)(6 + drawn_about(m, 3000))) != 0)
        give_up("make", path);
    close(fd);
    tree->paths[tree->files] = strdup(relative);
    if (tree->paths[tree->files++] == NULL)
        give_up("remember", path);
    m->files_left--;
}

static void make_dir(struct making *m, const char *relative)
{
    char path[PATH_BYTES];

    join(path, m->tree->root, relative);
    if (mkdir(path, 0700) != 0)
        give_up("make", path);
    m->tree->dirs++;
    if (m->dirs_left > 0)
        m->dirs_left--;
}

static void make_files(struct making *m, const char *dir, unsigned long count)
{
    static const char *const ends[] = { "js", "d.ts", "js.map", "mjs", "cjs",
                                        "json", "md", "ts" };
    char path[PATH_BYTES], name[64];

    for (unsigned long i = 0; i < count && m->files_left > 0; i++) {
        snprintf(name, sizeof(name), "part-%04lu.%s", i,
                 ends[random_below(&m->random, 8)]);
        join(path, dir, name);
        make_file(m, path);
    }
}

/* As many as leaves the directories still to come their share. */
static unsigned long share(struct making *m)
{
    return drawn_about(m, (double)m->files_left / (double)(m->dirs_left + 1));
}

/* DIR and the `which`-th of the names, or one that nobody has. */
static void name_dir(char *path, const char *dir, const char *names,
                     unsigned which)
{
    char name[32];

    for (unsigned i = which; i > 0 && names != NULL; i--) {
        names = strchr(names, '|');
        names = names == NULL ? NULL : names + 1;
    }
    if (names == NULL) {
        join_numbered(path, dir, "area", which);
        return;
    }
    snprintf(name, sizeof(name), "%.*s", (int)strcspn(names, "|"), names);
    join(path, dir, name);
}

/* A tree of `count` directories in dir, some beside each other at each level. */
static void make_dirs(struct making *m, const char *dir, const char *names,
                      unsigned count, unsigned level)
{
    for (unsigned beside = 0; count > 0 && m->dirs_left > 0; beside++) {
        char path[PATH_BYTES];
        unsigned below =
            level < LEVELS_MAX ? random_below(&m->random, count) : 0;

        name_dir(path, dir, names, beside);
        make_dir(m, path);
        make_files(m, path, share(m));
        make_dirs(m, path, names, below, level + 1);
        count -= 1 + below;
    }
}

static void make_package(struct making *m, const char *modules, unsigned level)
{
    unsigned roll = random_below(&m->random, 100), kind = 0;
    char path[PATH_BYTES], below[PATH_BYTES];

    while (roll >= kinds[kind].percent)
        roll -= kinds[kind++].percent;
    join_numbered(path, modules, "package", m->packages++);
    make_dir(m, path);
    if (m->files_left > 0) {
        join(below, path, "package.json");
        make_file(m, below);
    }
    make_files(m, path, share(m));
    if (kinds[kind].dirs_max > 0)
        make_dirs(m, path, kinds[kind].dirs,
                  1 + random_below(&m->random, kinds[kind].dirs_max), 0);
    if (level > 1 || m->dirs_left < 8 || random_below(&m->random, 100) >= 8)
        return;
    join(below, path, "node_modules");
    make_dir(m, below);
    for (unsigned i = random_below(&m->random, 4) + 1; i > 0; i--)
        if (m->dirs_left > 0)
            make_package(m, below, level + 1);
}

static void make_huge(struct making *m, unsigned which, unsigned long files)
{
    char path[PATH_BYTES];

    join_numbered(path, "node_modules", "icons", which);
    make_dir(m, path);
    make_files(m, path, files);
}

static void make_modules(struct making *m, double scale)
{
    char path[PATH_BYTES];

    make_dir(m, "node_modules");
    for (unsigned i = 0; i < HUGE_DIRS; i++)
        make_huge(m, i, (unsigned long)(HUGE_FILES * scale));
    for (unsigned i = 0; i < SCOPES; i++) {
        join_numbered(path, "node_modules", "@scope", i);
        make_dir(m, path);
    }
    while (m->dirs_left > 0) {
        join_numbered(path, "node_modules", "@scope",
                      random_below(&m->random, SCOPES));
        make_package(m, random_below(&m->random, 3) == 0 ? path
                                                         : "node_modules", 0);
    }
    /* What the draws have left over: one bundle more. */
    make_huge(m, HUGE_DIRS, m->files_left);
}

static void make_source(struct making *m)
{
    char path[PATH_BYTES];

    make_dir(m, "src");
    m->dirs_left = m->files_left = ULONG_MAX;
    for (unsigned i = 0; i < SOURCE_DIRS; i++) {
        join_numbered(path, "src", "view", i);
        make_dir(m, path);
        make_files(m, path, SOURCE_FILES / SOURCE_DIRS);
    }
}

void module_tree_make(struct module_tree *tree, const char *path,
                      const char *name, double scale, uint64_t seed)
{
    struct making making = {
        .tree = tree,
        .random = seed,
        .dirs_left = (unsigned long)(DIRS * scale) + HUGE_DIRS + SCOPES,
        .files_left = (unsigned long)(FILES * scale),
    };

    snprintf(tree->root, sizeof(tree->root), "%s/%s", path, name);
    tree->dirs = tree->files = 0;
    tree->paths =
        calloc(making.files_left + SOURCE_FILES, sizeof(*tree->paths));
    if (tree->paths == NULL || mkdir(tree->root, 0700) != 0)
        give_up("make", tree->root);
    make_modules(&making, scale);
    tree->source = tree->files;
    make_source(&making);
}

void module_tree_free(struct module_tree *tree)
{
    for (unsigned long i = 0; i < tree->files; i++)
        free(tree->paths[i]);
    free(tree->paths);
    tree->paths = NULL;
}
