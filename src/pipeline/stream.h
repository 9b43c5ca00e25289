/*
 * stream.h - a new name is told while its directory's listing still runs
 *
 * A directory of 100,000 entries takes many calls to list.  What one of them
 * has brought that the listing before had not, and that is certainly a new
 * object's name, need not wait for the rest: the listing before and that name
 * are a state of the directory that a guest may be told of.  It is offered as
 * such to those who were told the listing before; the whole listing, which is
 * always offered after it, says what else has changed.
 *
 * Threads: the holder of the vnode's claim, inside its listing.
 */
#pragma once

#include "pipeline/offer.h"
#include "pipeline/snapshot.h"

struct stream {
    struct snapshot_follower follower; /* first: snapshot_list calls it */
    struct serving *serving;
    struct vnode *vnode;
    uint64_t begun;    /* ticket */
    uint64_t begun_ns; /* when the listing began */
    int judged;      /* of the builder's newcomers */
    size_t inserted; /* bytes that vnode->current has more than the listing
                        before, all of them ahead of what is walked next */
    struct snapshot *before; /* that listing, referenced, once something is
                                told and vnode->current is no whole one any
                                more; NULL until then.  To be released. */
};

/* For the listings under one ticket of a directory that was listed before. */
void stream_begin(struct stream *, struct serving *, struct vnode *,
                  uint64_t begun);

/* Before each of them. */
void stream_begin_listing(struct stream *, uint64_t now);
