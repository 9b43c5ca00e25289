#include "pipeline/hash.h"

#include <pthread.h>
#include <sys/random.h>
#include <time.h>

uint64_t hash_seed;

static void draw(void)
{
    uint64_t seed;

    if (getentropy(&seed, sizeof(seed)) != 0)
        seed = (uint64_t)time(NULL) * UINT64_C(0x9e3779b97f4a7c15);
    hash_seed = seed | 1;
}

void hash_seed_init(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, draw);
}
