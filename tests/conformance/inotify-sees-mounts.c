/*
 * Mounts: what goes away with its file system says UNMOUNT and IGNORED, and the
 * inode is what is watched, through whatever mount.  Each case has a mount
 * namespace of its own.
 */
#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

static void mount_here(const char *what, const char *where, const char *type,
                       unsigned long flags, const char *options)
{
    if (mount(what, where, type, flags, options) != 0)
        guest_skip("cannot mount %s: %s", type ? type : "bind",
                   strerror(errno));
}

static void enter_namespace(void)
{
    if (unshare(CLONE_NEWNS) != 0)
        guest_skip("no mount namespace: %s", strerror(errno));
    mount_here("none", "/", NULL, MS_REC | MS_PRIVATE, NULL);
}

static void mount_memory(const char *where)
{
    guest_mkdir(where);
    mount_here("none", where, "tmpfs", 0, NULL);
}

/* Item 145: the umount is not refused, and each watch ends. */
static void a_watched_file_system_goes_away(void)
{
    struct guest_queue q;

    enter_namespace();
    mount_memory("m");
    guest_touch("m/file");
    guest_open(&q);
    int wd = guest_watch(&q, "m/file", IN_MODIFY);
    CHECK(umount("m") == 0, "umount: %s", strerror(errno));
    guest_expect(&q, wd, IN_UNMOUNT, NULL);
    guest_expect(&q, wd, IN_IGNORED, NULL);
    CHECK_FAILS(inotify_rm_watch(q.fd, wd), EINVAL);
    guest_expect_quiet(&q);
    guest_close(&q);
}

/* Item 95: UNMOUNT of a directory has ISDIR. */
static void a_watched_root_goes_away(void)
{
    struct guest_queue q;

    enter_namespace();
    mount_memory("m");
    guest_open(&q);
    int wd = guest_watch(&q, "m", IN_CREATE);
    CHECK(umount("m") == 0, "umount: %s", strerror(errno));
    guest_expect(&q, wd, IN_UNMOUNT | IN_ISDIR, NULL);
    guest_expect(&q, wd, IN_IGNORED, NULL);
    guest_expect_quiet(&q);
    guest_close(&q);
}

/* Item 146 */
static void lazily_with_a_file_open(void)
{
    struct guest_queue q;

    enter_namespace();
    mount_memory("m");
    guest_touch("m/file");
    guest_open(&q);
    int wd = guest_watch(&q, "m/file", IN_CLOSE);
    int file = open("m/file", O_WRONLY | O_CLOEXEC);
    CHECK(file >= 0, "open: %s", strerror(errno));
    CHECK(umount2("m", MNT_DETACH) == 0, "umount2: %s", strerror(errno));
    guest_expect_quiet(&q);
    close(file);
    guest_expect(&q, wd, IN_CLOSE_WRITE, NULL);
    guest_expect(&q, wd, IN_UNMOUNT, NULL);
    guest_expect(&q, wd, IN_IGNORED, NULL);
    guest_expect_quiet(&q);
    guest_close(&q);
}

/* Item 147: what is mounted over a directory is another one. */
static void mounting_over_tells_nothing(void)
{
    struct guest_queue q;

    enter_namespace();
    guest_mkdir("p");
    guest_mkdir("p/d");
    guest_touch("p/d/hidden");
    guest_open(&q);
    int parent = guest_watch(&q, "p", IN_ALL_EVENTS & ~IN_ACCESS);
    int under = guest_watch(&q, "p/d", IN_CREATE | IN_DELETE | IN_DELETE_SELF);
    mount_here("none", "p/d", "tmpfs", 0, NULL);
    guest_expect_quiet(&q);
    int over = guest_watch(&q, "p/d", IN_CREATE | IN_ATTRIB);
    CHECK(over != under && over != parent, "expected a wd of its own");
    guest_touch("p/d/new");
    guest_expect(&q, over, IN_CREATE, "new");
    guest_chmod("p/d", 0700);
    guest_expect(&q, over, IN_ATTRIB | IN_ISDIR, NULL);
    guest_expect_quiet(&q);
    guest_unwatch(&q, over);
    /* Lazily: under vnotify the watch that was removed may hold it yet. */
    CHECK(umount2("p/d", MNT_DETACH) == 0, "umount2: %s", strerror(errno));
    guest_unlink("p/d/hidden");
    guest_expect(&q, under, IN_DELETE, "hidden");
    guest_expect_quiet(&q);
    guest_close(&q);
}

/* Items 34 and 147 */
static void bind_mounts_share_the_inode(void)
{
    struct guest_queue q;

    enter_namespace();
    guest_mkdir("d");
    guest_mkdir("bind");
    guest_open(&q);
    int wd = guest_watch(&q, "d", IN_CREATE | IN_DELETE | IN_DELETE_SELF);
    mount_here("d", "bind", NULL, MS_BIND, NULL);
    CHECK(guest_watch(&q, "bind", IN_CREATE | IN_DELETE | IN_DELETE_SELF) == wd,
          "expected the same wd");
    guest_touch("bind/a");
    guest_expect(&q, wd, IN_CREATE, "a");
    guest_unlink("d/a");
    guest_expect(&q, wd, IN_DELETE, "a");
    CHECK(umount("bind") == 0, "umount: %s", strerror(errno));
    guest_expect_quiet(&q);
    guest_touch("d/b");
    guest_expect(&q, wd, IN_CREATE, "b");
    guest_expect_quiet(&q);
    guest_close(&q);
}

/* Item 148: what is done through the overlay is told, and what is done behind
   its back is not. */
static void a_copy_upwards_is_survived(void)
{
    struct guest_queue q;

    enter_namespace();
    mount_memory("o");
    guest_mkdir("o/lower");
    guest_mkdir("o/upper");
    guest_mkdir("o/work");
    guest_mkdir("o/merged");
    guest_write("o/lower/file", "text");
    mount_here("none", "o/merged", "overlay", 0,
               "lowerdir=o/lower,upperdir=o/upper,workdir=o/work");
    guest_open(&q);
    int dir = guest_watch(&q, "o/merged", IN_CREATE | IN_MODIFY | IN_DELETE);
    int wd = guest_watch(&q, "o/merged/file", IN_MODIFY);
    guest_write("o/merged/file", "copied up"); /* truncates, then writes */
    guest_expect(&q, dir, IN_MODIFY, "file");
    guest_expect(&q, wd, IN_MODIFY, NULL);
    guest_settle(&q);
    q.head = q.count;
    guest_touch("o/merged/new");
    guest_expect(&q, dir, IN_CREATE, "new");
    guest_touch("o/upper/behind");
    guest_expect_quiet(&q);
    guest_close(&q);
}

int main(int argc, char **argv)
{
    static const struct guest_case cases[] = {
        GUEST_CASE(a_watched_file_system_goes_away),
        GUEST_CASE(a_watched_root_goes_away),
        GUEST_CASE(lazily_with_a_file_open),
        GUEST_CASE(mounting_over_tells_nothing),
        GUEST_CASE(bind_mounts_share_the_inode),
        GUEST_CASE(a_copy_upwards_is_survived),
    };
    return guest_main(argc, argv, cases, GUEST_COUNT(cases));
}
