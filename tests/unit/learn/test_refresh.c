/* SPDX-License-Identifier: Apache-2.0
 *
 * Taking up models: newer ones, older ones, broken ones, other settings'.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "fixture.h"
#include "learn/engine_private.h"
#include "misbehave.h"

/* A second host: a handle and an engine of its own on the same store. */
struct host {
    struct nd_store *store;
    struct nd_engine *engine;
};

static struct host make_host(struct fixture *fixture, const char *settings)
{
    struct host host = {.store = open_store(fixture)};
    struct nd_error error = {""};
    struct nd_rule rule = fixture->rule;
    (void)snprintf(rule.settings, sizeof rule.settings, "%s", settings);
    must(nd_engine_create(host.store, &rule, NULL, &error, &host.engine),
         &error);
    return host;
}

static void close_host(struct host *host)
{
    nd_engine_destroy(&host->engine);
    nd_store_close(&host->store);
}

static bool refresh(struct nd_engine *engine)
{
    bool changed;
    struct nd_error error = {""};
    must(nd_engine_refresh(engine, &error, &changed), &error);
    return changed;
}

static uint64_t generation_of(const struct nd_engine *engine)
{
    return engine->live != NULL ? engine->live->generation : 0;
}

/* Publishes a blob as the own scope's live model. */
static uint64_t import_blob(struct fixture *fixture, const void *blob,
                            size_t length)
{
    struct nd_error error = {""};
    struct nd_model_pointer pointer;
    uint64_t generation;
    struct nd_journal_entry entry = {
        .holder = "test", .reason = "import", .figures = "{}"};
    struct nd_publish publish = {.entry = &entry, .keep = 5};
    const struct nd_scope *scope = &fixture->engine->scope;
    must(nd_store_model_current(fixture->store, scope, &error, &pointer),
         &error);
    publish.judged_revision = pointer.revision;
    must(nd_store_model_upload(fixture->store, scope, blob, length, &error,
                               publish.digest),
         &error);
    must(nd_store_model_import(fixture->store, scope, &publish, &error,
                               &generation),
         &error);
    return generation;
}

/* Defect b: a host that holds generation 1 must take 2 and 3. */
static void seed_defect_b_every_newer_generation_is_taken_up(void **state)
{
    struct fixture *fixture = *state;
    make_engine(fixture);
    struct host other = make_host(fixture, "default");
    assert_int_equal(generation_of(other.engine), 0);
    for (uint64_t i = 1; i <= 3; i++) {
        learn_both(fixture, (uint32_t)i * 100, 60);
        assert_int_equal(train(fixture).decision, ND_DECISION_PROMOTED);
        assert_true(refresh(other.engine));
        assert_int_equal(generation_of(other.engine), i);
        assert_false(refresh(other.engine));
    }
    close_host(&other);
}

static void a_rollback_is_taken_up_though_the_number_falls(void **state)
{
    struct fixture *fixture = *state;
    struct nd_model_pointer pointer;
    struct nd_error error = {""};
    make_engine(fixture);
    learn_both(fixture, 0, 60);
    (void)train(fixture);
    learn_both(fixture, 100, 60);
    (void)train(fixture);
    assert_int_equal(generation_of(fixture->engine), 2);
    must(nd_store_model_pin(fixture->store, &fixture->engine->scope, 1, true,
                            &error, &pointer),
         &error);
    assert_true(refresh(fixture->engine));
    assert_int_equal(generation_of(fixture->engine), 1);
}

static void a_model_that_cannot_be_read_leaves_the_old_one_live(void **state)
{
    struct fixture *fixture = *state;
    make_engine(fixture);
    learn_both(fixture, 0, 60);
    (void)train(fixture);
    struct nd_verdict before = score(fixture, ND_SPAM, 900);
    assert_null(nd_engine_model_problem(fixture->engine));
    uint64_t broken = import_blob(fixture, "this is no model", 16);
    assert_false(refresh(fixture->engine));
    char expected[40];
    (void)snprintf(expected, sizeof expected, "generation %llu",
                   (unsigned long long)broken);
    assert_non_null(strstr(nd_engine_model_problem(fixture->engine), expected));
    assert_false(refresh(fixture->engine)); /* nor is it tried for ever */
    struct nd_verdict after = score(fixture, ND_SPAM, 900);
    assert_true(before.log_odds == after.log_odds);
    assert_int_equal(after.generation, 1);
    /* The next good one clears the problem. */
    learn_both(fixture, 100, 60);
    (void)train(fixture);
    assert_null(nd_engine_model_problem(fixture->engine));
    assert_int_equal(generation_of(fixture->engine), broken + 1);
}

