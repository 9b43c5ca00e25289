/*
 * join.pml - V3: a watch joins while workers list (control.c, worker.c)
 *
 * A directory changes twice.  Each change is noted; a worker that has a note
 * says that it is about to begin, draws a ticket, says which, lists, compares with the listing
 * before, and offers to the watches in the list: if nothing is new, only when
 * a watch has joined since the last offer.  An add_watch draws a ticket, lists,
 * draws another, enters the list, raises `joined`, and orders a listing if one
 * began after its own did.  It accepts only offers that began after its own
 * listing had ended.  The directory's state is the number of its changes; a
 * listing is not one step: it sees some state between its begin and its end.
 *
 * The vnode's claim is one worker process: listings do not overlap each other
 * (claim.pml).  An order and a note set the same pending bit.
 *
 * Holds: when all has come to rest, what the watch has been told is the
 * directory; told never goes back to an older state.
 *
 * Mutations: -DMUTATION does not look at `begun` after joining; -DMUTATION2
 * raises `joined` to the end of the listing instead of a new ticket, before
 * the watch is in the list (so a listing that overtook it is offered to none);
 * -DMUTATION3 accepts whatever is offered; -DMUTATION4 does not say that it is
 * about to begin, so that a ticket can be drawn and not be seen yet.
 */
#define CHANGES 2
#define ABOUT_TO 255

byte state;        /* of the directory */
bool pending;      /* bits of the vnode's claim */
byte ticks;        /* engine.ticks */
byte begun;        /* vnode.begun */
byte joined;       /* vnode.joined */
byte offered;      /* vnode.offered: worker's */
byte current;      /* vnode.current: worker's */
bool listed;       /* the watch is in the list */
byte told, told_ended;
byte ended;        /* of changer and add_watch; then the worker */

inline tick(result)
{
    atomic { ticks++; result = ticks }
}

proctype changer()
{
    byte n;

    do
    :: n < CHANGES ->
       state++;        /* visible to listings */
       pending = true; /* noted, a little later */
       n++
    :: else -> break
    od;
    ended++
}

/* backlog.c: accept_offer, then told. */
inline take_offer(after, began)
{
    atomic {
#ifndef MUTATION3
        if
        :: began > told_ended ->
#else
        if
        :: true ->
#endif
           assert(after >= told); /* never an older state */
           told = after;
           told_ended = began;
        :: else
        fi
    }
}

proctype worker()
{
    byte mine, seen;
    bool is_joined;

    do
    :: atomic { pending -> pending = false }
#ifndef MUTATION4
       begun = ABOUT_TO;
#endif
       tick(mine);
       begun = mine;
       seen = state;
       /* the listing takes a while: changes meanwhile need not be in it */
       is_joined = joined >= offered;
       if
       :: seen == current && !is_joined -> skip
       :: else ->
          current = seen;
          offered = mine;
          if /* walk the list */
          :: listed -> take_offer(seen, mine)
          :: else
          fi
       fi
    :: atomic { ended == 2 && !pending -> break }
    od;
    ended++
}

proctype add_watch()
{
    byte begin, end, seen, t;

    tick(begin);
    seen = state;
    tick(end);
    told = seen;
    told_ended = end;
#ifdef MUTATION2
    atomic { if :: joined < end -> joined = end :: else fi };
    listed = true;
#else
    listed = true;
    tick(t);
    atomic { if :: joined < t -> joined = t :: else fi }
#endif
#ifndef MUTATION
    if
    :: begun > begin -> pending = true
    :: else
    fi;
#endif
    ended++
}

init {
    atomic {
        run changer();
        run add_watch();
        run worker();
    }
    ended == 3;
    assert(told == state);
}
