/*
 * What runs out: descriptors, and what the kernel says of its own limits.
 */
#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { FEW = 32 };

/* Item 143: EMFILE, and one that is closed makes room for one. */
static void no_descriptor_is_left(void)
{
    struct rlimit limit;
    int fds[FEW + 1], count = 0;

    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0, "getrlimit");
    limit.rlim_cur = FEW;
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0, "setrlimit");
    while (count <= FEW && (fds[count] = inotify_init1(IN_NONBLOCK)) >= 0)
        count++;
    CHECK(count > 0 && count < FEW, "%d instances within %d descriptors",
          count, FEW);
    CHECK(errno == EMFILE, "expected EMFILE: %s", strerror(errno));
    close(fds[--count]);
    fds[count] = inotify_init1(IN_NONBLOCK);
    CHECK(fds[count] >= 0, "with room for one: %s", strerror(errno));
    count++;
    /* The last one works as the others do. */
    CHECK(inotify_add_watch(fds[count - 1], ".", IN_CREATE) == 1, "add_watch");
    CHECK_FAILS(inotify_init1(0), EMFILE);
    while (count > 0)
        close(fds[--count]);
}

/* Item 143: an error of the path comes first, and a watch that is there can be
   changed, whatever has run out. */
static void what_needs_nothing_works_without_descriptors(void)
{
    struct guest_queue q;
    struct rlimit limit;

    guest_touch("file");
    guest_open(&q);
    int wd = guest_watch(&q, "file", IN_ATTRIB);
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0, "getrlimit");
    limit.rlim_cur = 3;
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0, "setrlimit");
    CHECK_FAILS(inotify_add_watch(q.fd, "none", IN_ATTRIB), ENOENT);
    CHECK(inotify_add_watch(q.fd, "file", IN_ATTRIB | IN_MODIFY) == wd,
          "expected the same wd");
    limit.rlim_cur = limit.rlim_max;
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0, "setrlimit");
    guest_chmod("file", 0600);
    guest_expect(&q, wd, IN_ATTRIB, NULL);
    guest_close(&q);
}

/* Item 144 */
static void limits_can_be_read(void)
{
    static const char *const names[] = { "max_queued_events",
                                         "max_user_instances",
                                         "max_user_watches" };

    for (size_t i = 0; i < GUEST_COUNT(names); i++) {
        char path[64], text[32] = "";
        snprintf(path, sizeof(path), "/proc/sys/fs/inotify/%s", names[i]);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        CHECK(fd >= 0 && read(fd, text, sizeof(text) - 1) > 0, "%s", path);
        CHECK(atol(text) > 0, "%s reads %s", path, text);
        close(fd);
    }
}

int main(int argc, char **argv)
{
    static const struct guest_case cases[] = {
        GUEST_CASE(no_descriptor_is_left),
        GUEST_CASE(what_needs_nothing_works_without_descriptors),
        GUEST_CASE(limits_can_be_read),
    };
    return guest_main(argc, argv, cases, GUEST_COUNT(cases));
}
