/* SPDX-License-Identifier: Apache-2.0
 *
 * What people look at: counters, scopes, hosts, the journal, and upkeep.
 */
#include "suite.h"

#define test(name) \
    cmocka_unit_test_setup_teardown(name, suite_setup, suite_teardown)

static void an_empty_store_has_empty_answers(void **state)
{
    struct suite *suite = *state;
    struct nd_store_stats stats = suite_stats(suite);
    struct nd_training_state training = suite_state(suite);
    assert_int_equal(stats.count[0] + stats.count[1], 0);
    assert_int_equal(stats.put_stored, 0);
    assert_int_equal(training.changes, 0);
    assert_int_equal(training.last_ms, 0);
    assert_int_equal(suite_current(suite).generation, 0);
    struct nd_model_info *models;
    struct nd_scope *scopes;
    size_t count;
    suite_ok(suite, nd_store_model_list(suite->store, &suite_scope,
                                        &suite->error, &models, &count));
    assert_int_equal(count, 0);
    free(models);
    suite_ok(suite,
             nd_store_scopes(suite->store, &suite->error, &scopes, &count));
    assert_int_equal(count, 0);
    free(scopes);
}

static void refusals_of_callers_are_added_up(void **state)
{
    struct suite *suite = *state;
    suite_ok(suite, nd_store_count(suite->store, &suite_scope,
                                   ND_REFUSED_NO_VERDICT, 3, &suite->error));
    suite_ok(suite, nd_store_count(suite->store, &suite_scope,
                                   ND_REFUSED_NO_VERDICT, 4, &suite->error));
    suite_ok(suite, nd_store_count(suite->store, &suite_scope, ND_REFUSED_STORE,
                                   1, &suite->error));
    struct nd_store_stats stats = suite_stats(suite);
    assert_int_equal(stats.refused[ND_REFUSED_NO_VERDICT], 7);
    assert_int_equal(stats.refused[ND_REFUSED_STORE], 1);
    assert_int_equal(stats.refused[ND_REFUSED_QUOTA], 0);
}

static void bytes_are_those_of_the_payloads(void **state)
{
    struct suite *suite = *state;
    uint64_t bytes = 0;
    suite_put_range(suite, 0, 20, ND_SPAM);
    for (uint32_t i = 0; i < 20; i++)
        bytes += suite_sample(i, ND_SPAM).payload_length;
    assert_int_equal(suite_stats(suite).payload_bytes, bytes);
    assert_true(suite_stats(suite).store_bytes > 0);
}

static void scopes_with_samples_or_models_are_listed(void **state)
{
    struct suite *suite = *state;
    suite_put_range(suite, 0, 1, ND_SPAM);
    const struct nd_scope second = {"another", "in.bound_1-x"};
    struct nd_sample_put sample = suite_sample(1, ND_HAM);
    struct nd_put_result result;
    suite_ok(suite, nd_store_put(suite->store, &second, &sample, &suite_roomy,
                                 &suite->error, &result));
    /* only heard of: not listed */
    suite_ok(suite, nd_store_host_report(suite->store, &suite_other_scope, "h",
                                         0, &suite->error));
    struct nd_scope *scopes;
    size_t count;
    suite_ok(suite,
             nd_store_scopes(suite->store, &suite->error, &scopes, &count));
    assert_int_equal(count, 2);
    size_t first = strcmp(scopes[0].rule, "rule") == 0 ? 0 : 1;
    assert_string_equal(scopes[first].rule, "rule");
    assert_string_equal(scopes[first].settings, "default");
    assert_string_equal(scopes[1 - first].rule, "another");
    assert_string_equal(scopes[1 - first].settings, "in.bound_1-x");
    free(scopes);
}

static void every_host_says_what_it_has_loaded(void **state)
{
    struct suite *suite = *state;
    suite_ok(suite, nd_store_host_report(suite->store, &suite_scope, "mx2", 4,
                                         &suite->error));
    suite_ok(suite, nd_store_host_report(suite->store, &suite_scope, "mx1", 3,
                                         &suite->error));
    suite_ok(suite, nd_store_host_report(suite->store, &suite_scope, "mx2", 5,
                                         &suite->error));
    struct nd_host_report *hosts;
    size_t count;
    suite_ok(suite, nd_store_host_list(suite->store, &suite_scope,
                                       &suite->error, &hosts, &count));
    assert_int_equal(count, 2);
    size_t second = strcmp(hosts[0].host, "mx2") == 0 ? 0 : 1;
    assert_string_equal(hosts[second].host, "mx2");
    assert_int_equal(hosts[second].generation, 5);
    assert_true(hosts[second].seen_ms > 0);
    assert_string_equal(hosts[1 - second].host, "mx1");
    free(hosts);
}

