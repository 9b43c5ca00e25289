#include "watcher.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { READ_BYTES_MAX = 65536 };

atomic_ulong watcher_events, watcher_contents, watcher_compares;

struct watcher *watcher_create(uint64_t seed)
{
    struct watcher *w = calloc(1, sizeof(*w));

    w->random = seed;
    for (unsigned i = 0; i < world.dirs; i++) {
        w->models[i].has = calloc(4, world.names);
        w->models[i].dir = w->models[i].has + world.names;
        w->models[i].written = w->models[i].dir + world.names;
        w->models[i].known = w->models[i].written + world.names;
    }
    return w;
}

void watcher_destroy(struct watcher *w)
{
    for (unsigned i = 0; i < world.dirs; i++)
        free(w->models[i].has);
    free(w);
}

bool watcher_open(struct watcher *w)
{
    int error = vnotify_instance_create(world.engine, NULL, NULL, &w->instance);

    for (unsigned i = 0; i < world.dirs; i++)
        w->models[i].wd = 0;
    w->ended_count = 0;
    w->from_cookie = w->last_cookie = 0;
    if (error != 0)
        world_fail("instance_create: %s", strerror(-error));
    return error == 0;
}

void watcher_close(struct watcher *w)
{
    vnotify_instance_destroy(w->instance);
    w->instance = NULL;
}

static struct model *model_of(struct watcher *w, int wd)
{
    for (unsigned i = 0; i < world.dirs; i++)
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
        world_fail("event %#x has cookie %u", event->mask, event->cookie);
    if ((from || (to && event->cookie != w->from_cookie)) &&
        event->cookie <= w->last_cookie)
        world_fail("event %#x has cookie %u after %u", event->mask,
                   event->cookie, w->last_cookie);
    if (from || to)
        w->last_cookie = event->cookie;
    w->from_cookie = from ? event->cookie : 0;
}

static void apply_named(struct watcher *w, struct model *model,
                        const struct vnotify_event *event)
{
    uint32_t what = event->mask & VN_IN_ALL_EVENTS;
    int n = world_name_index(event->name);
    bool dir = (event->mask & VN_IN_ISDIR) != 0;

    if (n < 0 || n >= (int)world.names) {
        world_fail("name '%s' was never there", event->name);
        return;
    }
    check_cookie(w, event);
    if (!model->known[n]) {
        model->known[n] = true;
        model->has[n] = what != VN_IN_CREATE && what != VN_IN_MOVED_TO;
        model->dir[n] = dir;
    }
    if (what == VN_IN_CREATE ? model->has[n]
                             : what != VN_IN_MOVED_TO && !model->has[n])
        world_fail("event %#x of '%s', which is%s there", event->mask,
                   event->name, model->has[n] ? "" : " not");
    if (what != VN_IN_CREATE && what != VN_IN_MOVED_TO && model->dir[n] != dir)
        world_fail("event %#x of '%s' has the wrong kind", event->mask,
                   event->name);
    if ((what & CONTENT) != 0) {
        atomic_fetch_add(&watcher_contents, 1);
        if ((what & model->asked) == 0)
            world_fail("event %#x of '%s' was not asked for", what,
                       event->name);
        model->written[n] = model->written[n] || what == VN_IN_MODIFY;
        return;
    }
    model->has[n] = what == VN_IN_CREATE || what == VN_IN_MOVED_TO;
    model->dir[n] = dir;
}

static void apply(struct watcher *w, const struct vnotify_event *event)
{
    struct model *model = model_of(w, event->wd);

    atomic_fetch_add(&watcher_events, 1);
    if ((event->mask & VN_IN_Q_OVERFLOW) != 0)
        world_fail("IN_Q_OVERFLOW");
    if ((event->mask & VN_IN_IGNORED) != 0) {
        if (!forget_ended(w, event->wd, true))
            world_fail("IN_IGNORED of wd %d, which was not removed",
                       event->wd);
    } else if (model == NULL) {
        check_cookie(w, event);
        if (!forget_ended(w, event->wd, false))
            world_fail("event %#x of unknown wd %d", event->mask, event->wd);
    } else if (event->len != 0) {
        apply_named(w, model, event);
    }
}

