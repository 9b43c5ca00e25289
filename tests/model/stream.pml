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
 * Holds: when all has come to rest, what the watch has been told is what there
 * is; no name that is there is told to be gone.
 *
 * Mutations: -DMUTATION takes a partial offer whatever was told before;
 * -DMUTATION2 takes no second offer under a ticket; -DMUTATION3 leaves `offered`
 * as it was when a partial one is made.
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
byte ended;

inline tick(result)
{
    atomic { ticks++; result = ticks }
}

proctype changer()
{
    do
    :: atomic { (state & 1) == 0 -> state = state | 1 }
       pending = true
    :: atomic { (state & 2) == 0 -> state = state | 2 }
       pending = true
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

inline offer(after, began, is_partial, was)
{
    if /* walk the list */
    :: listed ->
       atomic {
           has_mail = true;
           mail_after = after;
           mail_began = began;
           mail_partial = is_partial;
           mail_before = was
       }
    :: else
    fi
}

proctype dispatcher()
{
    do
    :: atomic {
           has_mail ->
           has_mail = false;
           if
           :: IS_LATER(mail_began) && IS_FOR(mail_partial, mail_before) ->
              assert((told & mail_after) == told);
              told = mail_after;
              told_ended = mail_began;
           :: else
           fi
       }
    :: ended == 3 && !has_mail -> break
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
    :: true
    fi
}

proctype worker()
{
    byte mine, seen, before;
    bool is_joined, has_told, fails;

    do
    :: atomic { pending -> pending = false }
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
             offer(seen, mine, false, 0)
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
    ended++
}

init {
    atomic {
        run changer();
        run add_watch();
        run worker();
        run dispatcher();
    }
    ended == 4;
    assert(told == state);
}
