/*
 * stream.pml - a name is told while its listing runs (stream.c, backlog.c)
 *
 * Two names are created, in either order.  A listing sees each at another
 * moment.  When it has seen a name that the listing before (`current`) had not,
 * the worker may offer `current` and that name as partial; then `current` is
 * that, and `offered` says that no whole listing of it was offered.  The listing
 * may fail after that, once, and is owed.  A whole one is offered, under the
 * ticket of its partial ones, if it is another or if one is due.  Meanwhile an
 * add_watch joins as in join.pml.  What is told is a set of names.
 *
 * A name that a whole listing has gets a row, and from then on its content may
 * be written to (W5).  That is taken before the offer is, and told with it.  A
 * watch that was offered nothing yet, and finds no name, waits while anything is
 * under way (plan-pair.c): the row may be older than the watch.
 *
 * Holds: when all has come to rest, what the watch has been told is what there
 * is; no name that is there is told to be gone; content is never told of a name
 * that is not.
 *
 * Mutations: -DMUTATION takes a partial offer whatever was told before;
 * -DMUTATION2 takes no second offer under a ticket; -DMUTATION3 leaves `offered`
 * as it was when a partial one is made; -DMUTATION4 makes a row of a name that
 * only a partial offer has; -DMUTATION5 lets a partial offer put out another;
 * -DMUTATION6 does not wait for a name.
 */
#define NAMES 3 /* the set of both */
#define ABOUT_TO 255

byte state;
bool pending;
byte ticks, begun, joined, offered, current;
bool listed;
byte told, told_ended;
bool has_mail, mail_partial; /* watch.offer: only the newest is kept */
byte mail_after, mail_began, mail_before;
bool has_failed;
byte made; /* the call that creates has returned: its note is there */
byte rows, contents; /* watch.contents */
bool has_joined, written, serving, was_offered;
byte ended;

inline tick(result)
{
    atomic { ticks++; result = ticks }
}

proctype changer()
{
    do
    :: atomic { (state & 1) == 0 -> state = state | 1 }
       atomic { pending = true; made = made | 1 }
    :: atomic { (state & 2) == 0 -> state = state | 2 }
       atomic { pending = true; made = made | 2 }
    :: state == NAMES -> break
    od;
    ended++
}

#ifdef MUTATION
#define IS_FOR(partial, before) true
#else
#define IS_FOR(partial, before) (!(partial) || told == before)
#endif
#ifdef MUTATION2
#define IS_LATER(began) ((began) > told_ended)
#else
#define IS_LATER(began) ((began) >= told_ended)
#endif

#ifdef MUTATION5
#define MAY_PUT(is_partial) true
#else
#define MAY_PUT(is_partial) (!(is_partial) || !has_mail)
#endif

inline offer(after, began, is_partial, was)
{
    if /* walk the list */
    :: listed ->
       atomic {
           was_offered = was_offered || (!(is_partial) && began >= told_ended);
           if
           :: MAY_PUT(is_partial) ->
              has_mail = true;
              mail_after = after;
              mail_began = began;
              mail_partial = is_partial;
              mail_before = was
           :: else
           fi
       }
    :: else
    fi
}

inline keep(after)
{
    rows = rows | after
}

/* Once add_watch has returned, something is written to all that have rows and
   were made. */
proctype writer()
{
    do
    :: atomic {
           (rows & made) != 0 && has_joined && !written ->
           written = true;
           contents = rows & made
       }
    :: ended >= 3 -> break
    od;
    ended++
}

#ifdef MUTATION6
#define WAITS false
#elif defined(MUTATION5) /* else the wait makes up for it, of two names */
#define WAITS (!was_offered && (pending || serving || has_mail))
#else
#define WAITS (is_fresh && (pending || serving || has_mail))
#endif

proctype dispatcher()
{
    byte taken;
    bool is_fresh = true;

    do
    :: has_mail || contents != 0 ->
       atomic { taken = contents; contents = 0 }
       atomic {
           if
           :: has_mail ->
              has_mail = false;
              if
              :: IS_LATER(mail_began) && IS_FOR(mail_partial, mail_before) ->
                 assert((told & mail_after) == told);
                 told = mail_after;
                 told_ended = mail_began;
                 is_fresh = false
              :: else
              fi
           :: else
           fi;
           if
           :: WAITS && (told & taken) != taken ->
              contents = contents | taken
           :: else -> assert((told & taken) == taken)
           fi
       }
    :: ended == 4 && !has_mail && contents == 0 -> break
    od;
    ended++
}

/* One name of the listing, and what may be told before the other is read. */
inline read_name(name)
{
    seen = seen | (state & name);
    if
    :: (seen & name) != 0 && (current & name) == 0 ->
       before = current;
       current = current | name;
#ifndef MUTATION3
       offered = 0;
#endif
       has_told = true;
       offer(current, mine, true, before)
#ifdef MUTATION4
       ; keep(current)
#endif
    :: true
    fi
}

proctype worker()
{
    byte mine, seen, before;
    bool is_joined, has_told, fails;

    do
    :: atomic { pending -> pending = false; serving = true }
       begun = ABOUT_TO;
       tick(mine);
       begun = mine;
       seen = 0;
       has_told = false;
       if
       :: read_name(1); read_name(2)
       :: read_name(2); read_name(1)
       fi;
       if
       :: !has_failed -> has_failed = true; fails = true
       :: fails = false
       fi;
       if
       :: fails -> pending = true /* owed, and tried again */
       :: else ->
          is_joined = joined >= offered;
          if
          :: seen == current && !has_told && !is_joined -> skip
          :: else ->
             current = seen;
             offered = mine;
             offer(seen, mine, false, 0);
             keep(seen)
          fi
       fi;
       serving = false
    :: atomic { ended == 2 && !pending -> break }
    od;
    ended++
}

proctype add_watch()
{
    byte begin, end, seen, t;

    tick(begin);
    seen = state & 1;
    seen = seen | (state & 2);
    tick(end);
    told = seen;
    told_ended = end;
    listed = true;
    tick(t);
    atomic { if :: joined < t -> joined = t :: else fi };
    if
    :: begun > begin -> pending = true
    :: else
    fi;
    has_joined = true;
    ended++
}

init {
    atomic {
        run changer();
        run add_watch();
        run worker();
        run writer();
        run dispatcher();
    }
    ended == 5;
    assert(told == state);
}
