/*
 * watch-tree.c - watch descriptors by path, for `vnotify watch`
 */
#include "emulator/watch-tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    PATHS_FIRST = 64,
};

/* Directories that are still to be added, last in, first out. */
struct path_stack {
    char **paths;
    size_t count, size;
};

void watch_tree_init(struct watch_tree *tree,
                     struct vnotify_instance *instance, uint32_t mask,
                     bool recursive)
{
    *tree = (struct watch_tree){
        .instance = instance,
        .mask = mask,
        .recursive = recursive,
    };
}

void watch_tree_fini(struct watch_tree *tree)
{
    for (size_t i = 0; i < tree->size; i++)
        free(tree->paths[i]);
    free(tree->paths);
}

const char *watch_tree_path(const struct watch_tree *tree, int wd)
{
    return wd >= 0 && (size_t)wd < tree->size ? tree->paths[wd] : NULL;
}

char *watch_tree_join(const char *directory, const char *name)
{
    size_t length = strlen(directory);
    const char *slash = length && directory[length - 1] == '/' ? "" : "/";
    char *path;

    return asprintf(&path, "%s%s%s", directory, slash, name) < 0 ? NULL : path;
}

void watch_tree_forget(struct watch_tree *tree, int wd)
{
    if (!watch_tree_path(tree, wd))
        return;
    free(tree->paths[wd]);
    tree->paths[wd] = NULL;
    tree->count--;
}

/* Takes `path`. */
static int tree_name(struct watch_tree *tree, int wd, char *path)
{
    if ((size_t)wd >= tree->size) {
        size_t size = tree->size ? tree->size : PATHS_FIRST;
        char **more;

        while (size <= (size_t)wd)
            size *= 2;
        more = realloc(tree->paths, size * sizeof(char *));
        if (!more) {
            free(path);
            return -ENOMEM;
        }
        memset(more + tree->size, 0, (size - tree->size) * sizeof(char *));
        tree->paths = more;
        tree->size = size;
    }
    watch_tree_forget(tree, wd);
    tree->paths[wd] = path;
    tree->count++;
    return 0;
}

/* Takes `path`, which may be NULL for lack of memory. */
static int stack_push(struct path_stack *stack, char *path)
{
    if (path && stack->count == stack->size) {
        size_t size = stack->size ? stack->size * 2 : PATHS_FIRST;
        char **more = realloc(stack->paths, size * sizeof(char *));

        if (!more) {
            free(path);
            return -ENOMEM;
        }
        stack->paths = more;
        stack->size = size;
    }
    if (path)
        stack->paths[stack->count++] = path;
    return path ? 0 : -ENOMEM;
}

static bool is_directory(const char *directory, const struct dirent *entry)
{
    struct stat file;
    char *path;
    bool is;

    if (entry->d_type != DT_UNKNOWN)
        return entry->d_type == DT_DIR;
    path = watch_tree_join(directory, entry->d_name);
    is = path && lstat(path, &file) == 0 && S_ISDIR(file.st_mode);
    free(path);
    return is;
}

static int push_children(struct path_stack *stack, const char *directory)
{
    int host_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *listing = host_fd < 0 ? NULL : fdopendir(host_fd);
    const struct dirent *entry;
    int error = 0;

    if (!listing) {
        error = errno == ENOTDIR ? 0 : -errno; /* a file has none */
        if (host_fd >= 0)
            close(host_fd);
        return error;
    }
    while (error == 0 && (errno = 0, entry = readdir(listing))) {
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..") ||
            !is_directory(directory, entry))
            continue;
        error = stack_push(stack, watch_tree_join(directory, entry->d_name));
    }
    if (!entry && errno)
        error = -errno;
    closedir(listing);
    return error;
}

/* One path, and those below it onto the stack.  Takes `path`. */
static int tree_add_one(struct watch_tree *tree, char *path, bool top,
                        struct path_stack *below)
{
    /* A symlink below the top leads out of the tree; at the top it is meant. */
    uint32_t flags = top ? 0 : VN_IN_ONLYDIR | VN_IN_DONT_FOLLOW;
    int wd = vnotify_add_watch(tree->instance, path, tree->mask | flags);
    int error = wd < 0 ? wd : 0;

    if (wd < 0) {
        free(path);
        return error;
    }
    /* Watched first, listed second: what comes in between is in an event. */
    if (tree->recursive)
        error = push_children(below, path);
    return tree_name(tree, wd, path) < 0 ? -ENOMEM : error;
}

int watch_tree_add(struct watch_tree *tree, const char *top)
{
    struct path_stack below = { 0 };
    int result = stack_push(&below, strdup(top));
    bool first = true;

    while (below.count) {
        char *path = below.paths[--below.count];
        char *said = strdup(path);
        int error = tree_add_one(tree, path, first, &below);

        if (first)
            result = error;
        else if (error < 0 && error != -ENOENT) /* gone again: no matter */
            fprintf(stderr, "vnotify: %s: %s\n", said ? said : top,
                    strerror(-error));
        free(said);
        first = false;
    }
    free(below.paths);
    return result;
}

void watch_tree_leave(struct watch_tree *tree, const char *path)
{
    size_t length = strlen(path);

    for (size_t wd = 0; wd < tree->size; wd++) {
        const char *at = tree->paths[wd];

        if (!at || strncmp(at, path, length) != 0 ||
            (at[length] && at[length] != '/'))
            continue;
        vnotify_rm_watch(tree->instance, (int)wd);
        watch_tree_forget(tree, (int)wd);
    }
}
