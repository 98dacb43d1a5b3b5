/* SPDX-License-Identifier: Apache-2.0
 *
 * Messages to samples: what is stored, what is refused, and what is told.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "fixture.h"
#include "learn/engine_private.h"
#include "misbehave.h"

static void learn_one(struct fixture *fixture, const struct nd_message *message,
                      const struct nd_scan *scan, enum nd_class label)
{
    struct nd_error error = {""};
    struct nd_lesson lesson = {.label = label, .source = ND_SOURCE_USER};
    must(nd_engine_learn(fixture->engine, message, scan, &lesson, count_outcome,
                         fixture, &error),
         &error);
}

static void flush(struct fixture *fixture)
{
    struct nd_error error = {""};
    must(nd_engine_flush(fixture->engine, count_outcome, fixture, &error),
         &error);
}

static struct nd_store_stats stats_of(struct fixture *fixture)
{
    struct nd_store_stats stats;
    struct nd_error error = {""};
    struct nd_scope scope = {fixture->rule.name, fixture->rule.settings};
    must(nd_store_stats(fixture->store, &scope, &error, &stats), &error);
    return stats;
}

static bool has_name(struct fixture *fixture, const char *wanted)
{
    const char *const *names;
    uint32_t count;
    struct nd_error error = {""};
    must(nd_store_registry_read(fixture->store, fixture->rule.name, 0,
                                fixture->arena, &error, &names, &count),
         &error);
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(names[i], wanted) == 0) {
            return true;
        }
    }
    return false;
}

static void what_was_told_is_stored(void **state)
{
    struct fixture *fixture = *state;
    make_engine(fixture);
    learn_both(fixture, 0, 300); /* more than a batch */
    assert_int_equal(fixture->told, 600);
    assert_int_equal(fixture->outcomes[ND_PUT_STORED], 600);
    assert_int_equal(count_samples(fixture, ND_SPAM), 300);
    assert_int_equal(count_samples(fixture, ND_HAM), 300);
    assert_int_equal(fixture->last.count[ND_HAM], 300);
}

/* Learns count messages of both kinds, each with a finding that none before it
 * had, and stores each by itself. */
static void learn_with_new_symbols(struct fixture *fixture, uint32_t count)
{
    for (uint32_t i = 0; i < 2 * count; i++) {
        char name[24];
        const char *names[] = {name, NULL};
        enum nd_class kind = i % 2 == 0 ? ND_SPAM : ND_HAM;
        (void)snprintf(name, sizeof name, "SYMBOL_%u", i);
        struct nd_scan scan = make_scan(fixture->arena, names, 1);
        learn_one(fixture, make_message(fixture->arena, kind, i, 1), &scan,
                  kind);
        flush(fixture);
    }
}

static void all_samples_are_trained_on_however_the_profile_grew(void **state)
{
    struct fixture *fixture = *state;
    struct nd_error error = {""};
    const struct nd_profile *profiles;
    size_t count;
    make_engine(fixture);
    learn_with_new_symbols(fixture, 30);
    must(nd_store_profile_list(fixture->store, fixture->rule.name,
                               fixture->arena, &error, &profiles, &count),
         &error);
    assert_int_equal(count, 1); /* and not one a growth */
    assert_int_equal(profiles[0].symbol_count, 60);
    struct nd_training_report report = train(fixture);
    assert_int_equal(report.candidate.spam, 30);
    assert_int_equal(report.candidate.ham, 30);
}

/* Another process has met a symbol since this one looked, and its profile took
 * the place of the one that is known here. */
static void a_model_is_of_the_profile_that_is_there(void **state)
{
    struct fixture *fixture = *state;
    static const char *const names[] = {"MET_ELSEWHERE", NULL};
    struct nd_error error = {""};
    const struct nd_profile *profiles;
    size_t count;
    struct nd_engine *trainer = make_engine(fixture);
    learn_with_new_symbols(fixture, 30);
    must(nd_engine_create(fixture->store, &fixture->rule, NULL, &error,
                          &fixture->engine),
         &error);
    struct nd_scan scan = make_scan(fixture->arena, names, 1);
    learn_one(fixture, make_message(fixture->arena, ND_SPAM, 99, 1), &scan,
              ND_SPAM);
    flush(fixture);
    nd_engine_destroy(&fixture->engine);
    fixture->engine = trainer;
    assert_int_equal(train(fixture).decision, ND_DECISION_PROMOTED);
    must(nd_store_profile_list(fixture->store, fixture->rule.name,
                               fixture->arena, &error, &profiles, &count),
         &error);
    assert_int_equal(count, 1);
    assert_int_equal(profiles[0].symbol_count, 61);
    assert_int_equal(profiles[0].generation, live_generation(fixture));
}

