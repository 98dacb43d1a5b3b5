/* SPDX-License-Identifier: Apache-2.0
 *
 * Forgetting, one by one and many at once, and the tombstones that keep what
 * was forgotten from coming back late.
 */
#include "suite.h"

#define test(name) \
    cmocka_unit_test_setup_teardown(name, suite_setup, suite_teardown)

static bool forget(struct suite *suite, uint32_t number, int64_t label_ms)
{
    uint8_t identity[ND_IDENTITY_BYTES];
    bool existed;
    suite_identity(number, identity);
    suite_ok(suite, nd_store_forget(suite->store, &suite_scope, identity,
                                    label_ms, &suite->error, &existed));
    return existed;
}

static struct nd_put_result put_at(struct suite *suite, uint32_t number,
                                   enum nd_class label, int64_t label_ms)
{
    struct nd_sample_put sample = suite_sample(number, label);
    sample.label_ms = label_ms;
    return suite_put(suite, &sample, &suite_roomy);
}

static void a_forgotten_sample_is_gone_and_counts_as_a_change(void **state)
{
    struct suite *suite = *state;
    (void)put_at(suite, 1, ND_SPAM, 1000);
    assert_true(forget(suite, 1, 2000));
    assert_false(suite_is_present(suite, 1));
    assert_int_equal(suite_stats(suite).forgotten, 1);
    assert_int_equal(suite_stats(suite).payload_bytes, 0);
    assert_int_equal(suite_state(suite).changes, 2);
    suite_accounts(suite);
}

static void a_put_given_before_the_forget_stays_out(void **state)
{
    struct suite *suite = *state;
    (void)put_at(suite, 1, ND_SPAM, 1000);
    (void)forget(suite, 1, 2000);
    struct nd_put_result result = put_at(suite, 1, ND_SPAM, 1000);
    assert_int_equal(result.outcome, ND_PUT_REFUSED);
    assert_int_equal(result.reason, ND_REFUSED_FORGOTTEN);
    assert_int_equal(put_at(suite, 1, ND_SPAM, 2000).reason,
                     ND_REFUSED_FORGOTTEN);
    assert_int_equal(suite_stats(suite).refused[ND_REFUSED_FORGOTTEN], 2);
}

static void a_put_given_after_the_forget_is_stored_anew(void **state)
{
    struct suite *suite = *state;
    (void)put_at(suite, 1, ND_SPAM, 1000);
    uint64_t version = suite_find(suite, 1).version;
    uint64_t sequence = suite_find(suite, 1).sequence;
    (void)forget(suite, 1, 2000);
    assert_int_equal(put_at(suite, 1, ND_SPAM, 2001).outcome, ND_PUT_STORED);
    assert_true(suite_find(suite, 1).version > version);
    assert_true(suite_find(suite, 1).sequence > sequence);
    suite_accounts(suite);
}

static void forgetting_an_absent_sample_leaves_a_tombstone(void **state)
{
    struct suite *suite = *state;
    assert_false(forget(suite, 1, 2000));
    assert_int_equal(put_at(suite, 1, ND_SPAM, 1000).reason,
                     ND_REFUSED_FORGOTTEN);
    assert_int_equal(put_at(suite, 1, ND_SPAM, 2001).outcome, ND_PUT_STORED);
    assert_int_equal(suite_stats(suite).forgotten, 0);
    suite_accounts(suite);
}

static void a_forget_repeated_late_does_not_act_twice(void **state)
{
    struct suite *suite = *state;
    (void)put_at(suite, 1, ND_SPAM, 1000);
    assert_true(forget(suite, 1, 2000));
    assert_true(forget(suite, 1, 2000));
    (void)put_at(suite, 1, ND_SPAM, 3000);
    assert_false(forget(suite, 1, 2000));
    assert_true(suite_is_present(suite, 1));
    assert_int_equal(suite_stats(suite).forgotten, 1);
    suite_accounts(suite);
}

