/*
 * outlet-read.c - reads of an outlet that the filter trapped
 */
#include "emulator/outlet-read.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "emulator/answer.h"
#include "emulator/guest-look.h"
#include "emulator/guest-mem.h"
#include "emulator/guest-signals.h"
#include "emulator/guest-task.h"
#include "emulator/outlets.h"
#include "syscall/linux-errno.h"

/*
 * The kernel's own "interrupted; restart as the handler's flags say", which a
 * supervisor may answer too: a signal that found its thread in a parked read
 * ends the read exactly as it would have natively.
 */
enum {
    LINUX_ERESTARTSYS = 512,
    /* How long a signal waits that another thread may have been told of, until
       it is taken for this one's: that one would have taken it by then. */
    DOUBT_NS = 60 * 1000 * 1000,
};

/* The guest of read.h, as far as a read needs one. */
struct reading_guest {
    struct guest guest;
    pid_t tid;
};

static int reading_copy_out(struct guest *guest, uint64_t guest_addr,
                            const void *from, size_t bytes)
{
    return guest_mem_write(((struct reading_guest *)guest)->tid, guest_addr,
                           from, bytes);
}

static const struct guest_ops reading_ops = {
    .copy_out = reading_copy_out,
};

static size_t one_read_pending(struct inotify_source *source)
{
    return outlet_one_read(((struct outlet_source *)source)->outlet);
}

int64_t outlet_fionread(struct outlet *outlet, bool one_read, pid_t tid,
                        uint64_t guest_addr)
{
    struct reading_guest guest = { { &reading_ops }, tid };
    struct outlet_source source;

    outlet_source_init(&source, outlet);
    if (one_read)
        source.source.pending = one_read_pending;
    return inotify_fionread(&guest.guest, &source.source, guest_addr);
}

/* Tries once; false if there is nothing to read. */
static bool call_try(struct outlet *outlet, struct read_call *call)
{
    struct reading_guest guest = { { &reading_ops }, call->tid };
    struct outlet_source source;
    int64_t result;

    if (!answer_wanted(call->listener, call->id))
        return true; /* take nothing for a guest that is gone */
    outlet_source_init(&source, outlet);
    if (call->vectored)
        result = inotify_readv(&guest.guest, &source.source, call->iov,
                               call->count);
    else
        result = inotify_read(&guest.guest, &source.source,
                              call->iov[0].guest_addr, call->iov[0].bytes);
    if (result != -LINUX_EAGAIN &&
        !answer_result(call->listener, call->id, result) && result > 0)
        outlet_source_undo(&source);
    outlet_source_fini(&source);
    return result != -LINUX_EAGAIN;
}

static bool takes_any_event(const struct read_call *call)
{
    uint64_t room = 0;

    for (size_t i = 0; i < call->count; i++)
        room += call->iov[i].bytes;
    return room >= GUEST_EVENT_MAX;
}

static void call_park(struct outlet *outlet, struct read_call *call)
{
    struct read_call **at = &outlet->parked;

    while (*at)
        at = &(*at)->next;
    call->next = NULL;
    *at = call;
    if (outlet->parked_fd < 0)
        outlet->parked_fd = outlet_reader_open(outlet);
    if (!outlet->attended)
        outlets_attend(outlet->all, &outlet->attended);
}

/* No call is parked any more. */
static void unpark(struct outlet *outlet)
{
    if (outlet->parked_fd >= 0)
        close(outlet->parked_fd);
    outlet->parked_fd = -1;
    outlets_attended(outlet->all, &outlet->attended);
}

/* Whether it is to wait; not if that may not be known.  Where we have no room to
   look, it waits: most that are not ready do. */
static bool waits(const struct read_call *call)
{
    struct guest_look look = { 0 };
    int blocks;

    do
        blocks = guest_task_fd_blocks(call->tid, call->guest_fd);
    while (guest_look_again(&look, call->tid, blocks));
    return blocks > 0 || blocks == -EMFILE || blocks == -ENFILE ||
           blocks == -ENOMEM;
}

void read_call_serve(struct outlet *outlet, struct read_call *call)
{
    if (call_try(outlet, call)) {
        free(call);
    } else if (takes_any_event(call)) {
        /* No packet is cut, as each is one event from now on; waits, or says
           EAGAIN, as the flags ask. */
        answer_continue(call->listener, call->id);
        free(call);
    } else if (!waits(call)) {
        answer_result(call->listener, call->id, -LINUX_EAGAIN);
        free(call);
    } else {
        call_park(outlet, call);
    }
}

static uint64_t monotonic_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/*
 * Has a signal ended the call?  Where it is not sure that the thread was told of
 * it, the kernel would hand ERESTARTSYS to the program as it is: so it is EINTR
 * then, whatever the handler's flags.
 */
static bool call_interrupted(struct read_call *call)
{
    enum guest_signals signals = guest_signals(call->tid);
    uint64_t now = monotonic_ns();

    if (signals == GUEST_SIGNALS_NONE)
        call->doubted_ns = 0;
    else if (call->doubted_ns == 0)
        call->doubted_ns = now;
    if (signals == GUEST_SIGNALS_NONE ||
        (signals == GUEST_SIGNALS_MAYBE && now < call->doubted_ns + DOUBT_NS))
        return false;
    answer_result(call->listener, call->id,
                  signals == GUEST_SIGNALS_OWN ? -LINUX_ERESTARTSYS
                                               : -LINUX_EINTR);
    return true;
}

void read_calls_serve(struct outlet *outlet)
{
    struct read_call **at = &outlet->parked;

    while (*at) {
        struct read_call *call = *at;

        if (!call_try(outlet, call) && !call_interrupted(call)) {
            at = &call->next;
            continue;
        }
        *at = call->next;
        free(call);
    }
    if (!outlet->parked)
        unpark(outlet);
}

void read_calls_drop(struct outlet *outlet)
{
    while (outlet->parked) {
        struct read_call *call = outlet->parked;

        outlet->parked = call->next;
        answer_result(call->listener, call->id, -LINUX_EBADF);
        free(call);
    }
    unpark(outlet);
}