static void nothing_is_told_before_it_is_durable(void **state)
{
    struct fixture *fixture = *state;
    make_engine(fixture);
    learn_one(fixture, make_message(fixture->arena, ND_SPAM, 1, 1), NULL,
              ND_SPAM);
    assert_int_equal(fixture->told, 0);
    assert_int_equal(count_samples(fixture, ND_SPAM), 0);
    flush(fixture);
    assert_int_equal(fixture->told, 1);
    flush(fixture);
    assert_int_equal(fixture->told, 1);
}

static void the_same_message_twice_is_one_sample(void **state)
{
    struct fixture *fixture = *state;
    make_engine(fixture);
    learn_as(fixture, ND_SPAM, ND_SPAM, 0, 10);
    learn_as(fixture, ND_SPAM, ND_SPAM, 0, 10);
    assert_int_equal(count_samples(fixture, ND_SPAM), 10);
    assert_int_equal(fixture->outcomes[ND_PUT_STORED], 10);
}

static void the_later_label_of_one_message_wins_also_within_a_batch(
    void **state)
{
    struct fixture *fixture = *state;
    make_engine(fixture);
    const struct nd_message *message =
        make_message(fixture->arena, ND_SPAM, 1, 1);
    learn_one(fixture, message, NULL, ND_SPAM);
    learn_one(fixture, message, NULL, ND_HAM);
    flush(fixture);
    assert_int_equal(fixture->told, 2);
    assert_int_equal(fixture->outcomes[ND_PUT_RELABELLED], 1);
    assert_int_equal(count_samples(fixture, ND_SPAM), 0);
    assert_int_equal(count_samples(fixture, ND_HAM), 1);
}

static void it_wins_also_where_the_clock_jumps_back_in_between(void **state)
{
    struct fixture *fixture = *state;
    make_engine(fixture);
    const struct nd_message *message =
        make_message(fixture->arena, ND_SPAM, 1, 1);
    learn_one(fixture, message, NULL, ND_SPAM);
    fixture->engine->clock_offset_ms -= 3600000;
    learn_one(fixture, message, NULL, ND_HAM); /* and waits for no clock */
    flush(fixture);
    assert_int_equal(fixture->outcomes[ND_PUT_RELABELLED], 1);
    assert_int_equal(count_samples(fixture, ND_HAM), 1);
}

static void seed_s08_train_prob_skips_at_random_but_repeats_alike(void **state)
{
    struct fixture *fixture = *state;
    fixture->rule.train_prob = 0.3;
    make_engine(fixture);
    learn_as(fixture, ND_SPAM, ND_SPAM, 0, 500);
    size_t stored = fixture->outcomes[ND_PUT_STORED];
    assert_in_range(stored, 100, 200); /* 150, standard deviation 10 */
    assert_int_equal(stats_of(fixture).refused[ND_REFUSED_TRAIN_PROB],
                     500 - stored);
    learn_as(fixture, ND_SPAM, ND_SPAM, 0, 500);
    assert_int_equal(count_samples(fixture, ND_SPAM), stored);
}

static void seed_s14_findings_that_are_no_number_are_refused_and_counted(
    void **state)
{
    struct fixture *fixture = *state;
    static const char *const names[] = {"A", "B", NULL};
    make_engine(fixture);
    struct nd_scan scan = make_scan(fixture->arena, names, 1);
    ((struct nd_scan_symbol *)(uintptr_t)scan.symbols)[1].score = NAN;
    learn_one(fixture, make_message(fixture->arena, ND_SPAM, 1, 1), &scan,
              ND_SPAM);
    flush(fixture);
    assert_int_equal(fixture->last.outcome, ND_PUT_REFUSED);
    assert_int_equal(fixture->last.reason, ND_REFUSED_NOT_FINITE);
    assert_int_equal(stats_of(fixture).refused[ND_REFUSED_NOT_FINITE], 1);
    assert_int_equal(count_samples(fixture, ND_SPAM), 0);
}

