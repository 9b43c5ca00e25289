/*
 * A parked knote posts what the knote of an open directory posts: each
 * operation is done to two directories alike, one of either kind.  Under
 * without-handles, where parked inodes are kept, the same.
 */
#include "kq-fixture.h"

#include <sys/time.h>

enum { OPEN, PARKED };

static const char *const homes[] = {"o", "p"};

static const char *below(int which, const char *name)
{
    static char paths[4][64];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof(paths[0]), "%s/%s", homes[which], name);
    return path;
}

/* The first that is parked is held, for handles to be opened by: not one that
   is tested. */
static int park_another(struct fixture *fx)
{
    assert_int_equal(mkdir("another", 0700), 0);
    int host_fd = open("another", O_RDONLY | O_DIRECTORY);
    add(fx, host_fd, ASKED);
    int id = park(fx, host_fd);
    assert_true(id >= KQ_PARKED_FIRST);
    close(host_fd);
    return id;
}

/* Descriptors in all: the second is closed, and its id is left. */
static void watch_both(struct fixture *fx, int idents[2])
{
    for (int which = OPEN; which <= PARKED; which++) {
        assert_int_equal(mkdir(homes[which], 0700), 0);
        assert_int_equal(mkdir(below(which, "d"), 0700), 0);
        make_file(below(which, "d/f"), "x");
        assert_int_equal(mkdir(below(which, "d/sub"), 0700), 0);
        int host_fd = open(below(which, "d"), O_RDONLY | O_DIRECTORY);
        assert_true(host_fd >= 0);
        add(fx, host_fd, ASKED);
        idents[which] = host_fd;
    }
    int id = park(fx, idents[PARKED]);
    assert_true(id >= KQ_PARKED_FIRST);
    close(idents[PARKED]);
    idents[PARKED] = id;
    expect_nothing(fx);
}

static void close_both(struct fixture *fx, const int idents[2])
{
    kq_close(fx->kq, idents[OPEN]);
    kq_close(fx->kq, idents[PARKED]);
}

static void op_create(int w) { make_file(below(w, "d/new"), ""); }
static void op_mkdir(int w) { mkdir(below(w, "d/newd"), 0700); }
static void op_unlink(int w) { unlink(below(w, "d/f")); }
static void op_rmdir_entry(int w) { rmdir(below(w, "d/sub")); }
static void op_rename_entry(int w)
{
    rename(below(w, "d/f"), below(w, "d/g"));
}
static void op_move_out(int w) { rename(below(w, "d/f"), below(w, "f")); }
static void op_move_dir_out(int w)
{
    rename(below(w, "d/sub"), below(w, "sub"));
}
static void op_chmod(int w) { chmod(below(w, "d"), 0750); }
static void op_times(int w)
{
    struct timeval times[2] = {{1000, 0}, {2000, 0}};
    utimes(below(w, "d"), times);
}
static void op_write_entry(int w) { write_file(below(w, "d/f"), "yy"); }
static void op_rename_self(int w) { rename(below(w, "d"), below(w, "e")); }
static void op_rename_above(int w)
{
    rename(homes[w], w == OPEN ? "o2" : "p2");
    rename(w == OPEN ? "o2" : "p2", homes[w]);
}
static void op_remove(int w)
{
    unlink(below(w, "d/f"));
    rmdir(below(w, "d/sub"));
    rmdir(below(w, "d"));
}
static void op_rename_and_remove(int w)
{
    op_rename_self(w);
    unlink(below(w, "e/f"));
    rmdir(below(w, "e/sub"));
    rmdir(below(w, "e"));
}

/* What both are told, which must be the same. */
static uint32_t do_to_both(struct fixture *fx, const int idents[2],
                           const char *name, void (*op)(int which))
{
    op(OPEN);
    uint32_t notes = take(fx, idents[OPEN]);
    op(PARKED);
    uint32_t parked = take(fx, idents[PARKED]);
    if (parked != notes)
        print_error("%s: %#x, parked %#x\n", name, notes, parked);
    assert_int_equal(parked, notes);
    return notes;
}

static void test_kq_parked_posts_what_open_posts(void **state)
{
    static const struct {
        const char *name;
        void (*op)(int which);
        bool posts;
    } ops[] = {
        {"create", op_create, true},
        {"mkdir", op_mkdir, true},
        {"unlink", op_unlink, true},
        {"rmdir an entry", op_rmdir_entry, true},
        {"rename an entry", op_rename_entry, true},
        {"move a file out", op_move_out, true},
        {"move a directory out", op_move_dir_out, true},
        {"chmod", op_chmod, true},
        {"utimes", op_times, true},
        {"write to an entry", op_write_entry, false},
        {"rename it", op_rename_self, true},
        {"rename its parent", op_rename_above, false},
        {"remove it", op_remove, true},
        {"rename and remove it", op_rename_and_remove, true},
    };
    struct fixture *fx = *state;
    int idents[2], another = park_another(fx);
    for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
        watch_both(fx, idents);
        uint32_t notes = do_to_both(fx, idents, ops[i].name, ops[i].op);
        assert_int_equal(notes != 0, ops[i].posts);
        expect_nothing(fx);
        close_both(fx, idents);
        assert_int_equal(system("rm -rf o p"), 0);
    }
    kq_close(fx->kq, another);
}

