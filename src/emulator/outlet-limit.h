/*
 * outlet-limit.h - --queue-limit: Linux's limit of unread events
 *
 * By default nothing is ever dropped.  A program whose own handling of
 * IN_Q_OVERFLOW is under test gets the kernel's behaviour instead (6.18,
 * fs/notify/notification.c): when `limit` events are unread the next one is
 * dropped, equal to the last or not, and IN_Q_OVERFLOW is queued unless one is
 * unread already; it counts as an event itself.
 *
 * Threads: the outlet's claim's holder.
 */
#pragma once

#include "emulator/outlet.h"

/* Moves all events from the instance's queue into the backlog, up to the limit,
   so that what the guest has not read is all in the outlet's sight. */
void outlet_limit_take(struct outlet *);
