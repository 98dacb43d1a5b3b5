/* SPDX-License-Identifier: Apache-2.0
 *
 * Unknown outcomes: each writing operation loses its request, or its answer,
 * and is repeated. What follows must be as if it had been called once.
 */
#include "suite.h"

#include "store/faulty.h"

#define test(name) \
    cmocka_unit_test_setup_teardown(name, suite_setup, suite_teardown)

/* Makes the next call of operation end as ND_UNCERTAIN: lost before it came
 * (request), or after it was done (answer). */
static void lose_next(struct suite *suite, const char *operation,
                      const char *what)
{
    char specification[64];
    (void)snprintf(specification, sizeof(specification), "%s@1=lost-%s",
                   operation, what);
    struct nd_store *store = suite_backend_open();
    nd_store_close(&suite->store);
    suite_ok(suite, nd_faulty_wrap(store, specification, &suite->error,
                                   &suite->store));
}

/* Runs work once with a lost request and once with a lost answer. */
static void each_way(struct suite *suite, const char *operation,
                     void (*work)(struct suite *suite, uint32_t round))
{
    lose_next(suite, operation, "request");
    work(suite, 0);
    lose_next(suite, operation, "answer");
    work(suite, 1);
    suite_accounts(suite);
}

static void repeat_put(struct suite *suite, uint32_t round)
{
    struct nd_sample_put sample = suite_sample(round, ND_SPAM);
    struct nd_put_result result;
    suite_fails(ND_UNCERTAIN,
                nd_store_put(suite->store, &suite_scope, &sample, &suite_roomy,
                             &suite->error, &result));
    result = suite_put(suite, &sample, &suite_roomy);
    assert_int_equal(result.outcome,
                     round == 0 ? ND_PUT_STORED : ND_PUT_DUPLICATE);
    assert_int_equal(result.count[ND_SPAM], round + 1);
    assert_int_equal(suite_state(suite).changes, round + 1);
}

static void a_put_acts_once(void **state)
{
    each_way(*state, "put_many", repeat_put);
}

static void repeat_relabel(struct suite *suite, uint32_t round)
{
    suite_put_range(suite, round, 1, ND_SPAM);
    uint64_t version = suite_find(suite, round).version;
    uint8_t identity[ND_IDENTITY_BYTES];
    struct nd_claim claim = {ND_HAM, ND_SOURCE_USER, 7000};
    struct nd_put_result result;
    suite_identity(round, identity);
    suite_fails(ND_UNCERTAIN,
                nd_store_relabel(suite->store, &suite_scope, identity, &claim,
                                 &suite->error, &result));
    suite_ok(suite, nd_store_relabel(suite->store, &suite_scope, identity,
                                     &claim, &suite->error, &result));
    assert_int_equal(suite_find(suite, round).label, ND_HAM);
    assert_int_equal(suite_find(suite, round).version, version + 1);
    assert_int_equal(suite_stats(suite).put_relabelled, round + 1);
}

static void a_relabel_acts_once(void **state)
{
    each_way(*state, "relabel", repeat_relabel);
}

static void repeat_forget(struct suite *suite, uint32_t round)
{
    suite_put_range(suite, round, 1, ND_SPAM);
    uint8_t identity[ND_IDENTITY_BYTES];
    bool existed;
    suite_identity(round, identity);
    suite_fails(ND_UNCERTAIN,
                nd_store_forget(suite->store, &suite_scope, identity, 7000,
                                &suite->error, &existed));
    suite_ok(suite, nd_store_forget(suite->store, &suite_scope, identity, 7000,
                                    &suite->error, &existed));
    assert_true(existed);
    assert_int_equal(suite_stats(suite).forgotten, round + 1);
    assert_int_equal(suite_state(suite).changes, 2 * (round + 1));
}

static void a_forget_acts_once(void **state)
{
    each_way(*state, "forget", repeat_forget);
}

/* Samples are labelled at 1000 and a bit; one comes back after the first try,
 * with a newer label, and is none of the repeat's business. */
static void repeat_forget_matching(struct suite *suite, uint32_t round)
{
    struct nd_sample_filter filter = {
        .source = -1, .label = -1, .as_of_ms = 7000 + round};
    struct nd_sample_put newer = suite_sample(round, ND_SPAM);
    uint64_t count = 0;
    newer.label_ms = 8000 + round;
    suite_put_range(suite, 10 * (round + 1), 3, ND_SPAM);
    suite_fails(ND_UNCERTAIN,
                nd_store_forget_matching(suite->store, &suite_scope, &filter,
                                         false, &suite->error, &count));
    assert_int_equal(suite_put(suite, &newer, &suite_roomy).outcome,
                     ND_PUT_STORED);
    suite_ok(suite,
             nd_store_forget_matching(suite->store, &suite_scope, &filter,
                                      false, &suite->error, &count));
    assert_int_equal(count, 3);
    assert_true(suite_is_present(suite, round));
    assert_int_equal(suite_stats(suite).forgotten, 3 * (round + 1));
}

static void forgetting_many_acts_once(void **state)
{
    each_way(*state, "forget_matching", repeat_forget_matching);
}

static void repeat_slots(struct suite *suite, uint32_t round)
{
    const char *const names[2][2] = {{"a", "b"}, {"c", "d"}};
    uint32_t slots[2], length;
    uint8_t digest[ND_DIGEST_BYTES];
    suite_fails(ND_UNCERTAIN, nd_store_registry_slots(
                                  suite->store, "rule", names[round], 2, 100,
                                  &suite->error, slots, &length, digest));
    suite_ok(suite,
             nd_store_registry_slots(suite->store, "rule", names[round], 2, 100,
                                     &suite->error, slots, &length, digest));
    assert_int_equal(slots[0], 2 * round);
    assert_int_equal(length, 2 * (round + 1));
}

