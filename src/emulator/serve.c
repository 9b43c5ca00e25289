/*
 * serve.c - one trapped call, from its notification to its answer
 *
 * What comes from the guest's memory or from /proc is checked by answer_wanted
 * before anything is done with it: only then was it this guest's.
 */
#include <errno.h>
#include <unistd.h>

#include "emulator/answer.h"
#include "emulator/calls.h"
#include "emulator/guest-home.h"
#include "emulator/guest-look.h"
#include "emulator/guest-mem.h"
#include "emulator/guest-path.h"
#include "emulator/guest-rights.h"
#include "emulator/guest-task.h"
#include "emulator/repeats.h"
#include "emulator/serve-waiting.h"
#include "emulator/service.h"
#include "syscall/inotify.h"
#include "syscall/linux-errno.h"

struct serving {
    struct guest guest;
    struct service *service;
    const struct trapped *call;
    bool narrow;
    bool gone;     /* the guest waits no longer: no answer */
    bool answered; /* ADDFD did it */
    struct outlet *outlet;
};

static uint64_t guest_address(const struct serving *serving, uint64_t value)
{
    return serving->narrow ? (uint32_t)value : value;
}

static bool still_wanted(struct serving *serving)
{
    serving->gone =
        !answer_wanted(serving->service->listener, serving->call->id);
    return !serving->gone;
}

static int serving_copy_path(struct guest *guest, uint64_t guest_addr,
                             char *path)
{
    struct serving *serving = (struct serving *)guest;
    int error =
        guest_mem_read_string(serving->call->tid,
                              guest_address(serving, guest_addr), path,
                              GUEST_PATH_MAX);

    return still_wanted(serving) ? error : -ESRCH;
}

static int serving_copy_in(struct guest *guest, uint64_t guest_addr, void *to,
                           size_t bytes)
{
    struct serving *serving = (struct serving *)guest;

    return guest_mem_read(serving->call->tid,
                          guest_address(serving, guest_addr), to, bytes);
}

static int serving_copy_out(struct guest *guest, uint64_t guest_addr,
                            const void *from, size_t bytes)
{
    struct serving *serving = (struct serving *)guest;

    if (!still_wanted(serving))
        return -ESRCH;
    return guest_mem_write(serving->call->tid,
                           guest_address(serving, guest_addr), from, bytes);
}

static int serving_open_path(struct guest *guest, const char *path,
                             unsigned how)
{
    struct serving *serving = (struct serving *)guest;
    int host_fd = guest_path_open(serving->call->tid, path, how);
    bool wanted = still_wanted(serving);

    guest_home_settle(serving->call->tid, wanted);
    if (wanted)
        return host_fd;
    if (host_fd >= 0)
        close(host_fd);
    return -ESRCH;
}

static int serving_find_instance(struct guest *guest, int guest_fd,
                                 struct vnotify_instance **instance)
{
    struct serving *serving = (struct serving *)guest;
    pid_t tid = serving->call->tid;
    struct guest_look look = { 0 };
    struct stat file;
    int error;

    do
        error = guest_task_pipe_stat(tid, guest_fd, &file);
    while (guest_look_again(&look, tid, error));
    if (!still_wanted(serving))
        return -ESRCH;
    /* Linux has no such error here, so that nobody takes it for the path's. */
    if (error == -EACCES || error == -EPERM) {
        guest_look_complain(tid);
        return -EPERM;
    }
    if (error < 0)
        return error;
    serving->outlet = outlets_find(serving->service->outlets, file.st_dev,
                                   file.st_ino);
    if (!serving->outlet)
        return -EINVAL;
    *instance = serving->outlet->instance;
    return 0;
}

/* At a number of the window; at any where that cannot be. */
static int answer_instance(struct serving *serving, int guest_end,
                           bool cloexec)
{
    struct service *service = serving->service;
    int guest_fd = window_reserve(&service->window, serving->call->tid, 0);
    int error = -EBADF;

    if (guest_fd >= 0) {
        serving->answered =
            answer_descriptor(service->listener, serving->call->id, guest_end,
                              guest_fd, cloexec, &error);
        window_release(&service->window, guest_fd);
    }
    if (!serving->answered && error < 0)
        serving->answered =
            answer_descriptor(service->listener, serving->call->id, guest_end,
                              -1, cloexec, &error);
    serving->gone = !serving->answered && error == 0;
    return error;
}

static int serving_create_instance(struct guest *guest, bool nonblock,
                                   bool cloexec)
{
    struct serving *serving = (struct serving *)guest;
    struct service *service = serving->service;
    struct outlet *outlet;
    int guest_end;
    int error =
        outlet_create(service->outlets, nonblock, &guest_end, &outlet);

    if (error < 0)
        return error;
    error = outlets_insert(service->outlets, outlet);
    if (error == 0)
        error = answer_instance(serving, guest_end, cloexec);
    else
        outlet_release(outlet);
    /* From here on the guest's copies, if it got any, keep the outlet. */
    close(guest_end);
    return error;
}

static const struct guest_ops serving_ops = {
    .copy_path = serving_copy_path,
    .copy_in = serving_copy_in,
    .copy_out = serving_copy_out,
    .open_path = serving_open_path,
    .find_instance = serving_find_instance,
    .create_instance = serving_create_instance,
};

static int64_t serve_inotify(struct serving *serving, enum call_kind kind)
{
    struct guest *guest = &serving->guest;
    const uint64_t *args = serving->call->args;

    switch (kind) {
    case CALL_INOTIFY_INIT:
        return inotify_serve_init(guest);
    case CALL_INOTIFY_INIT1:
        return inotify_serve_init1(guest, (int)args[0]);
    case CALL_INOTIFY_ADD_WATCH:
        return inotify_serve_add_watch(guest, (int)args[0], args[1],
                                 (uint32_t)args[2]);
    default:
        return inotify_serve_rm_watch(guest, (int)args[0], (int32_t)args[1]);
    }
}

/* What changes watches must not be undone by a repeat that fails. */
static void answer_inotify(struct serving *serving, int64_t result)
{
    struct service *service = serving->service;
    ino_t instance = serving->outlet ? serving->outlet->ino : 0;
    int64_t kept;

    if (repeats_take(service->repeats, serving->call, instance, &kept) &&
        result < 0 && instance)
        result = kept;
    if (!answer_result(service->listener, serving->call->id, result) &&
        result >= 0 && instance)
        repeats_keep(service->repeats, serving->call, instance, result);
}

/* Whether it is the kernel's to do; some are trapped to be known of. */
static bool goes_on(enum call_kind kind)
{
    switch (kind) {
    case CALL_SETGROUPS:
        guest_rights_changed();
        return true;
    case CALL_LEAVE_HOME:
        guest_home_left();
        return true;
    default:
        return kind == CALL_NONE;
    }
}

void serve(struct service *service, const struct trapped *call)
{
    struct call what = calls_find(call->audit_arch, call->number);
    struct serving serving = {
        .guest = { &serving_ops },
        .service = service,
        .call = call,
        .narrow = what.narrow,
    };
    int64_t result;

    if (goes_on(what.kind)) {
        answer_continue(service->listener, call->id);
        return;
    }
    if (what.kind >= CALL_READ) {
        serve_waiting(service, call, what);
        return;
    }
    /* What happened until now belongs to the watches as they are now. */
    if (service->strict)
        vnotify_sync(service->engine);
    result = serve_inotify(&serving, what.kind);
    if (!serving.gone && !serving.answered)
        answer_inotify(&serving, result);
    if (serving.outlet)
        outlet_release(serving.outlet);
}
