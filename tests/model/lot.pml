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
 * Mutation: -DMUTATION leaves out the second look between prepare and sleep.
 */
#define WORKERS 2
#define WORK 3

byte work, done;
bool asleep[WORKERS]; /* lot.asleep, one bit each */
bool token[WORKERS];
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
       asleep[me] = true; /* lot_prepare */
#ifdef MUTATION
       if
       :: true -> /* straight to sleep */
#else
       if
       :: work > 0 || (over && done == WORK) -> lot_cancel()
       :: else ->
#endif
          token[me]; /* park_wait: until the token is set */
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
       lot_wake();
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
