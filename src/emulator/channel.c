/*
 * channel.c - what the three processes of a run tell each other
 */
#include "emulator/channel.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/* Room for one descriptor, aligned as the kernel wants it. */
union control {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int))];
};

int channel_create(int ends[2])
{
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0
               ? 0
               : -errno;
}

int channel_send(int end, enum channel_kind kind, int value, int passed_fd)
{
    struct channel_message message = { kind, value };
    struct iovec iov = { &message, sizeof(message) };
    union control control = { 0 };
    struct msghdr header = { .msg_iov = &iov, .msg_iovlen = 1 };

    if (passed_fd >= 0) {
        header.msg_control = &control;
        header.msg_controllen = sizeof(control);
        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        control.header.cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(&control.header), &passed_fd, sizeof(int));
    }
    return sendmsg(end, &header, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int channel_receive(int end, struct channel_message *message, int *passed_fd)
{
    struct iovec iov = { message, sizeof(*message) };
    union control control = { 0 };
    struct msghdr header = {
        .msg_iov = &iov,
        .msg_iovlen = 1,
        .msg_control = &control,
        .msg_controllen = sizeof(control),
    };
    struct cmsghdr *first;
    ssize_t got;

    do
        got = recvmsg(end, &header, MSG_CMSG_CLOEXEC);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return -errno;
    if (got != sizeof(*message))
        return -EPIPE;
    if (!passed_fd)
        return 0;
    *passed_fd = -1;
    first = CMSG_FIRSTHDR(&header);
    if (first && first->cmsg_type == SCM_RIGHTS)
        memcpy(passed_fd, CMSG_DATA(first), sizeof(int));
    return 0;
}
