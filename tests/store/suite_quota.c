/* SPDX-License-Identifier: Apache-2.0
 *
 * How many samples a class may have: the seed's balanced rule, and the
 * reservoir that replaces at random.
 */
#include "suite.h"

#include <math.h>

#define test(name) \
    cmocka_unit_test_setup_teardown(name, suite_setup, suite_teardown)

/* ---- balanced ---- */

/* Whether one more of label is taken with ham and spam samples present, under
 * a limit of 10. */
static bool balanced_takes(struct suite *suite, uint32_t ham, uint32_t spam,
                           enum nd_class label)
{
    const struct nd_quota quota = {ND_QUOTA_BALANCED, 10};
    struct nd_sample_filter all = {.source = -1, .label = -1};
    uint64_t count;
    static uint32_t number = 0;
    suite_ok(suite, nd_store_forget_matching(suite->store, &suite_scope, &all,
                                             false, &suite->error, &count));
    suite_put_range(suite, number, ham, ND_HAM);
    suite_put_range(suite, number + ham, spam, ND_SPAM);
    number += ham + spam;
    struct nd_sample_put sample = suite_sample(number++, label);
    struct nd_put_result result = suite_put(suite, &sample, &quota);
    if (result.outcome == ND_PUT_STORED)
        return true;
    assert_int_equal(result.outcome, ND_PUT_REFUSED);
    assert_int_equal(result.reason, ND_REFUSED_QUOTA);
    assert_int_equal(result.count[ND_HAM], ham);
    assert_int_equal(result.count[ND_SPAM], spam);
    return false;
}

static void balanced_is_the_rule_of_the_seed(void **state)
{
    struct suite *suite = *state;
    assert_true(balanced_takes(suite, 0, 0, ND_SPAM));
    assert_true(balanced_takes(suite, 0, 1, ND_SPAM));
    assert_false(balanced_takes(suite, 0, 2, ND_SPAM));
    assert_true(balanced_takes(suite, 4, 5, ND_SPAM));
    assert_false(balanced_takes(suite, 4, 6, ND_SPAM));
    assert_true(balanced_takes(suite, 4, 6, ND_HAM));
    assert_true(balanced_takes(suite, 6, 5, ND_HAM));
    assert_false(balanced_takes(suite, 7, 5, ND_HAM));
}

static void balanced_stops_when_the_other_class_is_over_its_limit(void **state)
{
    struct suite *suite = *state;
    assert_true(balanced_takes(suite, 11, 3, ND_SPAM));
    assert_false(balanced_takes(suite, 12, 3, ND_SPAM));
    assert_true(balanced_takes(suite, 11, 11, ND_HAM));
    assert_false(balanced_takes(suite, 3, 12, ND_HAM));
}

static void balanced_takes_samples_while_somebody_trains(void **state)
{
    struct suite *suite = *state;
    (void)suite_acquire(suite, 1);
    assert_true(balanced_takes(suite, 2, 2, ND_SPAM));
}

static void balanced_counts_what_it_refuses(void **state)
{
    struct suite *suite = *state;
    const struct nd_quota quota = {ND_QUOTA_BALANCED, 10};
    for (uint32_t i = 0; i < 5; i++) {
        struct nd_sample_put sample = suite_sample(i, ND_SPAM);
        (void)suite_put(suite, &sample, &quota);
    }
    struct nd_store_stats stats = suite_stats(suite);
    assert_int_equal(stats.count[ND_SPAM], 2);
    assert_int_equal(stats.refused[ND_REFUSED_QUOTA], 3);
    suite_accounts(suite);
}

/* ---- reservoir ---- */

static void a_full_reservoir_replaces_one_of_the_class(void **state)
{
    struct suite *suite = *state;
    const struct nd_quota quota = {ND_QUOTA_RESERVOIR, 5};
    suite_put_range(suite, 0, 5, ND_SPAM);
    suite_put_range(suite, 5, 3, ND_HAM);
    struct nd_sample_put sample = suite_sample(8, ND_SPAM);
    struct nd_put_result result = suite_put(suite, &sample, &quota);
    assert_int_equal(result.outcome, ND_PUT_REPLACED);
    assert_int_equal(result.count[ND_SPAM], 5);
    assert_int_equal(result.count[ND_HAM], 3);
    struct nd_sample_info info;
    suite_fails(ND_NO_INPUT,
                nd_store_find(suite->store, &suite_scope, result.replaced,
                              &suite->error, &info));
    assert_true(suite_is_present(suite, 8));
    assert_int_equal(suite_stats(suite).replaced, 1);
    suite_accounts(suite);
}

/* The number of the sample that has identity, of those below count. */
static uint32_t number_of(const uint8_t identity[ND_IDENTITY_BYTES],
                          uint32_t count)
{
    for (uint32_t number = 0; number < count; number++) {
        uint8_t own[ND_IDENTITY_BYTES];
        suite_identity(number, own);
        if (memcmp(own, identity, ND_IDENTITY_BYTES) == 0)
            return number;
    }
    fail_msg("an unknown identity");
    return 0;
}