static void test_kq_parked_removal_is_told_once(void **state)
{
    struct fixture *fx = *state;
    int idents[2], another = park_another(fx);
    watch_both(fx, idents);
    int held = open("p/d", O_RDONLY | O_DIRECTORY);
    op_remove(PARKED);
    assert_true(take(fx, idents[PARKED]) & DEL);
    close(held); /* the kernel ends its watch now */
    expect_nothing(fx);
    assert_int_equal(mkdir("p/d", 0700), 0);
    make_file("p/d/f", "");
    expect_nothing(fx);
    close_both(fx, idents);
    kq_close(fx->kq, another);
}

/* What its id stands for can be had as before, until kq_close. */
static void test_kq_parked_loses_its_knote_alone(void **state)
{
    struct fixture *fx = *state;
    int idents[2];
    watch_both(fx, idents);
    assert_int_equal(change(fx, (uintptr_t)idents[PARKED], EVFILT_VNODE,
                            EV_DELETE, 0),
                     0);
    make_file("p/d/new", "");
    expect_nothing(fx);
    assert_int_equal(change(fx, (uintptr_t)idents[PARKED], EVFILT_VNODE,
                            EV_DELETE, 0),
                     -ENOENT);
    int fd = kq_reopen(fx->kq, idents[PARKED], KQ_TO_LIST);
    assert_true(fd >= 0);
    close(fd);
    close_both(fx, idents);
}

static void test_kq_parking_keeps_what_is_pending(void **state)
{
    struct fixture *fx = *state;
    assert_int_equal(mkdir("d", 0700), 0);
    int d = open("d", O_RDONLY | O_DIRECTORY);
    add(fx, d, ASKED);
    make_file("d/a", "");
    struct timespec no_time = {0};
    assert_int_equal(kq_wait(fx->kq, &no_time), 0);
    int id = park(fx, d);
    assert_true(id >= KQ_PARKED_FIRST);
    close(d);
    expect(fx, id, W);
    expect_nothing(fx);
    kq_close(fx->kq, id);
}

static void test_kq_parked_is_had_again(void **state)
{
    struct fixture *fx = *state;
    struct stat before, now;
    int idents[2];
    watch_both(fx, idents);
    assert_int_equal(stat("p/d", &before), 0);
    rename("p/d", "moved");
    assert_int_equal(mkdir("p/d", 0700), 0);
    for (int how = KQ_TO_LIST; how <= KQ_TO_LOOK; how++) {
        int fd = kq_reopen(fx->kq, idents[PARKED], how);
        assert_true(fd >= 0);
        assert_int_equal(fstat(fd, &now), 0);
        assert_int_equal(now.st_ino, before.st_ino);
        assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
        close(fd);
    }
    expect(fx, idents[PARKED], R);
    /* Asking for more, and closing, take the id for the descriptor. */
    add(fx, idents[PARKED], ASKED & ~(uint32_t)A);
    chmod("moved", 0750);
    expect(fx, idents[PARKED], 0);
    assert_int_equal(change(fx, (uintptr_t)idents[PARKED], EVFILT_VNODE,
                            EV_DISABLE, 0),
                     -EINVAL);
    close_both(fx, idents);
    make_file("moved/new", "");
    expect_nothing(fx);
}

/* As kq_reopen, until the kernel is done with what had the number before: till
   then it answers ENOMEM for a handle of either. */
static int reopen_settled(struct fixture *fx, int ident, enum kq_reopen how)
{
    int fd;

    do
        fd = kq_reopen(fx->kq, ident, how);
    while (fd == -ENOMEM);
    return fd;
}

static bool has_keeper(void)
{
    DIR *tasks = opendir("/proc/self/task");
    const struct dirent *task;
    bool found = false;
    while (!found && (task = readdir(tasks))) {
        char path[300], name[32] = "";
        snprintf(path, sizeof(path), "/proc/self/task/%s/comm", task->d_name);
        FILE *comm = fopen(path, "re");
        if (comm && fgets(name, sizeof(name), comm))
            found = strcmp(name, "vnotify-keeper\n") == 0;
        if (comm)
            fclose(comm);
    }
    closedir(tasks);
    return found;
}

/* Where handles are refused the inode is kept, by a thread; or it is gone. */
static void expect_gone(struct fixture *fx, int ident, enum kq_reopen how)
{
    struct stat st;
    int fd = reopen_settled(fx, ident, how);
    if (fd >= 0) {
        assert_int_equal(fstat(fd, &st), 0);
        assert_int_equal(st.st_nlink, 0);
        close(fd);
    }
    assert_int_equal(fd < 0 ? fd : -ESTALE, -ESTALE);
    assert_int_equal(fd >= 0, has_keeper());
}

