/*
 * park-turns.c - when a directory parks its rows
 */
#include "pipeline/park-turns.h"

enum { EACH_NS_FIRST = 20 * 1000 }; /* two calls of stat and an add_watch */

static uint64_t get(const _Atomic uint64_t *value)
{
    /* relaxed: of cost alone */
    return atomic_load_explicit(value, memory_order_relaxed);
}

static void set(_Atomic uint64_t *value, uint64_t to)
{
    /* relaxed: of cost alone */
    atomic_store_explicit(value, to, memory_order_relaxed);
}

/* For how long add_watches had gone on, as far as it matters. */
static uint64_t streak_ns(const struct park_turns *turns)
{
    uint64_t joined_ns = get(&turns->joined_ns);
    uint64_t began_ns = get(&turns->began_ns);
    uint64_t streak = began_ns < joined_ns ? joined_ns - began_ns : 0;

    return streak < PARK_TURNS_QUIET_NS_MAX ? streak : PARK_TURNS_QUIET_NS_MAX;
}

/* One that comes alone takes from what those before it have made. */
static uint64_t begin_of(const struct park_turns *turns, uint64_t now)
{
    uint64_t joined_ns = get(&turns->joined_ns);
    uint64_t gap_ns = joined_ns < now ? now - joined_ns : 0;
    uint64_t streak = streak_ns(turns);

    if (gap_ns <= PARK_TURNS_QUIET_NS)
        return get(&turns->began_ns);
    return gap_ns < streak ? now - (streak - gap_ns) : now;
}

void park_turns_joined(struct park_turns *turns, uint64_t now)
{
    set(&turns->began_ns, begin_of(turns, now));
    set(&turns->joined_ns, now);
}

bool park_turns_quiet(const struct park_turns *turns, uint64_t now)
{
    uint64_t streak = streak_ns(turns);

    return get(&turns->joined_ns) +
               (streak > PARK_TURNS_QUIET_NS ? streak : PARK_TURNS_QUIET_NS) <
           now;
}

bool park_turns_busy(const struct park_turns *turns, uint64_t now)
{
    return !park_turns_quiet(turns, now) &&
           get(&turns->began_ns) + PARK_TURNS_BUSY_NS < now;
}

static uint64_t cost_of_one(const struct park_turns *turns)
{
    uint64_t each = get(&turns->each_ns);

    return each != 0 ? each : EACH_NS_FIRST;
}

uint64_t park_turns_book(struct park_turns *turns, uint32_t rows, uint64_t now)
{
    uint64_t turn = get(&turns->free_ns);

    if (turn < now)
        turn = now;
    set(&turns->free_ns, turn + rows * cost_of_one(turns) * PARK_TURNS_SHARE);
    return turn;
}

/* A lot that was in the way of others must not put off all turns after it. */
uint64_t park_turns_parked(struct park_turns *turns, uint32_t rows,
                           uint64_t took_ns)
{
    uint64_t usual = cost_of_one(turns), each = took_ns / rows;

    if (each > 2 * usual)
        each = 2 * usual;
    set(&turns->each_ns, (7 * usual + each) / 8);
    return took_ns * (PARK_TURNS_SHARE - 1);
}
