/* SPDX-License-Identifier: Apache-2.0
 *
 * The seed's behaviours of learning and scoring: S5 to S9, S13, S14, S17, S18,
 * S21, S22, and the defects b and c.
 */
#include "seed.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "store/sample.h"

static const char *const symbols[] = {"A", "B", "C", "D", "E", NULL};
static const char *const nearby[] = {"A", "B", "C", "D", "E", "F", NULL};
static const char *const backwards[] = {"E", "D", "C", "B", "A", NULL};
static const char *const foreign[] = {"V", "W", "X", "Y", "Z", NULL};

/* Profiles of settings; the last one found in profile_r (may be NULL). */
static size_t count_profiles(struct fixture *fixture, const char *settings,
                             const struct nd_profile **profile_r)
{
    const struct nd_profile *profiles;
    struct nd_error error = {""};
    size_t count, found = 0;
    must(nd_store_profile_list(fixture->store, fixture->rule.name,
                               fixture->arena, &error, &profiles, &count),
         &error);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(profiles[i].settings, settings) == 0) {
            found++;
            if (profile_r != NULL) {
                *profile_r = &profiles[i];
            }
        }
    }
    return found;
}

static void pause_ms(int64_t time_ms)
{
    struct timespec pause = {time_ms / 1000, time_ms % 1000 * 1000000};
    (void)nanosleep(&pause, NULL);
}

/* ---- S5 to S9 ---- */

static void seed_s05_a_profile_is_made_where_there_is_none(void **state)
{
    struct fixture *fixture = *state;
    const struct nd_profile *profile = NULL;
    make_engine(fixture);
    assert_int_equal(count_profiles(fixture, "default", NULL), 0);
    seed_learn_scans(fixture, fixture->engine, symbols, 0, 2);
    assert_int_equal(count_profiles(fixture, "default", &profile), 1);
    assert_int_equal(profile->symbol_count, 5);
    for (uint32_t i = 0; i < 5; i++) {
        assert_string_equal(profile->symbols[i], symbols[i]);
    }
    assert_int_equal(profile->generation, 0); /* no model yet */
    /* The same symbols in another order, on another host, are the same. */
    struct seed_engine other = seed_engine(fixture, "default");
    seed_learn_scans(fixture, other.engine, backwards, 2, 2);
    assert_int_equal(count_profiles(fixture, "default", NULL), 1);
    seed_engine_close(&other);
}

static void seed_s06_spam_and_ham_get_their_symbol_and_weight(void **state)
{
    struct fixture *fixture = *state;
    make_engine(fixture);
    struct nd_verdict verdict = score(fixture, ND_SPAM, 900);
    assert_int_equal(verdict.kind, ND_UNSURE); /* without a model */
    assert_string_equal(verdict.symbol, "");
    assert_true(verdict.weight == 0);
    learn_both(fixture, 0, 60);
    assert_int_equal(train(fixture).decision, ND_DECISION_PROMOTED);
    verdict = score(fixture, ND_SPAM, 900);
    assert_int_equal(verdict.kind, ND_VERDICT_SPAM);
    assert_string_equal(verdict.symbol, "NEURALD_SPAM");
    assert_true(verdict.weight > 0 && verdict.weight <= 3);
    verdict = score(fixture, ND_HAM, 900);
    assert_int_equal(verdict.kind, ND_VERDICT_HAM);
    assert_string_equal(verdict.symbol, "NEURALD_HAM");
    assert_true(verdict.weight < 0 && verdict.weight >= -1);
}

/* Entries of a stored sample, of all families. */
static size_t count_entries(struct fixture *fixture,
                            const struct nd_payload *payload)
{
    struct nd_section sections[ND_SAMPLE_MAX_SECTIONS];
    struct nd_error error = {""};
    size_t count, entries = 0;
    must(nd_sample_decode(payload->data, payload->length, fixture->arena,
                          &error, sections, &count),
         &error);
    for (size_t i = 0; i < count; i++) {
        entries += sections[i].count;
    }
    return entries;
}

/* A slot and a value of four bytes each, as the seed's vectors before zstd. */
#define PLAIN_BYTES 8

