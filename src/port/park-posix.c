/*
 * park-posix.c - park.h over hashed mutexes and condition variables
 *
 *     park_wait                             waker
 *       lock(bucket)                          PP1 the caller changes the word
 *       PP2 load the word: still expected?    park_wake: lock(bucket)
 *       wait, which unlocks                   broadcast; unlock
 *
 * PP2 pairs with PP1.  If park_wake locks the bucket after park_wait did, its
 * broadcast finds the sleeper waiting; if before, the mutex orders PP1 before
 * PP2, and the sleeper sees the change.
 *
 * Words share buckets, so every wake is a broadcast.
 */
#include "port/park.h"

#include <pthread.h>

enum { BUCKET_BITS = 6, BUCKETS = 1 << BUCKET_BITS };

struct bucket {
    pthread_mutex_t lock;
    pthread_cond_t changed;
};

static struct bucket buckets[BUCKETS];
static pthread_once_t buckets_once = PTHREAD_ONCE_INIT;

static void init_buckets(void)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
#ifndef __APPLE__ /* which has a relative wait instead */
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
#endif
    for (int i = 0; i < BUCKETS; i++) {
        pthread_mutex_init(&buckets[i].lock, NULL);
        pthread_cond_init(&buckets[i].changed, &attr);
    }
    pthread_condattr_destroy(&attr);
}

static struct bucket *bucket_of(const _Atomic uint32_t *word)
{
    pthread_once(&buckets_once, init_buckets);
    uint64_t key = (uint64_t)(uintptr_t)word * UINT64_C(0x9e3779b97f4a7c15);
    return &buckets[key >> (64 - BUCKET_BITS)];
}

static void wait_until(struct bucket *bucket, const struct timespec *deadline)
{
#ifdef __APPLE__
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t left_ns = ((int64_t)deadline->tv_sec - now.tv_sec) * 1000000000 +
                      (deadline->tv_nsec - now.tv_nsec);
    if (left_ns <= 0)
        return;
    struct timespec left = {.tv_sec = left_ns / 1000000000,
                            .tv_nsec = left_ns % 1000000000};
    pthread_cond_timedwait_relative_np(&bucket->changed, &bucket->lock, &left);
#else
    pthread_cond_timedwait(&bucket->changed, &bucket->lock, deadline);
#endif
}

void park_wait(_Atomic uint32_t *word, uint32_t expected,
               const struct timespec *deadline)
{
    struct bucket *bucket = bucket_of(word);
    pthread_mutex_lock(&bucket->lock);
    /* relaxed: the mutex orders it, see the top */
    if (atomic_load_explicit(word, memory_order_relaxed) == expected) {
        if (deadline)
            wait_until(bucket, deadline);
        else
            pthread_cond_wait(&bucket->changed, &bucket->lock);
    }
    pthread_mutex_unlock(&bucket->lock);
}

void park_wake(_Atomic uint32_t *word, int how_many)
{
    (void)how_many;
    struct bucket *bucket = bucket_of(word);
    pthread_mutex_lock(&bucket->lock);
    pthread_cond_broadcast(&bucket->changed);
    pthread_mutex_unlock(&bucket->lock);
}
