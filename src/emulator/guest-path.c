/*
 * guest-path.c - a guest's path, resolved as the guest would resolve it
 *
 * Component by component, with O_PATH | O_NOFOLLOW, following symlinks by
 * hand: /proc/self may come from any of them, and an absolute one starts at
 * the guest's root, not ours.  Where nothing can come between, the kernel does
 * the rest at once: from a directory outside procfs, in a root that is ours
 * too, openat2(RESOLVE_NO_XDEV) goes as far as it likes and cannot get to a
 * procfs without failing; and across mounts, without symlinks or "..", nothing
 * in a procfs depends on who asks but what ends in it.
 */
#include "emulator/guest-path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "emulator/guest-home.h"
#include "emulator/guest-look.h"
#include "emulator/guest-rights.h"
#include "emulator/guest-root.h"
#include "emulator/procfs.h"
#include "syscall/guest.h"

enum {
    LINKS_MAX = 40, /* Linux's MAXSYMLINKS */
};

struct walk {
    pid_t tid;
    bool at_home; /* it was seen there: guest-home.h */
    struct guest_credentials who; /* walk_learn_who */
    bool who_is_known;
    struct guest_rights rights;
    struct guest_root root;
    int at;         /* where we are; owned unless it is root */
    bool own_proc;  /* in the procfs directory of the guest itself */
    bool follow;    /* a symlink as the last component */
    bool directory; /* nothing else will do: a slash came last */
    unsigned links; /* followed so far */
    char *rest;     /* what is still to be walked; a buffer of ours */
};

static void walk_move(struct walk *walk, int host_fd)
{
    if (walk->at != walk->root.host_fd)
        close(walk->at);
    walk->at = host_fd;
    walk->own_proc = false;
}

/* Where the guest's rights are ours, it does not matter but to a procfs. */
static int walk_learn_who(struct walk *walk)
{
    int error = walk->who_is_known
                    ? 0
                    : guest_credentials_get(walk->tid, &walk->who);

    walk->who_is_known = error == 0;
    return error;
}

static bool is_self(const char *name)
{
    return !strcmp(name, "self") || !strcmp(name, "thread-self");
}

/* A name that means a process, and which may depend on who asks. */
static bool is_process(const struct walk *walk, const char *name)
{
    return (is_self(name) || (*name >= '0' && *name <= '9')) &&
           procfs_is_root(walk->at);
}

static bool is_own_directory(const struct walk *walk, const char *name)
{
    char own[PROCFS_NAME_MAX];

    procfs_own_name(walk->at, &walk->who, false, own, sizeof(own));
    return !strcmp(name, own);
}

/*
 * A name in walk->at.  A process may always look into its own directory in
 * procfs, even if it has changed its user; we, with its rights, might not.
 */
static int walk_open(struct walk *walk, const char *name, int flags)
{
    int host_fd = openat(walk->at, name, flags | O_PATH | O_CLOEXEC);
    int error = host_fd < 0 ? -errno : 0;

    if (error != -EACCES || !walk->own_proc || !walk->rights.assumed)
        return error < 0 ? error : host_fd;
    guest_rights_drop(&walk->rights);
    host_fd = openat(walk->at, name, flags | O_PATH | O_CLOEXEC);
    error = host_fd < 0 ? -errno : 0;
    if (guest_rights_assume(&walk->rights, &walk->who) < 0 && host_fd >= 0) {
        close(host_fd);
        error = -EACCES;
    }
    return error < 0 ? error : host_fd;
}

/* Puts a symlink's text in front of what is left. */
static int walk_splice(struct walk *walk, const char *target, const char *left)
{
    size_t need = strlen(target) + strlen(left) + 2;
    char *rest;

    if (++walk->links > LINKS_MAX)
        return -ELOOP;
    if (!*target)
        return -ENOENT;
    rest = malloc(need);
    if (!rest)
        return -ENOMEM;
    snprintf(rest, need, *left ? "%s/%s" : "%s",
             target + strspn(target, "/"), left);
    if (*target == '/')
        walk_move(walk, walk->root.host_fd);
    free(walk->rest); /* `left` was in it */
    walk->rest = rest;
    return 0;
}