static void seed_s07_samples_are_stored_compressed_and_their_fate_is_told(
    void **state)
{
    struct fixture *fixture = *state;
    struct nd_scope scope = peers_scope(fixture);
    struct nd_snapshot snapshot;
    struct nd_payload payloads[8];
    struct nd_error error = {""};
    fixture->rule.families = ND_GROUP_ALL;
    make_engine(fixture);
    learn_both(fixture, 0, 4);
    assert_int_equal(fixture->outcomes[ND_PUT_STORED], 8);
    assert_int_equal(count_samples(fixture, ND_SPAM), 4);
    assert_int_equal(count_samples(fixture, ND_HAM), 4);
    must(nd_store_snapshot(fixture->store, &scope, &error, &snapshot), &error);
    assert_int_equal(snapshot.count, 8);
    must(nd_store_read(fixture->store, &scope, snapshot.samples, 8,
                       fixture->arena, &error, payloads),
         &error);
    for (size_t i = 0; i < 8; i++) {
        size_t entries = count_entries(fixture, &payloads[i]);
        assert_true(entries > 50);
        assert_true(payloads[i].length * 2 < entries * PLAIN_BYTES);
    }
    free(snapshot.samples);
    seed_break(fixture, "put_many@1+=full");
    struct nd_lesson lesson = {.label = ND_SPAM};
    must(nd_engine_learn(fixture->engine,
                         make_message(fixture->arena, ND_SPAM, 50, 1), NULL,
                         &lesson, count_outcome, fixture, &error),
         &error);
    assert_int_equal(
        nd_engine_flush(fixture->engine, count_outcome, fixture, &error),
        ND_FULL);
    assert_int_equal(fixture->last.outcome, ND_PUT_REFUSED);
    assert_int_equal(fixture->last.reason, ND_REFUSED_STORE);
}

static void seed_s08_train_prob_skips_samples_at_random(void **state)
{
    struct fixture *fixture = *state;
    fixture->rule.train_prob = 0.3;
    make_engine(fixture);
    learn_as(fixture, ND_SPAM, ND_SPAM, 0, 200);
    size_t stored = fixture->outcomes[ND_PUT_STORED];
    assert_in_range(stored, 30, 90); /* 60, standard deviation 6.5 */
    assert_int_equal(seed_stats(fixture).refused[ND_REFUSED_TRAIN_PROB],
                     200 - stored);
}

static enum nd_status autolearn(struct fixture *fixture,
                                const struct nd_scan *scan,
                                struct nd_lesson *lesson_r)
{
    enum nd_refusal reason;
    return nd_engine_autolearn(fixture->engine, NULL, scan, lesson_r, &reason);
}

static void seed_s09_autolearn_by_score_by_verdict_or_when_asked(void **state)
{
    struct fixture *fixture = *state;
    static const char *const ours[] = {"A", "NEURALD_SPAM", NULL};
    struct nd_lesson lesson;
    fixture->rule.autolearn = true;
    fixture->rule.has_spam_score = true;
    fixture->rule.spam_score = 10;
    make_engine(fixture);
    struct nd_scan scan = make_scan(fixture->arena, symbols, 12);
    assert_int_equal(autolearn(fixture, &scan, &lesson), ND_OK);
    assert_int_equal(lesson.label, ND_SPAM);
    assert_int_equal(lesson.source, ND_SOURCE_AUTOLEARN);
    scan.score = 9;
    assert_int_equal(autolearn(fixture, &scan, &lesson), ND_NOTHING);
    /* without our own part of it: 12 - 3 is under the limit */
    scan = make_scan(fixture->arena, ours, 12);
    ((struct nd_scan_symbol *)(uintptr_t)scan.symbols)[1].score = 3;
    assert_int_equal(autolearn(fixture, &scan, &lesson), ND_NOTHING);
    /* else by the filter's verdict */
    fixture->rule.has_spam_score = false;
    make_engine(fixture);
    scan = make_scan(fixture->arena, symbols, 2);
    scan.verdict = ND_SCAN_SPAM;
    assert_int_equal(autolearn(fixture, &scan, &lesson), ND_OK);
    assert_int_equal(lesson.label, ND_SPAM);
    /* what a user says ranks higher, whichever comes first */
    struct nd_error error = {""};
    lesson =
        (struct nd_lesson){.label = ND_SPAM, .source = ND_SOURCE_AUTOLEARN};
    learn_as(fixture, ND_HAM, ND_HAM, 7, 1);
    must(nd_engine_learn(fixture->engine,
                         make_message(fixture->arena, ND_HAM, 7, 0.8), NULL,
                         &lesson, count_outcome, fixture, &error),
         &error);
    must(nd_engine_flush(fixture->engine, count_outcome, fixture, &error),
         &error);
    assert_int_equal(fixture->last.reason, ND_REFUSED_RANK);
    assert_int_equal(count_samples(fixture, ND_HAM), 1);
}

