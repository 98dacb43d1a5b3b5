/* SPDX-License-Identifier: Apache-2.0
 *
 * The engine on a store that fails on purpose: requests and answers that are
 * lost, and a store that goes away.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fixture.h"
#include "learn/engine_private.h"
#include "misbehave.h"
#include "store/faulty.h"

/* The fixture's store from here on fails as specified. */
static void break_store(struct fixture *fixture, const char *specification)
{
    struct nd_error error = {""};
    struct nd_store *inner = fixture->store;
    nd_engine_destroy(&fixture->engine);
    must(nd_faulty_wrap(inner, specification, &error, &fixture->store), &error);
}

static void mend_store(struct fixture *fixture)
{
    nd_engine_destroy(&fixture->engine);
    nd_store_close(&fixture->store);
    fixture->store = open_store(fixture);
}

static void lost_answers_while_learning_store_each_sample_once(void **state)
{
    struct fixture *fixture = *state;
    break_store(fixture, "key@2=lost-answer,registry_slots@1=lost-answer,"
                         "profile_register@1=lost-answer,"
                         "put_many@1=lost-answer,put_many@3=lost-request");
    make_engine(fixture);
    learn_both(fixture, 0, 20);
    assert_int_equal(fixture->told, 40);
    assert_int_equal(count_samples(fixture, ND_SPAM), 20);
    assert_int_equal(count_samples(fixture, ND_HAM), 20);
}

static void a_store_that_goes_away_is_told_and_learning_goes_on_after(
    void **state)
{
    struct fixture *fixture = *state;
    struct nd_error error = {""};
    struct nd_lesson lesson = {.label = ND_SPAM, .source = ND_SOURCE_USER};
    break_store(fixture, "put_many@1=unavailable");
    make_engine(fixture);
    must(nd_engine_learn(fixture->engine,
                         make_message(fixture->arena, ND_SPAM, 1, 1), NULL,
                         &lesson, count_outcome, fixture, &error),
         &error);
    assert_int_equal(
        nd_engine_flush(fixture->engine, count_outcome, fixture, &error),
        ND_UNAVAILABLE);
    assert_int_equal(fixture->outcomes[ND_PUT_REFUSED], 1);
    assert_int_equal(fixture->last.reason, ND_REFUSED_STORE);
    learn_both(fixture, 1, 10);
    assert_int_equal(fixture->outcomes[ND_PUT_STORED], 20);
}

static void lost_answers_while_training_publish_once(void **state)
{
    struct fixture *fixture = *state;
    size_t count;
    make_engine(fixture);
    learn_both(fixture, 0, 60);
    break_store(fixture, "lease_acquire@1=lost-answer,"
                         "model_upload@1=lost-request,"
                         "model_upload@2=lost-answer,"
                         "model_publish@1=lost-request,"
                         "model_publish@2=lost-answer");
    make_engine(fixture);
    struct nd_training_report report = train(fixture);
    assert_int_equal(report.decision, ND_DECISION_PROMOTED);
    assert_int_equal(report.generation, 1);
    assert_int_equal(live_generation(fixture), 1);
    (void)journal(fixture, &count);
    assert_int_equal(count, 1);
    assert_idle(fixture);
}

static void a_lost_answer_at_the_end_records_the_failure_once(void **state)
{
    struct fixture *fixture = *state;
    struct nd_training_state training_state;
    struct nd_error error = {""};
    size_t count;
    make_engine(fixture);
    learn_both(fixture, 0, 60);
    break_store(fixture, "training_finish@1=lost-answer");
    make_engine(fixture);
    misbehave_like("die");
    (void)train(fixture);
    misbehave_like(NULL);
    (void)journal(fixture, &count);
    assert_int_equal(count, 1);
    must(nd_store_training_state(fixture->store, &fixture->engine->scope,
                                 &error, &training_state),
         &error);
    assert_int_equal(training_state.failures, 1);
    assert_idle(fixture);
}

/* Trains on a store that fails so, and answers the status. The lease is free
 * afterwards, and the next training works. */
