/* SPDX-License-Identifier: Apache-2.0
 *
 * How trainings end: published at most once a grant, refused when the lease or
 * the judgement is stale, or finished without a model; and what becomes of the
 * samples that were used.
 */
#include "suite.h"

#define test(name) \
    cmocka_unit_test_setup_teardown(name, suite_setup, suite_teardown)

static enum nd_status publish_as(struct suite *suite,
                                 const struct nd_lease *lease,
                                 const struct nd_publish *publish,
                                 uint64_t *generation)
{
    return nd_store_model_publish(suite->store, &suite_scope, lease, publish,
                                  &suite->error, generation);
}

static struct nd_snapshot take(struct suite *suite)
{
    struct nd_snapshot snapshot;
    suite_ok(suite, nd_store_snapshot(suite->store, &suite_scope, &suite->error,
                                      &snapshot));
    return snapshot;
}

static enum nd_status finish_as(struct suite *suite,
                                const struct nd_lease *lease,
                                const struct nd_snapshot *used)
{
    static const struct nd_journal_entry entry = {.decision =
                                                      ND_DECISION_REJECTED,
                                                  .holder = "host:1",
                                                  .reason = "not better"};
    struct nd_finish finish = {.entry = &entry,
                               .consumed = used->samples,
                               .consumed_count = used->count,
                               .watermark = used->watermark};
    return nd_store_training_finish(suite->store, &suite_scope, lease, &finish,
                                    &suite->error);
}

static bool is_free(struct suite *suite)
{
    struct nd_lease lease;
    return nd_store_lease_show(suite->store, &suite_scope, &suite->error,
                               &lease) == ND_NOTHING;
}

static size_t journal(struct suite *suite,
                      const struct nd_journal_entry **entries)
{
    size_t count;
    suite_ok(suite,
             nd_store_journal(suite->store, &suite_scope, 100, suite->arena,
                              &suite->error, entries, &count));
    return count;
}

static void a_publish_does_all_of_it_in_one_step(void **state)
{
    struct suite *suite = *state;
    suite_put_range(suite, 0, 5, ND_SPAM);
    struct nd_lease lease = suite_acquire(suite, 1);
    struct nd_snapshot used = take(suite);
    struct nd_publish publish = suite_publish(suite, "a model");
    publish.watermark = used.watermark;
    uint64_t generation;
    suite_ok(suite, publish_as(suite, &lease, &publish, &generation));
    assert_int_equal(generation, lease.token);
    struct nd_model_pointer pointer = suite_current(suite);
    assert_int_equal(pointer.generation, generation);
    assert_memory_equal(pointer.digest, publish.digest, ND_DIGEST_BYTES);
    assert_true(is_free(suite));
    const struct nd_journal_entry *entries;
    assert_int_equal(journal(suite, &entries), 1);
    assert_int_equal(entries[0].token, lease.token);
    assert_int_equal(entries[0].decision, ND_DECISION_PROMOTED);
    assert_string_equal(entries[0].reason, "better");
    assert_string_equal(entries[0].figures, "{\"auc\":1}");
    assert_int_equal(suite_state(suite).changes, 0);
    assert_true(suite_state(suite).last_ms > 0);
    assert_int_equal(suite_stats(suite).count[ND_SPAM], 5);
    free(used.samples);
}

static void a_repeat_gives_the_first_answer_also_after_later_ones(void **state)
{
    struct suite *suite = *state;
    struct nd_lease lease = suite_acquire(suite, 1);
    struct nd_publish publish = suite_publish(suite, "first");
    uint64_t first, again;
    suite_ok(suite, publish_as(suite, &lease, &publish, &first));
    suite_ok(suite, publish_as(suite, &lease, &publish, &again));
    assert_int_equal(first, again);
    for (int i = 0; i < 8; i++) {
        char words[16];
        (void)snprintf(words, sizeof(words), "later %d", i);
        (void)suite_train(suite, words);
    }
    uint64_t live = suite_current(suite).generation;
    suite_ok(suite, publish_as(suite, &lease, &publish, &again));
    assert_int_equal(first, again);
    assert_int_equal(suite_current(suite).generation, live);
}