/* ---- S13, S14, S18 ---- */

static void learn_by_turns(struct fixture *fixture, uint32_t first,
                           uint32_t count)
{
    for (uint32_t i = first; i < first + count; i++) {
        learn_both(fixture, i, 1);
    }
}

static void seed_s13_fewer_than_half_of_max_trains_are_refused(void **state)
{
    struct fixture *fixture = *state;
    struct nd_training_report report;
    struct nd_error error = {""};
    fixture->rule.learn_mode = ND_QUOTA_BALANCED;
    fixture->rule.max_trains = 60;
    make_engine(fixture);
    learn_by_turns(fixture, 0, 29);
    assert_int_equal(
        nd_engine_train(fixture->engine, false, NULL, NULL, &error, &report),
        ND_NOTHING);
    assert_int_equal(lease_token(fixture), 0);
    learn_by_turns(fixture, 29, 1);
    must(nd_engine_train(fixture->engine, false, NULL, NULL, &error, &report),
         &error);
    assert_int_equal(report.decision, ND_DECISION_PROMOTED);
    /* who asks for it needs 20 a class */
    learn_by_turns(fixture, 100, 19);
    assert_int_equal(
        nd_engine_train(fixture->engine, true, NULL, NULL, &error, &report),
        ND_NOTHING);
    learn_by_turns(fixture, 119, 1);
    (void)train(fixture);
    assert_int_equal(lease_token(fixture), 0);
}

/* Puts a sample of a slot that no name has, as of a damaged store. */
static void put_malformed(struct fixture *fixture, uint32_t number)
{
    static const uint32_t slots[] = {60000};
    assert_int_equal(peers_put(fixture, number, slots, 1).outcome,
                     ND_PUT_STORED);
}

static void seed_s14_no_number_at_the_door_and_what_is_damaged_left_out(
    void **state)
{
    struct fixture *fixture = *state;
    struct nd_error error = {""};
    struct nd_lesson lesson = {.label = ND_SPAM};
    make_engine(fixture);
    struct nd_scan scan = make_scan(fixture->arena, symbols, 1);
    ((struct nd_scan_symbol *)(uintptr_t)scan.symbols)[1].score = NAN;
    must(nd_engine_learn(fixture->engine,
                         make_message(fixture->arena, ND_SPAM, 1, 1), &scan,
                         &lesson, count_outcome, fixture, &error),
         &error);
    must(nd_engine_flush(fixture->engine, count_outcome, fixture, &error),
         &error);
    assert_int_equal(fixture->last.reason, ND_REFUSED_NOT_FINITE);
    assert_int_equal(seed_stats(fixture).refused[ND_REFUSED_NOT_FINITE], 1);
    for (uint32_t i = 0; i < 4; i++) {
        put_malformed(fixture, i);
    }
    learn_both(fixture, 100, 60);
    struct nd_training_report report = train(fixture);
    assert_int_equal(report.decision, ND_DECISION_PROMOTED);
    assert_int_equal(report.candidate.spam, 60);
    assert_int_equal(report.candidate.ham, 60);
    assert_int_equal(seed_stats(fixture).refused[ND_REFUSED_MALFORMED], 4);
}

static void seed_s18_balanced_waits_for_max_trains_of_both_classes(void **state)
{
    struct fixture *fixture = *state;
    struct nd_error error = {""};
    char why[128];
    bool due;
    fixture->rule.learn_mode = ND_QUOTA_BALANCED;
    fixture->rule.max_trains = 25;
    make_engine(fixture);
    learn_by_turns(fixture, 0, 24);
    learn_as(fixture, ND_SPAM, ND_SPAM, 500, 1); /* one class alone */
    must(nd_engine_due(fixture->engine, &error, &due, why, sizeof why), &error);
    assert_false(due);
    assert_string_equal(why, "25 of 25 spam, 24 of 25 ham");
    learn_as(fixture, ND_HAM, ND_HAM, 500, 1);
    must(nd_engine_due(fixture->engine, &error, &due, why, sizeof why), &error);
    assert_true(due);
}

/* ---- S17, S21, b, c ---- */

/* Imports words that are no model. */
static void import_rubbish(struct fixture *fixture)
{
    struct nd_scope scope = peers_scope(fixture);
    struct nd_journal_entry entry = {
        .holder = "test", .reason = "import", .figures = "{}"};
    struct nd_publish publish = {.entry = &entry, .keep = 5};
    struct nd_error error = {""};
    uint64_t generation;
    must(nd_store_model_upload(fixture->store, &scope, "no model", 8, &error,
                               publish.digest),
         &error);
    must(nd_store_model_import(fixture->store, &scope, &publish, &error,
                               &generation),
         &error);
}