static void an_engine_made_on_a_broken_model_has_none_and_says_why(void **state)
{
    struct fixture *fixture = *state;
    make_engine(fixture);
    (void)import_blob(fixture, "this is no model", 16);
    make_engine(fixture);
    assert_null(nd_engine_model(fixture->engine));
    assert_non_null(nd_engine_model_problem(fixture->engine));
    assert_int_equal(score(fixture, ND_SPAM, 1).kind, ND_UNSURE);
}

static void a_model_of_another_key_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct nd_error error = {""};
    struct nd_key other;
    struct nd_engine *engine;
    make_engine(fixture);
    learn_both(fixture, 0, 60);
    (void)train(fixture);
    nd_key_generate(&other);
    must(nd_engine_create(fixture->store, &fixture->rule, &other, &error,
                          &engine),
         &error);
    assert_null(nd_engine_model(engine));
    assert_non_null(nd_engine_model_problem(engine));
    nd_engine_destroy(&engine);
}

static void the_key_is_made_once_and_shared(void **state)
{
    struct fixture *fixture = *state;
    make_engine(fixture);
    struct host other = make_host(fixture, "default");
    assert_memory_equal(fixture->engine->key.secret, other.engine->key.secret,
                        ND_KEY_BYTES);
    close_host(&other);
}

/* ---- profiles ---- */

static const char *const spam_symbols[] = {"A", "B", "C", "D", NULL};
static const char *const ham_symbols[] = {"A", "B", "C", "E", NULL};
static const char *const other_symbols[] = {"V", "W", "X", "Y", "Z", NULL};

static void learn_scans(struct nd_engine *engine, const char *const *spam,
                        const char *const *ham, uint32_t first, uint32_t count)
{
    struct nd_error error = {""};
    struct nd_arena *arena = nd_arena_create(0);
    for (uint32_t i = first; i < first + count; i++) {
        enum nd_class label = i % 2 == 0 ? ND_SPAM : ND_HAM;
        struct nd_lesson lesson = {.label = label, .source = ND_SOURCE_USER};
        struct nd_scan scan =
            make_scan(arena, label == ND_SPAM ? spam : ham, 1);
        must(nd_engine_learn(engine, make_message(arena, label, i, 0.8), &scan,
                             &lesson, NULL, NULL, &error),
             &error);
    }
    must(nd_engine_flush(engine, NULL, NULL, &error), &error);
    nd_arena_destroy(&arena);
}

/* S21: settings with the same symbols share a model until they have their
 * own. */
static void seed_s21_equal_symbols_share_one_model(void **state)
{
    struct fixture *fixture = *state;
    make_engine(fixture);
    learn_scans(fixture->engine, spam_symbols, ham_symbols, 0, 120);
    assert_int_equal(train(fixture).decision, ND_DECISION_PROMOTED);
    struct host inbound = make_host(fixture, "inbound");
    assert_int_equal(generation_of(inbound.engine), 0); /* knows no symbols */
    learn_scans(inbound.engine, spam_symbols, ham_symbols, 0, 10);
    assert_true(refresh(inbound.engine));
    assert_int_equal(generation_of(inbound.engine), 1);
    assert_string_equal(nd_engine_model(inbound.engine)->settings, "default");
    /* Its samples are its own (defect c). */
    assert_int_equal(count_samples(fixture, ND_SPAM), 60);
    close_host(&inbound);
}

static int64_t used_ms(struct fixture *fixture, const char *settings)
{
    const struct nd_profile *profiles;
    struct nd_error error = {""};
    size_t count;
    must(nd_store_profile_list(fixture->store, fixture->rule.name,
                               fixture->arena, &error, &profiles, &count),
         &error);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(profiles[i].settings, settings) == 0) {
            return profiles[i].used_ms;
        }
    }
    return 0;
}

/* So that a model in use is not trimmed away. */
static void seed_s17_loading_a_profile_refreshes_its_rank(void **state)
{
    struct fixture *fixture = *state;
    make_engine(fixture);
    learn_scans(fixture->engine, spam_symbols, ham_symbols, 0, 120);
    (void)train(fixture);
    int64_t before_ms = used_ms(fixture, "default");
    assert_true(before_ms > 0);
    struct host inbound = make_host(fixture, "inbound");
    learn_scans(inbound.engine, spam_symbols, ham_symbols, 0, 10);
    (void)usleep(5000);
    assert_true(refresh(inbound.engine));
    assert_true(used_ms(fixture, "default") > before_ms);
    close_host(&inbound);
}

