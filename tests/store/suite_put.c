/* SPDX-License-Identifier: Apache-2.0
 *
 * Storing and relabelling: what a put does to an identity that is new, known,
 * or known otherwise, and what it may not do.
 */
#include "suite.h"

#define test(name) \
    cmocka_unit_test_setup_teardown(name, suite_setup, suite_teardown)

static void a_new_sample_is_stored_and_counted(void **state)
{
    struct suite *suite = *state;
    struct nd_sample_put sample = suite_sample(1, ND_SPAM);
    struct nd_put_result result = suite_put(suite, &sample, &suite_roomy);
    assert_int_equal(result.outcome, ND_PUT_STORED);
    assert_int_equal(result.count[ND_SPAM], 1);
    assert_int_equal(result.count[ND_HAM], 0);
    struct nd_sample_info info = suite_find(suite, 1);
    assert_int_equal(info.label, ND_SPAM);
    assert_int_equal(info.source, ND_SOURCE_API);
    assert_int_equal(info.label_ms, 1001);
    assert_int_equal(info.time_ms, 5001);
    suite_accounts(suite);
}

static void the_same_put_again_is_a_duplicate_and_changes_nothing(void **state)
{
    struct suite *suite = *state;
    struct nd_sample_put sample = suite_sample(1, ND_SPAM);
    (void)suite_put(suite, &sample, &suite_roomy);
    struct nd_sample_info before = suite_find(suite, 1);
    struct nd_put_result result = suite_put(suite, &sample, &suite_roomy);
    assert_int_equal(result.outcome, ND_PUT_DUPLICATE);
    assert_int_equal(result.count[ND_SPAM], 1);
    struct nd_sample_info after = suite_find(suite, 1);
    assert_memory_equal(&before, &after, sizeof(before));
    assert_int_equal(suite_state(suite).changes, 1);
    suite_accounts(suite);
}

/* Puts spam of one source and time, then ham of another, and answers what
 * became of the second. */
static struct nd_put_result dispute(struct suite *suite, enum nd_source first,
                                    int64_t first_ms, enum nd_source second,
                                    int64_t second_ms)
{
    struct nd_sample_put sample = suite_sample(1, ND_SPAM);
    sample.source = first;
    sample.label_ms = first_ms;
    (void)suite_put(suite, &sample, &suite_roomy);
    sample.label = ND_HAM;
    sample.source = second;
    sample.label_ms = second_ms;
    return suite_put(suite, &sample, &suite_roomy);
}

static void a_better_source_relabels_whatever_the_times(void **state)
{
    struct suite *suite = *state;
    struct nd_put_result result =
        dispute(suite, ND_SOURCE_TRAP, 9000, ND_SOURCE_USER, 1000);
    assert_int_equal(result.outcome, ND_PUT_RELABELLED);
    assert_int_equal(result.old_label, ND_SPAM);
    assert_int_equal(result.count[ND_HAM], 1);
    assert_int_equal(result.count[ND_SPAM], 0);
    assert_int_equal(suite_find(suite, 1).source, ND_SOURCE_USER);
    suite_accounts(suite);
}

static void a_lesser_source_is_refused_whatever_the_times(void **state)
{
    struct suite *suite = *state;
    struct nd_put_result result =
        dispute(suite, ND_SOURCE_TRAP, 1000, ND_SOURCE_API, 9000);
    assert_int_equal(result.outcome, ND_PUT_REFUSED);
    assert_int_equal(result.reason, ND_REFUSED_RANK);
    assert_int_equal(suite_find(suite, 1).label, ND_SPAM);
    assert_int_equal(suite_stats(suite).refused[ND_REFUSED_RANK], 1);
    suite_accounts(suite);
}

static void of_equal_sources_the_newer_label_wins(void **state)
{
    struct suite *suite = *state;
    struct nd_put_result result =
        dispute(suite, ND_SOURCE_USER, 1000, ND_SOURCE_USER, 1001);
    assert_int_equal(result.outcome, ND_PUT_RELABELLED);
    assert_int_equal(suite_find(suite, 1).label_ms, 1001);
}

