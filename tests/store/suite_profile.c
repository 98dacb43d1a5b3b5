/* SPDX-License-Identifier: Apache-2.0
 *
 * Profiles: ranked by their last use, trimmed to exactly as many as asked for,
 * but never from under somebody who uses one.
 */
#include "suite.h"

#define test(name) \
    cmocka_unit_test_setup_teardown(name, suite_setup, suite_teardown)

static struct nd_profile profile_of(uint8_t number, const char *settings)
{
    static const char *const symbols[] = {"BAYES_SPAM", "DKIM_OK"};
    struct nd_profile profile = {
        .digest = {number, 0xee}, .symbols = symbols, .symbol_count = 2};
    (void)snprintf(profile.settings, sizeof(profile.settings), "%s", settings);
    return profile;
}

static bool enroll(struct suite *suite, uint8_t number, const char *settings)
{
    struct nd_profile profile = profile_of(number, settings);
    bool created;
    suite_ok(suite, nd_store_profile_register(suite->store, "rule", &profile,
                                              &suite->error, &created));
    return created;
}

/* Stores number as what old has grown to. */
static void grow(struct suite *suite, uint8_t old, uint8_t number)
{
    struct nd_profile before = profile_of(old, "default");
    struct nd_profile profile = profile_of(number, "default");
    bool created;
    profile.grown_from = before.digest;
    suite_ok(suite, nd_store_profile_register(suite->store, "rule", &profile,
                                              &suite->error, &created));
}

static const struct nd_profile *list(struct suite *suite, size_t *count)
{
    const struct nd_profile *profiles;
    suite_ok(suite, nd_store_profile_list(suite->store, "rule", suite->arena,
                                          &suite->error, &profiles, count));
    return profiles;
}

/* The first bytes of the digests, newest use first. */
static void assert_order(struct suite *suite, const char *wanted)
{
    size_t count;
    char found[32];
    const struct nd_profile *profiles = list(suite, &count);
    assert_true(count < sizeof(found));
    for (size_t i = 0; i < count; i++)
        found[i] = (char)profiles[i].digest[0];
    found[count] = '\0';
    assert_string_equal(found, wanted);
}

static size_t trim(struct suite *suite, uint32_t keep, int64_t recent_ms,
                   const struct nd_profile **dropped)
{
    size_t count;
    suite_ok(suite, nd_store_profile_trim(suite->store, "rule", keep, recent_ms,
                                          suite->arena, &suite->error, dropped,
                                          &count));
    return count;
}

static void a_profile_is_created_once_and_keeps_its_symbols(void **state)
{
    struct suite *suite = *state;
    assert_true(enroll(suite, 'a', "default"));
    assert_false(enroll(suite, 'a', "default"));
    assert_true(enroll(suite, 'a', "other"));
    size_t count;
    const struct nd_profile *profiles = list(suite, &count);
    assert_int_equal(count, 2);
    assert_string_equal(profiles[0].settings, "other");
    assert_int_equal(profiles[1].symbol_count, 2);
    assert_string_equal(profiles[1].symbols[0], "BAYES_SPAM");
    assert_string_equal(profiles[1].symbols[1], "DKIM_OK");
    assert_int_equal(profiles[1].generation, 0);
}

static void a_profile_without_symbols_is_one_too(void **state)
{
    struct suite *suite = *state;
    struct nd_profile profile = {.settings = "default", .digest = {'e'}};
    bool created;
    size_t count;
    suite_ok(suite, nd_store_profile_register(suite->store, "rule", &profile,
                                              &suite->error, &created));
    assert_int_equal(list(suite, &count)[0].symbol_count, 0);
}

static void a_profile_that_grew_takes_the_place_of_the_one_before(void **state)
{
    struct suite *suite = *state;
    (void)enroll(suite, 'a', "default");
    (void)enroll(suite, 'a', "other");
    grow(suite, 'a', 'b');
    assert_order(suite, "ba"); /* the other settings' own stays */
    grow(suite, 'b', 'c');
    grow(suite, 'b', 'c'); /* a repeat after a lost answer */
    assert_order(suite, "ca");
    size_t count;
    assert_string_equal(list(suite, &count)[1].settings, "other");
}

static void what_a_training_may_know_outlives_its_growth(void **state)
{
    struct suite *suite = *state;
    (void)enroll(suite, 'a', "default");
    struct nd_lease lease = suite_acquire(suite, 1);
    grow(suite, 'a', 'b');
    assert_order(suite, "ba");
    suite_ok(suite, nd_store_lease_release(suite->store, &suite_scope, &lease,
                                           &suite->error));
    grow(suite, 'b', 'c');
    assert_order(suite, "ca");
}

static void the_last_used_comes_first(void **state)
{
    struct suite *suite = *state;
    for (uint8_t i = 'a'; i <= 'd'; i++)
        (void)enroll(suite, i, "default");
    assert_order(suite, "dcba");
    struct nd_profile profile = profile_of('b', "default");
    suite_ok(suite, nd_store_profile_touch(suite->store, "rule", "default",
                                           profile.digest, &suite->error));
    assert_order(suite, "bdca");
    (void)enroll(suite, 'a', "default");
    assert_order(suite, "abdc");
}

