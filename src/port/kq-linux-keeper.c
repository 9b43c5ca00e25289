/*
 * kq-linux-keeper.c - threads with descriptors of their own
 *
 * Who asks writes `order` and `operand` and posts `asked`; the keeper writes
 * `answer` and posts `answered`.  The semaphores order it all.
 *
 * A keeper runs nothing but this file's code, with all signals blocked: what
 * else might run in it, a handler of the program's around us, would find none
 * of the descriptors that it knows.
 *
 * Where it opens and closes it does so by syscall(2): the sanitizers take
 * numbers of two tables for the same descriptor.
 */
#include "port/kq-linux-keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <limits.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { TASK_PATH_MAX = 64 }; /* "/proc/self/task/4194304/fd/2147483647" */

enum order { TAKE, DROP, END };

struct keeper {
    pthread_t thread;
    sem_t asked, answered;
    enum order order;
    int operand, answer; /* of TAKE: a descriptor of the process; -errno, or
                            the number here */
    int32_t tid;         /* fixed once it has started */
    bool is_full;        /* these two: keepers.lock */
    bool is_tried;       /* what it holds can be had again */
};

/*** The keeper ***/

/* /proc/self is the process: its descriptors, not the keeper's. */
static int hold(int host_fd)
{
    char path[TASK_PATH_MAX];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", host_fd);
    long number = syscall(SYS_openat, AT_FDCWD, path, O_PATH | O_CLOEXEC);
    return number < 0 ? -errno : (int)number;
}

static void await(sem_t *sem)
{
    while (sem_wait(sem) != 0) /* EINTR */
        ;
}

/* From the first number on: so nothing of the process' gets into the table. */
static int begin_keeping(void)
{
    prctl(PR_SET_NAME, "vnotify-keeper");
    if (syscall(SYS_close_range, 0, UINT_MAX, CLOSE_RANGE_UNSHARE) != 0)
        return -errno;
    return (int)syscall(SYS_gettid);
}

static void *keep(void *arg)
{
    struct keeper *keeper = arg;
    keeper->answer = begin_keeping();
    enum order order = keeper->answer < 0 ? END : TAKE;
    sem_post(&keeper->answered);
    while (order != END) {
        await(&keeper->asked);
        order = keeper->order;
        if (order == TAKE)
            keeper->answer = hold(keeper->operand);
        else if (order == DROP)
            syscall(SYS_close, keeper->operand);
        else /* a thread that has been joined may be at it still */
            syscall(SYS_close_range, 0, UINT_MAX, 0);
        sem_post(&keeper->answered);
    }
    return NULL;
}

/*** Who asks ***/

/* With the lock. */
static int ask(struct keeper *keeper, enum order order, int operand)
{
    keeper->order = order;
    keeper->operand = operand;
    sem_post(&keeper->asked);
    await(&keeper->answered);
    return keeper->answer;
}

static int start_thread(struct keeper *keeper)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = -pthread_create(&keeper->thread, NULL, keep, keeper);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}

static void destroy(struct keeper *keeper)
{
    sem_destroy(&keeper->asked);
    sem_destroy(&keeper->answered);
    free(keeper);
}

/* With the lock: one more, or -errno. */
static int start(struct keepers *keepers)
{
    if (keepers->count == KQ_KEEPERS)
        return -EMFILE;
    struct keeper *keeper = calloc(1, sizeof(*keeper));
    if (!keeper)
        return -ENOMEM;
    sem_init(&keeper->asked, 0, 0);
    sem_init(&keeper->answered, 0, 0);
    int rc = start_thread(keeper);
    if (rc == 0) {
        await(&keeper->answered);
        keeper->tid = keeper->answer;
        if (keeper->tid > 0) {
            keepers->all[keepers->count++] = keeper;
            return 0;
        }
        rc = keepers->refused = keeper->tid;
        pthread_join(keeper->thread, NULL);
    }
    destroy(keeper);
    return rc;
}

/* With the lock: an index, or -errno. */
static int find_room(struct keepers *keepers)
{
    for (uint32_t i = 0; i < keepers->count; i++)
        if (!keepers->all[i]->is_full)
            return (int)i;
    int rc = start(keepers);
    return rc != 0 ? rc : (int)keepers->count - 1;
}

/* With the lock: 0, if what a new keeper holds is to be had again. */
static int try_out(const struct keeper *keeper, int number)
{
    int fd = keeper_open(keeper->tid, number, O_PATH | O_CLOEXEC);
    if (fd < 0)
        return fd;
    close(fd);
    return 0;
}

/* With the lock: by the keeper of this index, which may turn out to be full. */
static int take_by(struct keepers *keepers, int index, int host_fd,
                   struct held *held)
{
    struct keeper *keeper = keepers->all[index];
    int number = ask(keeper, TAKE, host_fd);
    if (number < 0) {
        keeper->is_full = number == -EMFILE;
        return number;
    }
    int rc = keeper->is_tried ? 0 : try_out(keeper, number);
    if (rc != 0) {
        (void)ask(keeper, DROP, number);
        return rc;
    }
    keeper->is_tried = true;
    *held = (struct held){.keeper = (uint8_t)index, .number = number};
    return 0;
}

static int take(struct keepers *keepers, int host_fd, struct held *held)
{
    uint32_t before = keepers->count;
    for (;;) {
        int index = find_room(keepers);
        if (index < 0)
            return index;
        int rc = take_by(keepers, index, host_fd, held);
        /* A new one has room, unless the limit is none: it will do later. */
        if (!keepers->all[index]->is_full || keepers->count > before)
            return rc;
    }
}

int keepers_take(struct keepers *keepers, int host_fd, struct held *held)
{
    pthread_mutex_lock(&keepers->lock);
    int rc = keepers->refused;
    if (rc == 0)
        rc = take(keepers, host_fd, held);
    pthread_mutex_unlock(&keepers->lock);
    return rc;
}

void keepers_drop(struct keepers *keepers, const struct held *held)
{
    pthread_mutex_lock(&keepers->lock);
    struct keeper *keeper = keepers->all[held->keeper];
    (void)ask(keeper, DROP, held->number);
    keeper->is_full = false;
    pthread_mutex_unlock(&keepers->lock);
}

int32_t keepers_tid(const struct keepers *keepers, const struct held *held)
{
    return keepers->all[held->keeper]->tid;
}

int keeper_open(int32_t tid, int32_t number, int flags)
{
    char path[TASK_PATH_MAX];
    struct stat st;
    snprintf(path, sizeof(path), "/proc/self/task/%d/fd/%d", tid, number);
    int fd = open(path, flags);
    if (fd >= 0)
        return fd;
    int rc = -errno;
    if (rc == -EACCES && stat(path, &st) == 0 && S_ISDIR(st.st_mode) &&
        st.st_nlink == 0)
        return -ESTALE;
    return rc;
}

void keepers_init(struct keepers *keepers)
{
    *keepers = (struct keepers){0};
    pthread_mutex_init(&keepers->lock, NULL);
}

void keepers_fini(struct keepers *keepers)
{
    for (uint32_t i = 0; i < keepers->count; i++) {
        (void)ask(keepers->all[i], END, 0);
        pthread_join(keepers->all[i]->thread, NULL);
        destroy(keepers->all[i]);
    }
    pthread_mutex_destroy(&keepers->lock);
}