static void of_equal_sources_the_older_label_is_refused(void **state)
{
    struct suite *suite = *state;
    struct nd_put_result result =
        dispute(suite, ND_SOURCE_USER, 1001, ND_SOURCE_USER, 1000);
    assert_int_equal(result.outcome, ND_PUT_REFUSED);
    assert_int_equal(result.reason, ND_REFUSED_OLDER);
}

static void of_two_labels_of_one_moment_the_first_stays(void **state)
{
    struct suite *suite = *state;
    struct nd_put_result result =
        dispute(suite, ND_SOURCE_USER, 1000, ND_SOURCE_USER, 1000);
    assert_int_equal(result.outcome, ND_PUT_REFUSED);
    assert_int_equal(suite_find(suite, 1).label, ND_SPAM);
}

static void the_same_label_from_a_better_source_takes_its_rank(void **state)
{
    struct suite *suite = *state;
    struct nd_sample_put sample = suite_sample(1, ND_SPAM);
    sample.source = ND_SOURCE_AUTOLEARN;
    (void)suite_put(suite, &sample, &suite_roomy);
    sample.source = ND_SOURCE_USER;
    struct nd_put_result result = suite_put(suite, &sample, &suite_roomy);
    assert_int_equal(result.outcome, ND_PUT_RELABELLED);
    assert_int_equal(result.old_label, ND_SPAM);
    sample.source = ND_SOURCE_API;
    result = suite_put(suite, &sample, &suite_roomy);
    assert_int_equal(result.outcome, ND_PUT_DUPLICATE);
    assert_int_equal(suite_find(suite, 1).source, ND_SOURCE_USER);
    suite_accounts(suite);
}

static void a_label_that_was_confirmed_later_is_not_undone_earlier(void **state)
{
    struct suite *suite = *state;
    struct nd_sample_put sample = suite_sample(1, ND_SPAM);
    sample.label_ms = 1000;
    (void)suite_put(suite, &sample, &suite_roomy);
    sample.label_ms = 3000;
    (void)suite_put(suite, &sample, &suite_roomy);
    sample.label = ND_HAM;
    sample.label_ms = 2000;
    struct nd_put_result result = suite_put(suite, &sample, &suite_roomy);
    assert_int_equal(result.reason, ND_REFUSED_OLDER);
}

static void a_relabel_raises_the_version_and_counts_as_a_change(void **state)
{
    struct suite *suite = *state;
    struct nd_sample_put sample = suite_sample(1, ND_SPAM);
    (void)suite_put(suite, &sample, &suite_roomy);
    struct nd_sample_info before = suite_find(suite, 1);
    struct nd_claim claim = {ND_HAM, ND_SOURCE_USER, 0};
    struct nd_put_result result;
    suite_ok(suite,
             nd_store_relabel(suite->store, &suite_scope, sample.identity,
                              &claim, &suite->error, &result));
    assert_int_equal(result.outcome, ND_PUT_RELABELLED);
    struct nd_sample_info after = suite_find(suite, 1);
    assert_true(after.version > before.version);
    assert_int_equal(after.sequence, before.sequence);
    assert_int_equal(after.time_ms, before.time_ms);
    assert_int_equal(suite_state(suite).changes, 2);
    suite_accounts(suite);
}

static void only_a_present_sample_can_be_relabelled(void **state)
{
    struct suite *suite = *state;
    struct nd_sample_put sample = suite_sample(1, ND_SPAM);
    struct nd_claim claim = {ND_HAM, ND_SOURCE_USER, 0};
    struct nd_put_result result;
    suite_fails(ND_NO_INPUT,
                nd_store_relabel(suite->store, &suite_scope, sample.identity,
                                 &claim, &suite->error, &result));
    assert_int_equal(suite_stats(suite).count[ND_HAM], 0);
}

static uint32_t families_of(struct suite *suite, uint32_t number)
{
    struct nd_sample_info info = suite_find(suite, number);
    struct nd_payload payload;
    uint32_t families;
    suite_ok(suite, nd_store_read(suite->store, &suite_scope, &info, 1,
                                  suite->arena, &suite->error, &payload));
    assert_non_null(payload.data);
    suite_ok(suite, nd_sample_families(payload.data, payload.length,
                                       &suite->error, &families));
    return families;
}

