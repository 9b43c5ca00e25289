/*
 * repeats.c - calls whose answer the guest never got, and will make again
 */
#include "emulator/repeats.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
    KEPT = 64,
    ARGS = 3, /* of inotify_add_watch; rm_watch has two */
};

struct kept {
    struct trapped call; /* tid 0: none */
    ino_t instance;
    int64_t result;
};

struct repeats {
    pthread_mutex_t lock;
    unsigned next;
    struct kept kept[KEPT];
};

struct repeats *repeats_create(void)
{
    struct repeats *repeats = calloc(1, sizeof(*repeats));

    if (repeats)
        pthread_mutex_init(&repeats->lock, NULL);
    return repeats;
}

void repeats_destroy(struct repeats *repeats)
{
    if (!repeats)
        return;
    pthread_mutex_destroy(&repeats->lock);
    free(repeats);
}

void repeats_keep(struct repeats *repeats, const struct trapped *call,
                  ino_t instance, int64_t result)
{
    struct kept *kept;

    pthread_mutex_lock(&repeats->lock);
    kept = &repeats->kept[repeats->next++ % KEPT];
    kept->call = *call;
    kept->instance = instance;
    kept->result = result;
    pthread_mutex_unlock(&repeats->lock);
}

static bool same_call(const struct kept *kept, const struct trapped *call,
                      ino_t instance)
{
    return kept->instance == instance && kept->call.number == call->number &&
           kept->call.audit_arch == call->audit_arch &&
           !memcmp(kept->call.args, call->args, ARGS * sizeof(call->args[0]));
}

bool repeats_take(struct repeats *repeats, const struct trapped *call,
                  ino_t instance, int64_t *result)
{
    bool found = false;

    pthread_mutex_lock(&repeats->lock);
    for (unsigned i = 0; i < KEPT; i++) {
        struct kept *kept = &repeats->kept[i];

        if (kept->call.tid != call->tid)
            continue;
        if (same_call(kept, call, instance)) {
            found = true;
            *result = kept->result;
        }
        kept->call.tid = 0; /* it went on to something else */
    }
    pthread_mutex_unlock(&repeats->lock);
    return found;
}
