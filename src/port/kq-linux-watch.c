/*
 * kq-linux-watch.c - the kernel watch of exactly the inode that is open
 *
 * inotify_add_watch has no form that takes a descriptor, so it is given
 * /proc/self/fd/N, which leads to what is open there, O_PATH and unlinked ones
 * too.  procfs makes an entry for a number when it is first looked up, which
 * takes a third of the whole (3 of 9 us; AMD EPYC, Linux 6.18), and then keeps
 * it, whatever is open there later.  So what is open at a number that has had no
 * knote yet is put onto one that was looked up, for as long as that takes: a
 * *stand-in*, of which there are a few.
 *
 * IN_MASK_ADD only ever adds bits, so the order in which two threads call for
 * one inode does not matter.  Bits that nobody needs any more stay until the
 * last knote has gone; what they bring is not asked for and ignored.
 */
#include "port/kq-linux-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

static uint32_t kernel_mask(const struct kq *kq, uint32_t asked, bool is_dir)
{
    uint32_t mask = IN_MASK_ADD;
    if (asked & (NOTE_ATTRIB | NOTE_LINK | NOTE_DELETE))
        mask |= IN_ATTRIB;
    if (asked & NOTE_RENAME || is_dir)
        mask |= IN_MOVE_SELF;
    /* Of a directory: its time was set.  (Writes to files in it come with it,
       and are dropped.) */
    if (asked & NOTE_ATTRIB ||
        (!is_dir && asked & (NOTE_WRITE | NOTE_EXTEND)))
        mask |= IN_MODIFY;
    if (is_dir && asked & (NOTE_WRITE | NOTE_EXTEND | NOTE_LINK))
        mask |= IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO;
    if (kq->notes == KQ_NOTES_FREEBSD) {
        mask |= asked & NOTE_OPEN ? IN_OPEN : 0;
        mask |= asked & NOTE_CLOSE ? IN_CLOSE_NOWRITE : 0;
        mask |= asked & NOTE_CLOSE_WRITE ? IN_CLOSE_WRITE : 0;
        mask |= asked & NOTE_READ ? IN_ACCESS : 0;
    }
    /* Of no other bit inotify_add_watch would make a watch. */
    return mask == IN_MASK_ADD ? IN_MASK_ADD | IN_DELETE_SELF : mask;
}

void stand_ins_open(struct kq *kq)
{
    for (int i = 0; i < KQ_STAND_INS; i++) {
        kq->stand_ins[i] = fcntl(kq->wake_fd, F_DUPFD_CLOEXEC, 3);
        kq->stand_ins_taken |= kq->stand_ins[i] < 0 ? 1u << i : 0;
    }
}

void stand_ins_close(struct kq *kq)
{
    for (int i = 0; i < KQ_STAND_INS; i++) {
        if (kq->stand_ins[i] > 0)
            close(kq->stand_ins[i]);
    }
}

int stand_in_take(struct kq *kq, int host_fd)
{
    if (knote_had_number(kq, host_fd))
        return KQ_STAND_INS;
    int i = 0;
    while (i < KQ_STAND_INS && kq->stand_ins_taken & 1u << i)
        i++;
    if (i < KQ_STAND_INS)
        kq->stand_ins_taken |= 1u << i;
    return i;
}

void stand_in_give(struct kq *kq, int stand_in)
{
    if (stand_in < KQ_STAND_INS)
        kq->stand_ins_taken &= ~(1u << stand_in);
}

/* As snprintf would, which is slow: this is done for each watch. */
static int watch_at(const struct kq *kq, int host_fd, uint32_t mask)
{
    char path[sizeof("/proc/self/fd/2147483647")];
    char digits[sizeof("2147483647")];
    int at = sizeof(digits);
    digits[--at] = '\0';
    do
        digits[--at] = (char)('0' + host_fd % 10);
    while ((host_fd /= 10) > 0);
    stpcpy(stpcpy(path, "/proc/self/fd/"), digits + at);
    int wd = inotify_add_watch(kq->inotify_fd, path, mask);
    return wd < 0 ? -errno : wd;
}

int32_t host_watch(const struct kq *kq, int host_fd, int stand_in,
                   uint32_t asked, bool is_dir)
{
    uint32_t mask = kernel_mask(kq, asked, is_dir);
    if (stand_in == KQ_STAND_INS ||
        dup3(host_fd, kq->stand_ins[stand_in], O_CLOEXEC) < 0)
        return watch_at(kq, host_fd, mask);
    int wd = watch_at(kq, kq->stand_ins[stand_in], mask);
    /* It must keep no inode. */
    (void)dup3(kq->wake_fd, kq->stand_ins[stand_in], O_CLOEXEC);
    return wd;
}