static void missing_families_are_added_and_known_ones_kept(void **state)
{
    struct suite *suite = *state;
    uint8_t payload[32];
    struct nd_sample_put sample = suite_sample(1, ND_SPAM);
    sample.payload = payload;
    sample.payload_length = suite_payload(0x0a, 7, payload, sizeof(payload));
    (void)suite_put(suite, &sample, &suite_roomy);
    uint64_t bytes = suite_stats(suite).payload_bytes;
    uint64_t version = suite_find(suite, 1).version;
    sample.payload_length = suite_payload(0x06, 9, payload, sizeof(payload));
    struct nd_put_result result = suite_put(suite, &sample, &suite_roomy);
    assert_int_equal(result.outcome, ND_PUT_MERGED);
    assert_int_equal(families_of(suite, 1), 0x0e);
    assert_true(suite_find(suite, 1).version > version);
    assert_true(suite_stats(suite).payload_bytes > bytes);
    result = suite_put(suite, &sample, &suite_roomy);
    assert_int_equal(result.outcome, ND_PUT_DUPLICATE);
    assert_int_equal(suite_stats(suite).put_merged, 1);
    suite_accounts(suite);
}

static void a_relabel_by_put_adds_missing_families_too(void **state)
{
    struct suite *suite = *state;
    uint8_t payload[32];
    struct nd_sample_put sample = suite_sample(1, ND_SPAM);
    (void)suite_put(suite, &sample, &suite_roomy);
    sample.label = ND_HAM;
    sample.source = ND_SOURCE_USER;
    sample.payload = payload;
    sample.payload_length = suite_payload(0x18, 9, payload, sizeof(payload));
    struct nd_put_result result = suite_put(suite, &sample, &suite_roomy);
    assert_int_equal(result.outcome, ND_PUT_RELABELLED);
    assert_int_equal(families_of(suite, 1), 0x1a);
}

static void a_refused_label_adds_no_families(void **state)
{
    struct suite *suite = *state;
    uint8_t payload[32];
    struct nd_sample_put sample = suite_sample(1, ND_SPAM);
    (void)suite_put(suite, &sample, &suite_roomy);
    sample.label = ND_HAM;
    sample.source = ND_SOURCE_AUTOLEARN;
    sample.payload = payload;
    sample.payload_length = suite_payload(0x18, 9, payload, sizeof(payload));
    (void)suite_put(suite, &sample, &suite_roomy);
    assert_int_equal(families_of(suite, 1), 0x02);
}

static void a_batch_meets_its_own_earlier_samples(void **state)
{
    struct suite *suite = *state;
    struct nd_sample_put samples[3] = {suite_sample(1, ND_SPAM),
                                       suite_sample(1, ND_SPAM),
                                       suite_sample(1, ND_HAM)};
    samples[2].label_ms++;
    struct nd_put_result results[3];
    suite_ok(suite, nd_store_put_many(suite->store, &suite_scope, samples, 3,
                                      &suite_roomy, &suite->error, results));
    assert_int_equal(results[0].outcome, ND_PUT_STORED);
    assert_int_equal(results[1].outcome, ND_PUT_DUPLICATE);
    assert_int_equal(results[2].outcome, ND_PUT_RELABELLED);
    assert_int_equal(results[2].count[ND_HAM], 1);
    suite_accounts(suite);
}

static void a_batch_with_a_malformed_sample_stores_none(void **state)
{
    struct suite *suite = *state;
    struct nd_sample_put samples[2] = {suite_sample(1, ND_SPAM),
                                       suite_sample(2, ND_SPAM)};
    samples[1].payload = "rubbish";
    samples[1].payload_length = 7;
    struct nd_put_result results[2];
    suite_fails(ND_DATA,
                nd_store_put_many(suite->store, &suite_scope, samples, 2,
                                  &suite_roomy, &suite->error, results));
    assert_false(suite_is_present(suite, 1));
}

