/*
 * hash.h - hashing for the engine's transient tables
 *
 * Seeded, so that no guest can choose names that collide: the seed is drawn
 * once per process.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Drawn by hash_seed_init, before any thread hashes. */
extern uint64_t hash_seed;

void hash_seed_init(void);

/* Folds the 128-bit product: each input bit reaches each output bit. */
static inline uint64_t hash_mix(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t hash_u64(uint64_t value)
{
    return hash_mix(value ^ hash_seed, UINT64_C(0x9e3779b97f4a7c15));
}

static inline uint64_t hash_bytes(const char *bytes, size_t len)
{
    uint64_t hash = hash_seed ^ len, word;

    for (; len >= sizeof(word); len -= sizeof(word), bytes += sizeof(word)) {
        memcpy(&word, bytes, sizeof(word));
        hash = hash_mix(hash ^ word, UINT64_C(0xd6e8feb86659fd93));
    }
    word = 0;
    memcpy(&word, bytes, len);
    return hash_mix(hash ^ word, UINT64_C(0x9e3779b97f4a7c15));
}