static void seed_s21_other_symbols_share_none(void **state)
{
    struct fixture *fixture = *state;
    make_engine(fixture);
    learn_scans(fixture->engine, spam_symbols, ham_symbols, 0, 120);
    (void)train(fixture);
    struct host outbound = make_host(fixture, "outbound");
    learn_scans(outbound.engine, other_symbols, other_symbols, 0, 10);
    assert_false(refresh(outbound.engine));
    assert_int_equal(generation_of(outbound.engine), 0);
    close_host(&outbound);
}

static void settings_change_to_their_own_model_once_they_have_one(void **state)
{
    struct fixture *fixture = *state;
    struct nd_training_report report;
    struct nd_error error = {""};
    make_engine(fixture);
    learn_scans(fixture->engine, spam_symbols, ham_symbols, 0, 120);
    (void)train(fixture);
    struct host inbound = make_host(fixture, "inbound");
    learn_scans(inbound.engine, spam_symbols, ham_symbols, 1000, 120);
    assert_true(refresh(inbound.engine));
    must(nd_engine_train(inbound.engine, true, NULL, NULL, &error, &report),
         &error);
    assert_true(report.had_live); /* judged against the one that served */
    assert_int_equal(report.decision, ND_DECISION_PROMOTED);
    assert_string_equal(nd_engine_model(inbound.engine)->settings, "inbound");
    assert_false(refresh(fixture->engine));
    assert_string_equal(nd_engine_model(fixture->engine)->settings, "default");
    close_host(&inbound);
}

/* rspamd 2252: as soon as one rule was trained all of them fired. */
static void two_rules_never_share_a_model(void **state)
{
    struct fixture *fixture = *state;
    make_engine(fixture);
    learn_scans(fixture->engine, spam_symbols, ham_symbols, 0, 120);
    (void)train(fixture);
    struct nd_rule rule = fixture->rule;
    struct nd_error error = {""};
    struct nd_engine *other;
    (void)snprintf(rule.name, sizeof rule.name, "long");
    must(nd_engine_create(fixture->store, &rule, NULL, &error, &other), &error);
    learn_scans(other, spam_symbols, ham_symbols, 0, 10);
    assert_false(refresh(other));
    assert_int_equal(generation_of(other), 0);
    nd_engine_destroy(&other);
}

/* rspamd 6041: a new symbol orphaned the trained network. */
static void a_new_symbol_does_not_take_the_model_away(void **state)
{
    struct fixture *fixture = *state;
    struct nd_verdict before, after;
    make_engine(fixture);
    learn_scans(fixture->engine, spam_symbols, ham_symbols, 0, 120);
    (void)train(fixture);
    struct nd_scan scan = make_scan(fixture->arena, spam_symbols, 1);
    nd_engine_score(fixture->engine, NULL, &scan, fixture->arena, &before);
    learn_scans(fixture->engine, other_symbols, other_symbols, 0, 10);
    make_engine(fixture);
    nd_engine_score(fixture->engine, NULL, &scan, fixture->arena, &after);
    assert_int_equal(after.generation, before.generation);
    assert_true(after.log_odds == before.log_odds);
}

/* A model whose names stand in another order: made elsewhere, imported here.
 * Scoring goes by name, and so does the judgement of its successor. */
