/*
 * sync.h - what the lock-free parts need beyond <stdatomic.h>
 *
 * The engine's own words are C11 atomics, which ThreadSanitizer understands.
 * ConcurrencyKit works by inline assembly, which it does not: every use of a
 * CK structure is bracketed by SYNC_RELEASE (before the value can be seen) and
 * SYNC_ACQUIRE (after it was got), which compile to nothing elsewhere.
 *
 * Protocol labels: one or two letters and a digit, unique in the tree, named
 * at the field and at the line.  tools/check-atomics.py holds them to it.
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

#if defined(__SANITIZE_THREAD__)
#define SYNC_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SYNC_TSAN 1
#endif
#endif

#ifdef SYNC_TSAN
void __tsan_acquire(void *addr);
void __tsan_release(void *addr);
#define SYNC_ACQUIRE(addr) __tsan_acquire((void *)(addr))
#define SYNC_RELEASE(addr) __tsan_release((void *)(addr))
#else
#define SYNC_ACQUIRE(addr) ((void)(addr))
#define SYNC_RELEASE(addr) ((void)(addr))
#endif

enum { SYNC_CACHE_LINE = 64 };

static inline uint64_t clock_ns(clockid_t id)
{
    struct timespec now;

    clock_gettime(id, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static inline struct timespec timespec_of(uint64_t ns)
{
    return (struct timespec){
        .tv_sec = (time_t)(ns / 1000000000),
        .tv_nsec = (long)(ns % 1000000000),
    };
}

/* Monotonic nanoseconds: the engine's only clock for durations. */
static inline uint64_t now_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}
