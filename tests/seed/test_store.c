/* SPDX-License-Identifier: Apache-2.0
 *
 * The seed's behaviours that lie in the store: S1 to S4, S23, and defect d.
 */
#include "seed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/random.h"

#define MAX_TRAINS 10

static const uint32_t some_slots[] = {1, 2, 3};

/* ---- S1 ---- */

/* Puts a sample of a class under the seed's rule. */
static struct nd_put_result put_balanced(struct fixture *fixture,
                                         uint32_t number, enum nd_class label)
{
    struct nd_scope scope = peers_scope(fixture);
    struct nd_quota quota = {ND_QUOTA_BALANCED, MAX_TRAINS};
    struct nd_sample_put sample = peers_sample(fixture, number, some_slots, 3);
    struct nd_put_result result;
    struct nd_error error = {""};
    sample.label = label;
    must(nd_store_put(fixture->store, &scope, &sample, &quota, &error, &result),
         &error);
    return result;
}

/* Whether the seed's script stores; lim is 1.1 * max_trains. */
static bool seed_stores(const uint64_t count[2], enum nd_class label)
{
    uint64_t own = count[label], other = count[1 - label];
    return 10 * other <= 11 * MAX_TRAINS && other + 1 >= own;
}

static void follow_the_rule(struct fixture *fixture, uint64_t seed,
                            unsigned spam_pct)
{
    uint64_t count[2] = {count_samples(fixture, ND_HAM),
                         count_samples(fixture, ND_SPAM)};
    struct nd_random random;
    nd_random_seed(&random, seed);
    for (uint32_t i = 0; i < 60; i++) {
        enum nd_class label =
            nd_random_below(&random, 100) < spam_pct ? ND_SPAM : ND_HAM;
        bool stores = seed_stores(count, label);
        struct nd_put_result result =
            put_balanced(fixture, (uint32_t)seed * 1000 + i, label);
        assert_int_equal(result.outcome,
                         stores ? ND_PUT_STORED : ND_PUT_REFUSED);
        if (!stores) {
            assert_int_equal(result.reason, ND_REFUSED_QUOTA);
        }
        count[label] += stores;
        assert_int_equal(result.count[ND_HAM], count[ND_HAM]);
        assert_int_equal(result.count[ND_SPAM], count[ND_SPAM]);
    }
}

/* Also while somebody trains: the seed's script refused then. */
static void seed_s01_balanced_stores_by_the_seeds_rule_to_the_letter(
    void **state)
{
    struct fixture *fixture = *state;
    struct nd_lease lease;
    follow_the_rule(fixture, 1, 90);
    assert_int_equal(seed_acquire(fixture, 1, 60000, &lease), ND_OK);
    follow_the_rule(fixture, 2, 30);
    follow_the_rule(fixture, 3, 60);
    for (uint64_t seed = 4; seed < 8; seed++) {
        follow_the_rule(fixture, seed, 50);
    }
    /* full: one class is over the limit, and the other waits for it */
    assert_int_equal(
        count_samples(fixture, ND_SPAM) + count_samples(fixture, ND_HAM), 22);
}

/* ---- S2 ---- */

static void register_profile(struct fixture *fixture, uint8_t number)
{
    char name[16];
    const char *const symbols[] = {name};
    struct nd_profile profile = {
        .digest = {number}, .symbols = symbols, .symbol_count = 1};
    struct nd_error error = {""};
    bool created;
    (void)snprintf(name, sizeof name, "SYMBOL_%u", (unsigned)number);
    (void)snprintf(profile.settings, sizeof profile.settings, "%s",
                   fixture->rule.settings);
    must(nd_store_profile_register(fixture->store, fixture->rule.name, &profile,
                                   &error, &created),
         &error);
    assert_true(created);
}

static void pause_ms(int64_t time_ms)
{
    struct timespec pause = {time_ms / 1000, time_ms % 1000 * 1000000};
    (void)nanosleep(&pause, NULL);
}

