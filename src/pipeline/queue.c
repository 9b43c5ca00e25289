/*
 *     pusher                              reader
 *       write the event
 *       add its size to bytes  (Q2)
 *       Q1 enqueue: release                 Q1 dequeue: acquire
 *                                           copy and free the event
 *                                           take its size from bytes  (Q2)
 *
 * Q1  ck_ring's own protocol: the producer's tail store is behind a store
 *     fence, the consumer's head store behind its reads, so an event is
 *     complete before it can be seen and its slot is read before it is reused.
 * Q2  bytes is added to before the event can be popped, so it never goes below
 *     zero, and who sees zero knows that nothing was ready at that moment.
 *
 * Merging.  An event equal to the newest is dropped if that one is unread.  It
 * is enough to look once: the change that we would report happened before the
 * look, and the newest event was still unread at the look, so the guest will
 * read it after the change, which is all that a merged event ever says.
 */
#include "pipeline/queue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int queue_init(struct queue *queue, const struct arenas *arenas,
               unsigned capacity)
{
    *queue = (struct queue){ .arenas = arenas };
    ck_ring_init(&queue->ring, capacity);
    atomic_init(&queue->bytes, 0);
    queue->slots = calloc(capacity, sizeof(*queue->slots));
    queue->last = malloc(PACK_BYTES_MAX);
    if (queue->slots == NULL || queue->last == NULL) {
        free(queue->slots);
        free(queue->last);
        return -ENOMEM;
    }
    /* Equal to no event: watch descriptors begin with 1. */
    pack_event(queue->last, 0, 0, 0, NULL, 0);
    return 0;
}

void queue_fini(struct queue *queue)
{
    while (queue_peek(queue) != NULL)
        queue_pop(queue);
    free(queue->slots);
    free(queue->last);
}

enum queue_outcome queue_push(struct queue *queue, int wd, uint32_t mask,
                              uint32_t cookie, const char *name,
                              size_t name_len)
{
    size_t bytes = pack_bytes(name_len);
    _Alignas(struct vnotify_event) char packed[PACK_BYTES_MAX];
    struct vnotify_event *event = (struct vnotify_event *)(void *)packed;

    pack_event(event, wd, mask, cookie, name, name_len);
    if (queue_bytes(queue) != 0 && pack_merges(queue->last, event))
        return QUEUE_MERGED;
    if (ck_ring_size(&queue->ring) >= ck_ring_capacity(&queue->ring) - 1)
        return QUEUE_FULL;
    event = arena_alloc(queue->arenas, ARENA_EVENT, bytes);
    if (event == NULL)
        return QUEUE_NO_MEMORY;
    memcpy(event, packed, bytes);
    memcpy(queue->last, packed, bytes);
    atomic_fetch_add_explicit(&queue->bytes, bytes, /* Q2 */
                              memory_order_seq_cst);
    SYNC_RELEASE(&queue->ring); /* Q1 */
    /* The pusher alone fills it, and there was room. */
    (void)ck_ring_enqueue_spsc(&queue->ring, queue->slots, event);
    return QUEUE_PUSHED;
}

const struct vnotify_event *queue_peek(struct queue *queue)
{
    if (queue->head != NULL)
        return queue->head;
    if (!ck_ring_dequeue_spsc(&queue->ring, queue->slots, &queue->head))
        return NULL;
    SYNC_ACQUIRE(&queue->ring); /* Q1 */
    return queue->head;
}

void queue_pop(struct queue *queue)
{
    size_t bytes = sizeof(*queue->head) + queue->head->len;

    arena_free(queue->arenas, queue->head);
    queue->head = NULL;
    atomic_fetch_sub_explicit(&queue->bytes, bytes, /* Q2 */
                              memory_order_seq_cst);
}

size_t queue_bytes(const struct queue *queue)
{
    return atomic_load_explicit(&queue->bytes, memory_order_seq_cst); /* Q2 */
}

unsigned queue_events(const struct queue *queue)
{
    return ck_ring_size(&queue->ring);
}
