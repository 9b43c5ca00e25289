/*
 * A1.  A vnode's holder writes alarm_ns, then puts the vnode on the list unless
 * it is there (alarm_listed, set by whoever puts it there).  Worker 0 clears
 * alarm_listed, then reads alarm_ns: so it has seen the time, or finds the
 * vnode on the list once more.  The heap has copies, not vnodes: an alarm may
 * outlive what it was for, and is then refused as any stale note is, or is one
 * look too many.
 *
 * A vnode that has ended may still be on the list.  Its alarm_ns is cleared
 * before its generation ends, and read here after the generation: so a time
 * that is read together with a new generation was set in that one, and a slot
 * that nobody uses is never posted to.
 */
#include "pipeline/alarm.h"

#include <stdlib.h>

#include "pipeline/engine.h"

struct alarm {
    uint64_t due_ns;
    uint32_t slot, generation;
};

enum { RETRY_NS = 10 * 1000 * 1000 };

void alarm_set(struct vnotify *engine, struct vnode *vnode, uint64_t due_ns)
{
    /* relaxed: written by holders alone, but for the generation's end */
    uint64_t set = atomic_load_explicit(&more(vnode)->alarm_ns,
                                        memory_order_relaxed);

    if (set != 0 && set <= due_ns)
        return;
    /* relaxed: before the exchange, which publishes it (A1) */
    atomic_store_explicit(&more(vnode)->alarm_ns, due_ns,
                          memory_order_relaxed);
    if (atomic_exchange_explicit(&more(vnode)->alarm_listed, 1, /* A1 */
                                 memory_order_seq_cst) != 0)
        return;
    more(vnode)->alarm_vnode = vnode;
    handoff_give(&engine->alarms, &more(vnode)->alarm_link);
    lot_wake_by(&engine->lot, 0, due_ns);
}

static bool push(struct alarms *alarms, struct alarm alarm)
{
    uint32_t at = alarms->count;

    if (alarms->count == alarms->size) {
        uint32_t size = alarms->size == 0 ? 64 : alarms->size * 2;
        struct alarm *heap = realloc(alarms->heap, size * sizeof(*heap));

        if (heap == NULL)
            return false;
        alarms->heap = heap;
        alarms->size = size;
    }
    alarms->count++;
    for (; at > 0 && alarms->heap[(at - 1) / 2].due_ns > alarm.due_ns;
         at = (at - 1) / 2)
        alarms->heap[at] = alarms->heap[(at - 1) / 2];
    alarms->heap[at] = alarm;
    return true;
}

static void drop_first(struct alarms *alarms)
{
    struct alarm last = alarms->heap[--alarms->count];
    uint32_t at = 0, child;

    while ((child = at * 2 + 1) < alarms->count) {
        if (child + 1 < alarms->count &&
            alarms->heap[child + 1].due_ns < alarms->heap[child].due_ns)
            child++;
        if (last.due_ns <= alarms->heap[child].due_ns)
            break;
        alarms->heap[at] = alarms->heap[child];
        at = child;
    }
    alarms->heap[at] = last;
}

static void take_asked(struct worker *worker)
{
    struct vnotify *engine = worker->engine;
    struct handoff_link *link = handoff_take(&engine->alarms);

    while (link != NULL) {
        struct vnode *vnode =
            HANDOFF_OBJECT(struct more, alarm_link, link)->alarm_vnode;
        struct alarm alarm = { .slot = vnode->slot };

        link = link->next;
        (void)atomic_exchange_explicit(&more(vnode)->alarm_listed, 0, /* A1 */
                                       memory_order_seq_cst);
        alarm.generation = claim_generation(&vnode->claim);
        alarm.due_ns = atomic_load_explicit(&more(vnode)->alarm_ns, /* A1 */
                                            memory_order_relaxed);
        if (alarm.due_ns != 0 && !push(&worker->alarms, alarm)) {
            /* No memory: it stays on the list. */
            worker->alarms.retry_ns = now_ns() + RETRY_NS;
            if (atomic_exchange_explicit(&more(vnode)->alarm_listed, 1, /* A1 */
                                         memory_order_seq_cst) == 0)
                handoff_give(&engine->alarms, &more(vnode)->alarm_link);
        }
    }
}

static void ring(struct worker *worker, const struct alarm *alarm)
{
    struct vnotify *engine = worker->engine;
    struct vnode *vnode = registry_slot(&engine->registry, alarm->slot);
    unsigned phases = barrier_join(&engine->barrier);

    if (claim_post(&vnode->claim, &engine->barrier, alarm->generation,
                   HINT_ALARM, phases) == CLAIM_TAKEN)
        worker_serve(worker, vnode);
}

void alarms_look(struct worker *worker)
{
    struct alarms *alarms = &worker->alarms;
    uint64_t now = now_ns();

    if (alarms->retry_ns <= now) {
        alarms->retry_ns = 0;
        take_asked(worker);
    }
    while (alarms->count > 0 && alarms->heap[0].due_ns <= now) {
        struct alarm alarm = alarms->heap[0];

        drop_first(alarms);
        ring(worker, &alarm);
    }
}

uint64_t alarms_due_ns(const struct alarms *alarms)
{
    uint64_t due = alarms->count == 0 ? 0 : alarms->heap[0].due_ns;

    return due == 0 || (alarms->retry_ns != 0 && alarms->retry_ns < due)
               ? alarms->retry_ns
               : due;
}

void alarms_fini(struct alarms *alarms)
{
    free(alarms->heap);
}
