/*
 * service.h - what every served call needs: the supervisor's state
 *
 * Threads:  read-only once the handlers run; its parts say who may use them.
 * Lifetime: from before the first call until after the last.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "emulator/outlets.h"
#include "emulator/window.h"
#include "vnotify.h"

struct repeats;

struct service {
    struct vnotify *engine;
    struct outlets *outlets;
    struct window window;
    struct repeats *repeats;
    int listener;
    bool strict;
};

/* A trapped call, decoded from its notification. */
struct trapped {
    uint64_t id;
    pid_t tid;
    uint32_t audit_arch;
    int number;
    uint64_t args[6];
};

/* Serves one call in the calling thread and answers it. */
void serve(struct service *, const struct trapped *);