static void the_journal_tells_the_newest_first(void **state)
{
    struct suite *suite = *state;
    for (int i = 0; i < 5; i++) {
        char words[16];
        (void)snprintf(words, sizeof(words), "model %d", i);
        (void)suite_train(suite, words);
    }
    const struct nd_journal_entry *entries;
    size_t count;
    suite_ok(suite,
             nd_store_journal(suite->store, &suite_scope, 3, suite->arena,
                              &suite->error, &entries, &count));
    assert_int_equal(count, 3);
    assert_true(entries[0].token > entries[1].token);
    assert_true(entries[1].token > entries[2].token);
    assert_int_equal(entries[0].token, suite_current(suite).generation);
    assert_string_equal(entries[2].holder, "host:1");
    suite_ok(suite,
             nd_store_journal(suite->store, &suite_other_scope, 3, suite->arena,
                              &suite->error, &entries, &count));
    assert_int_equal(count, 0);
}

/* ---- upkeep ---- */

static void count_lines(const char *line, void *context)
{
    assert_true(strlen(line) > 0);
    (*(int *)context)++;
}

static void upkeep_of_a_sound_store_finds_no_defect(void **state)
{
    struct suite *suite = *state;
    int lines = 0;
    suite_put_range(suite, 0, 50, ND_SPAM);
    (void)suite_train(suite, "a model");
    suite_ok(suite, nd_store_maintain(suite->store, INT64_C(86400000), false,
                                      count_lines, &lines, &suite->error));
    assert_int_equal(lines, 0);
    assert_int_equal(suite_stats(suite).count[ND_SPAM], 50);
}

static void upkeep_drops_orphans_and_old_tombstones(void **state)
{
    struct suite *suite = *state;
    uint8_t identity[ND_IDENTITY_BYTES];
    bool existed;
    int lines = 0;
    uint64_t generation = suite_train(suite, "a model");
    struct nd_publish orphan = suite_publish(suite, "an orphan");
    suite_identity(1, identity);
    suite_ok(suite, nd_store_forget(suite->store, &suite_scope, identity, 2000,
                                    &suite->error, &existed));
    if (!suite_backend_move_clock(10000))
        skip();
    struct nd_lease lease = suite_acquire(suite, 1);
    suite_ok(suite, nd_store_maintain(suite->store, 5000, true, count_lines,
                                      &lines, &suite->error));
    assert_int_equal(lines, 2);
    struct nd_sample_put sample = suite_sample(1, ND_SPAM);
    assert_int_equal(suite_put(suite, &sample, &suite_roomy).reason,
                     ND_REFUSED_FORGOTTEN);
    suite_ok(suite, nd_store_maintain(suite->store, 5000, false, NULL, NULL,
                                      &suite->error));
    assert_int_equal(suite_put(suite, &sample, &suite_roomy).outcome,
                     ND_PUT_STORED);
    uint64_t none;
    suite_fails(ND_NO_INPUT,
                nd_store_model_publish(suite->store, &suite_scope, &lease,
                                       &orphan, &suite->error, &none));
    assert_int_equal(suite_current(suite).generation, generation);
}

static void upkeep_leaves_a_fresh_upload_alone(void **state)
{
    struct suite *suite = *state;
    struct nd_lease lease = suite_acquire(suite, 1);
    struct nd_publish publish = suite_publish(suite, "under way");
    suite_ok(suite, nd_store_maintain(suite->store, 60000, false, NULL, NULL,
                                      &suite->error));
    uint64_t generation;
    suite_ok(suite,
             nd_store_model_publish(suite->store, &suite_scope, &lease,
                                    &publish, &suite->error, &generation));
}

int suite_look_tests(void)
{
    const struct CMUnitTest tests[] = {
        test(an_empty_store_has_empty_answers),
        test(refusals_of_callers_are_added_up),
        test(bytes_are_those_of_the_payloads),
        test(scopes_with_samples_or_models_are_listed),
        test(every_host_says_what_it_has_loaded),
        test(the_journal_tells_the_newest_first),
        test(upkeep_of_a_sound_store_finds_no_defect),
        test(upkeep_drops_orphans_and_old_tombstones),
        test(upkeep_leaves_a_fresh_upload_alone),
    };
    return cmocka_run_group_tests_name("look", tests, NULL, NULL);
}
