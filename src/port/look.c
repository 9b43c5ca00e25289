#include "port/look.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#ifdef STATX_BTIME

#include <sys/sysmacros.h>

static int64_t ns_of(struct statx_timestamp time)
{
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

int look_at(int dir_fd, const char *name, struct look *look)
{
    struct statx stx;

    if (statx(dir_fd, name, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH,
              STATX_BASIC_STATS | STATX_BTIME, &stx) != 0)
        return -errno;
    *look = (struct look){
        .dev = makedev(stx.stx_dev_major, stx.stx_dev_minor),
        .ino = stx.stx_ino,
        .size = (int64_t)stx.stx_size,
        .accessed = ns_of(stx.stx_atime),
        .modified = ns_of(stx.stx_mtime),
        .changed = ns_of(stx.stx_ctime),
        .born = ns_of((stx.stx_mask & STATX_BTIME) != 0 ? stx.stx_btime
                                                        : stx.stx_mtime),
        .mode = stx.stx_mode,
        .uid = stx.stx_uid,
        .gid = stx.stx_gid,
        .links = stx.stx_nlink,
    };
    return 0;
}

#else

static int64_t ns_of(struct timespec time)
{
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

#ifdef __APPLE__
#define ST_TIME(st, which) ns_of((st)->st_##which##timespec)
#define ST_BORN(st) ns_of((st)->st_birthtimespec)
#elif defined(__OpenBSD__)
#define ST_TIME(st, which) ns_of((st)->st_##which##tim)
#define ST_BORN(st) ns_of((st)->__st_birthtim)
#elif defined(__linux__)
#define ST_TIME(st, which) ns_of((st)->st_##which##tim)
#define ST_BORN(st) ns_of((st)->st_mtim)
#else
#define ST_TIME(st, which) ns_of((st)->st_##which##tim)
#define ST_BORN(st) ns_of((st)->st_birthtim)
#endif

int look_at(int dir_fd, const char *name, struct look *look)
{
    struct stat st;

    if ((name[0] == '\0' ? fstat(dir_fd, &st)
                         : fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW)) !=
        0)
        return -errno;
    *look = (struct look){
        .dev = (uint64_t)st.st_dev,
        .ino = st.st_ino,
        .size = st.st_size,
        .accessed = ST_TIME(&st, a),
        .modified = ST_TIME(&st, m),
        .changed = ST_TIME(&st, c),
        .born = ST_BORN(&st),
        .mode = st.st_mode,
        .uid = st.st_uid,
        .gid = st.st_gid,
        .links = (uint32_t)st.st_nlink,
    };
    return 0;
}

#endif
