/*
 * guest-model.c - a set of names that only legal events may change
 */
#include "guest-model.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_ROOM 256

void model_init(struct model *model, int wd)
{
    *model = (struct model){.wd = wd, .room = FIRST_ROOM};
    model->names = calloc(model->room, sizeof *model->names);
    CHECK(model->names != NULL, "out of memory");
}

void model_fini(struct model *model)
{
    for (size_t i = 0; i < model->room; i++)
        free(model->names[i].name);
    free(model->names);
}

static struct model_name *find(struct model_name *names, size_t room,
                               const char *name)
{
    size_t hash = 5381;
    for (const char *at = name; *at != '\0'; at++)
        hash = hash * 33 + (unsigned char)*at;
    size_t i = hash & (room - 1);
    while (names[i].name != NULL && strcmp(names[i].name, name) != 0)
        i = (i + 1) & (room - 1);
    return &names[i];
}

static void grow(struct model *model)
{
    size_t room = model->room * 2;
    struct model_name *names = calloc(room, sizeof *names);
    CHECK(names != NULL, "out of memory");
    for (size_t i = 0; i < model->room; i++)
        if (model->names[i].name != NULL)
            *find(names, room, model->names[i].name) = model->names[i];
    free(model->names);
    model->names = names;
    model->room = room;
}

static struct model_name *slot(struct model *model, const char *name)
{
    if (model->used * 2 >= model->room)
        grow(model);
    struct model_name *at = find(model->names, model->room, name);
    if (at->name == NULL) {
        at->name = strdup(name);
        CHECK(at->name != NULL, "out of memory");
        model->used++;
    }
    return at;
}

bool model_has(const struct model *model, const char *name)
{
    struct model_name *at = find(model->names, model->room, name);
    return at->name != NULL && at->present;
}

static void set(struct model *model, struct model_name *at, bool isdir)
{
    model->present += !at->present;
    at->present = true;
    at->isdir = isdir;
}

static void clear(struct model *model, struct model_name *at)
{
    model->present -= at->present;
    at->present = false;
}

static bool is_dot(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

void model_list(struct model *model, const char *dir)
{
    DIR *list = opendir(dir);
    CHECK(list != NULL, "%s: %s", dir, strerror(errno));
    for (struct dirent *entry; (entry = readdir(list)) != NULL;)
        if (!is_dot(entry->d_name))
            set(model, slot(model, entry->d_name), entry->d_type == DT_DIR);
    closedir(list);
}

static void illegal(const struct guest_event *event, const char *why)
{
    char text[400];
    guest_describe(text, sizeof text, event->wd, event->mask, event->name);
    guest_fail("not legal: %s (cookie %u): %s", text, event->cookie, why);
}

static void apply_move(struct model *model, struct model_moves *moves,
                       const struct guest_event *event)
{
    struct model_name *at = slot(model, event->name);
    bool isdir = (event->mask & IN_ISDIR) != 0;
    if ((event->mask & IN_MOVED_FROM) != 0) {
        if (event->cookie == moves->last_from)
            illegal(event, "the cookie has had its IN_MOVED_FROM");
        moves->last_from = moves->pending = event->cookie;
        moves->pending_isdir = isdir;
        clear(model, at);
        return;
    }
    if (event->cookie == moves->last_to)
        illegal(event, "the cookie has had its IN_MOVED_TO");
    if (event->cookie == moves->last_from && moves->pending != event->cookie)
        illegal(event, "something came between the pair");
    if (moves->pending == event->cookie && moves->pending_isdir != isdir)
        illegal(event, "the pair does not agree on IN_ISDIR");
    moves->last_to = event->cookie;
    moves->pending = 0;
    set(model, at, isdir);
}

void model_apply(struct model *models, size_t count, struct model_moves *moves,
                 const struct guest_event *event)
{
    size_t i = 0;
    while (i < count && models[i].wd != event->wd)
        i++;
    if (i == count)
        illegal(event, "nobody watches this");
    struct model_name *at = slot(&models[i], event->name);
    bool isdir = (event->mask & IN_ISDIR) != 0;
    bool leaves = (event->mask & (IN_DELETE | IN_MOVED_FROM)) != 0;
    if (leaves && !at->present)
        illegal(event, "there is no such name");
    if (leaves && at->isdir != isdir)
        illegal(event, "wrong about IN_ISDIR");
    switch (event->mask & ~(uint32_t)IN_ISDIR) {
    case IN_CREATE:
        if (at->present)
            illegal(event, "the name exists");
        set(&models[i], at, isdir);
        moves->pending = 0;
        break;
    case IN_DELETE:
        clear(&models[i], at);
        moves->pending = 0;
        break;
    case IN_MOVED_FROM:
    case IN_MOVED_TO:
        apply_move(&models[i], moves, event);
        break;
    default:
        illegal(event, "not a change of names");
    }
}

const char *model_difference(const struct model *model, const char *dir)
{
    static char text[400];
    size_t listed = 0;
    DIR *list = opendir(dir);
    CHECK(list != NULL, "%s: %s", dir, strerror(errno));
    text[0] = '\0';
    for (struct dirent *entry; (entry = readdir(list)) != NULL;) {
        if (is_dot(entry->d_name))
            continue;
        listed++;
        struct model_name *at = find(model->names, model->room, entry->d_name);
        if (at->name == NULL || !at->present)
            snprintf(text, sizeof text, "%s has %s, its model has not", dir,
                     entry->d_name);
        else if (at->isdir != (entry->d_type == DT_DIR))
            snprintf(text, sizeof text, "%s/%s: its model has another type",
                     dir, entry->d_name);
    }
    closedir(list);
    if (text[0] == '\0' && listed != model->present)
        snprintf(text, sizeof text, "%s has %zu names, its model %zu", dir,
                 listed, model->present);
    return text[0] != '\0' ? text : NULL;
}