static void a_sample_without_a_time_gets_the_stores(void **state)
{
    struct suite *suite = *state;
    struct nd_sample_put sample = suite_sample(1, ND_SPAM);
    sample.time_ms = 0;
    sample.label_ms = 0;
    int64_t before, after;
    suite_ok(suite, nd_store_now(suite->store, &suite->error, &before));
    (void)suite_put(suite, &sample, &suite_roomy);
    suite_ok(suite, nd_store_now(suite->store, &suite->error, &after));
    struct nd_sample_info info = suite_find(suite, 1);
    assert_in_range(info.time_ms, before, after);
    assert_in_range(info.label_ms, before, after);
}

#define DAY_MS (INT64_C(24) * 60 * 60 * 1000)

static void a_label_from_the_far_future_wins_for_a_day_at_most(void **state)
{
    struct suite *suite = *state;
    struct nd_sample_put sample = suite_sample(1, ND_SPAM);
    int64_t now_ms;
    suite_ok(suite, nd_store_now(suite->store, &suite->error, &now_ms));
    sample.label_ms = now_ms + 1000 * DAY_MS;
    (void)suite_put(suite, &sample, &suite_roomy);
    if (!suite_backend_move_clock(2 * DAY_MS))
        skip();
    sample.label = ND_HAM;
    sample.label_ms = 0;
    struct nd_put_result result = suite_put(suite, &sample, &suite_roomy);
    assert_int_equal(result.outcome, ND_PUT_RELABELLED);
}

static void samples_of_two_scopes_do_not_meet(void **state)
{
    struct suite *suite = *state;
    struct nd_sample_put sample = suite_sample(1, ND_SPAM);
    struct nd_put_result result;
    (void)suite_put(suite, &sample, &suite_roomy);
    suite_ok(suite, nd_store_put(suite->store, &suite_other_scope, &sample,
                                 &suite_roomy, &suite->error, &result));
    assert_int_equal(result.outcome, ND_PUT_STORED);
    assert_int_equal(result.count[ND_SPAM], 1);
    assert_int_equal(suite_stats(suite).count[ND_SPAM], 1);
}

static void storing_never_looks_at_the_lease(void **state)
{
    struct suite *suite = *state;
    (void)suite_acquire(suite, 1);
    struct nd_sample_put sample = suite_sample(1, ND_SPAM);
    struct nd_put_result result = suite_put(suite, &sample, &suite_roomy);
    assert_int_equal(result.outcome, ND_PUT_STORED);
}

/* ---- key and registry ---- */

static void samples_of_another_key_are_refused_and_counted(void **state)
{
    struct suite *suite = *state;
    struct nd_key candidate, key;
    nd_key_generate(&candidate);
    suite_ok(suite,
             nd_store_key(suite->store, &candidate, &suite->error, &key));
    struct nd_sample_put sample = suite_sample(1, ND_SPAM);
    memcpy(sample.key_id, key.id, ND_KEY_ID_BYTES);
    assert_int_equal(suite_put(suite, &sample, &suite_roomy).outcome,
                     ND_PUT_STORED);
    sample = suite_sample(2, ND_SPAM);
    memset(sample.key_id, 0x5a, ND_KEY_ID_BYTES);
    struct nd_put_result result = suite_put(suite, &sample, &suite_roomy);
    assert_int_equal(result.outcome, ND_PUT_REFUSED);
    assert_int_equal(result.reason, ND_REFUSED_KEY);
    assert_int_equal(suite_stats(suite).refused[ND_REFUSED_KEY], 1);
    assert_false(suite_is_present(suite, 2));
}

static void without_a_key_in_the_store_the_first_sample_decides(void **state)
{
    struct suite *suite = *state;
    struct nd_sample_put sample = suite_sample(1, ND_SPAM);
    memset(sample.key_id, 0x11, ND_KEY_ID_BYTES);
    (void)suite_put(suite, &sample, &suite_roomy);
    sample = suite_sample(2, ND_SPAM); /* no text features: no key */
    assert_int_equal(suite_put(suite, &sample, &suite_roomy).outcome,
                     ND_PUT_STORED);
    sample = suite_sample(3, ND_SPAM);
    memset(sample.key_id, 0x22, ND_KEY_ID_BYTES);
    assert_int_equal(suite_put(suite, &sample, &suite_roomy).reason,
                     ND_REFUSED_KEY);
}