/* The same model once more, as a newer generation. */
static uint64_t publish_again(struct fixture *fixture)
{
    struct nd_scope scope = peers_scope(fixture);
    struct nd_buffer blob = {0};
    struct nd_error error = {""};
    must(nd_store_model_get(fixture->store, &scope, live_generation(fixture),
                            &error, &blob),
         &error);
    uint64_t generation = peers_publish(fixture, blob.data, blob.length);
    nd_buffer_free(&blob);
    return generation;
}

static void seed_s17_the_nearest_profile_serves_and_its_rank_is_refreshed(
    void **state)
{
    struct fixture *fixture = *state;
    const struct nd_profile *profile = NULL;
    make_engine(fixture);
    seed_learn_scans(fixture, fixture->engine, symbols, 0, 120);
    uint64_t first = train(fixture).generation;
    (void)count_profiles(fixture, "default", &profile);
    int64_t used_ms = profile->used_ms;
    /* one of six symbols is another: nearer than 30 % */
    struct seed_engine near = seed_engine(fixture, "near");
    seed_learn_scans(fixture, near.engine, nearby, 1000, 4);
    pause_ms(5);
    assert_true(seed_refresh(near.engine));
    assert_int_equal(seed_generation(fixture, near.engine), first);
    (void)count_profiles(fixture, "default", &profile);
    assert_true(profile->used_ms > used_ms);
    /* all are others */
    struct seed_engine far = seed_engine(fixture, "far");
    seed_learn_scans(fixture, far.engine, foreign, 2000, 4);
    assert_false(seed_refresh(far.engine));
    assert_int_equal(seed_generation(fixture, far.engine), 0);
    /* a newer version of the same */
    uint64_t second = publish_again(fixture);
    assert_true(second > first);
    assert_true(seed_refresh(near.engine));
    assert_int_equal(seed_generation(fixture, near.engine), second);
    /* what cannot be read is passed over */
    import_rubbish(fixture);
    assert_false(seed_refresh(near.engine));
    assert_non_null(nd_engine_model_problem(near.engine));
    assert_int_equal(seed_generation(fixture, near.engine), second);
    seed_engine_close(&near);
    seed_engine_close(&far);
}

static void seed_s21_rules_and_settings_stand_side_by_side(void **state)
{
    struct fixture *fixture = *state;
    struct nd_error error = {""};
    make_engine(fixture);
    seed_learn_scans(fixture, fixture->engine, symbols, 0, 120);
    uint64_t live = train(fixture).generation;
    struct seed_engine same = seed_engine(fixture, "inbound");
    struct seed_engine other = seed_engine(fixture, "outbound");
    seed_learn_scans(fixture, same.engine, symbols, 1000, 4);
    seed_learn_scans(fixture, other.engine, foreign, 2000, 4);
    assert_true(seed_refresh(same.engine)); /* equal sets share a network */
    assert_int_equal(seed_generation(fixture, same.engine), live);
    assert_false(seed_refresh(other.engine));
    assert_int_equal(seed_generation(fixture, other.engine), 0);
    assert_int_equal(count_profiles(fixture, "default", NULL), 1);
    assert_true(count_profiles(fixture, "inbound", NULL) >= 1);
    seed_engine_close(&same);
    seed_engine_close(&other);
    /* another rule shares nothing, whatever its symbols */
    struct nd_rule rule = fixture->rule;
    struct nd_engine *second;
    (void)snprintf(rule.name, sizeof rule.name, "long");
    must(nd_engine_create(fixture->store, &rule, NULL, &error, &second),
         &error);
    seed_learn_scans(fixture, second, symbols, 3000, 4);
    assert_false(seed_refresh(second));
    assert_int_equal(seed_generation(fixture, second), 0);
    nd_engine_destroy(&second);
    assert_int_equal(count_samples(fixture, ND_SPAM), 60);
}

/* A host that holds generation 1 takes 2 and 3. */
static void seed_defect_b_every_newer_version_is_loaded(void **state)
{
    struct fixture *fixture = *state;
    make_engine(fixture);
    struct seed_engine other = seed_engine(fixture, "default");
    learn_both(fixture, 0, 60);
    for (uint64_t i = 1; i <= 3; i++) {
        uint64_t generation =
            i == 1 ? train(fixture).generation : publish_again(fixture);
        assert_int_equal(generation, i);
        assert_true(seed_refresh(other.engine));
        assert_int_equal(seed_generation(fixture, other.engine), generation);
    }
    seed_engine_close(&other);
}