static void names_get_one_slot_each(void **state)
{
    each_way(*state, "registry_slots", repeat_slots);
}

static void repeat_acquire(struct suite *suite, uint32_t round)
{
    struct nd_lease lease;
    uint8_t nonce[ND_NONCE_BYTES] = {(uint8_t)(round + 1)};
    suite_fails(ND_UNCERTAIN,
                nd_store_lease_acquire(suite->store, &suite_scope, nonce, "h",
                                       60000, &suite->error, &lease));
    suite_ok(suite, nd_store_lease_acquire(suite->store, &suite_scope, nonce,
                                           "h", 60000, &suite->error, &lease));
    assert_int_equal(lease.token, round + 1);
    suite_ok(suite, nd_store_lease_release(suite->store, &suite_scope, &lease,
                                           &suite->error));
}

static void one_attempt_takes_one_token(void **state)
{
    each_way(*state, "lease_acquire", repeat_acquire);
}

static void repeat_renew(struct suite *suite, uint32_t round)
{
    struct nd_lease lease = suite_acquire(suite, 1);
    suite_fails(ND_UNCERTAIN,
                nd_store_lease_renew(suite->store, &suite_scope, &lease,
                                     5 + round, 60000, &suite->error));
    suite_ok(suite, nd_store_lease_renew(suite->store, &suite_scope, &lease,
                                         5 + round, 60000, &suite->error));
}

static void a_renewal_can_be_repeated(void **state)
{
    each_way(*state, "lease_renew", repeat_renew);
}

static void repeat_publish(struct suite *suite, uint32_t round)
{
    suite_put_range(suite, round, 1, ND_SPAM);
    struct nd_snapshot used;
    suite_ok(suite, nd_store_snapshot(suite->store, &suite_scope, &suite->error,
                                      &used));
    struct nd_lease lease = suite_acquire(suite, 1);
    struct nd_publish publish =
        suite_publish(suite, round == 0 ? "one" : "other");
    publish.consumed = used.samples;
    publish.consumed_count = used.count;
    publish.watermark = used.watermark;
    uint64_t generation;
    suite_fails(ND_UNCERTAIN,
                nd_store_model_publish(suite->store, &suite_scope, &lease,
                                       &publish, &suite->error, &generation));
    suite_ok(suite,
             nd_store_model_publish(suite->store, &suite_scope, &lease,
                                    &publish, &suite->error, &generation));
    assert_int_equal(generation, lease.token);
    assert_int_equal(suite_current(suite).revision, round + 1);
    assert_int_equal(suite_stats(suite).consumed, round + 1);
    free(used.samples);
}

static void a_publish_acts_once(void **state)
{
    each_way(*state, "model_publish", repeat_publish);
}

static void repeat_finish(struct suite *suite, uint32_t round)
{
    struct nd_lease lease = suite_acquire(suite, 1);
    struct nd_journal_entry entry = {.decision = ND_DECISION_FAILED};
    struct nd_finish finish = {.entry = &entry};
    suite_fails(ND_UNCERTAIN,
                nd_store_training_finish(suite->store, &suite_scope, &lease,
                                         &finish, &suite->error));
    suite_ok(suite, nd_store_training_finish(suite->store, &suite_scope, &lease,
                                             &finish, &suite->error));
    assert_int_equal(suite_state(suite).failures, round + 1);
}

static void a_finish_acts_once(void **state)
{
    each_way(*state, "training_finish", repeat_finish);
}

static void repeat_import(struct suite *suite, uint32_t round)
{
    struct nd_publish publish =
        suite_publish(suite, round == 0 ? "one" : "other");
    uint64_t generation;
    suite_fails(ND_UNCERTAIN,
                nd_store_model_import(suite->store, &suite_scope, &publish,
                                      &suite->error, &generation));
    suite_ok(suite, nd_store_model_import(suite->store, &suite_scope, &publish,
                                          &suite->error, &generation));
    assert_int_equal(generation, round + 1);
}

static void an_import_acts_once(void **state)
{
    each_way(*state, "model_import", repeat_import);
}

static void a_store_that_is_away_has_not_acted(void **state)
{
    struct suite *suite = *state;
    struct nd_store *inner = suite->store;
    struct nd_sample_put sample = suite_sample(1, ND_SPAM);
    struct nd_put_result result;
    suite_ok(suite, nd_faulty_wrap(inner, "any@1=unavailable", &suite->error,
                                   &suite->store));
    suite_fails(ND_UNAVAILABLE,
                nd_store_put(suite->store, &suite_scope, &sample, &suite_roomy,
                             &suite->error, &result));
    assert_false(suite_is_present(suite, 1));
}

int suite_repeat_tests(void)
{
    const struct CMUnitTest tests[] = {
        test(a_put_acts_once),
        test(a_relabel_acts_once),
        test(a_forget_acts_once),
        test(forgetting_many_acts_once),
        test(names_get_one_slot_each),
        test(one_attempt_takes_one_token),
        test(a_renewal_can_be_repeated),
        test(a_publish_acts_once),
        test(a_finish_acts_once),
        test(an_import_acts_once),
        test(a_store_that_is_away_has_not_acted),
    };
    return cmocka_run_group_tests_name("repeat", tests, NULL, NULL);
}
