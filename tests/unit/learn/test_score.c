/* SPDX-License-Identifier: Apache-2.0
 *
 * Verdicts and their reasons.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/memory.h"
#include "fixture.h"
#include "learn/engine_private.h"
#include "misbehave.h"

static void without_a_model_there_is_no_opinion(void **state)
{
    struct fixture *fixture = *state;
    make_engine(fixture);
    struct nd_verdict verdict = score(fixture, ND_SPAM, 1);
    assert_true(verdict.probability == 0.5);
    assert_int_equal(verdict.kind, ND_UNSURE);
    assert_string_equal(verdict.symbol, "");
    assert_true(verdict.weight == 0);
    assert_int_equal(verdict.generation, 0);
    assert_null(nd_engine_model(fixture->engine));
}

static void teach(struct fixture *fixture)
{
    make_engine(fixture);
    learn_both(fixture, 0, 150);
    assert_int_equal(train(fixture).decision, ND_DECISION_PROMOTED);
}

static void seed_s06_spam_and_ham_get_their_symbols_and_weights(void **state)
{
    struct fixture *fixture = *state;
    teach(fixture);
    size_t right[2] = {0, 0};
    for (uint32_t i = 1000; i < 1050; i++) {
        struct nd_verdict spam = score(fixture, ND_SPAM, i);
        struct nd_verdict ham = score(fixture, ND_HAM, i);
        assert_int_not_equal(spam.kind, ND_VERDICT_HAM);
        assert_int_not_equal(ham.kind, ND_VERDICT_SPAM);
        if (spam.kind == ND_VERDICT_SPAM) {
            right[ND_SPAM]++;
            assert_string_equal(spam.symbol, "NEURALD_SPAM");
            assert_true(spam.weight > 0 && spam.weight <= 3);
            assert_true(spam.probability > 0.5 && spam.log_odds > 0);
        }
        if (ham.kind == ND_VERDICT_HAM) {
            right[ND_HAM]++;
            assert_string_equal(ham.symbol, "NEURALD_HAM");
            assert_true(ham.weight < 0 && ham.weight >= -1);
            assert_true(ham.probability < 0.5 && ham.log_odds < 0);
        }
    }
    assert_in_range(right[ND_SPAM], 40, 50);
    assert_in_range(right[ND_HAM], 40, 50);
}

/* The weight follows weight * (1 - exp(-d)), d the log-odds beyond those of
 * the threshold. */
static void the_weight_grows_smoothly_from_the_threshold(void **state)
{
    struct fixture *fixture = *state;
    fixture->rule.spam_weight = 8;
    teach(fixture);
    double threshold =
        nd_engine_model(fixture->engine)->calibration.spam_threshold;
    size_t seen = 0;
    for (uint32_t i = 1000; i < 1050; i++) {
        struct nd_verdict verdict = score(fixture, ND_SPAM, i);
        if (verdict.kind == ND_VERDICT_SPAM) {
            double beyond = verdict.log_odds - log(threshold / (1 - threshold));
            assert_true(fabs(verdict.weight - 8 * (1 - exp(-beyond))) < 1e-6);
            seen++;
        }
    }
    assert_true(seen > 0);
}

static void observing_gives_verdicts_without_weight(void **state)
{
    struct fixture *fixture = *state;
    fixture->rule.mode = ND_MODE_OBSERVE;
    teach(fixture);
    size_t spam = 0;
    for (uint32_t i = 1000; i < 1020; i++) {
        struct nd_verdict verdict = score(fixture, ND_SPAM, i);
        assert_true(verdict.weight == 0);
        spam += verdict.kind == ND_VERDICT_SPAM;
    }
    assert_true(spam > 10);
}

static void a_message_with_nothing_that_the_model_reads_is_unsure(void **state)
{
    struct fixture *fixture = *state;
    static const char *const names[] = {"BAYES_99", NULL};
    fixture->rule.families = ND_GROUP_TEXT;
    teach(fixture);
    struct nd_scan scan = make_scan(fixture->arena, names, 5);
    struct nd_verdict verdict;
    nd_engine_score(fixture->engine, NULL, &scan, fixture->arena, &verdict);
    assert_int_equal(verdict.kind, ND_UNSURE);
    assert_true(verdict.probability == 0.5);
    assert_int_equal(verdict.generation, 1);
    nd_engine_score(fixture->engine, NULL, NULL, fixture->arena, &verdict);
    assert_int_equal(verdict.kind, ND_UNSURE);
}

