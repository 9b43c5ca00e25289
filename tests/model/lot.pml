/*
 * lot.pml - src/pipeline/lot.h: workers sleep and are woken one by one
 *
 * A producer publishes three pieces of work, each followed by lot_wake; two
 * workers take work, or prepare, look again, and sleep or cancel.  park_wait
 * compares the token and sleeps in one step, as the futex does (park.h).
 *
 * Holds: whenever work is there and the producer has woken for all of it, not
 * every worker stays asleep: all work gets done (an invalid end state, that is
 * a deadlock, otherwise); and a piece of work that one worker leaves for
 * another is not left while that other one sleeps (passing a wake on).
 *
 * A worker may say that it will wake by itself (until_ns); then a producer of
 * what can wait until then does not wake it (lot_wake_by).
 *
 * Mutations: -DMUTATION1 leaves out the second look between prepare and sleep;
 * -DMUTATION2 has a worker say when it wakes after that look.
 */
#define WORKERS 2
#define WORK 3

byte work, done;
bool asleep[WORKERS]; /* lot.asleep, one bit each */
bool token[WORKERS];
bool wakes[WORKERS]; /* by itself, in time: lot.sleepers[].until_ns */
bool over;
byte ended; /* workers that are */

inline lot_wake()
{
    /* the lowest bit that is set, cleared in one step; then its token */
    atomic {
        if
        :: asleep[0] -> asleep[0] = false; woken = 0
        :: !asleep[0] && asleep[1] -> asleep[1] = false; woken = 1
        :: else -> woken = WORKERS
        fi
    }
    if
    :: woken < WORKERS -> token[woken] = true
    :: else
    fi
}

/* Worker 0. */
inline lot_wake_by()
{
    if
    :: wakes[0] /* what was said of an earlier sleep, perhaps */
    :: !wakes[0] ->
       atomic { woken = asleep[0]; asleep[0] = false }
       if
       :: woken -> token[0] = true
       :: else
       fi
    fi
}

inline say_until()
{
    if
    :: wakes[me] = true
    :: wakes[me] = false
    fi
}

inline lot_cancel()
{
    atomic {
        was = asleep[me];
        asleep[me] = false;
    }
    if
    :: !was -> lot_wake()
    :: else
    fi
}

proctype worker(byte me)
{
    byte woken;
    bool was;

    do
    :: atomic { work > 0 -> work-- }
       done++
    :: work == 0 ->
       if
       :: over && work == 0 && done == WORK -> break
       :: else
       fi;
#ifndef MUTATION2
       say_until();
#endif
       asleep[me] = true; /* lot_prepare */
#ifdef MUTATION1
       if
       :: true -> /* straight to sleep */
#else
       if
       :: work > 0 || (over && done == WORK) -> lot_cancel()
       :: else ->
#endif
#ifdef MUTATION2
          say_until();
#endif
          token[me] || wakes[me]; /* park_wait: the token, or the time */
          atomic { asleep[me] = false }
          atomic { token[me] = false }
       fi
    od;
    ended++
}

proctype producer()
{
    byte n, woken;

    do
    :: n < WORK ->
       work++;
       if
       :: lot_wake()
       :: lot_wake_by()
       fi;
       n++
    :: else -> break
    od;
    /* The end, as stop_threads: said, then every worker woken. */
    done == WORK;
    over = true;
    do
    :: atomic { asleep[0] -> asleep[0] = false }
       token[0] = true
    :: atomic { asleep[1] -> asleep[1] = false }
       token[1] = true
    :: ended == WORKERS -> break
    od
}

init {
    atomic {
        run worker(0);
        run worker(1);
        run producer();
    }
    (ended == WORKERS);
    assert(work == 0 && done == WORK);
}
