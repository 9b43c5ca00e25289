/*
 * procfs.c - what a procfs means for the guest, on a walk through its paths
 */
#include "emulator/procfs.h"

#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

enum {
    PROC_ROOT_INO = 1,
};

bool procfs_is(int host_fd)
{
    struct statfs fs;

    return fstatfs(host_fd, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC;
}

bool procfs_is_root(int host_fd)
{
    struct stat file;

    return procfs_is(host_fd) && fstat(host_fd, &file) == 0 &&
           file.st_ino == PROC_ROOT_INO;
}

/* Whether it counts pids as we do: then its "self" is our own pid. */
static bool is_ours(int root_fd)
{
    char link[16];
    char ours[16];
    ssize_t got = readlinkat(root_fd, "self", link, sizeof(link) - 1);

    snprintf(ours, sizeof(ours), "%d", getpid());
    return got > 0 && strlen(ours) == (size_t)got &&
           !memcmp(link, ours, (size_t)got);
}

void procfs_own_name(int root_fd, const struct guest_credentials *who,
                     bool thread, char *name, size_t size)
{
    bool ours = is_ours(root_fd);
    pid_t tgid = ours ? who->tgid : who->tgid_inside;
    pid_t tid = ours ? who->tid : who->tid_inside;

    if (thread)
        snprintf(name, size, "%d/task/%d", tgid, tid);
    else
        snprintf(name, size, "%d", tgid);
}
