/*
 * guest-root.c - where the absolute paths of a guest start: mostly our own root
 */
#include "emulator/guest-root.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include "emulator/guest-look.h"
#include "emulator/guest-task.h"
#include "emulator/procfs.h"

/* Where a descriptor leads: 0 or -errno. */
static int place_of(int host_fd, struct statx *place)
{
    return statx(host_fd, "", AT_EMPTY_PATH, STATX_INO | STATX_MNT_ID,
                 place) == 0
               ? 0
               : -errno;
}

static bool is_same(const struct statx *a, const struct statx *b)
{
    return a->stx_ino == b->stx_ino && a->stx_dev_major == b->stx_dev_major &&
           a->stx_dev_minor == b->stx_dev_minor &&
           a->stx_mnt_id == b->stx_mnt_id;
}

/* Our own root, which we never change: opened once, and kept. */
static struct {
    int host_fd; /* or -errno */
    struct statx place;
    bool procfs;
} ours;

static pthread_once_t ours_once = PTHREAD_ONCE_INIT;

static void open_ours(void)
{
    int error;

    ours.host_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (ours.host_fd < 0) {
        ours.host_fd = -errno;
        return;
    }
    ours.procfs = procfs_is(ours.host_fd);
    error = place_of(ours.host_fd, &ours.place);
    if (error < 0) {
        close(ours.host_fd);
        ours.host_fd = error;
    }
}

void guest_root_init(void)
{
    pthread_once(&ours_once, open_ours);
}

static int place_of_guest(pid_t tid, struct statx *place)
{
    struct guest_look look = { 0 };
    int error;

    do
        error = guest_task_place(tid, "root", place);
    while (guest_look_again(&look, tid, error));
    return error;
}

/* 1 or 0; -errno. */
static int is_ours(pid_t tid, bool at_home)
{
    struct statx place;
    int error;

    guest_root_init();
    if (ours.host_fd < 0)
        return 0;
    if (at_home)
        return 1;
    error = place_of_guest(tid, &place);
    return error < 0 ? error : is_same(&place, &ours.place);
}

int guest_root_find(pid_t tid, bool at_home, struct guest_root *root)
{
    int is = is_ours(tid, at_home);

    if (is < 0)
        return is;
    root->ours = is;
    root->host_fd = root->ours ? ours.host_fd : guest_look_open(tid, "root");
    if (root->host_fd < 0)
        return root->host_fd;
    root->procfs = root->ours ? ours.procfs : procfs_is(root->host_fd);
    return 0;
}

void guest_root_leave(const struct guest_root *root)
{
    if (!root->ours)
        close(root->host_fd);
}

bool guest_root_is(const struct guest_root *root, int host_fd)
{
    struct statx of[2];

    return place_of(root->host_fd, &of[0]) == 0 &&
           place_of(host_fd, &of[1]) == 0 && is_same(&of[0], &of[1]);
}