static void a_grant_publishes_one_model_only(void **state)
{
    struct suite *suite = *state;
    struct nd_lease lease = suite_acquire(suite, 1);
    struct nd_publish first = suite_publish(suite, "first");
    uint64_t generation;
    suite_ok(suite, publish_as(suite, &lease, &first, &generation));
    struct nd_publish second = suite_publish(suite, "second");
    suite_fails(ND_LOST, publish_as(suite, &lease, &second, &generation));
    assert_int_equal(suite_current(suite).generation, generation);
    assert_memory_equal(suite_current(suite).digest, first.digest,
                        ND_DIGEST_BYTES);
}

static void a_lost_lease_publishes_nothing(void **state)
{
    struct suite *suite = *state;
    struct nd_lease lease = suite_acquire(suite, 1);
    struct nd_publish publish = suite_publish(suite, "a model");
    uint64_t generation = 99;
    if (!suite_backend_move_clock(120000))
        skip();
    struct nd_lease next = suite_acquire(suite, 2);
    suite_fails(ND_LOST, publish_as(suite, &lease, &publish, &generation));
    struct nd_lease forged = next;
    forged.nonce[0] = 1;
    suite_fails(ND_LOST, publish_as(suite, &forged, &publish, &generation));
    assert_int_equal(generation, 99);
    assert_int_equal(suite_current(suite).generation, 0);
    suite_ok(suite, publish_as(suite, &next, &publish, &generation));
}

static void a_publish_without_its_blob_keeps_the_lease(void **state)
{
    struct suite *suite = *state;
    struct nd_lease lease = suite_acquire(suite, 1);
    struct nd_publish publish = suite_publish(suite, "a model");
    uint64_t generation;
    publish.digest[0] ^= 1;
    suite_fails(ND_NO_INPUT, publish_as(suite, &lease, &publish, &generation));
    publish.digest[0] ^= 1;
    suite_ok(suite, publish_as(suite, &lease, &publish, &generation));
}

static void a_judgement_against_another_pointer_is_superseded(void **state)
{
    struct suite *suite = *state;
    uint64_t old = suite_train(suite, "old");
    (void)suite_train(suite, "live");
    struct nd_lease lease = suite_acquire(suite, 1);
    struct nd_publish publish = suite_publish(suite, "candidate");
    struct nd_model_pointer pointer;
    suite_ok(suite, nd_store_model_pin(suite->store, &suite_scope, old, false,
                                       &suite->error, &pointer));
    uint64_t generation;
    suite_fails(ND_SUPERSEDED,
                publish_as(suite, &lease, &publish, &generation));
    assert_int_equal(suite_current(suite).generation, old);
    assert_true(is_free(suite));
    assert_int_equal(suite_state(suite).failures, 1);
    suite_fails(ND_SUPERSEDED,
                publish_as(suite, &lease, &publish, &generation));
    assert_int_equal(suite_state(suite).failures, 1);
    const struct nd_journal_entry *entries;
    assert_int_equal(journal(suite, &entries), 3);
    assert_int_equal(entries[0].decision, ND_DECISION_REJECTED);
}

static enum nd_status import_as(struct suite *suite,
                                const struct nd_publish *publish)
{
    uint64_t generation;
    return nd_store_model_import(suite->store, &suite_scope, publish,
                                 &suite->error, &generation);
}

static void a_publish_takes_old_orphans_away_and_leaves_fresh_ones(void **state)
{
    struct suite *suite = *state;
    struct nd_publish orphan = suite_publish(suite, "an orphan");
    (void)suite_train(suite, "first");
    if (!suite_backend_move_clock(3500000))
        skip();
    struct nd_publish fresh = suite_publish(suite, "a fresh one");
    assert_true(suite_backend_move_clock(200000));
    (void)suite_train(suite, "second");
    suite_fails(ND_NO_INPUT, import_as(suite, &orphan));
    suite_ok(suite, import_as(suite, &fresh));
}

