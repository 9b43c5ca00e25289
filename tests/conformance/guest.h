/*
 * guest.h - what every guest program shares
 *
 * A guest program is a plain Linux program made of cases.  Each case runs in a
 * process of its own, in an empty directory of its own, and fails at the first
 * thing that is not as expected, saying what was expected and what was seen.
 *
 *     static void names_it(void)
 *     {
 *         struct guest_queue q;
 *         guest_open(&q);
 *         int wd = guest_watch(&q, ".", IN_CREATE);
 *         guest_touch("a");
 *         guest_expect(&q, wd, IN_CREATE, "a");
 *         guest_close(&q);
 *     }
 *     int main(int argc, char **argv)
 *     {
 *         static const struct guest_case cases[] = { GUEST_CASE(names_it) };
 *         return guest_main(argc, argv, cases, 1);
 *     }
 *
 * Time: on the kernel and under --strict an event is there when the call that
 * caused it returns, so nothing here waits.  Otherwise (guest_lags) events come
 * a little late: each expectation waits for its event, up to a deadline, and
 * "nothing comes" is shown by a marker whose event is told after all others.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/types.h>

#define GUEST_DEADLINE_MS 10000
#define GUEST_COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct guest_case {
    const char *name;
    void (*run)(void);
};
#define GUEST_CASE(function)                                                   \
    {                                                                          \
#function, function                                                    \
    }

/* Runs the cases, or those named in argv; the program's exit status. */
int guest_main(int argc, char **argv, const struct guest_case *, size_t count);

/* End the case at once. */
void guest_fail_at(const char *file, int line, const char *format, ...)
    __attribute__((noreturn, format(printf, 3, 4)));
void guest_skip(const char *format, ...)
    __attribute__((noreturn, format(printf, 1, 2)));
#define guest_fail(...) guest_fail_at(__FILE__, __LINE__, __VA_ARGS__)
#define CHECK(condition, ...)                                                  \
    do {                                                                       \
        if (!(condition))                                                      \
            guest_fail_at(__FILE__, __LINE__, __VA_ARGS__);                    \
    } while (0)
/* `call` must fail with `error`. */
#define CHECK_FAILS(call, error)                                               \
    guest_check_fails(__FILE__, __LINE__, #call, (long)(call), error)
void guest_check_fails(const char *file, int line, const char *call,
                       long result, int error);

/* Where we run; told by run-guest through the environment. */
bool guest_native(void);      /* on the kernel's own inotify */
bool guest_strict(void);      /* under vnotify run --strict */
bool guest_lags(void);        /* under vnotify without it */
bool guest_foreign(void);     /* through QEMU: everything is slower */
bool guest_sees_use(void);    /* the host's notes tell open, read and close */
pid_t guest_supervisor(void); /* 0 on the kernel, as are these: */
int guest_supervisor_descriptors(void);
int guest_supervisor_threads(void);
long guest_supervisor_kib(void); /* resident */

const char *guest_sentinels(void); /* where directories for markers go */

/* The events of one instance. */
struct guest_event {
    int wd;
    uint32_t mask, cookie, len;
    char name[256];
};

struct guest_queue {
    int fd;
    int patience_ms; /* how long an expectation waits for its event */
    struct guest_event *events; /* read, not yet expected */
    size_t head, count, room;
    uint32_t *masks; /* by wd, as asked for */
    int masks_room;
    int sentinel_wd;
    char sentinel[600]; /* a directory of its own for markers */
    unsigned markers;
};

/* What an event must be: no name is NULL; wd -1 only for IN_Q_OVERFLOW. */
struct guest_want {
    int wd;
    uint32_t mask;
    const char *name;
};

void guest_open(struct guest_queue *);
void guest_adopt(struct guest_queue *, int inotify_fd); /* non-blocking */
int guest_watch(struct guest_queue *, const char *path, uint32_t mask);
void guest_unwatch(struct guest_queue *, int wd); /* and takes IN_IGNORED */

/* The next event; false: none came within the queue's patience. */
bool guest_next(struct guest_queue *, struct guest_event *);
struct guest_event guest_expect(struct guest_queue *, int wd, uint32_t mask,
                                const char *name);
/* All of them: in this order, or where events lag in this order for each wd. */
void guest_expect_all(struct guest_queue *, const struct guest_want *,
                      size_t count);
/* A pair with one cookie, which is returned. */
uint32_t guest_expect_move(struct guest_queue *, int wd_from, const char *from,
                           int wd_to, const char *to, uint32_t isdir);

/* Reads what has been told so far; `_in`: and what `dir`, wd, still owes. */
void guest_settle(struct guest_queue *);
void guest_settle_in(struct guest_queue *, int wd, const char *dir);
/* Settles, and then there must be nothing. */
void guest_expect_quiet(struct guest_queue *);
void guest_expect_quiet_in(struct guest_queue *, int wd, const char *dir);
/* Nothing left, FIONREAD 0, closed. */
void guest_close(struct guest_queue *);

/* Raw access, for what the queue above hides. */
int guest_pending(int inotify_fd);                /* FIONREAD */
bool guest_readable(int inotify_fd, int wait_ms); /* POLLIN within */
void guest_await_pending(int inotify_fd, int bytes);
size_t guest_parse(const void *bytes, size_t size, struct guest_event *,
                   size_t room); /* checks every record */
void guest_describe(char *text, size_t room, int wd, uint32_t mask,
                    const char *name);

/* Operations; each must succeed. */
void guest_touch(const char *path); /* IN_CREATE and nothing else */

/*
 * Waits until the clock that stamps births has moved well past that of `path`,
 * if nothing has happened to it since.  A rename of something newborn is not
 * always told from its inode number being used again (docs/semantics.md);
 * inotify-pairs-renames has a case for that, all others rename what is older.
 */
void guest_await_age(const char *path);
void guest_write(const char *path, const char *text);
void guest_mkdir(const char *path);
void guest_unlink(const char *path);
void guest_rmdir(const char *path);
void guest_rename(const char *from, const char *to);
void guest_chmod(const char *path, mode_t mode);
void guest_remove_tree(const char *path);
void guest_wait_child(pid_t pid);      /* must exit with 0 */
void guest_await_asleep(pid_t thread); /* one of this process or a child */
int64_t guest_now_ms(void);
unsigned guest_seed(void); /* VNOTIFY_TEST_SEED or a new one; printed */
