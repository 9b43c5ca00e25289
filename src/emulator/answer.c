/*
 * answer.c - the supervisor's side of one notification
 */
#include "emulator/answer.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>

#include "emulator/notify.h"

static bool send_response(int listener, struct seccomp_notif_resp *response)
{
    int sent;

    notify_answering();
    do
        sent = ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, response);
    while (sent < 0 && errno == EINTR);
    return sent == 0;
}

bool answer_result(int listener, uint64_t id, int64_t result)
{
    struct seccomp_notif_resp response = {
        .id = id,
        .val = result < 0 ? 0 : result,
        .error = result < 0 ? (int32_t)result : 0,
    };

    return send_response(listener, &response);
}

bool answer_continue(int listener, uint64_t id)
{
    struct seccomp_notif_resp response = {
        .id = id,
        .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE,
    };

    return send_response(listener, &response);
}

/* One ADDFD: 0 or -errno. */
static int add_descriptor(int listener, struct seccomp_notif_addfd *add)
{
    int added;

    notify_answering();
    do
        added = ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, add);
    while (added < 0 && errno == EINTR);
    return added < 0 ? -errno : added;
}

bool answer_descriptor(int listener, uint64_t id, int host_fd, int guest_fd,
                       bool cloexec, int *error)
{
    struct seccomp_notif_addfd add = {
        .id = id,
        .flags = SECCOMP_ADDFD_FLAG_SEND,
        .srcfd = (uint32_t)host_fd,
        .newfd_flags = cloexec ? O_CLOEXEC : 0,
    };
    int result;

    if (guest_fd >= 0) {
        add.flags |= SECCOMP_ADDFD_FLAG_SETFD;
        add.newfd = (uint32_t)guest_fd;
    }
    result = add_descriptor(listener, &add);
    if (result == -EINVAL) { /* Linux before 5.14: in two steps */
        add.flags &= ~(uint32_t)SECCOMP_ADDFD_FLAG_SEND;
        result = add_descriptor(listener, &add);
        if (result >= 0 && answer_result(listener, id, result)) {
            *error = 0;
            return true;
        }
        /* The copy in the guest cannot be taken back: it leaks there. */
        result = result < 0 ? result : -ENOENT;
    }
    *error = result == -ENOENT || result >= 0 ? 0 : result;
    return result >= 0;
}

bool answer_wanted(int listener, uint64_t id)
{
    return ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0;
}
