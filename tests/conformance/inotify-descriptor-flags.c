/*
 * What the descriptor itself says: flags taken by init1, shown by fcntl, and
 * what can not be done with it.
 */
#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int open_with(int flags)
{
    int inotify_fd = inotify_init1(flags);
    CHECK(inotify_fd >= 0, "inotify_init1(0x%x): %s", flags, strerror(errno));
    return inotify_fd;
}

static void init1_takes_two_flags_and_no_other(void)
{
    CHECK(IN_NONBLOCK == O_NONBLOCK && IN_CLOEXEC == O_CLOEXEC, "values");
    for (int bit = 0; bit < 32; bit++) {
        int flag = (int)(1u << bit);
        if (flag == IN_NONBLOCK || flag == IN_CLOEXEC)
            close(open_with(flag));
        else if (!guest_foreign()) /* QEMU drops what it does not know */
            CHECK_FAILS(inotify_init1(flag), EINVAL);
    }
    if (!guest_foreign())
        CHECK_FAILS(inotify_init1(IN_NONBLOCK | 1), EINVAL);
    close(open_with(IN_NONBLOCK | IN_CLOEXEC));
    close(open_with(0));
}

static void flags_are_shown(void)
{
    static const int flags[] = {0, IN_NONBLOCK, IN_CLOEXEC,
                                IN_NONBLOCK | IN_CLOEXEC};
    for (size_t i = 0; i < GUEST_COUNT(flags); i++) {
        int inotify_fd = open_with(flags[i]);
        int status = fcntl(inotify_fd, F_GETFL);
        int wanted = flags[i] & IN_NONBLOCK ? O_NONBLOCK : 0;
        CHECK((status & O_ACCMODE) == O_RDONLY, "expected O_RDONLY, seen 0x%x",
              (unsigned)status);
        CHECK((status & O_NONBLOCK) == wanted, "init1(0x%x): F_GETFL is 0x%x",
              (unsigned)flags[i], (unsigned)status);
        CHECK((fcntl(inotify_fd, F_GETFD) & FD_CLOEXEC) ==
                  (flags[i] & IN_CLOEXEC ? FD_CLOEXEC : 0),
              "init1(0x%x): F_GETFD is 0x%x", (unsigned)flags[i],
              (unsigned)fcntl(inotify_fd, F_GETFD));
        CHECK(fcntl(inotify_fd, F_SETFL, O_NONBLOCK) == 0, "F_SETFL");
        CHECK((fcntl(inotify_fd, F_GETFL) & O_NONBLOCK) != 0,
              "expected O_NONBLOCK after F_SETFL");
        close(inotify_fd);
    }
}

static void init_has_neither_flag(void)
{
    int inotify_fd = inotify_init();
    CHECK(inotify_fd >= 0, "inotify_init: %s", strerror(errno));
    CHECK((fcntl(inotify_fd, F_GETFL) & O_NONBLOCK) == 0, "seen O_NONBLOCK");
    CHECK(fcntl(inotify_fd, F_GETFD) == 0, "seen FD_CLOEXEC");
    close(inotify_fd);
}

static void other_status_bits_are_clear(void)
{
    int inotify_fd = open_with(0);
    int status = fcntl(inotify_fd, F_GETFL);
    CHECK((status & ~O_LARGEFILE) == O_RDONLY, "expected 0, seen 0x%x",
          (unsigned)status);
    close(inotify_fd);
}

static void writing_is_refused(void)
{
    char byte = 0;
    int inotify_fd = open_with(IN_NONBLOCK);
    CHECK_FAILS(write(inotify_fd, &byte, 1), EBADF);
    CHECK_FAILS(pread(inotify_fd, &byte, 1, 0), ESPIPE);
    CHECK_FAILS(pwrite(inotify_fd, &byte, 1, 0), ESPIPE);
    close(inotify_fd);
}

static void other_calls_are_refused(void)
{
    int inotify_fd = open_with(IN_NONBLOCK);
    CHECK_FAILS(ftruncate(inotify_fd, 0), EINVAL);
    CHECK_FAILS(fsync(inotify_fd), EINVAL);
    CHECK(mmap(NULL, 4096, PROT_READ, MAP_SHARED, inotify_fd, 0) ==
                  MAP_FAILED &&
              errno == ENODEV,
          "mmap: expected ENODEV, seen %s", strerror(errno));
    if (!guest_foreign()) /* QEMU knows no such ioctl and says ENOSYS */
        CHECK_FAILS(ioctl(inotify_fd, 0x5678, 0), ENOTTY);
    close(inotify_fd);
}

static void seeking_does_nothing(void)
{
    int inotify_fd = open_with(IN_NONBLOCK);
    CHECK(lseek(inotify_fd, 0, SEEK_SET) == 0, "lseek: %s", strerror(errno));
    CHECK(lseek(inotify_fd, 10, SEEK_CUR) == 0, "lseek: %s", strerror(errno));
    CHECK(lseek(inotify_fd, -1, SEEK_END) == 0, "lseek: %s", strerror(errno));
    close(inotify_fd);
}

static void fstat_shows_an_anonymous_inode(void)
{
    struct stat status;
    int inotify_fd = open_with(IN_NONBLOCK);
    CHECK(fstat(inotify_fd, &status) == 0, "fstat: %s", strerror(errno));
    CHECK(status.st_mode == 0600 && status.st_size == 0 && status.st_nlink == 1,
          "expected mode 0600, size 0, nlink 1, seen 0%o, %lld, %ld",
          status.st_mode, (long long)status.st_size, (long)status.st_nlink);
    close(inotify_fd);
}

static void proc_names_it_inotify(void)
{
    char path[64], target[64] = "";
    int inotify_fd = open_with(IN_NONBLOCK);
    snprintf(path, sizeof path, "/proc/self/fd/%d", inotify_fd);
    CHECK(readlink(path, target, sizeof target - 1) > 0, "readlink: %s",
          strerror(errno));
    CHECK(strcmp(target, "anon_inode:inotify") == 0,
          "expected anon_inode:inotify, seen %s", target);
    close(inotify_fd);
}

static void instances_are_independent(void)
{
    struct guest_queue first, second;
    guest_mkdir("d");
    guest_mkdir("e");
    guest_open(&first);
    guest_open(&second);
    CHECK(guest_watch(&first, "e", IN_CREATE) == 1, "expected wd 1");
    CHECK(guest_watch(&first, "d", IN_CREATE) == 2, "expected wd 2");
    CHECK(guest_watch(&second, "d", IN_CREATE | IN_DELETE) == 1,
          "expected an own count of wds");
    guest_touch("d/a");
    guest_expect(&first, 2, IN_CREATE, "a");
    guest_expect(&second, 1, IN_CREATE, "a");
    guest_unlink("d/a");
    guest_expect(&second, 1, IN_DELETE, "a");
    guest_close(&first);
    guest_close(&second);
}

int main(int argc, char **argv)
{
    static const struct guest_case cases[] = {
        GUEST_CASE(init1_takes_two_flags_and_no_other),
        GUEST_CASE(flags_are_shown),
        GUEST_CASE(init_has_neither_flag),
        GUEST_CASE(other_status_bits_are_clear),
        GUEST_CASE(writing_is_refused),
        GUEST_CASE(other_calls_are_refused),
        GUEST_CASE(seeking_does_nothing),
        GUEST_CASE(fstat_shows_an_anonymous_inode),
        GUEST_CASE(proc_names_it_inotify),
        GUEST_CASE(instances_are_independent),
    };
    return guest_main(argc, argv, cases, GUEST_COUNT(cases));
}
