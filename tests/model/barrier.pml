/*
 * barrier.pml - src/pipeline/barrier.c: phases, cycles, and the reader's sleep
 *
 * A requester makes a note (kq), asks for a barrier, and waits for its ticket;
 * then its note must have been worked on.  The reader takes its turns: joins,
 * looks what is wanted, collects, hands notes on as items of its phase, turns
 * the phase if a ticket is wanted, gives up its own item, and sleeps unless a
 * ticket is wanted, until it is kicked.  A worker ends items; another thread
 * joins and is done on its own (a timer, say).
 *
 * Each atomic step is one atomic operation of barrier.c, in its order.
 *
 * Holds: a ticket that was reached means that what was noted before is done;
 * no cycle ends twice, none while its phase counts; every request is served
 * (else the requester waits for ever: an invalid end state).
 *
 * Mutations: -DMUTATION lets the reader sleep without looking again, and
 * cycle_complete not kick; -DMUTATION2 leaves out the second look of
 * barrier_join; -DMUTATION3 lets whoever brings any count to zero end the cycle
 * that drains; -DMUTATION4 does not look again at a count that was zero once
 * it is sure that the phase drains.
 */
#define REQUESTERS 2
#define COMPLETING 3

byte phase, draining, requested, completed, started;
byte in_flight[2];
byte items[2];         /* of in_flight, without what will be taken back */
bool kicked;           /* the kqueue's EVFILT_USER knote */
byte noted;            /* notes in the kqueue so far: the highest number */
byte collected;        /* taken out by the reader */
byte worked;           /* highest number that was worked on */
byte ring[2];          /* items in the ring, by phase */
byte ring_upto;        /* the numbers that they stand for */
byte completing;
byte served;           /* requesters that are done */
byte ended;            /* the other processes that are */

#define MAX(a, b) (a > b -> a : b)

inline kick()
{
    kicked = true
}

/* The last step of a cycle; my_ticket is the local of whoever runs it. */
inline cycle_complete(p)
{
    atomic {
        my_ticket = started;
        completing++;
        assert(completing == 1)
    }
    atomic { completing--; completed = my_ticket }
    draining = 0;
#ifndef MUTATION
    if
    :: requested != my_ticket -> kick()
    :: else
    fi;
#endif
    my_ticket = 0
}

/* `item`: 1, or 0 for a count that is taken back (B1). */
inline barrier_done(p, item)
{
    atomic {
        assert(in_flight[p] > 0);
        in_flight[p]--;
        items[p] = items[p] - item;
        zero = in_flight[p] == 0;
    }
    do
    :: !zero -> break
    :: zero ->
       atomic { /* the compare-and-swap on draining */
#ifdef MUTATION3
           mine = draining != 0 && draining != COMPLETING;
#else
           mine = draining == 1 + p;
#endif
           if
           :: mine -> draining = COMPLETING
           :: else -> break
           fi
       }
#ifndef MUTATION4
       if /* the count was zero, and is it now that draining is set? */
       :: in_flight[p] != 0 ->
          draining = 1 + p;
          zero = in_flight[p] == 0
       :: in_flight[p] == 0 ->
#endif
          assert(items[p] == 0);
          cycle_complete(p);
          zero = false
#ifndef MUTATION4
       fi
#endif
    od
}

inline barrier_join(p)
{
    do
    :: p = phase;
       in_flight[p]++;
       if
#ifdef MUTATION2
       :: atomic { items[p]++; break }
#else
       :: atomic { phase == p -> items[p]++; break }
       :: phase != p -> barrier_done(p, 0)
#endif
       fi
    od
}

/* barrier_wanted into `ticket`; 0: none. */
inline barrier_wanted()
{
    if
    :: draining != 0 -> ticket = 0
    :: draining == 0 ->
       atomic {
           if
           :: requested == started -> ticket = 0
           :: else -> ticket = requested
           fi
       }
    fi
}

proctype reader()
{
    byte p, ticket, my_ticket;
    bool zero, mine;

    do
    :: /* a turn */
       barrier_join(p);
       barrier_wanted();
       atomic { kicked = false } /* collected with the notes, or before */
       if
       :: atomic { noted != collected -> in_flight[p]++; items[p]++ }
          atomic {
              collected = noted;
              ring[p]++;
              ring_upto = collected;
          }
       :: noted == collected
       fi;
       if
       :: ticket != 0 ->
          /* barrier_flip */
          atomic { started = ticket; phase = 1 - p }
          draining = 1 + p;
       :: else
       fi;
       barrier_done(p, 1);
       if
       :: served == REQUESTERS -> break
       :: else
       fi;
#ifdef MUTATION
       ticket = 0;
#else
       barrier_wanted();
#endif
       if
       :: ticket == 0 ->
          /* kq_wait: level-triggered */
           (kicked || noted != collected || served == REQUESTERS)
       :: else
       fi
    od;
    ended++
}

proctype worker()
{
    byte p, my_ticket;
    bool zero, mine;

    do
    :: atomic { ring[0] > 0 -> ring[0]--; p = 0 }
       atomic { worked = MAX(worked, ring_upto) }
       barrier_done(p, 1)
    :: atomic { ring[1] > 0 -> ring[1]--; p = 1 }
       atomic { worked = MAX(worked, ring_upto) }
       barrier_done(p, 1)
    :: served == REQUESTERS && ring[0] == 0 && ring[1] == 0 -> break
    od;
    ended++
}

proctype loner()
{
    byte p, my_ticket;
    bool zero, mine;

    barrier_join(p);
    barrier_done(p, 1);
    ended++
}

proctype requester(byte me)
{
    byte number, ticket;

    /* One is the first: which, makes no difference. */
    atomic { noted >= me; noted++; number = noted }
    atomic { requested++; ticket = requested } /* barrier_request */
    kick();
    completed >= ticket; /* barrier_await; park.h loses no wake */
    assert(worked >= number);
    served++
}

init {
    atomic {
        run reader();
        run worker();
        run loner();
        run requester(0);
        run requester(1);
    }
    ended == 3 && served == REQUESTERS;
    assert(in_flight[0] == 0 && in_flight[1] == 0);
}