static void an_imported_model_scores_by_name(void **state)
{
    struct fixture *fixture = *state;
    static const char *const shifted[] = {"FIRST", "SECOND", "THIRD", NULL};
    static const char *const spam[] = {"D", NULL};
    static const char *const ham[] = {"E", NULL};
    struct nd_error error = {""};
    struct nd_buffer blob = {0};
    struct nd_training_report report;
    fixture->rule.families = ND_GROUP_SYMBOLS;
    make_engine(fixture);
    learn_scans(fixture->engine, spam_symbols, ham_symbols, 0, 120);
    (void)train(fixture);
    must(nd_store_model_get(fixture->store, &fixture->engine->scope, 1, &error,
                            &blob),
         &error);
    /* The other rule met other symbols first. */
    struct nd_key key = fixture->engine->key;
    (void)snprintf(fixture->rule.name, sizeof fixture->rule.name, "elsewhere");
    make_engine(fixture);
    assert_memory_equal(key.id, fixture->engine->key.id, sizeof key.id);
    learn_scans(fixture->engine, shifted, shifted, 5000, 2);
    (void)import_blob(fixture, blob.data, blob.length);
    assert_true(refresh(fixture->engine));
    struct nd_verdict verdict;
    struct nd_scan scan = make_scan(fixture->arena, spam, 1);
    nd_engine_score(fixture->engine, NULL, &scan, fixture->arena, &verdict);
    assert_true(verdict.log_odds > 0);
    scan = make_scan(fixture->arena, ham, 1);
    nd_engine_score(fixture->engine, NULL, &scan, fixture->arena, &verdict);
    assert_true(verdict.log_odds < 0);
    /* Read by slot the live model would see three strangers and be at a
     * loss: its loss here is small only if it is read by name. */
    learn_scans(fixture->engine, spam_symbols, ham_symbols, 1000, 120);
    must(nd_engine_train(fixture->engine, true, NULL, NULL, &error, &report),
         &error);
    assert_true(report.had_live);
    assert_true(report.live_log_loss < 0.3);
    nd_buffer_free(&blob);
}

static void hosts_report_what_they_serve(void **state)
{
    struct fixture *fixture = *state;
    struct nd_host_report *hosts;
    struct nd_error error = {""};
    size_t count;
    make_engine(fixture);
    learn_both(fixture, 0, 60);
    (void)train(fixture); /* as a command does, which then ends */
    must(nd_store_host_list(fixture->store, &fixture->engine->scope, &error,
                            &hosts, &count),
         &error);
    assert_int_equal(count, 0);
    free(hosts);
    fixture->engine->duties |= ND_ENGINE_REPORTS;
    fixture->engine->touched_us = 0;
    must(nd_engine_refresh(fixture->engine, &error, NULL), &error);
    must(nd_store_host_list(fixture->store, &fixture->engine->scope, &error,
                            &hosts, &count),
         &error);
    assert_int_equal(count, 1);
    assert_int_equal(hosts[0].generation, 1);
    free(hosts);
}

/* Scoring needs no write: not on a read-only store either. */
static void a_read_only_store_can_be_scored_from(void **state)
{
    struct fixture *fixture = *state;
    struct nd_error error = {""};
    make_engine(fixture);
    learn_both(fixture, 0, 60);
    (void)train(fixture);
    double expected = score(fixture, ND_SPAM, 900).log_odds;
    nd_engine_destroy(&fixture->engine);
    nd_store_close(&fixture->store);
    struct nd_store_options options = {.read_only = true};
    must(nd_store_open(fixture->url, &options, &error, &fixture->store),
         &error);
    make_engine(fixture);
    assert_true(score(fixture, ND_SPAM, 900).log_odds == expected);
}

static void a_read_only_store_without_a_key_gives_no_opinion(void **state)
{
    struct fixture *fixture = *state;
    struct nd_error error = {""};
    nd_store_close(&fixture->store);
    struct nd_store_options options = {.read_only = true};
    must(nd_store_open(fixture->url, &options, &error, &fixture->store),
         &error);
    make_engine(fixture);
    assert_int_equal(score(fixture, ND_SPAM, 1).kind, ND_UNSURE);
    struct nd_lesson lesson = {.label = ND_SPAM, .source = ND_SOURCE_USER};
    assert_int_equal(
        nd_engine_learn(fixture->engine,
                        make_message(fixture->arena, ND_SPAM, 1, 1), NULL,
                        &lesson, NULL, NULL, &error),
        ND_PERMISSION);
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
        TEST(seed_defect_b_every_newer_generation_is_taken_up),
        TEST(a_rollback_is_taken_up_though_the_number_falls),
        TEST(a_model_that_cannot_be_read_leaves_the_old_one_live),
        TEST(an_engine_made_on_a_broken_model_has_none_and_says_why),
        TEST(a_model_of_another_key_is_refused),
        TEST(the_key_is_made_once_and_shared),
        TEST(seed_s21_equal_symbols_share_one_model),
        TEST(seed_s17_loading_a_profile_refreshes_its_rank),
        TEST(seed_s21_other_symbols_share_none),
        TEST(settings_change_to_their_own_model_once_they_have_one),
        TEST(two_rules_never_share_a_model),
        TEST(a_new_symbol_does_not_take_the_model_away),
        TEST(an_imported_model_scores_by_name),
        TEST(hosts_report_what_they_serve),
        TEST(a_read_only_store_can_be_scored_from),
        TEST(a_read_only_store_without_a_key_gives_no_opinion),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
