/*
 * While a directory cannot be listed nothing may be invented, and nothing lost:
 * once it can be listed again, exactly the net difference is told.
 *
 * run-guest starts vnotify with --fault open=A,read=B,alloc=C and tells us the
 * paths.  A step fails while its file exists.  The kernel's inotify ignores
 * all that; there, every change is told as it happens.
 */
#include "guest-model.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LONG_ENOUGH_MS 300 /* many retries; a pass needs no luck, see below */
#define MEMBERS (IN_CREATE | IN_DELETE | IN_MOVE)

struct stage {
    struct guest_queue q;
    struct model model;
    struct model_moves moves;
    const char *fault;
};

/* A case that failed leaves its file behind. */
static void clear_faults(void)
{
    static const char *const variables[] = {
        "VNOTIFY_FAULT_OPEN", "VNOTIFY_FAULT_READ", "VNOTIFY_FAULT_ALLOC"};
    for (size_t i = 0; i < GUEST_COUNT(variables); i++)
        if (getenv(variables[i]) != NULL)
            unlink(getenv(variables[i]));
}

static void stage_open(struct stage *s, const char *variable)
{
    static const char *const first[] = {"d/stays", "d/goes", "d/moves",
                                        "d/changes"};
    *s = (struct stage){.fault = getenv(variable)};
    if (s->fault == NULL && guest_native())
        s->fault = "fault";
    CHECK(s->fault != NULL, "expected %s to be set", variable);
    clear_faults();
    guest_mkdir("d");
    for (size_t i = 0; i < GUEST_COUNT(first); i++)
        guest_touch(first[i]);
    guest_open(&s->q);
    model_init(&s->model, guest_watch(&s->q, "d", MEMBERS));
    model_list(&s->model, "d");
}

static void change_children(void)
{
    guest_unlink("d/goes");
    guest_touch("d/comes");
    guest_rename("d/moves", "d/moved");
    guest_unlink("d/changes");
    guest_mkdir("d/changes");
    guest_touch("d/comes-and-goes");
    guest_unlink("d/comes-and-goes");
}

/* Under vnotify nothing can be known now.  If an event is wrongly told late,
   the count of events at the end finds it as well. */
static void expect_nothing_told(struct stage *s)
{
    if (guest_native())
        return;
    bool told = guest_readable(s->q.fd, LONG_ENOUGH_MS);
    s->q.patience_ms = 0;
    struct guest_event event = {0};
    char text[400] = "";
    if (told && guest_next(&s->q, &event))
        guest_describe(text, sizeof text, event.wd, event.mask, event.name);
    CHECK(!told, "expected nothing while listings fail, seen %s", text);
    s->q.patience_ms = guest_lags() ? GUEST_DEADLINE_MS : 0;
}

static int tell_rest(struct stage *s)
{
    struct guest_event event;
    const char *difference;
    int told = 0;
    while ((difference = model_difference(&s->model, "d")) != NULL) {
        CHECK(guest_next(&s->q, &event), "expected what is owed, seen: %s",
              difference);
        model_apply(&s->model, 1, &s->moves, &event);
        told++;
        if (!guest_native())
            CHECK(strcmp(event.name, "comes-and-goes") != 0 &&
                      strcmp(event.name, "stays") != 0,
                  "expected the net difference, seen \"%s\"", event.name);
    }
    return told;
}

static void recover(const char *variable)
{
    struct stage s;
    stage_open(&s, variable);
    guest_touch(s.fault);
    change_children();
    expect_nothing_told(&s);
    guest_unlink(s.fault);
    int told = tell_rest(&s);
    /* goes, comes, moves, moved, changes twice. */
    CHECK(guest_native() || told == 6, "expected 6 events, seen %d", told);
    if (guest_native())
        guest_settle(&s.q);
    while (guest_native() && s.q.head < s.q.count)
        model_apply(&s.model, 1, &s.moves, &s.q.events[s.q.head++]);
    guest_expect_quiet_in(&s.q, s.model.wd, "d");
    model_fini(&s.model);
    guest_close(&s.q);
}

static void open_fails_for_a_while(void)
{
    recover("VNOTIFY_FAULT_OPEN");
}

static void read_fails_for_a_while(void)
{
    recover("VNOTIFY_FAULT_READ");
}

static void allocation_fails_for_a_while(void)
{
    recover("VNOTIFY_FAULT_ALLOC");
}

/* Everything changes back meanwhile: there is nothing to tell. */
static void undone_changes_are_never_told(void)
{
    struct stage s;
    if (guest_native())
        guest_skip("the kernel tells each change at once");
    stage_open(&s, "VNOTIFY_FAULT_READ");
    guest_touch(s.fault);
    guest_touch("d/comes-and-goes");
    guest_rename("d/moves", "d/moved");
    guest_rename("d/moved", "d/moves");
    guest_unlink("d/comes-and-goes");
    expect_nothing_told(&s);
    guest_unlink(s.fault);
    guest_expect_quiet_in(&s.q, s.model.wd, "d");
    model_fini(&s.model);
    guest_close(&s.q);
}

/* rm_watch and close need no listing, so they must not wait for one. */
static void watch_can_be_removed_while_failing(void)
{
    struct stage s;
    stage_open(&s, "VNOTIFY_FAULT_OPEN");
    guest_touch(s.fault);
    if (!guest_native())
        guest_touch("d/comes");
    guest_unwatch(&s.q, s.model.wd);
    guest_unlink(s.fault);
    guest_expect_quiet(&s.q);
    model_fini(&s.model);
    guest_close(&s.q);
}

int main(int argc, char **argv)
{
    static const struct guest_case cases[] = {
        GUEST_CASE(open_fails_for_a_while),
        GUEST_CASE(read_fails_for_a_while),
        GUEST_CASE(allocation_fails_for_a_while),
        GUEST_CASE(undone_changes_are_never_told),
        GUEST_CASE(watch_can_be_removed_while_failing),
    };
    return guest_main(argc, argv, cases, GUEST_COUNT(cases));
}
