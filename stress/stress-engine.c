/*
 * stress-engine - instances, watches, events and closes, all at random
 *
 * Changers create, remove and rename files and directories below a few
 * directories, within and across them, also the watched ones themselves; and
 * write to the files, and change their modes.  Watchers open instances, add
 * watches on the directories, with content and without, read, apply what they
 * read to a model, remove watches, add them again, close.  Each watcher from
 * time to time asks the changers to stand still, syncs, reads to the end and
 * compares its models with the directories; and then writes to a file itself.
 *
 * Invariants: every event is legal against the model made by those before it
 * (P3); when still, the model is the directory (P2), and a write is told by
 * name, if there are descriptors for all children; IN_IGNORED is a watch's last
 * event; no event carries an unknown descriptor; no IN_Q_OVERFLOW.  The seed
 * also chooses the host's notes and the budget of descriptors.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "options.h"
#include "vnotify.h"

enum {
    DIRS = 6,
    NAMES = 40, /* per directory */
    CHANGERS = 2,
    WATCHERS = 3,
    MASK = VN_IN_CREATE | VN_IN_DELETE | VN_IN_MOVED_FROM | VN_IN_MOVED_TO |
           VN_IN_MOVE_SELF | VN_IN_DELETE_SELF,
    CONTENT = VN_IN_MODIFY | VN_IN_ATTRIB | VN_IN_CLOSE_WRITE | VN_IN_OPEN |
              VN_IN_CLOSE_NOWRITE | VN_IN_ACCESS,
};

static struct vnotify *engine;
static bool all_have_knotes; /* no budget of descriptors to keep to */
static char root[4096];
static int dir_fds[DIRS]; /* of the directories, whatever their names are */
static atomic_bool stop, failed;
static pthread_rwlock_t still = PTHREAD_RWLOCK_INITIALIZER;
static atomic_ulong changes, events, contents, compares, probes, instances;

#define FAIL(...)                                                              \
    do {                                                                       \
        fprintf(stderr, "vnotify: stress-engine: " __VA_ARGS__);               \
        fputc('\n', stderr);                                                   \
        atomic_store(&failed, true);                                           \
        atomic_store(&stop, true);                                             \
    } while (0)

/* Changers. */