static const char *const spam_symbols[] = {"BAYES_99", "COMMON", NULL};
static const char *const ham_symbols[] = {"BAYES_00", "COMMON", NULL};

/* Learns from findings alone, and trains. */
static void teach_symbols(struct fixture *fixture)
{
    struct nd_error error = {""};
    fixture->rule.families = ND_GROUP_SYMBOLS;
    make_engine(fixture);
    for (uint32_t i = 0; i < 120; i++) {
        enum nd_class label = i % 2 == 0 ? ND_SPAM : ND_HAM;
        struct nd_lesson lesson = {.label = label, .source = ND_SOURCE_USER};
        struct nd_scan scan = make_scan(
            fixture->arena, label == ND_SPAM ? spam_symbols : ham_symbols, 1);
        must(nd_engine_learn(fixture->engine,
                             make_message(fixture->arena, label, i, 1), &scan,
                             &lesson, NULL, NULL, &error),
             &error);
    }
    must(nd_engine_flush(fixture->engine, NULL, NULL, &error), &error);
    assert_int_equal(train(fixture).decision, ND_DECISION_PROMOTED);
}

static void findings_alone_can_be_learned_and_scored(void **state)
{
    struct fixture *fixture = *state;
    struct nd_verdict verdict;
    teach_symbols(fixture);
    struct nd_scan scan = make_scan(fixture->arena, spam_symbols, 1);
    nd_engine_score(fixture->engine, NULL, &scan, fixture->arena, &verdict);
    assert_int_equal(verdict.kind, ND_VERDICT_SPAM);
    scan = make_scan(fixture->arena, ham_symbols, 1);
    nd_engine_score(fixture->engine, NULL, &scan, fixture->arena, &verdict);
    assert_int_equal(verdict.kind, ND_VERDICT_HAM);
}

static void our_own_symbols_do_not_change_the_verdict(void **state)
{
    struct fixture *fixture = *state;
    static const char *const more[] = {"BAYES_99", "COMMON", "NEURALD_HAM",
                                       "NEURALD_SPAM", NULL};
    struct nd_verdict without, with;
    teach_symbols(fixture);
    struct nd_scan scan = make_scan(fixture->arena, spam_symbols, 1);
    nd_engine_score(fixture->engine, NULL, &scan, fixture->arena, &without);
    scan = make_scan(fixture->arena, more, 1);
    nd_engine_score(fixture->engine, NULL, &scan, fixture->arena, &with);
    assert_true(with.log_odds == without.log_odds);
}

static void reasons_have_names_and_come_weightiest_first(void **state)
{
    struct fixture *fixture = *state;
    struct nd_verdict verdict;
    const struct nd_reason *reasons;
    size_t count;
    teach_symbols(fixture);
    struct nd_scan scan = make_scan(fixture->arena, spam_symbols, 1);
    nd_engine_explain(fixture->engine, NULL, &scan, 10, fixture->arena,
                      &verdict, &reasons, &count);
    assert_int_equal(verdict.kind, ND_VERDICT_SPAM);
    assert_in_range(count, 2, 4);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(reasons[i].family, ND_FAMILY_SYMBOLS);
        assert_true(i == 0 ||
                    fabs(reasons[i].change) <= fabs(reasons[i - 1].change));
    }
    assert_non_null(strstr(reasons[0].name, "BAYES_99"));
    assert_true(reasons[0].change > 0);
    nd_engine_explain(fixture->engine, NULL, &scan, 1, fixture->arena, &verdict,
                      &reasons, &count);
    assert_int_equal(count, 1);
}

