/*
 * serve-waiting.c - what is done with an instance's descriptor
 */
#include "emulator/serve-waiting.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "emulator/answer.h"
#include "emulator/filter.h"
#include "emulator/guest-look.h"
#include "emulator/guest-mem.h"
#include "emulator/guest-task.h"
#include "emulator/outlet-read.h"

/* Linux: no call transfers more than this. */
#define READ_BYTES_MAX (UINT64_C(0x7ffff000))

/* What has happened is in the queues. */
static void sync_engine(struct service *service)
{
    if (service->strict)
        vnotify_sync(service->engine);
}

/* What has happened is in the pipes. */
static void sync_outlets(struct service *service)
{
    sync_engine(service);
    outlets_settle(service->outlets);
}

/* The outlet behind args[0]; acquired. */
static struct outlet *find_outlet(struct service *service,
                                  const struct trapped *call)
{
    struct guest_look look = { 0 };
    struct stat file;
    int error;

    do
        error = guest_task_fd_stat(call->tid, (int)call->args[0], &file);
    while (guest_look_again(&look, call->tid, error));
    if (error < 0 || !answer_wanted(service->listener, call->id))
        return NULL;
    return outlets_find(service->outlets, file.st_dev, file.st_ino);
}

/* The guest's iovecs; false: it is for the kernel to say what is wrong. */
static bool copy_iovecs(const struct trapped *call, bool narrow,
                        struct read_call *read)
{
    for (size_t i = 0; i < read->count; i++) {
        struct inotify_iovec *to = &read->iov[i];
        uint64_t wide[2];
        uint32_t half[2];
        size_t bytes = narrow ? sizeof(half) : sizeof(wide);
        uint64_t from = call->args[1] + i * bytes;

        if (guest_mem_read(call->tid, narrow ? (uint32_t)from : from,
                           narrow ? (void *)half : (void *)wide, bytes) < 0)
            return false;
        to->guest_addr = narrow ? half[0] : wide[0];
        to->bytes = narrow ? half[1] : wide[1];
        if (to->bytes > READ_BYTES_MAX)
            return false;
    }
    return true;
}

/* The call in our terms; NULL if the kernel shall do it. */
static struct read_call *read_call_create(struct service *service,
                                          const struct trapped *call,
                                          struct call what)
{
    bool vectored = what.kind == CALL_READV;
    size_t count = vectored ? (size_t)call->args[2] : 1;
    struct read_call *read;

    if (count < 1 || count > READ_CALL_IOVECS)
        return NULL;
    read = calloc(1, sizeof(*read) + count * sizeof(read->iov[0]));
    if (!read)
        return NULL;
    read->listener = service->listener;
    read->id = call->id;
    read->tid = call->tid;
    read->guest_fd = (int)call->args[0];
    read->vectored = vectored;
    read->count = count;
    if (!vectored) {
        read->iov[0].guest_addr =
            what.narrow ? (uint32_t)call->args[1] : call->args[1];
        read->iov[0].bytes = call->args[2] > READ_BYTES_MAX ? READ_BYTES_MAX
                                                            : call->args[2];
    } else if (!copy_iovecs(call, what.narrow, read)) {
        free(read);
        return NULL;
    }
    return read;
}

/* Not --strict: only a buffer that may cut a packet is for us. */
static bool cuts_a_packet(const struct read_call *read)
{
    uint64_t room = 0;

    for (size_t i = 0; i < read->count; i++)
        room += read->iov[i].bytes;
    return room > 0 && room < FILTER_PACKET_MAX;
}

static void serve_read(struct service *service, const struct trapped *call,
                       struct call what)
{
    struct outlet *outlet = find_outlet(service, call);
    struct read_call *read =
        outlet ? read_call_create(service, call, what) : NULL;

    if (read && what.kind == CALL_READV && !service->strict &&
        !cuts_a_packet(read)) {
        free(read);
        read = NULL;
    }
    if (!read) {
        answer_continue(service->listener, call->id);
    } else {
        sync_engine(service);
        outlet_claim(outlet);
        read_call_serve(outlet, read);
        outlet_unclaim(outlet);
    }
    if (outlet)
        outlet_release(outlet);
}

