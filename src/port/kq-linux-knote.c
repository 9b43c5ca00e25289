/*
 * kq-linux-knote.c - knotes by descriptor number, and their queue
 *
 * As in the BSD kernels: a knote joins the queue's tail with its first pending
 * hint, later hints only add bits, and what it is asked for decides whether a
 * hint is taken, but then the whole hint is.
 */
#include "port/kq-linux-internal.h"

#include <assert.h>
#include <stdlib.h>

static bool is_user_id(int32_t id)
{
    return id < KNOTE_NONE;
}

struct knote *knote_at(struct kq *kq, int32_t id)
{
    assert(id != KNOTE_NONE);
    if (is_user_id(id))
        return &kq->users[-2 - id].knote;
    if (id >= KQ_PARKED_FIRST)
        return &parked_at(kq, id)->knote;
    return &kq->knote_chunks[id / KQ_CHUNK][id % KQ_CHUNK];
}

struct knote *knote_find(struct kq *kq, int host_fd)
{
    if (host_fd < 0)
        return NULL;
    if (host_fd >= KQ_PARKED_FIRST) {
        struct parked *parked = parked_at(kq, host_fd);
        return parked && (parked->knote.status & KNOTE_LIVE) ? &parked->knote
                                                             : NULL;
    }
    size_t chunk = (size_t)host_fd / KQ_CHUNK;
    if (chunk >= kq->nknote_chunks || !kq->knote_chunks[chunk])
        return NULL;
    struct knote *knote = knote_at(kq, host_fd);
    return knote->status & KNOTE_LIVE ? knote : NULL;
}

bool knote_had_number(struct kq *kq, int host_fd)
{
    size_t chunk = (size_t)host_fd / KQ_CHUNK;
    return chunk < kq->nknote_chunks && kq->knote_chunks[chunk] &&
           knote_at(kq, host_fd)->serial != 0;
}

struct user_knote *knote_find_user(struct kq *kq, uintptr_t ident)
{
    for (int i = 0; i < KQ_USERS; i++) {
        struct user_knote *user = &kq->users[i];
        if ((user->knote.status & KNOTE_LIVE) && user->ident == ident)
            return user;
    }
    return NULL;
}

static bool grow_to(struct kq *kq, size_t chunk)
{
    if (chunk >= kq->nknote_chunks) {
        size_t n = chunk + 1 + kq->nknote_chunks / 2;
        struct knote **chunks =
            realloc(kq->knote_chunks, n * sizeof(*kq->knote_chunks));
        if (!chunks)
            return false;
        for (size_t i = kq->nknote_chunks; i < n; i++)
            chunks[i] = NULL;
        kq->knote_chunks = chunks;
        kq->nknote_chunks = n;
    }
    if (!kq->knote_chunks[chunk])
        kq->knote_chunks[chunk] = calloc(KQ_CHUNK, sizeof(struct knote));
    return kq->knote_chunks[chunk] != NULL;
}

static void reset(struct kq *kq, struct knote *knote)
{
    *knote = (struct knote){
        .queue_next = KNOTE_NONE,
        .queue_prev = KNOTE_NONE,
        .node_next = KNOTE_NONE,
        .node_prev = KNOTE_NONE,
        .serial = ++kq->knote_serial,
        .status = KNOTE_LIVE,
    };
}

struct knote *knote_create(struct kq *kq, int host_fd)
{
    assert(host_fd >= 0 && !knote_find(kq, host_fd));
    if (!grow_to(kq, (size_t)host_fd / KQ_CHUNK))
        return NULL;
    struct knote *knote = knote_at(kq, host_fd);
    reset(kq, knote);
    return knote;
}

struct user_knote *knote_create_user(struct kq *kq, uintptr_t ident)
{
    for (int i = 0; i < KQ_USERS; i++) {
        struct user_knote *user = &kq->users[i];
        if (user->knote.status & KNOTE_LIVE)
            continue;
        reset(kq, &user->knote);
        user->ident = ident;
        return user;
    }
    return NULL;
}

void knote_attach(struct kq *kq, int host_fd, int32_t node)
{
    struct knote *knote = knote_at(kq, host_fd);
    int32_t *head = &node_at(kq, node)->knotes;
    assert(knote->node == 0);
    knote->node = node;
    knote->node_prev = KNOTE_NONE;
    knote->node_next = *head;
    if (*head != KNOTE_NONE)
        knote_at(kq, *head)->node_prev = host_fd;
    *head = host_fd;
}

static void detach(struct kq *kq, struct knote *knote)
{
    int32_t node = knote->node;
    if (node == 0)
        return;
    if (knote->node_prev != KNOTE_NONE)
        knote_at(kq, knote->node_prev)->node_next = knote->node_next;
    else
        node_at(kq, node)->knotes = knote->node_next;
    if (knote->node_next != KNOTE_NONE)
        knote_at(kq, knote->node_next)->node_prev = knote->node_prev;
    knote->node = 0;
    node_release(kq, node);
}

/* L4, pairs with L5 in kq_pending; the lock orders the writers */
static void count_queued(struct kq *kq, int by)
{
    kq->nqueued += (uint32_t)by;
    atomic_store_explicit(&kq->queued, kq->nqueued, memory_order_release);
}