static void a_replaced_sample_is_a_duplicate_until_its_label_changes(
    void **state)
{
    struct suite *suite = *state;
    const struct nd_quota quota = {ND_QUOTA_RESERVOIR, 3};
    suite_put_range(suite, 0, 3, ND_SPAM);
    struct nd_sample_put sample = suite_sample(3, ND_SPAM);
    struct nd_put_result result = suite_put(suite, &sample, &quota);
    uint32_t victim = number_of(result.replaced, 3);
    sample = suite_sample(victim, ND_SPAM);
    assert_int_equal(suite_put(suite, &sample, &quota).outcome,
                     ND_PUT_DUPLICATE);
    sample.label_ms += 5;
    assert_int_equal(suite_put(suite, &sample, &quota).outcome,
                     ND_PUT_DUPLICATE);
    sample.label = ND_HAM;
    sample.label_ms -= 1;
    result = suite_put(suite, &sample, &quota);
    assert_int_equal(result.reason, ND_REFUSED_OLDER);
    sample.label_ms += 2;
    assert_int_equal(suite_put(suite, &sample, &quota).outcome, ND_PUT_STORED);
    assert_int_equal(suite_find(suite, victim).label, ND_HAM);
    assert_true(suite_find(suite, victim).version > 1);
    suite_accounts(suite);
}

#define CLASS_SIZE 8
#define DRAWS 4000

/* Drops the item at place and appends another, as a reservoir's age list. */
static void renew(uint32_t *ages, uint32_t place, uint32_t number)
{
    memmove(ages + place, ages + place + 1,
            (CLASS_SIZE - 1 - place) * sizeof(*ages));
    ages[CLASS_SIZE - 1] = number;
}

static void every_sample_of_a_full_class_is_as_likely_to_go(void **state)
{
    struct suite *suite = *state;
    const struct nd_quota quota = {ND_QUOTA_RESERVOIR, CLASS_SIZE};
    uint32_t ages[CLASS_SIZE], drawn[CLASS_SIZE] = {0};
    uint8_t identities[CLASS_SIZE][ND_IDENTITY_BYTES];
    struct nd_sample_put *samples = calloc(DRAWS, sizeof(*samples));
    struct nd_put_result *results = calloc(DRAWS, sizeof(*results));
    suite_put_range(suite, 0, CLASS_SIZE, ND_SPAM);
    for (uint32_t i = 0; i < CLASS_SIZE; i++)
        ages[i] = i;
    for (uint32_t i = 0; i < DRAWS; i++)
        samples[i] = suite_sample(CLASS_SIZE + i, ND_SPAM);
    suite_ok(suite, nd_store_put_many(suite->store, &suite_scope, samples,
                                      DRAWS, &quota, &suite->error, results));
    for (uint32_t i = 0; i < DRAWS; i++) {
        uint32_t place = 0;
        for (; place < CLASS_SIZE; place++) {
            suite_identity(ages[place], identities[place]);
            if (memcmp(identities[place], results[i].replaced,
                       ND_IDENTITY_BYTES) == 0)
                break;
        }
        assert_true(place < CLASS_SIZE);
        drawn[place]++;
        renew(ages, place, CLASS_SIZE + i);
    }
    double expected = (double)DRAWS / CLASS_SIZE;
    for (uint32_t place = 0; place < CLASS_SIZE; place++)
        assert_true(fabs(drawn[place] - expected) < 5 * sqrt(expected));
    free(samples);
    free(results);
    suite_accounts(suite);
}

static void a_lowered_limit_is_reached_step_by_step(void **state)
{
    struct suite *suite = *state;
    const struct nd_quota quota = {ND_QUOTA_RESERVOIR, 4};
    suite_put_range(suite, 0, 10, ND_SPAM);
    uint64_t before = 10;
    for (uint32_t i = 10; i < 20; i++) {
        struct nd_sample_put sample = suite_sample(i, ND_SPAM);
        struct nd_put_result result = suite_put(suite, &sample, &quota);
        assert_true(result.count[ND_SPAM] >= before - 1);
        before = result.count[ND_SPAM];
    }
    assert_int_equal(before, 4);
    suite_accounts(suite);
}

static void a_relabel_into_a_full_class_is_levelled_out(void **state)
{
    struct suite *suite = *state;
    const struct nd_quota quota = {ND_QUOTA_RESERVOIR, 3};
    suite_put_range(suite, 0, 3, ND_SPAM);
    suite_put_range(suite, 3, 2, ND_HAM);
    struct nd_sample_put sample = suite_sample(3, ND_SPAM);
    sample.label_ms++;
    struct nd_put_result result = suite_put(suite, &sample, &quota);
    assert_int_equal(result.outcome, ND_PUT_RELABELLED);
    for (uint32_t i = 5; i < 8; i++) {
        sample = suite_sample(i, ND_SPAM);
        result = suite_put(suite, &sample, &quota);
    }
    assert_int_equal(result.count[ND_SPAM], 3);
    assert_int_equal(result.count[ND_HAM], 1);
    suite_accounts(suite);
}

int suite_quota_tests(void)
{
    const struct CMUnitTest tests[] = {
        test(balanced_is_the_rule_of_the_seed),
        test(balanced_stops_when_the_other_class_is_over_its_limit),
        test(balanced_takes_samples_while_somebody_trains),
        test(balanced_counts_what_it_refuses),
        test(a_full_reservoir_replaces_one_of_the_class),
        test(a_replaced_sample_is_a_duplicate_until_its_label_changes),
        test(every_sample_of_a_full_class_is_as_likely_to_go),
        test(a_lowered_limit_is_reached_step_by_step),
        test(a_relabel_into_a_full_class_is_levelled_out),
    };
    return cmocka_run_group_tests_name("quota", tests, NULL, NULL);
}