static void touching_one_that_is_gone_says_so(void **state)
{
    struct suite *suite = *state;
    struct nd_profile profile = profile_of('x', "default");
    suite_fails(ND_NO_INPUT,
                nd_store_profile_touch(suite->store, "rule", "default",
                                       profile.digest, &suite->error));
}

static void exactly_as_many_as_asked_for_remain_of_each_settings(void **state)
{
    struct suite *suite = *state;
    const struct nd_profile *dropped;
    for (uint8_t i = 'a'; i <= 'e'; i++) {
        (void)enroll(suite, i, "default");
        (void)enroll(suite, (uint8_t)(i - 'a' + 'A'), "other");
    }
    assert_int_equal(trim(suite, 3, 0, &dropped), 4);
    assert_order(suite, "EeDdCc");
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(dropped[i].symbol_count, 2);
    assert_int_equal(trim(suite, 3, 0, &dropped), 0);
}

static void a_profile_used_lately_is_not_dropped(void **state)
{
    struct suite *suite = *state;
    const struct nd_profile *dropped;
    (void)enroll(suite, 'a', "default");
    if (!suite_backend_move_clock(60000))
        skip();
    (void)enroll(suite, 'b', "default");
    (void)enroll(suite, 'c', "default");
    assert_int_equal(trim(suite, 1, 30000, &dropped), 1);
    assert_int_equal(dropped[0].digest[0], 'a');
    assert_order(suite, "cb");
}

static void a_profile_whose_scope_is_leased_is_not_dropped(void **state)
{
    struct suite *suite = *state;
    const struct nd_profile *dropped;
    (void)enroll(suite, 'a', "default");
    (void)enroll(suite, 'b', "default");
    (void)enroll(suite, 'c', "other");
    (void)enroll(suite, 'd', "other");
    struct nd_lease lease = suite_acquire(suite, 1);
    assert_int_equal(trim(suite, 1, 0, &dropped), 1);
    assert_order(suite, "dba");
    suite_ok(suite, nd_store_lease_release(suite->store, &suite_scope, &lease,
                                           &suite->error));
    assert_int_equal(trim(suite, 1, 0, &dropped), 1);
    assert_order(suite, "db");
}

static void the_profile_of_the_live_model_is_not_dropped(void **state)
{
    struct suite *suite = *state;
    const struct nd_profile *dropped;
    uint64_t generation;
    (void)enroll(suite, 'a', "default");
    struct nd_lease lease = suite_acquire(suite, 1);
    struct nd_publish publish = suite_publish(suite, "a model");
    struct nd_profile profile = profile_of('a', "default");
    memcpy(publish.profile, profile.digest, ND_PROFILE_DIGEST_BYTES);
    suite_ok(suite,
             nd_store_model_publish(suite->store, &suite_scope, &lease,
                                    &publish, &suite->error, &generation));
    (void)enroll(suite, 'b', "default");
    (void)enroll(suite, 'c', "default");
    (void)enroll(suite, 'd', "default");
    size_t count;
    assert_int_equal(list(suite, &count)[3].generation, generation);
    grow(suite, 'a', 'd'); /* a trained one is no less one */
    assert_int_equal(list(suite, &count)[3].generation, generation);
    assert_int_equal(trim(suite, 1, 0, &dropped), 2);
    assert_order(suite, "da");
    (void)suite_train(suite, "a model of another profile");
    assert_int_equal(trim(suite, 1, 0, &dropped), 1);
    assert_order(suite, "d");
}

static void trimming_leaves_samples_models_and_tokens_alone(void **state)
{
    struct suite *suite = *state;
    const struct nd_profile *dropped;
    suite_put_range(suite, 0, 3, ND_SPAM);
    uint64_t generation = suite_train(suite, "a model");
    (void)enroll(suite, 'a', "default");
    (void)enroll(suite, 'b', "default");
    assert_int_equal(trim(suite, 0, 0, &dropped), 2);
    assert_int_equal(suite_stats(suite).count[ND_SPAM], 3);
    assert_int_equal(suite_current(suite).generation, generation);
    assert_true(suite_acquire(suite, 9).token > generation);
}

int suite_profile_tests(void)
{
    const struct CMUnitTest tests[] = {
        test(a_profile_is_created_once_and_keeps_its_symbols),
        test(a_profile_without_symbols_is_one_too),
        test(a_profile_that_grew_takes_the_place_of_the_one_before),
        test(what_a_training_may_know_outlives_its_growth),
        test(the_last_used_comes_first),
        test(touching_one_that_is_gone_says_so),
        test(exactly_as_many_as_asked_for_remain_of_each_settings),
        test(a_profile_used_lately_is_not_dropped),
        test(a_profile_whose_scope_is_leased_is_not_dropped),
        test(the_profile_of_the_live_model_is_not_dropped),
        test(trimming_leaves_samples_models_and_tokens_alone),
    };
    return cmocka_run_group_tests_name("profile", tests, NULL, NULL);
}