static void queue_push(struct kq *kq, int32_t id)
{
    struct knote *knote = knote_at(kq, id);
    knote->status |= KNOTE_QUEUED;
    knote->queue_next = KNOTE_NONE;
    knote->queue_prev = kq->queue_tail;
    if (kq->queue_tail != KNOTE_NONE)
        knote_at(kq, kq->queue_tail)->queue_next = id;
    else
        kq->queue_head = id;
    kq->queue_tail = id;
    count_queued(kq, 1);
}

static void queue_remove(struct kq *kq, int32_t id)
{
    struct knote *knote = knote_at(kq, id);
    if (!(knote->status & KNOTE_QUEUED))
        return;
    knote->status &= (uint16_t)~KNOTE_QUEUED;
    if (knote->queue_prev != KNOTE_NONE)
        knote_at(kq, knote->queue_prev)->queue_next = knote->queue_next;
    else
        kq->queue_head = knote->queue_next;
    if (knote->queue_next != KNOTE_NONE)
        knote_at(kq, knote->queue_next)->queue_prev = knote->queue_prev;
    else
        kq->queue_tail = knote->queue_prev;
    count_queued(kq, -1);
}

void knote_destroy(struct kq *kq, int32_t id)
{
    struct knote *knote = knote_at(kq, id);
    queue_remove(kq, id);
    detach(kq, knote);
    knote->status = 0;
}

void knote_activate(struct kq *kq, int32_t id)
{
    struct knote *knote = knote_at(kq, id);
    if (!is_user_id(id) &&
        (knote->fflags != 0 || (knote->status & KNOTE_GONE_EOF)))
        knote->status |= KNOTE_ACTIVE;
    uint16_t all = KNOTE_ACTIVE | KNOTE_DISABLED | KNOTE_QUEUED;
    if ((knote->status & all) == KNOTE_ACTIVE)
        queue_push(kq, id);
}

void knote_disable(struct kq *kq, int32_t id)
{
    knote_at(kq, id)->status |= KNOTE_DISABLED;
    queue_remove(kq, id);
}

void knote_move(struct kq *kq, int32_t from, int32_t to)
{
    const struct knote *old = knote_at(kq, from);
    struct knote *knote = knote_at(kq, to);
    uint16_t told = KNOTE_ACTIVE | KNOTE_QUEUED;
    reset(kq, knote);
    knote->asked = old->asked;
    knote->fflags = old->fflags;
    knote->flags = old->flags;
    knote->udata = old->udata;
    knote->status |= old->status & (uint16_t)~told;
    knote_attach(kq, to, old->node);
    knote_destroy(kq, from);
    knote_activate(kq, to);
}

void knote_post(struct kq *kq, struct node *node, uint32_t hint)
{
    int32_t id = node->knotes;
    while (id != KNOTE_NONE) {
        struct knote *knote = knote_at(kq, id);
        if (knote->asked & hint) {
            knote->fflags |= (uint16_t)hint;
            knote_activate(kq, id);
        }
        id = knote->node_next;
    }
}

void knote_revoke(struct kq *kq, struct node *node)
{
    int32_t id = node->knotes;
    while (id != KNOTE_NONE) {
        struct knote *knote = knote_at(kq, id);
        knote->flags |= EV_EOF;
        if (kq->notes == KQ_NOTES_MACOS)
            knote->flags |= EV_ONESHOT;
        knote->fflags |= knote->asked & NOTE_REVOKE;
        knote->status |= KNOTE_GONE_EOF;
        knote_activate(kq, id);
        id = knote->node_next;
    }
}

static void fill_event(const struct kq *kq, int32_t id,
                       const struct knote *knote, struct kevent *event)
{
    bool is_user = is_user_id(id);
    event->ident = is_user ? kq->users[-2 - id].ident : (uintptr_t)id;
    event->filter = is_user ? EVFILT_USER : EVFILT_VNODE;
    event->flags = knote->flags;
    event->fflags = knote->fflags;
    event->data = 0;
    event->udata = knote->udata;
}

int knote_collect(struct kq *kq, struct kevent *events, int max)
{
    int n = 0;
    /* What is queued anew meanwhile, at the tail, is for the next call. */
    for (uint32_t left = kq->nqueued; left > 0 && n < max; left--) {
        int32_t id = kq->queue_head;
        struct knote *knote = knote_at(kq, id);
        queue_remove(kq, id);
        fill_event(kq, id, knote, &events[n++]);
        if (knote->flags & EV_ONESHOT) {
            knote_destroy(kq, id);
            continue;
        }
        if (!(knote->flags & (EV_CLEAR | EV_DISPATCH))) {
            queue_push(kq, id);
            continue;
        }
        if (!is_user_id(id) || (knote->flags & EV_CLEAR))
            knote->status &= (uint16_t)~KNOTE_ACTIVE;
        if (knote->flags & EV_CLEAR) {
            knote->fflags = 0;
            knote->status &= (uint16_t)~KNOTE_GONE_EOF;
        }
        if (knote->flags & EV_DISPATCH)
            knote->status |= KNOTE_DISABLED;
    }
    return n;
}
