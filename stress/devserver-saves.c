#include "devserver-saves.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "options.h"
#include "pace.h"

enum {
    PATH_BYTES = 1024,
    LATEST = 64, /* files of which none is saved again */
    PAUSE_US_MIN = 1000,
    PAUSE_US_MAX = 12000,
    LEAST = 2 * SAVE_KINDS, /* saves, however long they take */
};

#define REPORT_DEADLINE_NS UINT64_C(10000000000)

const char *const save_names[SAVE_KINDS] = { "in place", "renamed over",
                                             "create", "delete" };

struct saving {
    struct saves *saves;
    const struct module_tree *tree;
    struct devserver *client;
    uint64_t *random;
    unsigned long done;
    unsigned long latest[LATEST]; /* numbers of files */
    unsigned long created;        /* so many names */
    char *name;                   /* of the one that is there, or NULL */
};

static _Noreturn void give_up(const char *what, const char *path)
{
    fprintf(stderr, "vnotify: cannot %s %s: %s\n", what, path,
            strerror(errno));
    exit(125);
}

static const char *full(const struct saving *s, const char *relative,
                        const char *suffix)
{
    static char paths[2][PATH_BYTES];
    static unsigned next;
    char *path = paths[next++ % 2];

    if (snprintf(path, PATH_BYTES, "%s/%s%s", s->tree->root, relative,
                 suffix) >= PATH_BYTES) {
        errno = ENAMETOOLONG;
        give_up("save", relative);
    }
    return path;
}

static void write_file(const char *path, int flags)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC | flags, 0600);

    if (fd < 0 || write(fd, "export {};\n", 11) != 11)
        give_up("write", path);
    close(fd);
}

/* A late second report of a save must not be taken for one of another. */
static bool is_latest(const struct saving *s, unsigned long file)
{
    for (unsigned i = 0; i < LATEST && i < s->done; i++)
        if (s->latest[i] == file)
            return true;
    return false;
}

static const char *choose_file(struct saving *s)
{
    const struct module_tree *tree = s->tree;
    unsigned long file;

    do {
        unsigned long first =
            random_below(s->random, 2) == 0 ? tree->source : 0;

        file = first + random_below(s->random, (unsigned)(tree->files - first));
    } while (is_latest(s, file));
    s->latest[s->done % LATEST] = file;
    return tree->paths[file];
}

/* A name that was never there, beside a random file. */
static const char *choose_name(struct saving *s)
{
    const char *beside = choose_file(s);
    int dir = (int)(strrchr(beside, '/') - beside);

    if (asprintf(&s->name, "%.*s/created-%lu.ts", dir, beside, s->created++) <
        0)
        give_up("name", beside);
    return s->name;
}

/* One kind after the other, so that every client comes to all of them. */
static enum save_kind choose_kind(const struct saving *s)
{
    return (enum save_kind)(s->done % SAVE_KINDS);
}

static const char *choose_path(struct saving *s, enum save_kind kind)
{
    if (kind == SAVE_CREATE)
        return choose_name(s);
    if (kind == SAVE_DELETE)
        return s->name;
    return choose_file(s);
}

static void save(const struct saving *s, enum save_kind kind, const char *path)
{
    const char *beside;

    switch (kind) {
    case SAVE_IN_PLACE:
        write_file(full(s, path, ""), O_TRUNC);
        break;
    case SAVE_RENAMED:
        beside = full(s, path, ".saved");
        write_file(beside, O_CREAT | O_EXCL);
        if (rename(beside, full(s, path, "")) != 0)
            give_up("replace", path);
        break;
    case SAVE_CREATE:
        write_file(full(s, path, ""), O_CREAT | O_EXCL);
        break;
    default:
        if (unlink(full(s, path, "")) != 0)
            give_up("remove", path);
    }
}

/* True when the client has reported it. */
static bool await_report(struct saving *s, enum save_kind kind,
                         const char *path)
{
    uint64_t deadline = now_ns() + REPORT_DEADLINE_NS;
    struct report report;

    while (devserver_next(s->client, &report, deadline))
        if (strcmp(report.path, path) == 0 &&
            report.gone == (kind == SAVE_DELETE))
            return true;
    fprintf(stderr, "vnotify: %s does not report: %s, %s\n", s->client->name,
            path, save_names[kind]);
    return false;
}

static void save_once(struct saving *s)
{
    enum save_kind kind = choose_kind(s);
    const char *path = choose_path(s, kind);
    uint64_t before = now_ns(), took;

    save(s, kind, path);
    if (await_report(s, kind, path)) {
        took = now_ns() - before;
        histogram_record(&s->saves->took[kind], took);
        histogram_record(&s->saves->all, took);
    } else {
        s->saves->unreported++;
    }
    if (kind == SAVE_DELETE) {
        free(s->name);
        s->name = NULL;
    }
    s->done++;
}

void saves_run(struct saves *saves, const struct module_tree *tree,
               struct devserver *client, double seconds, uint64_t *random)
{
    struct saving s = {
        .saves = saves, .tree = tree, .client = client, .random = random,
    };
    uint64_t until = now_ns() + (uint64_t)(seconds * 1e9);

    memset(saves, 0, sizeof(*saves));
    while ((now_ns() < until || s.done < LEAST) && saves->unreported == 0) {
        save_once(&s);
        sleep_until_ns(now_ns() +
                       1000 * (PAUSE_US_MIN +
                               random_below(random, PAUSE_US_MAX)));
    }
    if (s.name != NULL)
        unlink(full(&s, s.name, ""));
    free(s.name);
}