/*
 * A symlink that shall be followed: by its text, or, where a procfs has one
 * that leads to an open file rather than to a path, by the kernel.
 */
static int walk_link(struct walk *walk, int link_fd, const char *name,
                     const char *left)
{
    char target[PATH_MAX];
    ssize_t got;
    int host_fd;

    if (procfs_is(walk->at) && !procfs_is_root(walk->at)) {
        host_fd = walk_open(walk, name, 0);
        if (host_fd < 0)
            return host_fd;
        walk_move(walk, host_fd);
        memmove(walk->rest, left, strlen(left) + 1);
        return ++walk->links > LINKS_MAX ? -ELOOP : 0;
    }
    got = readlinkat(link_fd, "", target, sizeof(target) - 1);
    if (got < 0)
        return -errno;
    target[got] = '\0';
    return walk_splice(walk, target, left);
}

static int walk_up(struct walk *walk)
{
    int host_fd;

    if (guest_root_is(&walk->root, walk->at))
        return 0;
    host_fd = openat(walk->at, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (host_fd < 0)
        return -errno;
    walk_move(walk, host_fd);
    return 0;
}

/* `name` is a component and neither "." nor ".."; `left` comes after it. */
static int walk_into(struct walk *walk, const char *name, const char *left,
                     bool last)
{
    char target[PROCFS_NAME_MAX];
    struct stat file;
    bool process = is_process(walk, name), own;
    int host_fd;
    int error = process ? walk_learn_who(walk) : 0;

    if (error < 0)
        return error;
    if (process && is_self(name) && (!last || walk->follow)) {
        procfs_own_name(walk->at, &walk->who, *name == 't', target,
                        sizeof(target));
        return walk_splice(walk, target, left);
    }
    host_fd = walk_open(walk, name, O_NOFOLLOW);
    if (host_fd < 0)
        return host_fd;
    if (fstat(host_fd, &file) != 0) {
        error = -errno;
        close(host_fd);
        return error;
    }
    if (S_ISLNK(file.st_mode) && (!last || walk->follow)) {
        error = walk_link(walk, host_fd, name, left);
        close(host_fd);
        return error;
    }
    own = walk->own_proc || (process && is_own_directory(walk, name));
    walk_move(walk, host_fd);
    walk->own_proc = own && procfs_is(host_fd);
    memmove(walk->rest, left, strlen(left) + 1);
    return 0;
}

static bool is_directory(int host_fd)
{
    struct stat file;

    return fstat(host_fd, &file) == 0 && S_ISDIR(file.st_mode);
}

/* One component of walk->rest. */
static int walk_step(struct walk *walk)
{
    char name[NAME_MAX + 1];
    size_t length = strcspn(walk->rest, "/");
    const char *left = walk->rest + length;
    bool slash = *left == '/';
    bool last;

    if (!is_directory(walk->at))
        return -ENOTDIR;
    if (length > NAME_MAX)
        return -ENAMETOOLONG;
    memcpy(name, walk->rest, length);
    name[length] = '\0';
    left += strspn(left, "/");
    last = !*left;
    if (last && slash)
        walk->follow = walk->directory = true;
    if (!strcmp(name, ".") || !strcmp(name, "..")) {
        int error = 0;

        /* "." asks for search permission, like any name. */
        if (syscall(SYS_faccessat2, walk->at, ".", F_OK, AT_EACCESS) != 0)
            error = -errno;
        if (error == 0 && name[1])
            error = walk_up(walk);
        memmove(walk->rest, left, strlen(left) + 1);
        return error;
    }
    return walk_into(walk, name, left, last);
}

/* A ".." in it, or anything that looks like one. */
static bool may_go_up(const char *path)
{
    return strstr(path, "..") != NULL;
}

static int walk_openat2(const struct walk *walk, uint64_t resolve)
{
    struct open_how how = {
        .flags = O_PATH | O_CLOEXEC | (walk->follow ? 0 : O_NOFOLLOW),
        .resolve = resolve | RESOLVE_NO_MAGICLINKS,
    };
    long host_fd =
        syscall(SYS_openat2, walk->at, walk->rest, &how, sizeof(how));

    return host_fd < 0 ? -errno : (int)host_fd;
}

/* Through mounts; -EXDEV: not at once. */
static int walk_through(const struct walk *walk)
{
    int host_fd = may_go_up(walk->rest)
                      ? -EXDEV
                      : walk_openat2(walk, RESOLVE_NO_SYMLINKS);

    if (host_fd >= 0 && procfs_is(host_fd)) {
        close(host_fd);
        return -EXDEV;
    }
    /* A procfs may have refused us what it shows the guest. */
    return host_fd < 0 ? -EXDEV : host_fd;
}

/* All of the rest at once, if that cannot miss a procfs; -EXDEV: walk. */
static int walk_fast(const struct walk *walk)
{
    int host_fd;

    if (!walk->root.ours || (walk->at == walk->root.host_fd
                                 ? walk->root.procfs
                                 : procfs_is(walk->at)))
        return -EXDEV;
    host_fd = walk_openat2(walk, RESOLVE_NO_XDEV);
    if (host_fd == -EXDEV)
        return walk_through(walk);
    return host_fd == -ENOSYS || host_fd == -EAGAIN ? -EXDEV : host_fd;
}

/* To the end of the path: walk->at is the target then. */
static int walk_run(struct walk *walk)
{
    while (*walk->rest) {
        int fast = walk_fast(walk);
        int error;

        if (fast >= 0) {
            walk_move(walk, fast);
            return 0;
        }
        if (fast != -EXDEV)
            return fast;
        error = walk_step(walk);
        if (error < 0)
            return error;
    }
    return 0;
}

static int check_target(const struct walk *walk, unsigned how)
{
    if ((walk->directory || (how & GUEST_OPEN_DIRECTORY)) &&
        !is_directory(walk->at))
        return -ENOTDIR;
    if (syscall(SYS_faccessat2, walk->at, "", R_OK,
                AT_EMPTY_PATH | AT_EACCESS) != 0)
        return -errno;
    return 0;
}

static int walk_init(struct walk *walk, const char *path)
{
    int error = guest_root_find(walk->tid, walk->at_home, &walk->root);

    if (error < 0)
        return error;
    walk->at = *path == '/' ? walk->root.host_fd
                            : guest_look_open(walk->tid, "cwd");
    if (walk->at < 0) {
        error = walk->at;
        goto out_root;
    }
    walk->rest = strdup(path + strspn(path, "/"));
    if (walk->rest)
        return 0;
    error = -ENOMEM;
    walk_move(walk, walk->root.host_fd);
out_root:
    guest_root_leave(&walk->root);
    return error;
}

/* The descriptor of where we are is the caller's from here on. */
static int walk_take(struct walk *walk)
{
    int host_fd = walk->at;

    if (host_fd == walk->root.host_fd) {
        host_fd = fcntl(walk->root.host_fd, F_DUPFD_CLOEXEC, 0);
        return host_fd < 0 ? -errno : host_fd;
    }
    walk->at = walk->root.host_fd;
    return host_fd;
}

static void walk_fini(struct walk *walk)
{
    walk_move(walk, walk->root.host_fd);
    guest_root_leave(&walk->root);
    free(walk->rest);
    guest_credentials_fini(&walk->who);
}

/* To the end, with the guest's rights. */
static int walk_as_guest(struct walk *walk, unsigned how)
{
    bool ours = guest_rights_are_ours(walk->tid, walk->at_home);
    int error = ours ? 0 : walk_learn_who(walk);

    if (ours && walk->root.ours)
        guest_home_seen(walk->tid);
    if (error == 0 && walk->who_is_known)
        error = guest_rights_assume(&walk->rights, &walk->who);
    if (error < 0)
        return error;
    error = walk_run(walk);
    if (error == 0)
        error = check_target(walk, how);
    guest_rights_drop(&walk->rights);
    return error;
}

int guest_path_open(pid_t tid, const char *path, unsigned how)
{
    struct walk walk = {
        .tid = tid,
        .at_home = guest_home_is_ours(tid),
        .follow = !(how & GUEST_OPEN_NOFOLLOW),
    };
    int error;

    if (!*path)
        return -ENOENT;
    error = walk_init(&walk, path);
    if (error < 0)
        return error;
    error = walk_as_guest(&walk, how);
    if (error == 0)
        error = walk_take(&walk);
    walk_fini(&walk);
    return error;
}