static void the_key_is_made_once_and_stays(void **state)
{
    struct suite *suite = *state;
    struct nd_key first, second, got;
    suite_fails(ND_NO_INPUT,
                nd_store_key(suite->store, NULL, &suite->error, &got));
    nd_key_generate(&first);
    nd_key_generate(&second);
    suite_ok(suite, nd_store_key(suite->store, &first, &suite->error, &got));
    assert_memory_equal(&got, &first, sizeof(got));
    suite_ok(suite, nd_store_key(suite->store, &second, &suite->error, &got));
    assert_memory_equal(&got, &first, sizeof(got));
    suite_ok(suite, nd_store_key(suite->store, NULL, &suite->error, &got));
    assert_memory_equal(&got, &first, sizeof(got));
}

static void only_a_prefix_of_the_registry_may_name_slots(void **state)
{
    struct suite *suite = *state;
    const char *const names[] = {"symbol:A", "symbol:B"};
    uint32_t slots[2];
    struct nd_sample_put sample = suite_sample(1, ND_SPAM);
    suite_ok(suite, nd_store_registry_slots(suite->store, "rule", names, 1, 100,
                                            &suite->error, slots,
                                            &sample.registry_length,
                                            sample.registry_digest));
    struct nd_sample_put longer = suite_sample(2, ND_SPAM);
    suite_ok(suite, nd_store_registry_slots(suite->store, "rule", names, 2, 100,
                                            &suite->error, slots,
                                            &longer.registry_length,
                                            longer.registry_digest));
    assert_int_equal(suite_put(suite, &sample, &suite_roomy).outcome,
                     ND_PUT_STORED);
    assert_int_equal(suite_put(suite, &longer, &suite_roomy).outcome,
                     ND_PUT_STORED);
    struct nd_sample_put wrong = longer;
    suite_identity(3, wrong.identity);
    wrong.registry_digest[5] ^= 1;
    assert_int_equal(suite_put(suite, &wrong, &suite_roomy).reason,
                     ND_REFUSED_REGISTRY);
    wrong = longer;
    suite_identity(4, wrong.identity);
    wrong.registry_length = 3;
    assert_int_equal(suite_put(suite, &wrong, &suite_roomy).reason,
                     ND_REFUSED_REGISTRY);
    assert_int_equal(suite_stats(suite).refused[ND_REFUSED_REGISTRY], 2);
    suite_accounts(suite);
}

int suite_put_tests(void)
{
    const struct CMUnitTest tests[] = {
        test(a_new_sample_is_stored_and_counted),
        test(the_same_put_again_is_a_duplicate_and_changes_nothing),
        test(a_better_source_relabels_whatever_the_times),
        test(a_lesser_source_is_refused_whatever_the_times),
        test(of_equal_sources_the_newer_label_wins),
        test(of_equal_sources_the_older_label_is_refused),
        test(of_two_labels_of_one_moment_the_first_stays),
        test(the_same_label_from_a_better_source_takes_its_rank),
        test(a_label_that_was_confirmed_later_is_not_undone_earlier),
        test(a_relabel_raises_the_version_and_counts_as_a_change),
        test(only_a_present_sample_can_be_relabelled),
        test(missing_families_are_added_and_known_ones_kept),
        test(a_relabel_by_put_adds_missing_families_too),
        test(a_refused_label_adds_no_families),
        test(a_batch_meets_its_own_earlier_samples),
        test(a_batch_with_a_malformed_sample_stores_none),
        test(a_sample_without_a_time_gets_the_stores),
        test(a_label_from_the_far_future_wins_for_a_day_at_most),
        test(samples_of_two_scopes_do_not_meet),
        test(storing_never_looks_at_the_lease),
        test(samples_of_another_key_are_refused_and_counted),
        test(without_a_key_in_the_store_the_first_sample_decides),
        test(the_key_is_made_once_and_stays),
        test(only_a_prefix_of_the_registry_may_name_slots),
    };
    return cmocka_run_group_tests_name("put", tests, NULL, NULL);
}