static void our_own_symbols_are_never_learned_from(void **state)
{
    struct fixture *fixture = *state;
    static const char *const names[] = {"BAYES_99", "NEURALD_HAM",
                                        "NEURALD_LONG_SPAM", "MINE", NULL};
    free(fixture->rule.symbol_ham);
    fixture->rule.symbol_ham = nd_strdup("MINE");
    make_engine(fixture);
    struct nd_scan scan = make_scan(fixture->arena, names, 1);
    learn_one(fixture, make_message(fixture->arena, ND_SPAM, 1, 1), &scan,
              ND_SPAM);
    flush(fixture);
    assert_true(has_name(fixture, "symbol:BAYES_99"));
    assert_false(has_name(fixture, "symbol:NEURALD_HAM"));
    assert_false(has_name(fixture, "symbol:NEURALD_LONG_SPAM"));
    assert_false(has_name(fixture, "symbol:MINE"));
}

static void names_beyond_max_symbols_are_counted_and_the_sample_is_kept(
    void **state)
{
    struct fixture *fixture = *state;
    fixture->rule.families = ND_GROUP_SYMBOLS;
    fixture->rule.max_symbols = 4;
    make_engine(fixture);
    for (uint32_t i = 0; i < 5; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "SYMBOL_%u", (unsigned)i);
        const char *names[] = {name, NULL};
        struct nd_scan scan = make_scan(fixture->arena, names, 1);
        learn_one(fixture, make_message(fixture->arena, ND_SPAM, i, 1), &scan,
                  ND_SPAM);
        flush(fixture);
    }
    struct nd_store_stats stats = stats_of(fixture);
    assert_int_equal(count_samples(fixture, ND_SPAM), 5);
    assert_int_equal(stats.registry_length, 4);
    /* Two names a symbol: presence and score. Three symbols did not fit. */
    assert_int_equal(stats.refused[ND_REFUSED_SYMBOL_LIMIT], 6);
}

static void scoring_registers_no_names(void **state)
{
    struct fixture *fixture = *state;
    static const char *const names[] = {"NEVER_LEARNED", NULL};
    struct nd_verdict verdict;
    make_engine(fixture);
    learn_both(fixture, 0, 30);
    (void)train(fixture);
    uint64_t length = stats_of(fixture).registry_length;
    struct nd_scan scan = make_scan(fixture->arena, names, 1);
    nd_engine_score(fixture->engine,
                    make_message(fixture->arena, ND_SPAM, 99, 1), &scan,
                    fixture->arena, &verdict);
    assert_int_equal(verdict.generation, 1);
    assert_int_equal(stats_of(fixture).registry_length, length);
}

static size_t count_profiles(struct fixture *fixture,
                             const struct nd_profile **profiles_r)
{
    size_t count;
    struct nd_error error = {""};
    must(nd_store_profile_list(fixture->store, fixture->rule.name,
                               fixture->arena, &error, profiles_r, &count),
         &error);
    return count;
}

/* S5, and defect c: samples go to the own exact profile, created at once. */
static void seed_s05_new_symbols_make_a_profile_at_once(void **state)
{
    struct fixture *fixture = *state;
    static const char *const first[] = {"B", "A", NULL};
    static const char *const second[] = {"A", "C", NULL};
    const struct nd_profile *profiles;
    make_engine(fixture);
    struct nd_scan scan = make_scan(fixture->arena, first, 1);
    learn_one(fixture, make_message(fixture->arena, ND_SPAM, 1, 1), &scan,
              ND_SPAM);
    flush(fixture);
    assert_int_equal(count_profiles(fixture, &profiles), 1);
    assert_int_equal(profiles[0].symbol_count, 2);
    assert_string_equal(profiles[0].symbols[0], "A");
    scan = make_scan(fixture->arena, second, 1);
    learn_one(fixture, make_message(fixture->arena, ND_SPAM, 2, 1), &scan,
              ND_SPAM);
    flush(fixture);
    /* In the place of the one that it grew from: no model was trained for it.
     */
    assert_int_equal(count_profiles(fixture, &profiles), 1);
    assert_int_equal(profiles[0].symbol_count, 3);
    /* The same symbols again, also in another process: no new one. */
    make_engine(fixture);
    learn_one(fixture, make_message(fixture->arena, ND_SPAM, 3, 1), &scan,
              ND_SPAM);
    flush(fixture);
    assert_int_equal(count_profiles(fixture, &profiles), 1);
}

/* As another host leaves it, which met other symbols. */
static void register_foreign_profile(struct fixture *fixture, uint8_t number)
{
    struct nd_profile profile = {.digest = {number}};
    struct nd_error error = {""};
    bool created;
    (void)snprintf(profile.settings, sizeof profile.settings, "%s",
                   fixture->rule.settings);
    must(nd_store_profile_register(fixture->store, fixture->rule.name, &profile,
                                   &error, &created),
         &error);
}