static void serve_fionread(struct service *service, const struct trapped *call,
                           struct call what)
{
    struct outlet *outlet = find_outlet(service, call);
    uint64_t to = what.narrow ? (uint32_t)call->args[2] : call->args[2];

    if (!outlet) {
        answer_continue(service->listener, call->id);
        return;
    }
    sync_engine(service);
    outlet_claim(outlet);
    if (answer_wanted(service->listener, call->id))
        answer_result(service->listener, call->id,
                      outlet_fionread(outlet, !service->strict, call->tid,
                                      to));
    outlet_unclaim(outlet);
    outlet_release(outlet);
}

/* The address of a timeout; 0 if the call has none. */
static uint64_t timeout_address(const struct trapped *call, struct call what)
{
    uint32_t old_select[5]; /* i386: n, three sets, timeout */

    switch (what.kind) {
    case CALL_SELECT:
    case CALL_PSELECT:
        return call->args[4];
    case CALL_PPOLL:
        return call->args[2];
    case CALL_EPOLL_PWAIT2:
        return call->args[3];
    case CALL_OLD_SELECT:
        if (guest_mem_read(call->tid, (uint32_t)call->args[0], old_select,
                           sizeof(old_select)) == 0)
            return old_select[4];
        return 0;
    default:
        return 0;
    }
}

/* Two words, both zero: a timeval or a timespec of no length. */
static bool is_zero_timeout(const struct trapped *call, struct call what)
{
    uint64_t words[2] = { 1, 1 };
    uint64_t from = timeout_address(call, what);
    size_t bytes =
        what.narrow && !what.time64 ? sizeof(words) / 2 : sizeof(words);

    if (!from || guest_mem_read(call->tid, what.narrow ? (uint32_t)from : from,
                                words, bytes) < 0)
        return false;
    return !words[0] && (bytes < sizeof(words) || !words[1]);
}

/*
 * A copy gets a number in the window, too: outside of it, its short reads would
 * not be trapped.  (dup2 asks for a certain number and gets it.)  Where it
 * cannot be, the call is left to the kernel, which knows what is wrong with it.
 */
static void serve_dup(struct service *service, const struct trapped *call,
                      struct call what)
{
    bool from_fcntl = what.kind == CALL_FCNTL;
    bool cloexec = from_fcntl && (int)call->args[1] == F_DUPFD_CLOEXEC;
    struct outlet *outlet = find_outlet(service, call);
    int host_fd = -1;
    int least = from_fcntl ? (int)call->args[2] : 0;
    int guest_fd = -1;
    int error = -EBADF;

    if (outlet && least >= 0) {
        host_fd = guest_task_fd_copy(call->tid, (int)call->args[0]);
        guest_fd = window_reserve(&service->window, call->tid, least);
    }
    if (host_fd >= 0 && guest_fd >= 0)
        answer_descriptor(service->listener, call->id, host_fd, guest_fd,
                          cloexec, &error);
    if (error < 0)
        answer_continue(service->listener, call->id);
    if (guest_fd >= 0)
        window_release(&service->window, guest_fd);
    if (host_fd >= 0)
        close(host_fd);
    if (outlet)
        outlet_release(outlet);
}

void serve_waiting(struct service *service, const struct trapped *call,
                   struct call what)
{
    switch (what.kind) {
    case CALL_READ:
    case CALL_READV:
        serve_read(service, call, what);
        return;
    case CALL_DUP:
    case CALL_FCNTL:
        serve_dup(service, call, what);
        return;
    case CALL_IOCTL:
        serve_fionread(service, call, what);
        return;
    case CALL_POLL_MS:
        sync_outlets(service);
        break;
    default:
        if (is_zero_timeout(call, what))
            sync_outlets(service);
        break;
    }
    answer_continue(service->listener, call->id);
}