static enum nd_status train_on(struct fixture *fixture,
                               const char *specification)
{
    struct nd_training_report report;
    struct nd_error error = {""};
    break_store(fixture, specification);
    make_engine(fixture);
    uint64_t live_before = score(fixture, ND_SPAM, 5).generation;
    enum nd_status status =
        nd_engine_train(fixture->engine, true, NULL, NULL, &error, &report);
    /* Defect g: nothing is used that is not known to be saved. */
    assert_int_equal(score(fixture, ND_SPAM, 5).generation, live_before);
    assert_int_not_equal(error.text[0], '\0');
    mend_store(fixture);
    make_engine(fixture);
    assert_idle(fixture);
    return status;
}

/* S10: every failure on the way releases the lease. */
static void seed_s10_every_failure_of_the_store_gives_the_lease_back(
    void **state)
{
    struct fixture *fixture = *state;
    make_engine(fixture);
    learn_both(fixture, 0, 60);
    (void)train(fixture);
    learn_both(fixture, 100, 60);
    assert_int_equal(train_on(fixture, "snapshot@1=unavailable"),
                     ND_UNAVAILABLE);
    assert_int_equal(train_on(fixture, "read@1=unavailable"), ND_UNAVAILABLE);
    assert_int_equal(train_on(fixture, "model_upload@1+=full"), ND_FULL);
    assert_int_equal(train_on(fixture, "model_publish@1+=unavailable"),
                     ND_UNAVAILABLE);
    assert_int_equal(train_on(fixture, "lease_acquire@1=unavailable"),
                     ND_UNAVAILABLE);
    assert_int_equal(live_generation(fixture), 1);
    assert_int_equal(count_samples(fixture, ND_SPAM), 120);
    assert_true(train(fixture).generation > 1);
}

/* The lease of the first training cannot be given back, so the second has it
 * still, and with it the progress that the first one told. */
static void a_training_goes_on_from_the_progress_of_one_that_could_not_end(
    void **state)
{
    struct fixture *fixture = *state;
    struct nd_training_report report;
    struct nd_error error = {""};
    fixture->rule.lease_ms = 800;
    fixture->rule.train_time_ms = 1500;
    make_engine(fixture);
    learn_both(fixture, 0, 60);
    break_store(fixture, "training_finish@1=unavailable,"
                         "training_finish@2=unavailable,"
                         "training_finish@3=unavailable,"
                         "training_finish@4=unavailable,"
                         "training_finish@5=unavailable");
    make_engine(fixture);
    misbehave_like("busy");
    enum nd_status first =
        nd_engine_train(fixture->engine, true, NULL, NULL, &error, &report);
    uint64_t kept = lease_token(fixture);
    enum nd_status second =
        nd_engine_train(fixture->engine, true, NULL, NULL, &error, &report);
    misbehave_like(NULL);
    assert_int_equal(first, ND_UNAVAILABLE);
    assert_int_equal(kept, 1);
    assert_int_equal(second, ND_OK);
    assert_int_equal(report.decision, ND_DECISION_FAILED);
    assert_idle(fixture);
}

static void a_store_that_is_away_does_not_stop_scoring(void **state)
{
    struct fixture *fixture = *state;
    struct nd_error error = {""};
    bool changed;
    make_engine(fixture);
    learn_both(fixture, 0, 60);
    (void)train(fixture);
    double expected = score(fixture, ND_SPAM, 900).log_odds;
    break_store(fixture, "model_current@2+=unavailable,any@40+=unavailable");
    make_engine(fixture);
    assert_int_equal(nd_engine_refresh(fixture->engine, &error, &changed),
                     ND_UNAVAILABLE);
    assert_true(score(fixture, ND_SPAM, 900).log_odds == expected);
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
        TEST(lost_answers_while_learning_store_each_sample_once),
        TEST(a_store_that_goes_away_is_told_and_learning_goes_on_after),
        TEST(lost_answers_while_training_publish_once),
        TEST(a_lost_answer_at_the_end_records_the_failure_once),
        TEST(seed_s10_every_failure_of_the_store_gives_the_lease_back),
        TEST(a_training_goes_on_from_the_progress_of_one_that_could_not_end),
        TEST(a_store_that_is_away_does_not_stop_scoring),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