static void change_once(uint64_t *random)
{
    unsigned from = random_below(random, DIRS), to = random_below(random, DIRS);
    char name[16], other[16];
    int fd;

    snprintf(name, sizeof(name), "n%u", random_below(random, NAMES));
    snprintf(other, sizeof(other), "n%u", random_below(random, NAMES));
    switch (random_below(random, 13)) {
    case 0:
    case 1:
    case 2:
        fd = openat(dir_fds[from], name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
        if (fd >= 0)
            close(fd);
        break;
    case 3:
    case 4:
        unlinkat(dir_fds[from], name, 0);
        break;
    case 5:
        mkdirat(dir_fds[from], name, 0700);
        break;
    case 6:
        unlinkat(dir_fds[from], name, AT_REMOVEDIR);
        break;
    case 7:
        renameat(dir_fds[from], name, dir_fds[from], other);
        break;
    case 8:
        renameat(dir_fds[from], name, dir_fds[to], other);
        break;
    case 9:
        linkat(dir_fds[from], name, dir_fds[to], other, 0);
        break;
    case 10:
    case 11:
        fd = openat(dir_fds[from], name, O_WRONLY | O_CLOEXEC);
        if (fd >= 0 && write(fd, name, 1) == 1)
            close(fd);
        break;
    case 12:
        fchmodat(dir_fds[from], name, 0600 + random_below(random, 0100), 0);
        break;
    }
    atomic_fetch_add(&changes, 1);
}

/* The watched directory's own name changes; what is at the old name is not
   what is watched. */
static void rename_directory(uint64_t *random)
{
    char a[4200], b[4300];

    snprintf(a, sizeof(a), "%s/d%u", root, random_below(random, DIRS));
    snprintf(b, sizeof(b), "%s.moved", a);
    if (rename(a, b) == 0)
        rename(b, a);
}

static void pause_ns(long ns)
{
    struct timespec pause = { .tv_nsec = ns };

    nanosleep(&pause, NULL);
}

static void *changer(void *arg)
{
    uint64_t random = (uintptr_t)arg;

    while (!atomic_load(&stop)) {
        unsigned burst = 1 + random_below(&random, 200);

        pthread_rwlock_rdlock(&still);
        for (unsigned i = 0; i < burst && !atomic_load(&stop); i++)
            change_once(&random);
        if (random_below(&random, 20) == 0)
            rename_directory(&random);
        pthread_rwlock_unlock(&still);
        pause_ns((long)random_below(&random, 2000) * 1000);
    }
    return NULL;
}

/* Watchers. */

struct model {
    int wd;   /* 0: not watched */
    uint32_t mask, asked; /* now, and what was asked for at some time */
    bool has[NAMES];
    bool dir[NAMES];
    bool written[NAMES]; /* told since it was last cleared */
};

struct watcher {
    uint64_t random;
    struct vnotify_instance *instance;
    struct model models[DIRS];
    int ended[1024]; /* descriptors removed; IN_IGNORED may be on its way */
    int ended_count;
    uint32_t from_cookie; /* of the event before, if MOVED_FROM */
    uint32_t last_cookie;
};

static int name_index(const char *name)
{
    return name[0] == 'n' ? atoi(name + 1) : -1;
}

static struct model *model_of(struct watcher *w, int wd)
{
    for (int i = 0; i < DIRS; i++)
        if (w->models[i].wd == wd)
            return &w->models[i];
    return NULL;
}

static bool forget_ended(struct watcher *w, int wd, bool ignored)
{
    for (int i = 0; i < w->ended_count; i++) {
        if (w->ended[i] != wd)
            continue;
        if (ignored)
            w->ended[i] = w->ended[--w->ended_count];
        return true;
    }
    return false;
}

/*
 * A rename has a cookie of its own, higher than those before.  Its two halves
 * are adjacent; one comes alone if the other directory is not watched.
 */
static void check_cookie(struct watcher *w, const struct vnotify_event *event)
{
    bool from = (event->mask & VN_IN_MOVED_FROM) != 0;
    bool to = (event->mask & VN_IN_MOVED_TO) != 0;

    if (from || to ? event->cookie == 0 : event->cookie != 0)
        FAIL("event %#x has cookie %u", event->mask, event->cookie);
    if ((from || (to && event->cookie != w->from_cookie)) &&
        event->cookie <= w->last_cookie)
        FAIL("event %#x has cookie %u after %u", event->mask, event->cookie,
             w->last_cookie);
    if (from || to)
        w->last_cookie = event->cookie;
    w->from_cookie = from ? event->cookie : 0;
}

static void apply_named(struct watcher *w, struct model *model,
                        const struct vnotify_event *event)
{
    uint32_t what = event->mask & VN_IN_ALL_EVENTS;
    int n = name_index(event->name);
    bool dir = (event->mask & VN_IN_ISDIR) != 0;

    if (n < 0 || n >= NAMES) {
        FAIL("name '%s' was never there", event->name);
        return;
    }
    check_cookie(w, event);
    if (what == VN_IN_CREATE ? model->has[n]
                             : what != VN_IN_MOVED_TO && !model->has[n])
        FAIL("event %#x of '%s', which is%s there", event->mask, event->name,
             model->has[n] ? "" : " not");
    if (what != VN_IN_CREATE && what != VN_IN_MOVED_TO && model->dir[n] != dir)
        FAIL("event %#x of '%s' has the wrong kind", event->mask, event->name);
    if ((what & CONTENT) != 0) {
        atomic_fetch_add(&contents, 1);
        if ((what & model->asked) == 0)
            FAIL("event %#x of '%s' was not asked for", what, event->name);
        model->written[n] = model->written[n] || what == VN_IN_MODIFY;
        return;
    }
    model->has[n] = what == VN_IN_CREATE || what == VN_IN_MOVED_TO;
    model->dir[n] = dir;
}

static void apply(struct watcher *w, const struct vnotify_event *event)
{
    struct model *model = model_of(w, event->wd);

    atomic_fetch_add(&events, 1);
    if ((event->mask & VN_IN_Q_OVERFLOW) != 0)
        FAIL("IN_Q_OVERFLOW");
    if ((event->mask & VN_IN_IGNORED) != 0) {
        if (!forget_ended(w, event->wd, true))
            FAIL("IN_IGNORED of wd %d, which was not removed", event->wd);
    } else if (model == NULL) {
        check_cookie(w, event);
        if (!forget_ended(w, event->wd, false))
            FAIL("event %#x of unknown wd %d", event->mask, event->wd);
    } else if (event->len != 0) {
        apply_named(w, model, event);
    }
}

static void read_some(struct watcher *w, size_t bytes)
{
    _Alignas(struct vnotify_event) static _Thread_local char buf[65536];
    ssize_t n = vnotify_read(w->instance, buf, bytes);

    for (ssize_t at = 0; at < n;) {
        const struct vnotify_event *event = (void *)(buf + at);

        apply(w, event);
        at += (ssize_t)(sizeof(*event) + event->len);
    }
}

static void read_model(struct watcher *w, int i)
{
    struct model *model = &w->models[i];
    int fd = openat(dir_fds[i], ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fdopendir(fd);
    struct dirent *entry;

    memset(model->has, 0, sizeof(model->has));
    while ((entry = readdir(dir)) != NULL) {
        int n = name_index(entry->d_name);
        if (n < 0)
            continue;
        model->has[n] = true;
        model->dir[n] = entry->d_type == DT_DIR;
    }
    closedir(dir);
}

static void compare(struct watcher *w)
{
    while (vnotify_pending(w->instance) > 0)
        read_some(w, 65536);
    for (int i = 0; i < DIRS; i++) {
        struct model seen = w->models[i];

        if (seen.wd == 0)
            continue;
        read_model(w, i);
        for (int n = 0; n < NAMES; n++)
            if (w->models[i].has[n] != seen.has[n])
                FAIL("when still, d%d/n%d is%s there, and was told otherwise",
                     i, n, w->models[i].has[n] ? "" : " not");
    }
    atomic_fetch_add(&compares, 1);
}

static void read_all(struct watcher *w)
{
    int err = vnotify_sync(engine);

    if (err != 0)
        FAIL("vnotify_sync: %s", strerror(-err));
    /* A full queue owes the rest until there is room. */
    do {
        while (vnotify_pending(w->instance) > 0)
            read_some(w, 65536);
        vnotify_sync(engine);
    } while (vnotify_pending(w->instance) > 0);
}

/* A write to one file, and to no other, is told by its name. */
static void probe(struct watcher *w)
{
    int i = (int)random_below(&w->random, DIRS), fd;
    struct model *model = &w->models[i];
    int n = (int)random_below(&w->random, NAMES);
    char name[16];

    if (model->wd == 0 || (model->mask & VN_IN_MODIFY) == 0 ||
        !model->has[n] || model->dir[n] || !all_have_knotes)
        return;
    memset(model->written, 0, sizeof(model->written));
    snprintf(name, sizeof(name), "n%d", n);
    fd = openat(dir_fds[i], name, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, name, 1) != 1)
        FAIL("cannot write to d%d/%s", i, name);
    close(fd);
    read_all(w);
    if (!model->written[n])
        FAIL("d%d/%s was written to, and not told", i, name);
    atomic_fetch_add(&probes, 1);
}

/* Everybody stands still: what was told must be what is. */
static void stand_still(struct watcher *w)
{
    pthread_rwlock_wrlock(&still);
    read_all(w);
    compare(w);
    probe(w);
    pthread_rwlock_unlock(&still);
}

/* The model of a new watch is what the directory is at that moment. */
static void add_watch(struct watcher *w, int i)
{
    uint32_t mask = MASK;
    int wd;

    if (random_below(&w->random, 3) != 0)
        mask |= random_below(&w->random, 3) == 0 ? CONTENT
                                                 : VN_IN_MODIFY | VN_IN_ATTRIB;
    pthread_rwlock_wrlock(&still);
    wd = vnotify_add_watch_fd(w->instance, dir_fds[i], mask);
    /* What was asked for until now may still be on its way. */
    w->models[i].asked = mask | (w->models[i].wd == wd ? w->models[i].asked : 0);
    w->models[i].mask = mask;
    if (wd < 1) {
        FAIL("add_watch: %s", strerror(-wd));
    } else if (w->models[i].wd == 0) {
        w->models[i].wd = wd;
        read_model(w, i);
    } else if (w->models[i].wd != wd) {
        FAIL("adding again gave wd %d, not %d", wd, w->models[i].wd);
    }
    pthread_rwlock_unlock(&still);
}

static void remove_watch(struct watcher *w, int i)
{
    int wd = w->models[i].wd, err;

    if (wd == 0 || w->ended_count == 1024)
        return;
    w->models[i].wd = 0;
    w->ended[w->ended_count++] = wd;
    err = vnotify_rm_watch(w->instance, wd);
    if (err != 0)
        FAIL("rm_watch: %s", strerror(-err));
    if (vnotify_rm_watch(w->instance, wd) != -EINVAL)
        FAIL("a second rm_watch was accepted");
}

static void watch_for_a_while(struct watcher *w)
{
    unsigned steps = 20 + random_below(&w->random, 300);

    for (unsigned s = 0; s < steps && !atomic_load(&stop); s++) {
        int i = (int)random_below(&w->random, DIRS);

        switch (random_below(&w->random, 8)) {
        case 0:
            add_watch(w, i);
            break;
        case 1:
            remove_watch(w, i);
            break;
        case 2:
            stand_still(w);
            break;
        case 3:
            pause_ns((long)random_below(&w->random, 3000) * 1000);
            break;
        default:
            read_some(w, 288 + random_below(&w->random, 8000));
        }
    }
}

static void *watcher(void *arg)
{
    struct watcher w = { .random = (uintptr_t)arg };

    while (!atomic_load(&stop)) {
        int err = vnotify_instance_create(engine, NULL, NULL, &w.instance);

        if (err != 0) {
            FAIL("instance_create: %s", strerror(-err));
            break;
        }
        memset(w.models, 0, sizeof(w.models));
        w.ended_count = 0;
        w.from_cookie = w.last_cookie = 0;
        watch_for_a_while(&w);
        if (!atomic_load(&stop) && random_below(&w.random, 2) == 0)
            stand_still(&w);
        vnotify_instance_destroy(w.instance);
        atomic_fetch_add(&instances, 1);
    }
    return NULL;
}

/* The program. */

static int make_tree(const char *dir)
{
    snprintf(root, sizeof(root), "%s/stress-engine-XXXXXX", dir);
    if (mkdtemp(root) == NULL)
        return -1;
    for (int i = 0; i < DIRS; i++) {
        char path[4200];

        snprintf(path, sizeof(path), "%s/d%d", root, i);
        if (mkdir(path, 0700) != 0)
            return -1;
        dir_fds[i] = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (dir_fds[i] < 0)
            return -1;
    }
    return 0;
}

/* A directory that was moved into another holds entries of the same names. */
static void remove_nested(int at, const char *name)
{
    char child[16];
    int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    for (int n = 0; fd >= 0 && n < NAMES; n++) {
        snprintf(child, sizeof(child), "n%d", n);
        if (unlinkat(fd, child, 0) != 0 && errno == EISDIR)
            remove_nested(fd, child);
    }
    if (fd >= 0)
        close(fd);
    unlinkat(at, name, AT_REMOVEDIR);
}

static void remove_tree(void)
{
    for (int i = 0; i < DIRS; i++) {
        char path[4200];

        for (int n = 0; n < NAMES; n++) {
            snprintf(path, sizeof(path), "n%d", n);
            if (unlinkat(dir_fds[i], path, 0) != 0)
                remove_nested(dir_fds[i], path);
        }
        snprintf(path, sizeof(path), "%s/d%d", root, i);
        rmdir(path);
        close(dir_fds[i]);
    }
    rmdir(root);
}

int main(int argc, char **argv)
{
    struct options options;
    struct vnotify_config config = { .queue_events = 64 };
    uint64_t random;
    struct vnotify_stats stats;
    pthread_t threads[CHANGERS + WATCHERS];

    options_parse(&options, argc, argv);
    random = options.seed;
    config.notes = random_below(&random, 2) == 0 ? VNOTIFY_NOTES_FREEBSD
                                                 : VNOTIFY_NOTES_MACOS;
    all_have_knotes = random_below(&random, 2) == 0;
    if (!all_have_knotes)
        config.fd_budget = DIRS * NAMES / 4;
    if (make_tree(options.dir) != 0 || vnotify_create(&engine, &config) != 0) {
        fprintf(stderr, "vnotify: stress-engine: cannot start: %s\n",
                strerror(errno));
        return 125;
    }
    for (uintptr_t i = 0; i < CHANGERS + WATCHERS; i++)
        pthread_create(&threads[i], NULL, i < CHANGERS ? changer : watcher,
                       (void *)(options.seed * 31 + i + 1));
    for (double left = options.seconds; left > 0 && !atomic_load(&stop);
         left -= 0.1)
        pause_ns(100 * 1000 * 1000);
    atomic_store(&stop, true);
    for (int i = 0; i < CHANGERS + WATCHERS; i++)
        pthread_join(threads[i], NULL);
    vnotify_stats(engine, &stats);
    vnotify_destroy(engine);
    remove_tree();
    figure("changes", (double)atomic_load(&changes), "calls");
    figure("events", (double)atomic_load(&events), "");
    figure("of content", (double)atomic_load(&contents), "events");
    figure("written when still", (double)atomic_load(&probes), "times");
    figure("compared when still", (double)atomic_load(&compares), "times");
    figure("instances", (double)atomic_load(&instances), "");
    figure("listings", (double)stats.listings, "");
    figure("rounds held", (double)stats.holds, "");
    figure("queue full", (double)stats.queue_full, "times");
    if (figures_write(&options, "stress-engine") != 0)
        return 125;
    printf("%s\n", atomic_load(&failed) ? "FAILED" : "ok");
    return atomic_load(&failed) ? 1 : 0;
}
