#include "place.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

static struct place *all;
static unsigned all_count;
static pid_t janitor_pid;
static int janitor_pipe;

static _Noreturn void give_up(const char *what, const char *path)
{
    fprintf(stderr, "vnotify: cannot %s %s: %s\n", what, path,
            strerror(errno));
    exit(125);
}

static void remove_entries(int fd)
{
    DIR *dir = fdopendir(fd);
    struct dirent *entry;

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (entry->d_type != DT_DIR)
            unlinkat(dirfd(dir), entry->d_name, 0);
        else {
            int child = openat(dirfd(dir), entry->d_name,
                               O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
            if (child >= 0)
                remove_entries(child);
            unlinkat(dirfd(dir), entry->d_name, AT_REMOVEDIR);
        }
    }
    if (dir != NULL)
        closedir(dir);
    else
        close(fd);
}

static void remove_path(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

    if (fd < 0)
        return;
    remove_entries(fd);
    rmdir(path);
}

void remove_tree_at(const char *path, const char *name)
{
    char full[1024];

    snprintf(full, sizeof(full), "%s/%s", path, name);
    remove_path(full);
}

static _Noreturn void janitor(int pipe_end)
{
    char byte;

    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    while (read(pipe_end, &byte, 1) != 0) /* until its writer is gone */
        ;
    for (unsigned i = 0; i < all_count; i++)
        remove_path(all[i].path);
    _exit(0);
}

static void start_janitor(void)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) != 0)
        give_up("make", "a pipe");
    janitor_pid = fork();
    if (janitor_pid < 0)
        give_up("start", "the janitor");
    if (janitor_pid == 0) {
        close(ends[1]);
        janitor(ends[0]);
    }
    close(ends[0]);
    janitor_pipe = ends[1];
}

void places_close(void)
{
    if (janitor_pid == 0)
        return;
    close(janitor_pipe);
    while (waitpid(janitor_pid, NULL, 0) < 0 && errno == EINTR)
        ;
    janitor_pid = 0;
}

static void name_fs(const char *path, char name[16])
{
    static const struct {
        unsigned long type;
        const char *name;
    } known[] = {
        { 0xef53, "ext4" },      { 0x01021994, "tmpfs" },
        { 0x9123683e, "btrfs" }, { 0x58465342, "xfs" },
        { 0x794c7630, "overlay" }, { 0xf2f52010, "f2fs" },
    };
    struct statfs fs;

    if (statfs(path, &fs) != 0)
        give_up("look at", path);
    snprintf(name, 16, "%#lx", (unsigned long)fs.f_type);
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if ((unsigned long)fs.f_type == known[i].type)
            snprintf(name, 16, "%s", known[i].name);
}

/*
 * ext4 does not use an inode again for minutes after it was freed, and passes
 * over such inodes one by one, reading each: hundreds of microseconds for a new
 * file where many were removed before, by whomever.  As a "top" directory, it
 * spreads the directories made in it over the disk, to where there are none.
 */
static void keep_away_from_freed_inodes(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), flags;

    if (fd < 0)
        return;
    if (ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0) {
        flags |= FS_TOPDIR_FL;
        (void)ioctl(fd, FS_IOC_SETFLAGS, &flags); /* or it is as it is */
    }
    close(fd);
}

unsigned places_open(const struct options *options, struct place *places)
{
    const char *parents[PLACES_MAX] = { options->dir, options->memory_dir };

    all = places;
    for (unsigned i = 0; i < PLACES_MAX; i++) {
        struct place *place = &places[all_count];

        if (parents[i][0] == '\0')
            continue;
        snprintf(place->path, sizeof(place->path), "%s/vnotify-bench-XXXXXX",
                 parents[i]);
        if (mkdtemp(place->path) == NULL)
            give_up("make", place->path);
        all_count++;
        name_fs(place->path, place->fs);
        if (strcmp(place->fs, "ext4") == 0)
            keep_away_from_freed_inodes(place->path);
        printf("files in %s (%s)\n", parents[i], place->fs);
    }
    if (all_count == 0) {
        fprintf(stderr, "vnotify: no directory to work in\n");
        exit(125);
    }
    fflush(stdout);
    start_janitor();
    atexit(places_close);
    return all_count;
}

static void make_files(int fd, unsigned long files)
{
    char name[32];

    for (unsigned long i = 0; i < files; i++) {
        int file;

        snprintf(name, sizeof(name), "f%06lu", i);
        file = openat(fd, name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
        if (file < 0)
            give_up("make", name);
        close(file);
    }
}

void make_directory(const char *path, const char *name, unsigned long files)
{
    char full[1024];
    int fd;

    snprintf(full, sizeof(full), "%s/%s", path, name);
    if (mkdir(full, 0700) != 0)
        give_up("make", full);
    fd = open(full, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        give_up("open", full);
    make_files(fd, files);
    close(fd);
}

void make_forest(const char *path, const char *name, unsigned long count,
                 unsigned files)
{
    char full[1024], tree[32];

    snprintf(full, sizeof(full), "%s/%s", path, name);
    if (mkdir(full, 0700) != 0)
        give_up("make", full);
    for (unsigned long i = 0; i < count; i++) {
        snprintf(tree, sizeof(tree), "d%06lu", i);
        make_directory(full, tree, files);
    }
}