unsigned watcher_read(struct watcher *w, size_t bytes)
{
    _Alignas(struct vnotify_event) static _Thread_local char
        buf[READ_BYTES_MAX];
    ssize_t n = vnotify_read(w->instance, buf, bytes);
    unsigned count = 0;

    for (ssize_t at = 0; at < n; count++) {
        const struct vnotify_event *event = (void *)(buf + at);

        apply(w, event);
        at += (ssize_t)(sizeof(*event) + event->len);
    }
    return count;
}

void watcher_read_all(struct watcher *w)
{
    int error = vnotify_sync(world.engine);

    if (error != 0)
        world_fail("vnotify_sync: %s", strerror(-error));
    /* A full queue owes the rest until there is room. */
    do {
        while (vnotify_pending(w->instance) > 0)
            watcher_read(w, READ_BYTES_MAX);
        vnotify_sync(world.engine);
    } while (vnotify_pending(w->instance) > 0);
}

static void read_directory(unsigned i, bool *has, bool *is_dir)
{
    int fd = openat(world.dir_fds[i], ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fdopendir(fd);
    struct dirent *entry;

    memset(has, 0, world.names);
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        int n = world_name_index(entry->d_name);
        if (n < 0)
            continue;
        has[n] = true;
        is_dir[n] = entry->d_type == DT_DIR;
    }
    if (dir == NULL)
        world_fail("cannot list d%u", i);
    else
        closedir(dir);
}

static void compare(struct watcher *w, unsigned i, bool *now, bool *dir)
{
    struct model *told = &w->models[i];

    read_directory(i, now, dir);
    for (unsigned n = 0; n < world.names; n++) {
        if (!told->known[n]) {
            told->known[n] = true;
            told->has[n] = now[n];
            told->dir[n] = dir[n];
        }
        if (now[n] != told->has[n])
            world_fail("when still, d%u/n%u is%s there, and was told "
                       "otherwise",
                       i, n, now[n] ? "" : " not");
        else if (now[n] && dir[n] != told->dir[n])
            world_fail("when still, d%u/n%u is of another kind than told", i,
                       n);
    }
}

void watcher_compare(struct watcher *w)
{
    bool *now = calloc(2, world.names);

    world_halt();
    watcher_read_all(w);
    for (unsigned i = 0; i < world.dirs; i++)
        if (w->models[i].wd != 0)
            compare(w, i, now, now + world.names);
    world_go_on();
    free(now);
    atomic_fetch_add(&watcher_compares, 1);
}

/* True if it is a new watch. */
static bool add(struct watcher *w, unsigned i, uint32_t mask)
{
    struct model *model = &w->models[i];
    int wd = vnotify_add_watch_fd(w->instance, world.dir_fds[i], mask);
    bool is_new = model->wd == 0;

    /* What was asked for until now may still be on its way. */
    model->asked = mask | (is_new ? 0 : model->asked);
    model->mask = mask;
    if (wd < 1)
        world_fail("add_watch: %s", strerror(-wd));
    else if (!is_new && model->wd != wd)
        world_fail("adding again gave wd %d, not %d", wd, model->wd);
    else
        model->wd = wd;
    return wd > 0 && is_new;
}

void watcher_add(struct watcher *w, unsigned i, uint32_t mask)
{
    struct model *model = &w->models[i];

    world_halt();
    if (add(w, i, mask)) {
        read_directory(i, model->has, model->dir);
        memset(model->known, true, world.names);
    }
    world_go_on();
}

void watcher_add_moving(struct watcher *w, unsigned i, uint32_t mask)
{
    if (add(w, i, mask))
        memset(w->models[i].known, false, world.names);
}

void watcher_remove(struct watcher *w, unsigned i)
{
    int wd = w->models[i].wd, error;

    if (wd == 0 || w->ended_count == WATCHER_ENDED_MAX)
        return;
    w->models[i].wd = 0;
    w->ended[w->ended_count++] = wd;
    error = vnotify_rm_watch(w->instance, wd);
    if (error != 0)
        world_fail("rm_watch: %s", strerror(-error));
    if (vnotify_rm_watch(w->instance, wd) != -EINVAL)
        world_fail("a second rm_watch was accepted");
}
