/*
 * alarm.h - vnodes that want to be looked at again at a time of their own
 *
 * Unlike what rests (timer.h), such a vnode is not held meanwhile: its notes
 * are served as they come, and at the time HINT_ALARM is posted to it.  For
 * sweeps, and for what is said after a quiet time.
 *
 * Protocol: A1.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct vnotify;
struct vnode;

/*
 * The holder of the vnode's claim: an alarm at due_ns (now_ns) at the latest.
 * There is one alarm a vnode; whoever serves it asks for the next.
 */
void alarm_set(struct vnotify *, struct vnode *, uint64_t due_ns);

/* Worker 0's. */
struct alarms {
    struct alarm *heap; /* the first is due first */
    uint32_t count, size;
    uint64_t retry_ns; /* no memory for one: all that ask wait until then */
};

struct worker;

/* Worker 0: takes in what was asked for and posts what is due. */
void alarms_look(struct worker *);

/* When the next is due, or 0. */
uint64_t alarms_due_ns(const struct alarms *);

void alarms_fini(struct alarms *);