static void consumed_samples_go_where_their_version_is_unchanged(void **state)
{
    struct suite *suite = *state;
    suite_put_range(suite, 0, 4, ND_SPAM);
    struct nd_lease lease = suite_acquire(suite, 1);
    struct nd_snapshot used = take(suite);
    struct nd_claim claim = {ND_HAM, ND_SOURCE_USER, 0};
    struct nd_put_result result;
    bool existed;
    suite_ok(suite, nd_store_relabel(suite->store, &suite_scope,
                                     used.samples[1].identity, &claim,
                                     &suite->error, &result));
    suite_ok(suite, nd_store_forget(suite->store, &suite_scope,
                                    used.samples[2].identity, 0, &suite->error,
                                    &existed));
    suite_put_range(suite, 4, 1, ND_SPAM);
    struct nd_publish publish = suite_publish(suite, "a model");
    publish.consumed = used.samples;
    publish.consumed_count = used.count;
    publish.watermark = used.watermark;
    uint64_t generation;
    suite_ok(suite, publish_as(suite, &lease, &publish, &generation));
    assert_false(suite_is_present(suite, 0));
    assert_true(suite_is_present(suite, 1));
    assert_false(suite_is_present(suite, 3));
    assert_true(suite_is_present(suite, 4));
    assert_int_equal(suite_stats(suite).consumed, 2);
    assert_int_equal(suite_state(suite).changes, 3);
    suite_accounts(suite);
    suite_ok(suite, publish_as(suite, &lease, &publish, &generation));
    assert_int_equal(suite_stats(suite).consumed, 2);
    free(used.samples);
}

/* Stores sample 0 and has a training use it up. */
static void consume_one(struct suite *suite)
{
    suite_put_range(suite, 0, 1, ND_SPAM);
    struct nd_lease lease = suite_acquire(suite, 1);
    struct nd_snapshot used = take(suite);
    suite_ok(suite, finish_as(suite, &lease, &used));
    assert_false(suite_is_present(suite, 0));
    free(used.samples);
}

static void a_consumed_sample_is_a_duplicate_until_its_label_changes(
    void **state)
{
    struct suite *suite = *state;
    consume_one(suite);
    struct nd_sample_put sample = suite_sample(0, ND_SPAM);
    assert_int_equal(suite_put(suite, &sample, &suite_roomy).outcome,
                     ND_PUT_DUPLICATE);
    sample.label_ms += 10;
    assert_int_equal(suite_put(suite, &sample, &suite_roomy).outcome,
                     ND_PUT_DUPLICATE);
    sample.label = ND_HAM;
    sample.label_ms -= 5;
    assert_int_equal(suite_put(suite, &sample, &suite_roomy).reason,
                     ND_REFUSED_OLDER);
    sample.source = ND_SOURCE_AUTOLEARN;
    assert_int_equal(suite_put(suite, &sample, &suite_roomy).reason,
                     ND_REFUSED_RANK);
    sample.source = ND_SOURCE_USER;
    assert_int_equal(suite_put(suite, &sample, &suite_roomy).outcome,
                     ND_PUT_STORED);
    assert_true(suite_find(suite, 0).version > 1);
    assert_int_equal(suite_stats(suite).consumed, 1);
    suite_accounts(suite);
}

static void forgetting_a_consumed_sample_marks_the_rule_as_due(void **state)
{
    struct suite *suite = *state;
    consume_one(suite);
    assert_int_equal(suite_state(suite).changes, 0);
    uint8_t identity[ND_IDENTITY_BYTES];
    bool existed;
    suite_identity(0, identity);
    suite_ok(suite, nd_store_forget(suite->store, &suite_scope, identity, 0,
                                    &suite->error, &existed));
    assert_false(existed);
    assert_int_equal(suite_state(suite).changes, 1);
    struct nd_sample_put sample = suite_sample(0, ND_SPAM);
    assert_int_equal(suite_put(suite, &sample, &suite_roomy).reason,
                     ND_REFUSED_FORGOTTEN);
    suite_accounts(suite);
}

static void a_revived_sample_is_not_consumed_under_its_old_version(void **state)
{
    struct suite *suite = *state;
    suite_put_range(suite, 0, 1, ND_SPAM);
    struct nd_snapshot used = take(suite);
    struct nd_lease lease = suite_acquire(suite, 1);
    bool existed;
    suite_ok(suite, nd_store_forget(suite->store, &suite_scope,
                                    used.samples[0].identity, 0, &suite->error,
                                    &existed));
    int64_t now_ms;
    suite_ok(suite, nd_store_now(suite->store, &suite->error, &now_ms));
    struct nd_sample_put sample = suite_sample(0, ND_HAM);
    sample.label_ms = now_ms + 1000;
    assert_int_equal(suite_put(suite, &sample, &suite_roomy).outcome,
                     ND_PUT_STORED);
    suite_ok(suite, finish_as(suite, &lease, &used));
    assert_true(suite_is_present(suite, 0));
    suite_accounts(suite);
    free(used.samples);
}

