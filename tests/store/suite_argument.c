/* SPDX-License-Identifier: Apache-2.0
 *
 * Wrong calls fail alike on every backend, and touch nothing.
 */
#include "suite.h"

#define test(name) \
    cmocka_unit_test_setup_teardown(name, suite_setup, suite_teardown)

static void names_of_rules_and_settings_are_checked(void **state)
{
    struct suite *suite = *state;
    static const char long_name[] =
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const char *const bad[] = {"",    "a b", "a/b", "\xc3\xa4", "a:b",
                               "a\n", "{a}", NULL,  long_name};
    struct nd_store_stats stats;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const struct nd_scope rule = {bad[i], "default"};
        const struct nd_scope settings = {"rule", bad[i]};
        suite_fails(ND_USAGE,
                    nd_store_stats(suite->store, &rule, &suite->error, &stats));
        suite_fails(ND_USAGE, nd_store_stats(suite->store, &settings,
                                             &suite->error, &stats));
    }
    const struct nd_scope good = {"A-z_0.9", &long_name[1]};
    suite_ok(suite, nd_store_stats(suite->store, &good, &suite->error, &stats));
}

static void puts_are_checked_before_any_is_stored(void **state)
{
    struct suite *suite = *state;
    struct nd_put_result result;
    const struct nd_quota none = {ND_QUOTA_RESERVOIR, 0};
    struct nd_sample_put sample = suite_sample(1, ND_SPAM);
    suite_fails(ND_USAGE, nd_store_put(suite->store, &suite_scope, &sample,
                                       &none, &suite->error, &result));
    sample.label = (enum nd_class)2;
    suite_fails(ND_USAGE, nd_store_put(suite->store, &suite_scope, &sample,
                                       &suite_roomy, &suite->error, &result));
    sample = suite_sample(1, ND_SPAM);
    sample.source = ND_SOURCE_COUNT;
    suite_fails(ND_USAGE, nd_store_put(suite->store, &suite_scope, &sample,
                                       &suite_roomy, &suite->error, &result));
    sample = suite_sample(1, ND_SPAM);
    sample.payload_length = 0;
    suite_fails(ND_DATA, nd_store_put(suite->store, &suite_scope, &sample,
                                      &suite_roomy, &suite->error, &result));
    sample.payload_length = ND_SAMPLE_MAX_BYTES + 1;
    suite_fails(ND_LIMIT, nd_store_put(suite->store, &suite_scope, &sample,
                                       &suite_roomy, &suite->error, &result));
    assert_false(suite_is_present(suite, 1));
}

static void putting_nothing_is_no_error(void **state)
{
    struct suite *suite = *state;
    suite_ok(suite, nd_store_put_many(suite->store, &suite_scope, NULL, 0,
                                      &suite_roomy, &suite->error, NULL));
}

static void leases_have_a_sensible_length(void **state)
{
    struct suite *suite = *state;
    uint8_t nonce[ND_NONCE_BYTES] = {1};
    struct nd_lease lease;
    const int64_t bad[] = {0, -5, INT64_MAX};
    for (size_t i = 0; i < 3; i++) {
        suite_fails(ND_USAGE,
                    nd_store_lease_acquire(suite->store, &suite_scope, nonce,
                                           "h", bad[i], &suite->error, &lease));
    }
    lease = suite_acquire(suite, 1);
    suite_fails(ND_USAGE, nd_store_lease_renew(suite->store, &suite_scope,
                                               &lease, 1, 0, &suite->error));
}

static void names_of_features_are_bounded(void **state)
{
    struct suite *suite = *state;
    char longest[1026];
    const char *const names[] = {longest};
    const char *const empty[] = {""};
    uint32_t slot, length;
    uint8_t digest[ND_DIGEST_BYTES];
    memset(longest, 'x', sizeof(longest));
    longest[1025] = '\0';
    suite_fails(ND_LIMIT,
                nd_store_registry_slots(suite->store, "rule", names, 1, 9,
                                        &suite->error, &slot, &length, digest));
    suite_fails(ND_LIMIT,
                nd_store_registry_slots(suite->store, "rule", empty, 1, 9,
                                        &suite->error, &slot, &length, digest));
    longest[1024] = '\0';
    suite_ok(suite,
             nd_store_registry_slots(suite->store, "rule", names, 1, 9,
                                     &suite->error, &slot, &length, digest));
}

static void a_journal_entry_has_bounds(void **state)
{
    struct suite *suite = *state;
    static char figures[5000];
    memset(figures, ' ', sizeof(figures) - 1);
    struct nd_journal_entry entry = {.decision = ND_DECISION_FAILED,
                                     .figures = figures};
    struct nd_finish finish = {.entry = &entry};
    struct nd_lease lease = suite_acquire(suite, 1);
    suite_fails(ND_LIMIT,
                nd_store_training_finish(suite->store, &suite_scope, &lease,
                                         &finish, &suite->error));
    figures[4096] = '\0';
    suite_ok(suite, nd_store_training_finish(suite->store, &suite_scope, &lease,
                                             &finish, &suite->error));
}

static void a_model_is_neither_empty_nor_endless(void **state)
{
    struct suite *suite = *state;
    uint8_t digest[ND_DIGEST_BYTES];
    suite_fails(ND_LIMIT, nd_store_model_upload(suite->store, &suite_scope, "",
                                                0, &suite->error, digest));
    suite_fails(ND_LIMIT,
                nd_store_model_upload(suite->store, &suite_scope, "",
                                      (size_t)1 << 40, &suite->error, digest));
}

static void counting_needs_a_reason(void **state)
{
    struct suite *suite = *state;
    suite_fails(ND_USAGE, nd_store_count(suite->store, &suite_scope,
                                         ND_REFUSAL_COUNT, 1, &suite->error));
    suite_ok(suite, nd_store_count(suite->store, &suite_scope, ND_REFUSED_STORE,
                                   0, &suite->error));
}

int suite_argument_tests(void)
{
    const struct CMUnitTest tests[] = {
        test(names_of_rules_and_settings_are_checked),
        test(puts_are_checked_before_any_is_stored),
        test(putting_nothing_is_no_error),
        test(leases_have_a_sensible_length),
        test(names_of_features_are_bounded),
        test(a_journal_entry_has_bounds),
        test(a_model_is_neither_empty_nor_endless),
        test(counting_needs_a_reason),
    };
    return cmocka_run_group_tests_name("argument", tests, NULL, NULL);
}
