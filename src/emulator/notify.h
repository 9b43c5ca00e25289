/*
 * notify.h - the handlers: threads that receive the guest's trapped calls
 *
 * A call that takes long (a path on a slow file system) keeps one handler; the
 * others serve on, and more are started where all have one.  Received eagerly: a
 * signal undoes a call that nobody has received, and only such
 * (WAIT_KILLABLE_RECV).
 *
 * Threads:  start and stop by the supervisor's main thread; answering: any.
 * Errors:   negative errno.
 */
#pragma once

#include "emulator/service.h"

struct notify;

int notify_start(struct service *, struct notify **);

/* The calling thread, if it is a handler, has no more to do that may take long. */
void notify_answering(void);

/*
 * Once no task has the filter any more: joins the handlers, however long the
 * calls take that they serve still.
 */
void notify_stop(struct notify *);