static void seed_defect_c_who_is_served_by_another_stores_under_its_own(
    void **state)
{
    struct fixture *fixture = *state;
    struct nd_scope own = {fixture->rule.name, "near"};
    const struct nd_profile *profile = NULL;
    struct nd_store_stats stats;
    struct nd_error error = {""};
    make_engine(fixture);
    seed_learn_scans(fixture, fixture->engine, symbols, 0, 120);
    (void)train(fixture);
    struct seed_engine near = seed_engine(fixture, "near");
    seed_learn_scans(fixture, near.engine, nearby, 1000, 2);
    assert_true(seed_refresh(near.engine)); /* served by the other's */
    seed_learn_scans(fixture, near.engine, nearby, 1002, 8);
    must(nd_store_stats(fixture->store, &own, &error, &stats), &error);
    assert_int_equal(stats.count[ND_SPAM], 5);
    assert_int_equal(stats.count[ND_HAM], 5);
    assert_int_equal(count_samples(fixture, ND_SPAM), 60);
    assert_int_equal(count_profiles(fixture, "near", &profile), 1);
    assert_int_equal(profile->symbol_count, 6);
    seed_engine_close(&near);
}

/* ---- S22 ---- */

static void seed_s22_metatokens_stand_beside_the_symbols(void **state)
{
    struct fixture *fixture = *state;
    const char *const *names;
    const struct nd_reason *reasons;
    struct nd_verdict verdict;
    struct nd_error error = {""};
    uint32_t count, metatokens = 0, found = 0;
    size_t reason_count, used = 0;
    fixture->rule.families |= ND_GROUP_SYMBOLS | ND_GROUP_METATOKENS;
    make_engine(fixture);
    seed_learn_scans(fixture, fixture->engine, symbols, 0, 120);
    must(nd_store_registry_read(fixture->store, fixture->rule.name, 0,
                                fixture->arena, &error, &names, &count),
         &error);
    for (uint32_t i = 0; i < count; i++) {
        metatokens += strncmp(names[i], "meta:", 5) == 0;
        found += strncmp(names[i], "symbol:", 7) == 0;
    }
    assert_int_equal(found, 5);
    assert_true(metatokens >= 4); /* those of 0 are left out */
    /* they are inputs of the network */
    assert_int_equal(train(fixture).decision, ND_DECISION_PROMOTED);
    struct nd_scan scan = make_scan(fixture->arena, symbols, 1);
    nd_engine_explain(fixture->engine,
                      make_message(fixture->arena, ND_SPAM, 5, 1), &scan, 500,
                      fixture->arena, &verdict, &reasons, &reason_count);
    for (size_t i = 0; i < reason_count; i++) {
        used +=
            reasons[i].family == ND_FAMILY_METATOKENS && reasons[i].change != 0;
    }
    assert_true(used >= 2);
}

int main(int argc, char **argv)
{
    int answer = seed_main(argc, argv);
    if (answer >= 0) {
        return answer;
    }
    const struct CMUnitTest tests[] = {
        SEED_TEST(seed_s05_a_profile_is_made_where_there_is_none),
        SEED_TEST(seed_s06_spam_and_ham_get_their_symbol_and_weight),
        SEED_TEST(
            seed_s07_samples_are_stored_compressed_and_their_fate_is_told),
        SEED_TEST(seed_s08_train_prob_skips_samples_at_random),
        SEED_TEST(seed_s09_autolearn_by_score_by_verdict_or_when_asked),
        SEED_TEST(seed_s13_fewer_than_half_of_max_trains_are_refused),
        SEED_TEST(seed_s14_no_number_at_the_door_and_what_is_damaged_left_out),
        SEED_TEST(
            seed_s17_the_nearest_profile_serves_and_its_rank_is_refreshed),
        SEED_TEST(seed_s18_balanced_waits_for_max_trains_of_both_classes),
        SEED_TEST(seed_s21_rules_and_settings_stand_side_by_side),
        SEED_TEST(seed_s22_metatokens_stand_beside_the_symbols),
        SEED_TEST(seed_defect_b_every_newer_version_is_loaded),
        SEED_TEST(seed_defect_c_who_is_served_by_another_stores_under_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
