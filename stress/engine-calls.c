/*
 * engine-calls.c - what strace shows of the engine, made again
 *
 * Found by `strace -f -X raw bench-addwatch --subjects engine`, with --libuv
 * and without; to be compared again where the engine changes.  Of a directory:
 *
 *     openat             to list it and to watch it by, leaving its times alone
 *     statx              which inode it is
 *     dup3               onto a number that procfs knows, if N is a new one
 *     inotify_add_watch  through /proc/self/fd/N: that inode and no other
 *     dup3               of something else onto it
 *     statx ..           is the directory above watched for removals already?
 *     statx ../NAME      is that still its name there?
 *     name_to_handle_at  past the open budget: to open it again by
 *     getdents64, twice  the listing, and that it ended there
 *     close              past the open budget
 *
 * and with node's mask of each file in it, past the budget for these the second
 * alone:
 *
 *     openat O_PATH      to watch it by
 *     dup3, inotify_add_watch, dup3
 *                        as above
 *     statx              which inode it is, and what there was behind the watch
 *
 * Left out are what only the first directory of a parent needs, and the first
 * one past the open budget, and with node's mask the wake-up of a worker (a
 * futex or two).
 */
#include "engine-calls.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench.h"

enum {
    FILE_MASK = IN_MASK_ADD | IN_ATTRIB | IN_MODIFY | IN_MOVE_SELF,
    DIRECTORY_MASK = IN_MASK_ADD | IN_ATTRIB | IN_MOVE_SELF | IN_CREATE |
                     IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO,
    DIRECTORY_FLAGS = O_RDONLY | O_DIRECTORY | O_NOATIME | O_CLOEXEC,
    FILE_FLAGS = O_PATH | O_NOFOLLOW | O_CLOEXEC,
    HANDLE_BYTES = 32,
    NAME_BYTES = 16,
};

/* The budgets are the engine's for a process that may have as many descriptors
   as this one. */
struct engine_calls {
    int inotify_fd;
    int idle_fd, stand_in, highest;    /* highest: that procfs knows */
    unsigned open_budget, file_budget; /* what is left of them */
    int *kept;                         /* descriptors */
    unsigned kept_count;
    char (*names)[NAME_BYTES]; /* of the files in each directory */
    unsigned files;
};

static void must(bool is_done, const char *what, const char *name)
{
    if (!is_done)
        bench_give_up(what, name);
}

struct engine_calls *engine_calls_create(unsigned files)
{
    struct engine_calls *calls = calloc(1, sizeof(*calls));
    struct rlimit limit;
    unsigned half;

    must(calls != NULL && getrlimit(RLIMIT_NOFILE, &limit) == 0, "get",
         "the limit");
    half = (unsigned)(limit.rlim_cur / 2);
    calls->open_budget = half / 2;
    calls->file_budget = half - half / 8;
    calls->kept =
        calloc(calls->open_budget + calls->file_budget, sizeof(*calls->kept));
    calls->names = calloc(files + 1, sizeof(*calls->names));
    calls->inotify_fd = inotify_init1(IN_CLOEXEC);
    calls->idle_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    calls->highest = calls->stand_in = dup(calls->idle_fd);
    must(calls->stand_in >= 0, "open", "/dev/null");
    must(calls->kept != NULL && calls->names != NULL && calls->inotify_fd >= 0,
         "make", "an instance");
    while (calls->files < files) {
        snprintf(calls->names[calls->files], NAME_BYTES, "f%06u", calls->files);
        calls->files++;
    }
    return calls;
}

void engine_calls_destroy(struct engine_calls *calls)
{
    close(calls->inotify_fd);
    close(calls->stand_in);
    close(calls->idle_fd);
    while (calls->kept_count > 0)
        close(calls->kept[--calls->kept_count]);
    free(calls->kept);
    free(calls->names);
    free(calls);
}

/* True if there was something left; the descriptor is kept then. */
static bool spend(struct engine_calls *calls, unsigned *budget, int fd)
{
    if (*budget == 0)
        return false;
    --*budget;
    calls->kept[calls->kept_count++] = fd;
    return true;
}

static void look(int fd, const char *name)
{
    struct statx status;

    must(statx(fd, name, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH,
               STATX_BASIC_STATS | STATX_BTIME, &status) == 0,
         "statx", name);
}

static void put_on_stand_in(const struct engine_calls *calls, int fd)
{
    must(dup3(fd, calls->stand_in, O_CLOEXEC) >= 0, "dup", "a descriptor");
}

static void watch(struct engine_calls *calls, int fd, uint32_t mask)
{
    bool is_new = fd > calls->highest;
    char path[32];

    if (is_new) {
        calls->highest = fd;
        put_on_stand_in(calls, fd);
    }
    snprintf(path, sizeof(path), "/proc/self/fd/%d",
             is_new ? calls->stand_in : fd);
    must(inotify_add_watch(calls->inotify_fd, path, mask) >= 0,
         "inotify_add_watch", path);
    if (is_new)
        put_on_stand_in(calls, calls->idle_fd);
}

static void take_handle(int fd)
{
    union {
        struct file_handle handle;
        char bytes[sizeof(struct file_handle) + HANDLE_BYTES];
    } buf = {.handle.handle_bytes = HANDLE_BYTES};
    int mount_id;

    must(name_to_handle_at(fd, "", &buf.handle, &mount_id, AT_EMPTY_PATH) == 0,
         "name_to_handle_at", "a directory");
}

static void add_file(struct engine_calls *calls, int dir_fd, const char *name)
{
    int fd;

    if (calls->file_budget == 0) {
        look(dir_fd, name);
        return;
    }
    fd = openat(dir_fd, name, FILE_FLAGS);
    must(fd >= 0, "open", name);
    spend(calls, &calls->file_budget, fd);
    watch(calls, fd, FILE_MASK);
    look(fd, "");
}

static void add_directory(struct engine_calls *calls, const char *path,
                          const char *name_above)
{
    int fd = open(path, DIRECTORY_FLAGS);
    bool is_kept;

    must(fd >= 0, "open", path);
    look(fd, "");
    watch(calls, fd,
          calls->files > 0 ? DIRECTORY_MASK | IN_MODIFY : DIRECTORY_MASK);
    look(fd, "..");
    look(fd, name_above);
    is_kept = spend(calls, &calls->open_budget, fd);
    if (!is_kept)
        take_handle(fd);
    bench_list(fd);
    for (unsigned i = 0; i < calls->files; i++)
        add_file(calls, fd, calls->names[i]);
    if (!is_kept)
        close(fd);
}

uint64_t engine_calls_add(struct engine_calls *calls, const char *path,
                          const char *name)
{
    char full[BENCH_PATH_MAX + NAME_BYTES], name_above[NAME_BYTES + 3];
    uint64_t before;

    snprintf(full, sizeof(full), "%s/%s", path, name);
    snprintf(name_above, sizeof(name_above), "../%s", name);
    before = now_ns();
    add_directory(calls, full, name_above);
    return now_ns() - before;
}
