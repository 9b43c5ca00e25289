/*
 * turn.pml - src/pipeline/reader.c and kq_sleep, kq_rest in
 * src/port/kq-linux.c: two readers, one of which may serve
 *
 * The host posts notes, and somebody triggers once.  The descriptor on which
 * readers sleep tells edges: each is for one sleeper, of the note queue or of
 * the trigger.  A reader posts to the turn's claim; who has it collects all,
 * and again if another has posted meanwhile.  It may rest before it gives the
 * claim back; then the note queue makes no edges, until it is set again.  Who
 * collected one note alone may serve it, which may last for ever: one reader at
 * a time.
 *
 * Holds: whenever nothing more happens, all notes and the trigger have been
 * collected, and each note has been taken to be served or is on the ring; never
 * do both readers serve; never is the turn held by two.
 *
 * Mutations: -DMUTATION1 lets both readers serve; -DMUTATION2 serves before the
 * claim is given back; -DMUTATION3 gives the claim back whatever was posted.
 */
#define NOTES 3

byte queued;         /* notes in the host's queue */
bool triggered;      /* the user knote */
byte waiting;        /* kq.waiting: who must be woken for a trigger */
bool edge, wake_edge; /* on the ready list: of the queue, of wake_fd */
bool resting;        /* the queue makes no edge */

bool held, again;    /* the turn's claim */
bool serves;         /* engine.reader_serves */
byte holders, servers;
byte collected, ring, taken; /* notes */
bool collected_trigger;
bool over; /* nothing more happens */

inline epoll_wait_one()
{
    do
    :: atomic { edge -> edge = false }
       if /* looked at again when it is told: nothing there, nothing told */
       :: queued > 0 && !resting -> break
       :: else
       fi
    :: atomic { wake_edge -> wake_edge = false }
       break
    :: over -> break
    od
}

inline kq_sleep()
{
    atomic {
        sleeps = !triggered;
        if
        :: sleeps -> waiting++
        :: else
        fi
    }
    if
    :: sleeps ->
       epoll_wait_one();
       waiting--
    :: else
    fi
}

/* Whatever else wakes it, it does not wait for: a timeout may come at once. */
inline kq_rest()
{
    resting = true;
    resting = false;
    atomic {
        if
        :: queued > 0 -> edge = true
        :: else
        fi
    }
}

inline round()
{
    again = false; /* claim_take */
    /* A turn. */
    atomic {
        got = queued;
        queued = 0;
        collected = collected + got
    }
    atomic {
        if
        :: triggered -> triggered = false; collected_trigger = true
        :: else
        fi
    }
    own = false;
    if
    :: got == 1 ->
       atomic {
#ifdef MUTATION1
           own = true;
#else
           own = !serves;
#endif
           serves = true
       }
    :: else
    fi;
    if
    :: !own -> ring = ring + got; kq_rest()
    :: own ->
#ifdef MUTATION2
       serve();
       own = false;
#endif
       skip
    fi;
    holders--;
    atomic { /* claim_release */
#ifdef MUTATION3
        released = true;
#else
        released = !again;
#endif
        if
        :: released -> held = false
        :: else
        fi
    }
    if
    :: !released ->
       holders++;
       if
       :: own -> ring++; own = false; serves = false
       :: else
       fi
    :: else
    fi
}

inline serve()
{
    taken++;
    servers++;
    assert(servers <= 1);
    if
    :: true -> skip
    :: true -> over /* for as long as the file system likes */
    fi;
    servers--;
    serves = false
}

active [2] proctype reader()
{
    byte got;
    bool was_held, own, released, sleeps;

    do
    :: over -> break
    :: atomic {
           !over;
           was_held = held;
           held = true;
           again = true
       }
       if
       :: !was_held ->
          holders++;
          assert(holders == 1);
          released = false;
          do
          :: !released -> round()
          :: else -> break
          od;
          if
          :: own -> serve()
          :: else
          fi
       :: else
       fi;
       kq_sleep()
    od
}

active proctype host()
{
    byte n;

    do
    :: n < NOTES ->
       queued++;
       atomic {
           if
           :: !resting -> edge = true
           :: else
           fi
       }
       n++
    :: else -> break
    od
}

active proctype trigger()
{
    atomic {
        triggered = true;
        if
        :: waiting > 0 -> wake_edge = true
        :: else
        fi
    }
}

active proctype end()
{
    timeout;
    assert(queued == 0 && collected == NOTES);
    assert(collected_trigger);
    assert(ring + taken == NOTES);
    over = true
}