/* The seed's ranks left max_profiles - 2. */
static void seed_s02_exactly_max_profiles_remain_and_the_others_are_told(
    void **state)
{
    struct fixture *fixture = *state;
    const struct nd_profile *profiles;
    struct nd_error error = {""};
    size_t count;
    for (uint8_t i = 1; i <= 6; i++) {
        register_profile(fixture, i);
    }
    pause_ms(5);
    must(nd_store_profile_trim(fixture->store, fixture->rule.name, 3, 1,
                               fixture->arena, &error, &profiles, &count),
         &error);
    assert_int_equal(count, 3);
    for (size_t i = 0; i < count; i++) {
        assert_in_range(profiles[i].digest[0], 1, 3);
    }
    must(nd_store_profile_list(fixture->store, fixture->rule.name,
                               fixture->arena, &error, &profiles, &count),
         &error);
    assert_int_equal(count, 3);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(profiles[i].digest[0], 6 - i); /* newest first */
    }
}

/* ---- S3 ---- */

static void seed_s03_a_lease_is_taken_named_and_taken_over_when_it_is_old(
    void **state)
{
    struct fixture *fixture = *state;
    struct nd_scope scope = peers_scope(fixture);
    struct nd_lease first, second, told;
    struct nd_error error = {""};
    assert_int_equal(seed_acquire(fixture, 1, 1500, &first), ND_OK);
    assert_int_equal(seed_acquire(fixture, 2, 60000, &told), ND_BUSY);
    assert_string_equal(told.holder, "mx1.example:4711");
    assert_int_equal(told.since_ms, first.since_ms);
    pause_ms(1600);
    assert_int_equal(seed_acquire(fixture, 2, 60000, &second), ND_OK);
    assert_true(second.token > first.token);
    assert_int_equal(
        nd_store_lease_renew(fixture->store, &scope, &first, 1, 60000, &error),
        ND_LOST);
    assert_int_equal(
        nd_store_lease_release(fixture->store, &scope, &first, &error),
        ND_LOST);
    assert_int_equal(lease_token(fixture), second.token);
}

/* ---- S4 ---- */

static enum nd_status publish(struct fixture *fixture,
                              const struct nd_lease *lease, const char *words)
{
    struct nd_scope scope = peers_scope(fixture);
    struct nd_error error = {""};
    struct nd_journal_entry entry = {.token = lease->token,
                                     .decision = ND_DECISION_PROMOTED,
                                     .holder = lease->holder,
                                     .reason = "better",
                                     .figures = "{}"};
    struct nd_publish publish = {.entry = &entry,
                                 .profile = {1},
                                 .keep = 5,
                                 .judged_revision =
                                     seed_pointer(fixture).revision};
    uint64_t generation;
    must(nd_store_model_upload(fixture->store, &scope, words, strlen(words),
                               &error, publish.digest),
         &error);
    return nd_store_model_publish(fixture->store, &scope, lease, &publish,
                                  &error, &generation);
}

static const struct nd_profile *first_profile(struct fixture *fixture)
{
    const struct nd_profile *profiles;
    struct nd_error error = {""};
    size_t count;
    must(nd_store_profile_list(fixture->store, fixture->rule.name,
                               fixture->arena, &error, &profiles, &count),
         &error);
    assert_int_equal(count, 1);
    return profiles;
}