static void seed_s02_no_more_than_max_profiles_are_kept(void **state)
{
    struct fixture *fixture = *state;
    const struct nd_profile *profiles;
    fixture->rule.max_profiles = 3;
    fixture->rule.watch_interval_ms = 0;
    make_engine(fixture);
    for (uint8_t i = 0; i < 8; i++) {
        register_foreign_profile(fixture, i);
    }
    learn_with_new_symbols(fixture, 4);
    assert_int_equal(count_profiles(fixture, &profiles), 3);
    assert_int_equal(count_samples(fixture, ND_SPAM), 4);
}

/* rspamd 5825: whatever order symbols come in after a restart, nothing is
 * lost. */
static void symbols_that_change_on_restart_lose_no_sample(void **state)
{
    struct fixture *fixture = *state;
    static const char *const one[] = {"A", "B", "C", NULL};
    static const char *const other[] = {"C", "D", "B", NULL};
    make_engine(fixture);
    struct nd_scan scan = make_scan(fixture->arena, one, 1);
    learn_one(fixture, make_message(fixture->arena, ND_SPAM, 1, 1), &scan,
              ND_SPAM);
    flush(fixture);
    make_engine(fixture);
    scan = make_scan(fixture->arena, other, 1);
    learn_one(fixture, make_message(fixture->arena, ND_HAM, 2, 1), &scan,
              ND_HAM);
    flush(fixture);
    assert_int_equal(count_samples(fixture, ND_SPAM), 1);
    assert_int_equal(count_samples(fixture, ND_HAM), 1);
    assert_true(has_name(fixture, "symbol:A"));
    assert_true(has_name(fixture, "symbol:D"));
}

/* A registry here that is not a prefix of the store's: another store was put
 * in its place. The sample is encoded anew. */
static void a_store_with_another_registry_is_noticed(void **state)
{
    struct fixture *fixture = *state;
    static const char *const names[] = {"A", NULL};
    make_engine(fixture);
    (void)nd_registry_add(fixture->engine->registry, "symbol:NEVER_STORED");
    struct nd_scan scan = make_scan(fixture->arena, names, 1);
    learn_one(fixture, make_message(fixture->arena, ND_SPAM, 1, 1), &scan,
              ND_SPAM);
    flush(fixture);
    assert_int_equal(fixture->outcomes[ND_PUT_STORED], 1);
    assert_int_equal(
        nd_registry_find(fixture->engine->registry, "symbol:NEVER_STORED"),
        ND_NO_SLOT);
    assert_true(has_name(fixture, "symbol:A"));
}

static void a_full_reservoir_replaces_instead_of_refusing(void **state)
{
    struct fixture *fixture = *state;
    fixture->rule.reservoir = 20;
    make_engine(fixture);
    learn_as(fixture, ND_SPAM, ND_SPAM, 0, 50);
    assert_int_equal(count_samples(fixture, ND_SPAM), 20);
    assert_int_equal(fixture->outcomes[ND_PUT_REFUSED], 0);
    assert_true(fixture->outcomes[ND_PUT_REPLACED] > 0);
}

static void seed_s01_balanced_refuses_the_class_that_runs_ahead(void **state)
{
    struct fixture *fixture = *state;
    fixture->rule.learn_mode = ND_QUOTA_BALANCED;
    fixture->rule.max_trains = 10;
    make_engine(fixture);
    learn_as(fixture, ND_SPAM, ND_SPAM, 0, 5);
    assert_int_equal(count_samples(fixture, ND_SPAM),
                     2); /* nham + 1 >= nspam */
    assert_int_equal(fixture->last.reason, ND_REFUSED_QUOTA);
    for (uint32_t i = 100; i < 140; i++) {
        learn_as(fixture, ND_HAM, ND_HAM, i, 1);
        learn_as(fixture, ND_SPAM, ND_SPAM, i, 1);
    }
    assert_in_range(count_samples(fixture, ND_SPAM), 10, 13);
    assert_in_range(count_samples(fixture, ND_HAM), 10, 13);
}