static void test_kq_parked_gone_is_stale(void **state)
{
    struct fixture *fx = *state;
    int idents[2], another = park_another(fx);
    watch_both(fx, idents);
    op_remove(PARKED);
    assert_true(take(fx, idents[PARKED]) & DEL);
    expect_gone(fx, idents[PARKED], KQ_TO_LIST);
    /* An inode of the same number is another. */
    assert_int_equal(mkdir("p/d", 0700), 0);
    expect_gone(fx, idents[PARKED], KQ_TO_LOOK);
    close_both(fx, idents);
    kq_close(fx->kq, another);
}

/* Files: open with O_PATH, as the engine has them. */
static void watch_both_files(struct fixture *fx, int idents[2])
{
    for (int which = OPEN; which <= PARKED; which++) {
        assert_int_equal(mkdir(homes[which], 0700), 0);
        make_file(below(which, "f"), "text");
        make_file(below(which, "other"), "");
        idents[which] = watch(fx, below(which, "f"));
    }
    int id = park(fx, idents[PARKED]);
    assert_true(id >= KQ_PARKED_FIRST);
    close(idents[PARKED]);
    idents[PARKED] = id;
    expect_nothing(fx);
}

static void op_file_extend(int w) { make_file(below(w, "f"), "longer text"); }
static void op_file_write(int w) { write_file(below(w, "f"), "more"); }
static void op_file_truncate(int w)
{
    assert_int_equal(truncate(below(w, "f"), 1), 0);
}
static void op_file_chmod(int w) { chmod(below(w, "f"), 0640); }
static void op_file_link(int w)
{
    assert_int_equal(link(below(w, "f"), below(w, "g")), 0);
}
static void op_file_rename(int w) { rename(below(w, "f"), below(w, "g")); }
static void op_file_unlink(int w) { unlink(below(w, "f")); }
static void op_file_replace(int w)
{
    rename(below(w, "other"), below(w, "f"));
}
static void op_file_unlink_one(int w)
{
    op_file_link(w);
    unlink(below(w, "f"));
}

static void test_kq_parked_files_post_what_open_ones_post(void **state)
{
    static const struct {
        const char *name;
        void (*op)(int which);
    } ops[] = {
        {"extend", op_file_extend},     {"write", op_file_write},
        {"truncate", op_file_truncate}, {"chmod", op_file_chmod},
        {"link", op_file_link},         {"rename", op_file_rename},
        {"unlink", op_file_unlink},     {"replace", op_file_replace},
        {"unlink one of two names", op_file_unlink_one},
    };
    struct fixture *fx = *state;
    int idents[2];
    for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
        watch_both_files(fx, idents);
        uint32_t notes = do_to_both(fx, idents, ops[i].name, ops[i].op);
        assert_int_not_equal(notes, 0);
        expect_nothing(fx);
        close_both(fx, idents);
        assert_int_equal(system("rm -rf o p"), 0);
    }
}

static void test_kq_parked_one_is_told_from_its_number(void **state)
{
    struct fixture *fx = *state;
    int idents[2];
    watch_both_files(fx, idents);
    int same = open_quietly("p/f"), other = open_quietly("o/f");
    assert_true(kq_is_parked_one(fx->kq, idents[PARKED], same));
    assert_false(kq_is_parked_one(fx->kq, idents[PARKED], other));
    close(same);
    unlink("p/f");
    assert_true(take(fx, idents[PARKED]) & DEL);
    make_file("p/f", ""); /* on ext4, of the same number */
    same = open_quietly("p/f");
    assert_false(kq_is_parked_one(fx->kq, idents[PARKED], same));
    expect_gone(fx, idents[PARKED], KQ_TO_LOOK);
    close(same);
    close(other);
    close_both(fx, idents);
}

static void test_kq_other_things_are_not_parked(void **state)
{
    struct fixture *fx = *state;
    assert_int_equal(mkfifo("f", 0600), 0);
    int f = watch(fx, "f");
    assert_int_equal(park(fx, f), -EOPNOTSUPP);
    int d = open(".", O_RDONLY | O_DIRECTORY); /* without a knote */
    assert_int_equal(park(fx, d), -ENOENT);
    close(d);
    kq_close(fx->kq, f);
}

static const struct CMUnitTest tests[] = {
    KQ_TEST(test_kq_parked_posts_what_open_posts),
    KQ_TEST(test_kq_parked_removal_is_told_once),
    KQ_TEST(test_kq_parked_loses_its_knote_alone),
    KQ_TEST(test_kq_parking_keeps_what_is_pending),
    KQ_TEST(test_kq_parked_is_had_again),
    KQ_TEST(test_kq_parked_gone_is_stale),
    KQ_TEST(test_kq_parked_files_post_what_open_ones_post),
    KQ_TEST(test_kq_parked_one_is_told_from_its_number),
    KQ_TEST(test_kq_other_things_are_not_parked),
};

KQ_TESTS(tests)
