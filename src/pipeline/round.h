/*
 * round.h - one round of an instance's dispatch: who is told, and who waits
 *
 * Threads: the holder of the instance's claim.
 */
#pragma once

#include <stdbool.h>

struct tally;
struct vnotify;
struct vnotify_instance;
struct watch;
struct worker;

/* A run of dispatch, for as long as the claim is held. */
struct dispatch {
    struct worker *worker;
    struct vnotify *engine;
    struct tally *tally;
    struct vnotify_instance *instance;
    unsigned phases;      /* of the item that this run holds */
    unsigned held_phases; /* of an item that its caller holds */
    bool pushed;          /* something new for the reader */
    bool starved;         /* no memory for an event, or to take one in */
};

/* Drops what has nothing to tell; lets go what has waited long enough. */
void round_sift(struct dispatch *);

/* 1: a plan is there to be told; 0: nothing to tell now; or -ENOMEM. */
int round_plan(struct dispatch *);
