/*
 * registry.h: one vnode for an inode, slots used again under a new generation.
 */
#include "pipeline/registry.h"

#include "unit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "pipeline/note.h"
#include "pipeline/watch.h"

static struct registry *registry;
static struct barrier barrier;

static void nothing(void *arg, unsigned phase)
{
    (void)arg;
    (void)phase;
}

static void no_kick(void *arg)
{
    (void)arg;
}

static int setup(void **state)
{
    (void)state;
    registry = calloc(1, sizeof(*registry));
    barrier_init(&barrier, nothing, no_kick, NULL);
    return registry_init(registry);
}

static int teardown(void **state)
{
    (void)state;
    registry_fini(registry);
    free(registry);
    return 0;
}

static struct vnode *get(uint64_t dev, uint64_t ino, bool *made)
{
    struct look look = { .dev = dev, .ino = ino, .mode = S_IFDIR };

    return registry_get(registry, &look, made);
}

static struct vnode *make(uint64_t ino)
{
    bool made;
    struct vnode *vnode = get(1, ino, &made);

    assert_non_null(vnode);
    assert_true(made);
    return vnode;
}

/* As the housekeeper does, who holds the claim. */
static void let_go(struct vnode *vnode)
{
    assert_true(registry_put(registry, vnode));
    claim_close(&vnode->claim, &barrier);
    registry_free(registry, vnode);
}

static void test_vnode_is_one_for_each_inode(void **state)
{
    bool made;
    struct vnode *a = make(7), *b;

    (void)state;
    assert_ptr_equal(get(1, 7, &made), a);
    assert_false(made);
    b = get(2, 7, &made); /* another device */
    assert_true(made);
    assert_ptr_not_equal(a, b);
    assert_int_equal(registry->in_use, 2);
    assert_false(registry_put(registry, a));
    let_go(a);
    let_go(b);
    assert_int_equal(registry->in_use, 0);
}

static void test_vnode_is_held_by_who_made_it(void **state)
{
    struct vnode *vnode = make(7);

    (void)state;
    assert_int_equal(claim_post(&vnode->claim, &barrier,
                                claim_generation(&vnode->claim), HINT_LIST,
                                BARRIER_UNCOUNTED),
                     CLAIM_LEFT);
    assert_false(claim_release(&vnode->claim));
    let_go(vnode);
}

static void test_vnode_is_found_by_its_slot(void **state)
{
    (void)state;
    for (uint64_t ino = 1; ino <= 1000; ino++) { /* several chunks */
        struct vnode *vnode = make(ino);

        assert_int_not_equal(vnode->slot, 0); /* 0 is not a vnode */
        assert_ptr_equal(registry_slot(registry, vnode->slot), vnode);
    }
    assert_int_equal(registry->in_use, 1000);
}

static void test_vnode_refuses_notes_of_its_slots_earlier_use(void **state)
{
    struct vnode *vnode = make(7), *next;
    uint32_t slot = vnode->slot;
    uint32_t generation = claim_generation(&vnode->claim);

    (void)state;
    vnode->host_fd = 99;
    atomic_store(&vnode->armed, 1);
    more(vnode)->owed = HINT_LIST;
    vnode->failing = true;
    let_go(vnode);
    assert_int_equal(claim_post(&registry_slot(registry, slot)->claim, &barrier,
                                generation, HINT_LIST, BARRIER_UNCOUNTED),
                     CLAIM_STALE);
    next = make(8);
    assert_int_equal(next->slot, slot); /* used again */
    assert_int_not_equal(claim_generation(&next->claim), generation);
    assert_int_equal(claim_post(&next->claim, &barrier, generation, HINT_LIST,
                                BARRIER_UNCOUNTED),
                     CLAIM_STALE);
    assert_int_equal(next->host_fd, -1);
    assert_int_equal(next->armed, 0);
    assert_int_equal(more(next)->owed, 0);
    assert_false(next->failing);
    let_go(next);
}

static void test_vnode_of_an_inode_used_again_is_another(void **state)
{
    struct vnode *vnode = make(7), *next;

    (void)state;
    assert_true(registry_put(registry, vnode));
    /* Not closed yet: the slot is not free, the inode is. */
    next = make(7);
    assert_ptr_not_equal(next, vnode);
    claim_close(&vnode->claim, &barrier);
    registry_free(registry, vnode);
    let_go(next);
}

/* More of them than there were chains for, found without the lock. */
static void test_vnode_is_found_by_who_only_looks(void **state)
{
    bool sure;

    (void)state;
    for (uint64_t ino = 1; ino <= 1000; ino++)
        make(ino);
    for (uint64_t ino = 1; ino <= 1000; ino++) {
        struct vnode *vnode = registry_peek(registry, 1, ino, &sure);

        assert_non_null(vnode);
        assert_int_equal(vnode->ino, ino);
        assert_true(sure);
    }
    assert_null(registry_peek(registry, 1, 1001, &sure));
    assert_true(sure);
    assert_null(registry_peek(registry, 2, 1, &sure));
    let_go(registry_peek(registry, 1, 500, &sure));
    assert_null(registry_peek(registry, 1, 500, &sure));
    assert_true(sure);
}

static atomic_bool stop_peeking;

/* What is there all the time is found, or the walk knows that it may have
   missed it. */
static void *peek_at_one(void *arg)
{
    bool *missed = arg, sure;

    while (!atomic_load(&stop_peeking))
        for (uint64_t ino = 1; ino <= 64; ino++)
            if (registry_peek(registry, 1, ino, &sure) == NULL && sure)
                *missed = true;
    return NULL;
}

static void test_vnode_is_not_missed_while_chains_are_made_anew(void **state)
{
    bool missed = false;
    pthread_t thread;

    (void)state;
    for (uint64_t ino = 1; ino <= 64; ino++)
        make(ino);
    atomic_store(&stop_peeking, false);
    pthread_create(&thread, NULL, peek_at_one, &missed);
    for (uint64_t ino = 65; ino <= 20000; ino++)
        make(ino);
    atomic_store(&stop_peeking, true);
    pthread_join(thread, NULL);
    assert_false(missed);
}

static void test_vnode_knows_who_watches_it(void **state)
{
    struct vnode *vnode = make(7);

    (void)state;
    assert_false(vnode_is_watched(vnode));
    assert_int_equal(registry_enter(registry, vnode, roster_entry(1, 1)), 0);
    assert_true(vnode_is_watched(vnode));
    registry_leave(registry, vnode, roster_entry(2, 1)); /* is not there */
    assert_true(vnode_is_watched(vnode));
    registry_leave(registry, vnode, roster_entry(1, 1));
    registry_leave(registry, vnode, roster_entry(1, 1)); /* twice is as once */
    assert_false(vnode_is_watched(vnode));
    let_go(vnode);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_vnode_is_one_for_each_inode),
        CASE(test_vnode_is_held_by_who_made_it),
        CASE(test_vnode_is_found_by_its_slot),
        CASE(test_vnode_refuses_notes_of_its_slots_earlier_use),
        CASE(test_vnode_of_an_inode_used_again_is_another),
        CASE(test_vnode_is_found_by_who_only_looks),
        CASE(test_vnode_is_not_missed_while_chains_are_made_anew),
        CASE(test_vnode_knows_who_watches_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
