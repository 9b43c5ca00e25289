/*
 * Names created, removed and renamed at random, in bursts: a model fed by the
 * events alone equals each directory whenever it is quiet, and every event is
 * legal against the model (promises P2 and P3).
 */
#include "guest-model.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAMES 1000
#define DIRS 3 /* the last one is not watched */
#define WATCHED 2
#define MEMBERS (IN_CREATE | IN_DELETE | IN_MOVE)

static const char *const dirs[DIRS] = {"a", "b", "outside"};
enum kind { NOTHING, FILE_KIND, DIR_KIND };
static enum kind there[DIRS][NAMES];

static void path_of(char path[64], int dir, int name)
{
    snprintf(path, 64, "%s/name-%d", dirs[dir], name);
}

static void make_or_remove(int dir, int name)
{
    char path[64];
    path_of(path, dir, name);
    switch (there[dir][name]) {
    case NOTHING:
        there[dir][name] = rand() % 4 == 0 ? DIR_KIND : FILE_KIND;
        if (there[dir][name] == DIR_KIND)
            guest_mkdir(path);
        else
            guest_touch(path);
        break;
    case FILE_KIND:
        guest_unlink(path);
        there[dir][name] = NOTHING;
        break;
    case DIR_KIND:
        guest_rmdir(path);
        there[dir][name] = NOTHING;
        break;
    }
}

/* Over a name that exists only where the kernel allows it: same kind. */
static void move(int dir, int name, int new_dir, int new_name)
{
    char from[64], to[64];
    enum kind *old = &there[dir][name], *new = &there[new_dir][new_name];
    if (*old == NOTHING || old == new || (*new != NOTHING &&*new != *old))
        return;
    path_of(from, dir, name);
    path_of(to, new_dir, new_name);
    guest_rename(from, to);
    *new = *old;
    *old = NOTHING;
}

static void change_something(int names)
{
    int dir = rand() % DIRS, name = rand() % names;
    switch (rand() % 8) {
    case 0:
    case 1:
        move(dir, name, dir, rand() % names);
        break;
    case 2:
        move(dir, name, rand() % DIRS, rand() % names);
        break;
    case 3:
        move(dir, name, rand() % DIRS, name);
        break;
    default:
        make_or_remove(dir, name);
    }
}

static void apply_all(struct guest_queue *q, struct model *models,
                      struct model_moves *moves)
{
    for (; q->head < q->count; q->head++)
        model_apply(models, WATCHED, moves, &q->events[q->head]);
}

/* Every model equals its directory; where events lag, soon. */
static void compare(struct guest_queue *q, struct model *models,
                    struct model_moves *moves)
{
    struct guest_event event;
    for (int i = 0; i < WATCHED; i++)
        guest_settle_in(q, models[i].wd, dirs[i]);
    apply_all(q, models, moves);
    for (int i = 0; i < WATCHED; i++) {
        const char *difference;
        while ((difference = model_difference(&models[i], dirs[i])) != NULL) {
            CHECK(guest_next(q, &event), "expected model = directory, seen: %s",
                  difference);
            model_apply(models, WATCHED, moves, &event);
        }
    }
    for (int i = 0; i < WATCHED; i++)
        guest_expect_quiet_in(q, models[i].wd, dirs[i]);
}

static void run_bursts(int names, int bursts, int longest)
{
    struct guest_queue q;
    struct model models[WATCHED];
    struct model_moves moves = {0};
    srand(guest_seed());
    guest_open(&q);
    for (int i = 0; i < DIRS; i++)
        guest_mkdir(dirs[i]);
    for (int i = 0; i < names / 4; i++)
        make_or_remove(rand() % DIRS, rand() % names);
    for (int i = 0; i < WATCHED; i++) {
        model_init(&models[i], guest_watch(&q, dirs[i], MEMBERS));
        model_list(&models[i], dirs[i]);
    }
    for (int i = 0; i < bursts; i++) {
        for (int left = 1 + rand() % longest; left > 0; left--) {
            change_something(names);
            if (rand() % 64 == 0)
                usleep((useconds_t)(rand() % 2000)); /* mid-burst listings */
        }
        compare(&q, models, &moves);
    }
    for (int i = 0; i < WATCHED; i++)
        model_fini(&models[i]);
    guest_close(&q);
}

static void a_thousand_names(void)
{
    run_bursts(NAMES, 60, 400);
}

/* The same few names again and again: chains, cycles, replaced names. */
static void a_handful_of_names(void)
{
    run_bursts(6, 400, 12);
}

static void one_change_at_a_time(void)
{
    run_bursts(20, 400, 1);
}

int main(int argc, char **argv)
{
    static const struct guest_case cases[] = {
        GUEST_CASE(a_thousand_names),
        GUEST_CASE(a_handful_of_names),
        GUEST_CASE(one_change_at_a_time),
    };
    return guest_main(argc, argv, cases, GUEST_COUNT(cases));
}