/* The model, its profile and the free lease come together, or none does. */
static void seed_s04_saving_is_one_step_and_asks_for_the_token(void **state)
{
    struct fixture *fixture = *state;
    struct nd_lease lease;
    register_profile(fixture, 1);
    assert_int_equal(seed_acquire(fixture, 1, 60000, &lease), ND_OK);
    struct nd_lease wrong = lease;
    wrong.token++;
    assert_int_equal(publish(fixture, &wrong, "a model"), ND_LOST);
    wrong = lease;
    wrong.nonce[1] = 1;
    assert_int_equal(publish(fixture, &wrong, "a model"), ND_LOST);
    assert_int_equal(seed_pointer(fixture).generation, 0);
    assert_int_equal(first_profile(fixture)->generation, 0);
    assert_int_equal(lease_token(fixture), lease.token);
    assert_int_equal(publish(fixture, &lease, "a model"), ND_OK);
    assert_int_equal(seed_pointer(fixture).generation, lease.token);
    assert_int_equal(first_profile(fixture)->generation, lease.token);
    assert_int_equal(lease_token(fixture), 0);
    assert_int_equal(publish(fixture, &lease, "another"), ND_LOST);
}

/* ---- S23 ---- */

static void seed_s23_a_model_expires_but_never_while_it_is_in_use(void **state)
{
    struct fixture *fixture = *state;
    struct nd_scope scope = peers_scope(fixture);
    struct nd_error error = {""};
    struct nd_buffer blob = {0};
    uint64_t count;
    uint64_t first = peers_publish(fixture, "first", 5);
    uint64_t live = peers_publish(fixture, "second", 6);
    must(nd_store_model_expire(fixture->store, &scope, 600000, &error, &count),
         &error);
    assert_int_equal(count, 0); /* not for so long */
    pause_ms(20);
    must(nd_store_model_expire(fixture->store, &scope, 10, &error, &count),
         &error);
    assert_int_equal(count, 1);
    assert_int_not_equal(
        nd_store_model_get(fixture->store, &scope, first, &error, &blob),
        ND_OK);
    must(nd_store_model_expire(fixture->store, &scope, 1, &error, &count),
         &error);
    assert_int_equal(count, 0); /* however old */
    must(nd_store_model_get(fixture->store, &scope, live, &error, &blob),
         &error);
    assert_memory_equal(blob.data, "second", 6);
    nd_buffer_free(&blob);
}

/* ---- d ---- */

/* There vectors went to a key whose prefix was never set, where no training
 * looked for them. */
static void seed_defect_d_what_is_stored_is_what_a_training_reads(void **state)
{
    struct fixture *fixture = *state;
    struct nd_scope scope = peers_scope(fixture);
    struct nd_snapshot snapshot;
    struct nd_payload payloads[10];
    struct nd_error error = {""};
    for (uint32_t i = 0; i < 10; i++) {
        assert_int_equal(peers_put(fixture, i, some_slots, 3).outcome,
                         ND_PUT_STORED);
    }
    struct nd_store *other = open_store(fixture); /* another host's */
    must(nd_store_snapshot(other, &scope, &error, &snapshot), &error);
    assert_int_equal(snapshot.count, 10);
    must(nd_store_read(other, &scope, snapshot.samples, 10, fixture->arena,
                       &error, payloads),
         &error);
    struct nd_sample_put sample = peers_sample(fixture, 0, some_slots, 3);
    for (size_t i = 0; i < 10; i++) {
        assert_int_equal(payloads[i].length, sample.payload_length);
        assert_memory_equal(payloads[i].data, sample.payload,
                            sample.payload_length);
    }
    free(snapshot.samples);
    nd_store_close(&other);
}

int main(int argc, char **argv)
{
    int answer = seed_main(argc, argv);
    if (answer >= 0) {
        return answer;
    }
    const struct CMUnitTest tests[] = {
        SEED_TEST(seed_s01_balanced_stores_by_the_seeds_rule_to_the_letter),
        SEED_TEST(seed_s02_exactly_max_profiles_remain_and_the_others_are_told),
        SEED_TEST(
            seed_s03_a_lease_is_taken_named_and_taken_over_when_it_is_old),
        SEED_TEST(seed_s04_saving_is_one_step_and_asks_for_the_token),
        SEED_TEST(seed_s23_a_model_expires_but_never_while_it_is_in_use),
        SEED_TEST(seed_defect_d_what_is_stored_is_what_a_training_reads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