static void an_import_is_dated_by_its_topmost_received(void **state)
{
    struct fixture *fixture = *state;
    struct nd_error error = {""};
    make_engine(fixture);
    struct nd_message message = *make_message(fixture->arena, ND_SPAM, 1, 1);
    struct nd_lesson lesson = {
        .label = ND_SPAM, .source = ND_SOURCE_USER, .by_received_date = true};
    message.received_ms = 1000000000000;
    must(nd_engine_learn(fixture->engine, &message, NULL, &lesson, NULL, NULL,
                         &error),
         &error);
    flush(fixture);
    struct nd_sample_info info;
    must(nd_store_find(fixture->store, &fixture->engine->scope,
                       message.identity, &error, &info),
         &error);
    assert_true(info.time_ms == 1000000000000);
    /* A date in the future is a forged one. */
    message.received_ms = INT64_MAX / 2;
    message.identity[0] ^= 1;
    must(nd_engine_learn(fixture->engine, &message, NULL, &lesson, NULL, NULL,
                         &error),
         &error);
    flush(fixture);
    must(nd_store_find(fixture->store, &fixture->engine->scope,
                       message.identity, &error, &info),
         &error);
    assert_true(info.time_ms < INT64_MAX / 4);
}

/* Over a store that fails, every lesson is told as refused, none as stored. */
static void findings_alone_are_learned_under_their_identity(void **state)
{
    static const struct nd_scan_symbol symbols[] = {{"A", 1, true}};
    static const uint8_t identity[ND_IDENTITY_BYTES] = {1, 2, 3};
    struct fixture *fixture = *state;
    struct nd_scan scan = {.symbols = symbols, .count = 1};
    struct nd_error error = {""};
    struct nd_lesson lesson = {.label = ND_SPAM, .source = ND_SOURCE_API};
    make_engine(fixture);
    assert_int_equal(nd_engine_learn(fixture->engine, NULL, &scan, &lesson,
                                     count_outcome, fixture, &error),
                     ND_USAGE);
    lesson.identity = identity;
    must(nd_engine_learn(fixture->engine, NULL, &scan, &lesson, count_outcome,
                         fixture, &error),
         &error);
    flush(fixture);
    struct nd_scope scope = {fixture->rule.name, fixture->rule.settings};
    struct nd_sample_info info;
    must(nd_store_find(fixture->store, &scope, identity, &error, &info),
         &error);
    assert_int_equal(info.label, ND_SPAM);
}

static void a_store_that_is_away_is_told_as_such(void **state)
{
    struct fixture *fixture = *state;
    struct nd_error error = {""};
    make_engine(fixture);
    learn_one(fixture, make_message(fixture->arena, ND_SPAM, 1, 1), NULL,
              ND_SPAM);
    nd_store_close(&fixture->store);
    struct nd_store_options options = {.read_only = true};
    must(nd_store_open(fixture->url, &options, &error, &fixture->store),
         &error);
    fixture->engine->store = fixture->store;
    enum nd_status status =
        nd_engine_flush(fixture->engine, count_outcome, fixture, &error);
    assert_int_equal(status, ND_PERMISSION);
    assert_int_equal(fixture->told, 1);
    assert_int_equal(fixture->last.outcome, ND_PUT_REFUSED);
    assert_int_equal(fixture->last.reason, ND_REFUSED_STORE);
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(int argc, char **argv)
{
    int answer = misbehave_main(argc, argv);
    if (answer >= 0) {
        return answer;
    }
    const struct CMUnitTest tests[] = {
        TEST(what_was_told_is_stored),
        TEST(all_samples_are_trained_on_however_the_profile_grew),
        TEST(a_model_is_of_the_profile_that_is_there),
        TEST(nothing_is_told_before_it_is_durable),
        TEST(the_same_message_twice_is_one_sample),
        TEST(the_later_label_of_one_message_wins_also_within_a_batch),
        TEST(it_wins_also_where_the_clock_jumps_back_in_between),
        TEST(seed_s08_train_prob_skips_at_random_but_repeats_alike),
        TEST(seed_s14_findings_that_are_no_number_are_refused_and_counted),
        TEST(our_own_symbols_are_never_learned_from),
        TEST(names_beyond_max_symbols_are_counted_and_the_sample_is_kept),
        TEST(scoring_registers_no_names),
        TEST(seed_s05_new_symbols_make_a_profile_at_once),
        TEST(seed_s02_no_more_than_max_profiles_are_kept),
        TEST(symbols_that_change_on_restart_lose_no_sample),
        TEST(a_store_with_another_registry_is_noticed),
        TEST(a_full_reservoir_replaces_instead_of_refusing),
        TEST(seed_s01_balanced_refuses_the_class_that_runs_ahead),
        TEST(an_import_is_dated_by_its_topmost_received),
        TEST(findings_alone_are_learned_under_their_identity),
        TEST(a_store_that_is_away_is_told_as_such),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