static void a_forget_without_a_time_means_now(void **state)
{
    struct suite *suite = *state;
    int64_t now_ms;
    suite_ok(suite, nd_store_now(suite->store, &suite->error, &now_ms));
    /* a host whose clock is an hour ahead labelled it */
    (void)put_at(suite, 1, ND_SPAM, now_ms + 3600000);
    assert_true(forget(suite, 1, 0));
    assert_false(suite_is_present(suite, 1));
}

static void a_newer_forget_moves_the_tombstone(void **state)
{
    struct suite *suite = *state;
    (void)forget(suite, 1, 2000);
    (void)forget(suite, 1, 4000);
    (void)forget(suite, 1, 3000);
    assert_int_equal(put_at(suite, 1, ND_SPAM, 4000).reason,
                     ND_REFUSED_FORGOTTEN);
}

static uint64_t forget_matching(struct suite *suite,
                                struct nd_sample_filter filter, bool dry_run)
{
    uint64_t count;
    suite_ok(suite,
             nd_store_forget_matching(suite->store, &suite_scope, &filter,
                                      dry_run, &suite->error, &count));
    return count;
}

static void many_are_forgotten_by_source_label_and_time(void **state)
{
    struct suite *suite = *state;
    struct nd_sample_put sample;
    for (uint32_t i = 0; i < 12; i++) {
        sample = suite_sample(i, i % 2 ? ND_SPAM : ND_HAM);
        sample.source = i < 6 ? ND_SOURCE_AUTOLEARN : ND_SOURCE_USER;
        (void)suite_put(suite, &sample, &suite_roomy);
    }
    struct nd_sample_filter filter = {.source = ND_SOURCE_AUTOLEARN,
                                      .label = ND_SPAM,
                                      .since_ms = 1003,
                                      .until_ms = 1005};
    assert_int_equal(forget_matching(suite, filter, true), 1);
    assert_true(suite_is_present(suite, 3));
    assert_int_equal(forget_matching(suite, filter, false), 1);
    assert_false(suite_is_present(suite, 3));
    filter =
        (struct nd_sample_filter){.source = ND_SOURCE_AUTOLEARN, .label = -1};
    assert_int_equal(forget_matching(suite, filter, false), 5);
    filter = (struct nd_sample_filter){.source = -1, .label = -1};
    assert_int_equal(forget_matching(suite, filter, true), 6);
    suite_accounts(suite);
}

static void more_are_forgotten_than_one_step_takes(void **state)
{
    struct suite *suite = *state;
    struct nd_sample_filter all = {.source = -1, .label = -1};
    suite_put_range(suite, 0, 2500, ND_SPAM);
    assert_int_equal(forget_matching(suite, all, true), 2500);
    assert_int_equal(forget_matching(suite, all, false), 2500);
    assert_int_equal(suite_stats(suite).count[ND_SPAM], 0);
    assert_int_equal(put_at(suite, 7, ND_SPAM, 1007).reason,
                     ND_REFUSED_FORGOTTEN);
    suite_accounts(suite);
}

static void forgetting_in_a_scope_that_is_not_there_finds_nothing(void **state)
{
    struct suite *suite = *state;
    struct nd_sample_filter all = {.source = -1, .label = -1};
    assert_int_equal(forget_matching(suite, all, false), 0);
    assert_int_equal(forget_matching(suite, all, true), 0);
}

int suite_forget_tests(void)
{
    const struct CMUnitTest tests[] = {
        test(a_forgotten_sample_is_gone_and_counts_as_a_change),
        test(a_put_given_before_the_forget_stays_out),
        test(a_put_given_after_the_forget_is_stored_anew),
        test(forgetting_an_absent_sample_leaves_a_tombstone),
        test(a_forget_repeated_late_does_not_act_twice),
        test(a_forget_without_a_time_means_now),
        test(a_newer_forget_moves_the_tombstone),
        test(many_are_forgotten_by_source_label_and_time),
        test(more_are_forgotten_than_one_step_takes),
        test(forgetting_in_a_scope_that_is_not_there_finds_nothing),
    };
    return cmocka_run_group_tests_name("forget", tests, NULL, NULL);
}