static void a_finish_records_releases_and_counts_the_failure(void **state)
{
    struct suite *suite = *state;
    struct nd_snapshot nothing = {0};
    for (uint32_t i = 1; i <= 3; i++) {
        struct nd_lease lease = suite_acquire(suite, 1);
        suite_ok(suite, finish_as(suite, &lease, &nothing));
        assert_true(is_free(suite));
        assert_int_equal(suite_state(suite).failures, i);
    }
    const struct nd_journal_entry *entries;
    assert_int_equal(journal(suite, &entries), 3);
    assert_string_equal(entries[0].reason, "not better");
    assert_string_equal(entries[0].figures, "{}");
    (void)suite_train(suite, "better at last");
    assert_int_equal(suite_state(suite).failures, 0);
}

static void a_finish_repeated_counts_once(void **state)
{
    struct suite *suite = *state;
    struct nd_snapshot nothing = {0};
    struct nd_lease lease = suite_acquire(suite, 1);
    suite_ok(suite, finish_as(suite, &lease, &nothing));
    (void)suite_acquire(suite, 2);
    suite_ok(suite, finish_as(suite, &lease, &nothing));
    assert_int_equal(suite_state(suite).failures, 1);
    assert_false(is_free(suite));
}

static void a_finish_after_the_lease_was_lost_is_refused(void **state)
{
    struct suite *suite = *state;
    struct nd_snapshot nothing = {0};
    struct nd_lease lease = suite_acquire(suite, 1);
    if (!suite_backend_move_clock(120000))
        skip();
    (void)suite_acquire(suite, 2);
    suite_fails(ND_LOST, finish_as(suite, &lease, &nothing));
    const struct nd_journal_entry *entries;
    assert_int_equal(journal(suite, &entries), 0);
}

static void one_grant_ends_in_one_way(void **state)
{
    struct suite *suite = *state;
    struct nd_snapshot nothing = {0};
    struct nd_lease lease = suite_acquire(suite, 1);
    struct nd_publish publish = suite_publish(suite, "a model");
    uint64_t generation;
    suite_ok(suite, publish_as(suite, &lease, &publish, &generation));
    suite_fails(ND_LOST, finish_as(suite, &lease, &nothing));
    lease = suite_acquire(suite, 1);
    suite_ok(suite, finish_as(suite, &lease, &nothing));
    suite_fails(ND_LOST, publish_as(suite, &lease, &publish, &generation));
    assert_int_equal(suite_state(suite).failures, 1);
}

static void samples_that_come_during_a_training_stay_due(void **state)
{
    struct suite *suite = *state;
    suite_put_range(suite, 0, 4, ND_SPAM);
    struct nd_lease lease = suite_acquire(suite, 1);
    struct nd_snapshot used = take(suite);
    suite_put_range(suite, 4, 3, ND_HAM);
    struct nd_publish publish = suite_publish(suite, "a model");
    publish.watermark = used.watermark;
    uint64_t generation;
    suite_ok(suite, publish_as(suite, &lease, &publish, &generation));
    assert_int_equal(suite_state(suite).changes, 3);
    assert_int_equal(suite_state(suite).count[ND_SPAM], 4);
    assert_int_equal(suite_state(suite).sources[ND_HAM][ND_SOURCE_API], 3);
    free(used.samples);
}

int suite_publish_tests(void)
{
    const struct CMUnitTest tests[] = {
        test(a_publish_does_all_of_it_in_one_step),
        test(a_repeat_gives_the_first_answer_also_after_later_ones),
        test(a_grant_publishes_one_model_only),
        test(a_lost_lease_publishes_nothing),
        test(a_publish_without_its_blob_keeps_the_lease),
        test(a_judgement_against_another_pointer_is_superseded),
        test(a_publish_takes_old_orphans_away_and_leaves_fresh_ones),
        test(consumed_samples_go_where_their_version_is_unchanged),
        test(a_consumed_sample_is_a_duplicate_until_its_label_changes),
        test(forgetting_a_consumed_sample_marks_the_rule_as_due),
        test(a_revived_sample_is_not_consumed_under_its_old_version),
        test(a_finish_records_releases_and_counts_the_failure),
        test(a_finish_repeated_counts_once),
        test(a_finish_after_the_lease_was_lost_is_refused),
        test(one_grant_ends_in_one_way),
        test(samples_that_come_during_a_training_stay_due),
    };
    return cmocka_run_group_tests_name("publish", tests, NULL, NULL);
}
