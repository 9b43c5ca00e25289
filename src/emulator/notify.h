/*
 * notify.h - the handlers: threads that receive the guest's trapped calls
 *
 * A call that takes long (a path on a slow file system) keeps one handler; the
 * others serve on.  Received eagerly: a signal undoes a call that nobody has
 * received, and only such (WAIT_KILLABLE_RECV).
 *
 * Threads:  start and stop by the supervisor's main thread.
 * Errors:   negative errno.
 */
#pragma once

#include "emulator/service.h"

struct notify;

int notify_start(struct service *, struct notify **);

/* Once no task has the filter any more: joins the handlers. */
void notify_stop(struct notify *);
