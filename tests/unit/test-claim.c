/*
 * claim.h: pending bits, one holder, generations, and the counts of phases.
 */
#include "pipeline/claim.h"

#include "unit.h"

#include <pthread.h>

static struct barrier barrier;
static struct claim word;
static unsigned completions;

static void on_complete(void *arg, unsigned phase)
{
    (void)arg;
    (void)phase;
    completions++;
}

static void on_kick(void *arg)
{
    (void)arg;
}

static int setup(void **state)
{
    (void)state;
    completions = 0;
    barrier_init(&barrier, on_complete, on_kick, NULL);
    claim_init(&word, 5, false);
    return 0;
}

static int64_t in_flight(unsigned phase)
{
    return atomic_load(&barrier.in_flight[phase]);
}

static enum claim_outcome post(uint32_t bits)
{
    return claim_post(&word, &barrier, 5, bits, BARRIER_UNCOUNTED);
}

/* Phases are sets: 0 and 1 as one bit each. */
enum { PHASE_0 = 1, PHASE_1 = 2 };

static enum claim_outcome post_counted(uint32_t bits, unsigned phases)
{
    barrier_add(&barrier, phases);
    return claim_post(&word, &barrier, 5, bits, phases);
}

static void test_claim_goes_to_who_posts_to_a_free_word(void **state)
{
    unsigned phase;

    (void)state;
    assert_int_equal(post(1), CLAIM_TAKEN);
    assert_int_equal(post(2), CLAIM_LEFT);
    assert_int_equal(post(8), CLAIM_LEFT);
    assert_int_equal(claim_take(&word, &phase), 11);
    assert_int_equal(phase, BARRIER_UNCOUNTED);
    assert_int_equal(claim_take(&word, &phase), 0);
    assert_true(claim_release(&word));
    assert_int_equal(post(4), CLAIM_TAKEN);
    assert_int_equal(claim_take(&word, &phase), 4);
}

static void test_claim_is_not_released_while_bits_are_pending(void **state)
{
    unsigned phase;

    (void)state;
    post(1);
    assert_false(claim_release(&word));
    claim_take(&word, &phase);
    post(CLAIM_MASK);
    assert_false(claim_release(&word));
    assert_int_equal(claim_take(&word, &phase), CLAIM_MASK);
    assert_true(claim_release(&word));
}

static void test_claim_without_bits_only_tries(void **state)
{
    (void)state;
    assert_int_equal(post(0), CLAIM_TAKEN);
    assert_int_equal(post(0), CLAIM_LEFT);
    assert_true(claim_release(&word));
}

static void test_claim_may_be_held_from_the_start(void **state)
{
    (void)state;
    claim_init(&word, 5, true);
    assert_int_equal(claim_generation(&word), 5);
    assert_int_equal(post(0), CLAIM_LEFT);
    assert_true(claim_release(&word));
}

static void test_claim_refuses_posts_to_another_generation(void **state)
{
    unsigned phase;

    (void)state;
    barrier_add(&barrier, PHASE_0);
    assert_int_equal(claim_post(&word, &barrier, 4, 1, PHASE_0), CLAIM_STALE);
    assert_int_equal(in_flight(0), 0);
    assert_int_equal(claim_post(&word, &barrier, 6, 1, BARRIER_UNCOUNTED),
                     CLAIM_STALE);
    assert_int_equal(post(0), CLAIM_TAKEN);
    assert_int_equal(claim_take(&word, &phase), 0);
}

static void test_claim_close_ends_generation_bits_and_count(void **state)
{
    unsigned phase;

    (void)state;
    assert_int_equal(post_counted(1, PHASE_0), CLAIM_TAKEN);
    assert_int_equal(in_flight(0), 1);
    claim_close(&word, &barrier);
    assert_int_equal(in_flight(0), 0);
    assert_int_equal(claim_generation(&word), 6);
    assert_int_equal(post(1), CLAIM_STALE);
    assert_int_equal(claim_post(&word, &barrier, 6, 2, BARRIER_UNCOUNTED),
                     CLAIM_TAKEN);
    assert_int_equal(claim_take(&word, &phase), 2);
}

static void test_claim_hands_a_posts_count_to_the_holder(void **state)
{
    unsigned phase;

    (void)state;
    post(1);
    post_counted(2, PHASE_0);
    assert_int_equal(in_flight(0), 1);
    assert_int_equal(claim_take(&word, &phase), 3);
    assert_int_equal(phase, PHASE_0);
    assert_int_equal(in_flight(0), 1);
    post(1);
    claim_take(&word, &phase);
    assert_int_equal(phase, BARRIER_UNCOUNTED);
}

