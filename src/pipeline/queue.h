/*
 * queue.h - packed events of one inotify instance, worker to guest
 *
 * Threads:  push, last: the holder of the instance's claim.  peek, pop: the
 *           one that reads the instance.  bytes, empty: any.
 * Progress: all are wait-free (ck_ring SPSC); push allocates the event.
 * Full:     push refuses; the watch stays behind and is owed the difference.
 * Lifetime: inside struct vnotify_instance, gone with it.
 * Protocol: Q1, Q2, at the top of queue.c.
 */
#pragma once

#include <ck_ring.h>

#include "abi/pack.h"
#include "pipeline/arena.h"
#include "pipeline/sync.h"

struct queue {
    const struct arenas *arenas;
    ck_ring_t ring; /* of struct vnotify_event *; Q1 */
    ck_ring_buffer_t *slots;
    _Atomic size_t bytes;       /* of all events not yet popped: Q2 */
    struct vnotify_event *head; /* reader: dequeued, not yet taken */
    struct vnotify_event *last; /* pusher: a copy of the newest event */
};

/* `capacity`: a power of two; one slot of it stays free.  -ENOMEM. */
int queue_init(struct queue *, const struct arenas *, unsigned capacity);
void queue_fini(struct queue *);

enum queue_outcome { QUEUE_PUSHED, QUEUE_MERGED, QUEUE_FULL, QUEUE_NO_MEMORY };

/* Merges with the newest event if that is equal and still unread. */
enum queue_outcome queue_push(struct queue *, int wd, uint32_t mask,
                              uint32_t cookie, const char *name,
                              size_t name_len);

/* The oldest event, or NULL; it stays until popped. */
const struct vnotify_event *queue_peek(struct queue *);
void queue_pop(struct queue *);

size_t queue_bytes(const struct queue *);
unsigned queue_events(const struct queue *);