/* The change is what really happens when that symbol alone goes away. */
static void a_reason_is_the_change_that_its_absence_makes(void **state)
{
    struct fixture *fixture = *state;
    static const char *const both[] = {"BAYES_99", "COMMON", NULL};
    static const char *const less[] = {"COMMON", NULL};
    struct nd_verdict with, without;
    const struct nd_reason *reasons;
    size_t count;
    teach_symbols(fixture);
    struct nd_scan scan = make_scan(fixture->arena, both, 1);
    struct nd_scan_symbol *symbols =
        (struct nd_scan_symbol *)(uintptr_t)scan.symbols;
    symbols[0].has_score = false; /* then presence is its only feature */
    nd_engine_explain(fixture->engine, NULL, &scan, 10, fixture->arena, &with,
                      &reasons, &count);
    scan = make_scan(fixture->arena, less, 1);
    nd_engine_score(fixture->engine, NULL, &scan, fixture->arena, &without);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(reasons[i].name, "symbol:BAYES_99") == 0) {
            assert_true(fabs(with.log_odds - without.log_odds -
                             reasons[i].change) < 0.01);
            return;
        }
    }
    fail();
}

static void words_are_named_in_reasons(void **state)
{
    struct fixture *fixture = *state;
    struct nd_verdict verdict;
    const struct nd_reason *reasons;
    size_t count, words = 0;
    fixture->rule.families = ND_GROUP_ALL;
    teach(fixture);
    nd_engine_explain(fixture->engine,
                      make_message(fixture->arena, ND_SPAM, 999, 1), NULL, 50,
                      fixture->arena, &verdict, &reasons, &count);
    assert_int_equal(count, 50);
    for (size_t i = 0; i < count; i++) {
        assert_string_not_equal(reasons[i].name, "?");
        words += reasons[i].family == ND_FAMILY_WORDS;
    }
    assert_true(words > 0);
}

/* ---- threads ---- */

struct reader {
    struct nd_engine *engine;
    const struct nd_message *message;
    atomic_bool *stop;
    uint64_t scored, highest;
};

static void *score_for_long(void *context)
{
    struct reader *reader = context;
    struct nd_arena *arena = nd_arena_create(0);
    while (!atomic_load(reader->stop)) {
        struct nd_verdict verdict;
        nd_engine_score(reader->engine, reader->message, NULL, arena, &verdict);
        reader->highest = verdict.generation > reader->highest
                              ? verdict.generation
                              : reader->highest;
        reader->scored++;
        nd_arena_reset(arena);
    }
    nd_arena_destroy(&arena);
    return NULL;
}

static void threads_go_on_scoring_while_a_new_model_takes_over(void **state)
{
    struct fixture *fixture = *state;
    atomic_bool stop = false;
    struct reader readers[3];
    pthread_t threads[3];
    teach(fixture);
    for (size_t i = 0; i < 3; i++) {
        readers[i] = (struct reader){
            fixture->engine, make_message(fixture->arena, ND_SPAM, 7, 1), &stop,
            0, 0};
        assert_int_equal(
            pthread_create(&threads[i], NULL, score_for_long, &readers[i]), 0);
    }
    for (uint32_t i = 0; i < 3; i++) {
        learn_both(fixture, 200 + 100 * i, 60);
        (void)train(fixture);
    }
    uint64_t live = nd_engine_model(fixture->engine)->figures.generation;
    atomic_store(&stop, true);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_true(readers[i].scored > 0);
        assert_true(readers[i].highest <= live);
    }
    assert_true(live > 1);
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
        TEST(without_a_model_there_is_no_opinion),
        TEST(seed_s06_spam_and_ham_get_their_symbols_and_weights),
        TEST(the_weight_grows_smoothly_from_the_threshold),
        TEST(observing_gives_verdicts_without_weight),
        TEST(a_message_with_nothing_that_the_model_reads_is_unsure),
        TEST(findings_alone_can_be_learned_and_scored),
        TEST(our_own_symbols_do_not_change_the_verdict),
        TEST(reasons_have_names_and_come_weightiest_first),
        TEST(a_reason_is_the_change_that_its_absence_makes),
        TEST(words_are_named_in_reasons),
        TEST(threads_go_on_scoring_while_a_new_model_takes_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
