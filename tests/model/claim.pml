/*
 * claim.pml - src/pipeline/claim.c: one word of pending bits, HELD, generation
 *
 * Two posters post three times in all, each first writing what its bit stands
 * for.  Whoever gets the claim serves: takes, looks, releases, until release
 * succeeds.  A holder may instead close the word, which ends the generation;
 * after that the slot is used again by an owner of the next generation, whose
 * posts must never be answered by, or reach, the first's.
 *
 * Each atomic block is one compare-and-swap of claim.c; the load before it and
 * its retries are one step with it, since it succeeds only on what was loaded.
 *
 * Holds: one holder at a time; what a bit stands for is seen by a take after
 * it (no bit is lost); nothing is pending on a free word; no post of the first
 * generation is seen in the second.
 *
 * Mutation: -DMUTATION makes release give up the claim whatever is pending.
 */
#define POSTERS 2

bool held, pending[POSTERS];
byte generation = 1;

byte written[POSTERS]; /* what was posted, of generation 1 */
byte seen[POSTERS];    /* what takes have seen of it */
byte holders;
bool closed;
byte finished;

#define IDLE (!pending[0] && !pending[1])

inline serve(gen)
{
    do
    :: atomic { /* claim_take */
           assert(held && generation == gen);
           holders++;
           assert(holders == 1);
           taken[0] = pending[0]; pending[0] = false;
           taken[1] = pending[1]; pending[1] = false;
       }
       /* the holder's own steps, outside the atomic one */
       if
       :: taken[0] -> seen[0] = written[0]
       :: else
       fi;
       if
       :: taken[1] -> seen[1] = written[1]
       :: else
       fi;
       taken[0] = false;
       taken[1] = false;
       holders--;
       if
       :: atomic { /* claim_release */
#ifdef MUTATION
              true -> held = false;
#else
              IDLE -> held = false;
#endif
          }
          break
       :: atomic { !IDLE -> skip } /* refused */
       :: atomic { /* claim_close: the next generation */
              gen == 1 && !closed ->
              closed = true;
              held = false;
              generation = 2;
              pending[0] = false;
              pending[1] = false;
          }
          break
       fi
    od
}

proctype poster(byte me; byte times)
{
    bool taken[POSTERS];
    bool mine;

    do
    :: times > 0 ->
       times--;
       written[me]++;
       mine = false;
       atomic { /* claim_post to generation 1 */
           if
           :: generation == 1 ->
              pending[me] = true;
              mine = !held;
              held = true;
           :: else /* CLAIM_STALE */
           fi
       }
       if
       :: mine -> serve(1)
       :: else
       fi
    :: times == 0 -> break
    od;
    finished++
}

/* Uses the slot again: its generation's bits are its own posts only. */
proctype next_owner()
{
    bool taken[POSTERS];
    bool mine;

    do
    :: closed || finished == POSTERS -> break
    od;
    if
    :: atomic { generation == 2 -> /* claim_post without bits */
           assert(!held && IDLE);
           held = true;
           mine = true;
       }
    :: generation != 2 -> goto out
    fi;
    assert(generation == 2 && held && IDLE); /* no stale post got in */
    serve(2);
out:
    finished++
}

init {
    atomic {
        run poster(0, 2);
        run poster(1, 1);
        run next_owner();
    }
    /* When all have come to rest. */
    (finished == POSTERS + 1);
    assert(!held);
    assert(IDLE);
    assert(closed || (seen[0] == 2 && seen[1] == 1));
}