static void test_claim_counts_posts_of_one_phase_once(void **state)
{
    unsigned phase;

    (void)state;
    for (int i = 0; i < 5; i++)
        post_counted(1u << i, PHASE_0);
    assert_int_equal(in_flight(0), 1);
    assert_int_equal(claim_take(&word, &phase), 31);
    assert_int_equal(phase, PHASE_0);
}

/*
 * Phase 0 drains, 1 counts: what became of both is one item of both, so the
 * cycle that drains 0 waits for it, whichever was posted first.
 */
static void test_claim_of_two_phases_counts_in_both(void **state)
{
    (void)state;
    for (int younger_first = 0; younger_first < 2; younger_first++) {
        unsigned phases;

        setup(NULL);
        barrier_add(&barrier, PHASE_0); /* the reader's turn */
        barrier_add(&barrier, PHASE_0); /* what is to be posted */
        barrier_flip(&barrier, 1);
        barrier_done(&barrier, PHASE_0);
        barrier_add(&barrier, PHASE_1);
        claim_post(&word, &barrier, 5, 1, younger_first ? PHASE_1 : PHASE_0);
        claim_post(&word, &barrier, 5, 2, younger_first ? PHASE_0 : PHASE_1);
        post_counted(4, PHASE_1); /* one more of a phase that it has */
        assert_int_equal(in_flight(0), 1);
        assert_int_equal(in_flight(1), 1);
        assert_int_equal(claim_take(&word, &phases), 7);
        assert_int_equal(phases, PHASE_0 | PHASE_1);
        assert_int_equal(completions, 0);
        barrier_done(&barrier, phases);
        assert_int_equal(completions, 1);
        assert_true(barrier_quiet(&barrier, 0));
    }
}

/*
 * Posters race for one word.  What a poster counted up before it posted its
 * bit must have been seen by a holder after it; holders exclude each other,
 * which `owned`, a plain variable, tells (and a sanitizer sees).
 */
enum { POSTERS = 4, POSTS = 20000 };

static _Atomic unsigned written[POSTERS];
static unsigned seen[POSTERS], owned, inside, overlaps;

static void serve(void)
{
    do {
        unsigned phase;
        uint32_t bits = claim_take(&word, &phase);

        overlaps += inside++ != 0;
        for (unsigned i = 0; i < POSTERS; i++)
            if ((bits & 1u << i) != 0)
                seen[i] = atomic_load_explicit(&written[i],
                                               memory_order_relaxed);
        owned++;
        inside--;
        barrier_done(&barrier, phase);
    } while (!claim_release(&word));
}

static void *poster(void *arg)
{
    unsigned me = (unsigned)(uintptr_t)arg;

    for (unsigned n = 1; n <= POSTS; n++) {
        atomic_store_explicit(&written[me], n, memory_order_relaxed);
        if (claim_post(&word, &barrier, 5, 1u << me,
                       n % 3 == 0 ? BARRIER_UNCOUNTED
                                  : barrier_join(&barrier)) == CLAIM_TAKEN)
            serve();
    }
    return NULL;
}

static void test_claim_loses_no_bits_and_has_one_holder(void **state)
{
    pthread_t threads[POSTERS];

    (void)state;
    for (uintptr_t i = 0; i < POSTERS; i++)
        pthread_create(&threads[i], NULL, poster, (void *)i);
    for (int i = 0; i < POSTERS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < POSTERS; i++)
        assert_int_equal(seen[i], POSTS);
    assert_int_equal(overlaps, 0);
    assert_true(owned > 0 && owned <= POSTERS * POSTS);
    assert_int_equal(post(0), CLAIM_TAKEN); /* it was free */
    assert_true(barrier_quiet(&barrier, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_claim_goes_to_who_posts_to_a_free_word,
                               setup),
        cmocka_unit_test_setup(
            test_claim_is_not_released_while_bits_are_pending, setup),
        cmocka_unit_test_setup(test_claim_without_bits_only_tries, setup),
        cmocka_unit_test_setup(test_claim_may_be_held_from_the_start, setup),
        cmocka_unit_test_setup(test_claim_refuses_posts_to_another_generation,
                               setup),
        cmocka_unit_test_setup(test_claim_close_ends_generation_bits_and_count,
                               setup),
        cmocka_unit_test_setup(test_claim_hands_a_posts_count_to_the_holder,
                               setup),
        cmocka_unit_test_setup(test_claim_counts_posts_of_one_phase_once,
                               setup),
        cmocka_unit_test_setup(test_claim_of_two_phases_counts_in_both, setup),
        cmocka_unit_test_setup(test_claim_loses_no_bits_and_has_one_holder,
                               setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
