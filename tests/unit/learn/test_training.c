/* SPDX-License-Identifier: Apache-2.0
 *
 * Whole trainings through the store's lease: promotion, rejection, failures of
 * every kind, and what is left in the store after each.
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
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "fixture.h"
#include "learn/engine_private.h"
#include "misbehave.h"

static void the_first_training_publishes_and_is_used_at_once(void **state)
{
    struct fixture *fixture = *state;
    size_t count;
    make_engine(fixture);
    learn_both(fixture, 0, 100);
    struct nd_training_report report = train(fixture);
    assert_int_equal(report.decision, ND_DECISION_PROMOTED);
    assert_int_equal(live_generation(fixture), report.generation);
    assert_false(report.had_live);
    assert_true(isnan(report.live_log_loss));
    assert_int_equal(report.candidate.held_spam, 20);
    assert_int_equal(report.candidate.held_ham, 20);
    assert_int_equal(report.seed, 11);
    const struct nd_model *model = nd_engine_model(fixture->engine);
    assert_int_equal(model->figures.generation, report.generation);
    assert_int_equal(model->figures.spam, 100); /* refitted on all */
    assert_int_equal(model->figures.ham, 100);
    assert_int_equal(model->figures.held_spam, 20);
    assert_int_equal(model->figures.watermark, 200);
    assert_true(model->has_key);
    assert_string_equal(model->rule, "default");
    const struct nd_journal_entry *entries = journal(fixture, &count);
    assert_int_equal(count, 1);
    assert_int_equal(entries[0].decision, ND_DECISION_PROMOTED);
    assert_non_null(strstr(entries[0].figures, "\"held_spam\": 20"));
    assert_non_null(strstr(entries[0].figures, "\"live_log_loss\": null"));
    assert_idle(fixture);
}

static void fifty_messages_are_cross_validated(void **state)
{
    struct fixture *fixture = *state;
    make_engine(fixture);
    learn_both(fixture, 0, 25);
    struct nd_training_report report = train(fixture);
    assert_int_equal(report.decision, ND_DECISION_PROMOTED);
    assert_int_equal(report.candidate.held_spam, 25);
    assert_int_equal(report.candidate.held_ham, 25);
    assert_true(report.candidate.held_auc > 0.8);
}

static void too_few_of_a_class_are_named_and_no_lease_is_taken(void **state)
{
    struct fixture *fixture = *state;
    struct nd_training_report report;
    struct nd_error error = {""};
    size_t count;
    make_engine(fixture);
    learn_as(fixture, ND_SPAM, ND_SPAM, 0, 60);
    learn_as(fixture, ND_HAM, ND_HAM, 0, 19);
    assert_int_equal(
        nd_engine_train(fixture->engine, true, NULL, NULL, &error, &report),
        ND_NOTHING);
    assert_non_null(strstr(error.text, "60 spam and 19 ham"));
    (void)journal(fixture, &count);
    assert_int_equal(count, 0);
    assert_idle(fixture);
}

static void samples_of_another_key_are_not_trained_on(void **state)
{
    struct fixture *fixture = *state;
    struct nd_training_report report;
    struct nd_error error = {""};
    struct nd_key other;
    make_engine(fixture);
    learn_both(fixture, 0, 30);
    nd_engine_destroy(&fixture->engine);
    nd_key_generate(&other);
    must(nd_engine_create(fixture->store, &fixture->rule, &other, &error,
                          &fixture->engine),
         &error);
    assert_int_equal(
        nd_engine_train(fixture->engine, true, NULL, NULL, &error, &report),
        ND_KEY);
    assert_idle(fixture);
}

static void the_same_seed_gives_the_same_model(void **state)
{
    struct fixture *fixture = *state;
    struct nd_model_pointer pointer;
    struct nd_error error = {""};
    double odds[2];
    make_engine(fixture);
    learn_both(fixture, 0, 60);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(train(fixture).decision, ND_DECISION_PROMOTED);
        odds[i] = score(fixture, ND_SPAM, 500).log_odds;
    }
    assert_true(odds[0] == odds[1]);
    must(nd_store_model_current(fixture->store, &fixture->engine->scope, &error,
                                &pointer),
         &error);
    assert_int_equal(pointer.generation, 2);
}

static void a_drawn_seed_is_reported(void **state)
{
    struct fixture *fixture = *state;
    fixture->rule.seed = 0;
    make_engine(fixture);
    learn_both(fixture, 0, 30);
    assert_true(train(fixture).seed != 0);
}

static void a_second_generation_is_judged_on_what_the_first_has_not_seen(
    void **state)
{
    struct fixture *fixture = *state;
    size_t count;
    make_engine(fixture);
    learn_both(fixture, 0, 100);
    (void)train(fixture);
    learn_both(fixture, 100, 60);
    struct nd_training_report report = train(fixture);
    assert_true(report.had_live);
    assert_true(report.live_log_loss > 0);
    assert_int_equal(report.decision, ND_DECISION_PROMOTED);
    assert_non_null(strstr(journal(fixture, &count)[0].figures, "\"unseen\""));
    assert_int_equal(report.generation, 2);
}

/* New samples with labels drawn by lot: what is learned from them cannot be
 * told from noise, and the live model was better. */
static void a_worse_candidate_is_rejected_and_the_live_one_stays(void **state)
{
    struct fixture *fixture = *state;
    size_t count;
    make_engine(fixture);
    learn_both(fixture, 0, 100);
    (void)train(fixture);
    learn_as(fixture, ND_SPAM, ND_HAM, 1000, 60);
    learn_as(fixture, ND_HAM, ND_SPAM, 1000, 60);
    learn_both(fixture, 2000, 40);
    struct nd_training_report report = train(fixture);
    assert_int_equal(report.decision, ND_DECISION_REJECTED);
    assert_int_equal(live_generation(fixture), 1);
    const struct nd_journal_entry *entries = journal(fixture, &count);
    assert_int_equal(count, 2);
    assert_int_equal(entries[0].decision, ND_DECISION_REJECTED);
    assert_string_equal(entries[0].reason, report.reason);
    assert_int_equal(score(fixture, ND_SPAM, 7).generation, 1);
    assert_idle(fixture);
}

/* ---- stopping ---- */

struct watcher {
    double last;
    size_t calls;
    bool fell;
    bool stop;
};

static bool watch(double done, double loss, const char *stage, void *context)
{
    struct watcher *watcher = context;
    watcher->fell = watcher->fell || done < watcher->last;
    watcher->last = done;
    watcher->calls++;
    assert_non_null(stage);
    return !watcher->stop;
}

static void progress_rises_to_the_end(void **state)
{
    struct fixture *fixture = *state;
    struct watcher watcher = {0};
    struct nd_training_report report;
    struct nd_error error = {""};
    make_engine(fixture);
    learn_both(fixture, 0, 60);
    must(nd_engine_train(fixture->engine, true, watch, &watcher, &error,
                         &report),
         &error);
    assert_false(watcher.fell);
    assert_true(watcher.calls >= 3);
    assert_true(watcher.last >= 0.9 && watcher.last <= 1);
}

static void a_stopped_training_gives_the_lease_back_and_is_no_failure(
    void **state)
{
    struct fixture *fixture = *state;
    struct watcher watcher = {.stop = true};
    struct nd_training_report report;
    struct nd_training_state training_state;
    struct nd_error error = {""};
    size_t count;
    make_engine(fixture);
    learn_both(fixture, 0, 60);
    int64_t begun_us = nd_clock_monotonic_us();
    assert_int_equal(nd_engine_train(fixture->engine, true, watch, &watcher,
                                     &error, &report),
                     ND_CANCELLED);
    assert_true(nd_clock_monotonic_us() - begun_us < 5000000);
    assert_int_equal(watcher.calls, 1);
    (void)journal(fixture, &count);
    assert_int_equal(count, 0);
    must(nd_store_training_state(fixture->store, &fixture->engine->scope,
                                 &error, &training_state),
         &error);
    assert_int_equal(training_state.failures, 0);
    assert_idle(fixture);
}

/* ---- others ---- */

static void seed_s15_a_held_lease_names_its_holder(void **state)
{
    struct fixture *fixture = *state;
    struct nd_lease lease;
    struct nd_training_report report;
    struct nd_error error = {""};
    const uint8_t nonce[ND_NONCE_BYTES] = "another process";
    make_engine(fixture);
    learn_both(fixture, 0, 30);
    must(nd_store_lease_acquire(fixture->store, &fixture->engine->scope, nonce,
                                "mx7.example:4711", 60000, &error, &lease),
         &error);
    assert_int_equal(
        nd_engine_train(fixture->engine, true, NULL, NULL, &error, &report),
        ND_BUSY);
    assert_non_null(strstr(error.text, "mx7.example:4711"));
    assert_non_null(strstr(error.text, "since 20"));
    assert_int_equal(lease_token(fixture), lease.token);
}

/* rspamd 3159: a lease, stale or not, never stops samples. */
static void samples_are_stored_while_the_lease_is_held(void **state)
{
    struct fixture *fixture = *state;
    struct nd_lease lease;
    struct nd_error error = {""};
    const uint8_t nonce[ND_NONCE_BYTES] = "another process";
    make_engine(fixture);
    must(nd_store_lease_acquire(fixture->store, &fixture->engine->scope, nonce,
                                "gone", 60000, &error, &lease),
         &error);
    learn_both(fixture, 0, 30);
    assert_int_equal(fixture->outcomes[ND_PUT_STORED], 60);
}

struct meddler {
    struct fixture *fixture;
    struct nd_store *store;
    struct nd_engine *engine;
    bool done;
    enum nd_status status;
};

static bool train_again(double done, double loss, const char *stage,
                        void *context)
{
    struct meddler *meddler = context;
    struct nd_training_report report;
    struct nd_error error = {""};
    if (!meddler->done) {
        meddler->done = true;
        meddler->status =
            nd_engine_train(meddler->engine, true, NULL, NULL, &error, &report);
    }
    return true;
}

static void seed_s16_what_is_trained_here_is_not_trained_again(void **state)
{
    struct fixture *fixture = *state;
    struct nd_training_report report;
    struct nd_error error = {""};
    make_engine(fixture);
    learn_both(fixture, 0, 60);
    struct meddler meddler = {.engine = fixture->engine};
    must(nd_engine_train(fixture->engine, true, train_again, &meddler, &error,
                         &report),
         &error);
    assert_int_equal(meddler.status, ND_BUSY);
    assert_int_equal(report.decision, ND_DECISION_PROMOTED);
}

/* The lease's time passes, and another takes it. */
static bool lose_lease(double done, double loss, const char *stage,
                       void *context)
{
    struct meddler *meddler = context;
    struct nd_lease lease;
    struct nd_error error = {""};
    const uint8_t nonce[ND_NONCE_BYTES] = "the one after";
    if (!meddler->done) {
        meddler->done = true;
        meddler->fixture->clock_change_ms +=
            meddler->fixture->rule.lease_ms + 1;
        must(nd_store_lease_acquire(meddler->store,
                                    &meddler->fixture->engine->scope, nonce,
                                    "next", 60000, &error, &lease),
             &error);
    }
    return true;
}

static void a_lost_lease_publishes_nothing_and_leaves_the_new_holder_alone(
    void **state)
{
    struct fixture *fixture = *state;
    struct nd_training_report report;
    struct nd_error error = {""};
    size_t count;
    make_engine(fixture);
    learn_both(fixture, 0, 150);
    struct meddler meddler = {.fixture = fixture, .store = open_store(fixture)};
    assert_int_equal(nd_engine_train(fixture->engine, true, lose_lease,
                                     &meddler, &error, &report),
                     ND_LOST);
    assert_true(meddler.done);
    assert_int_equal(live_generation(fixture), 0);
    assert_int_equal(lease_token(fixture), 2);
    (void)journal(fixture, &count);
    assert_int_equal(count, 0);
    nd_store_close(&meddler.store);
}

/* An operator pins a generation while a training is under way. */
static bool pin_first(double done, double loss, const char *stage,
                      void *context)
{
    struct meddler *meddler = context;
    struct nd_model_pointer pointer;
    struct nd_error error = {""};
    if (!meddler->done) {
        meddler->done = true;
        must(nd_store_model_pin(meddler->store,
                                &meddler->fixture->engine->scope, 1, true,
                                &error, &pointer),
             &error);
    }
    return true;
}

static void a_pin_set_meanwhile_is_not_overridden(void **state)
{
    struct fixture *fixture = *state;
    struct nd_training_report report;
    struct nd_error error = {""};
    make_engine(fixture);
    learn_both(fixture, 0, 100);
    (void)train(fixture);
    learn_both(fixture, 100, 60);
    struct meddler meddler = {.fixture = fixture, .store = open_store(fixture)};
    assert_int_equal(nd_engine_train(fixture->engine, true, pin_first, &meddler,
                                     &error, &report),
                     ND_SUPERSEDED);
    assert_true(meddler.done);
    assert_int_equal(live_generation(fixture), 1);
    assert_idle(fixture);
    nd_store_close(&meddler.store);
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
        TEST(the_first_training_publishes_and_is_used_at_once),
        TEST(fifty_messages_are_cross_validated),
        TEST(too_few_of_a_class_are_named_and_no_lease_is_taken),
        TEST(samples_of_another_key_are_not_trained_on),
        TEST(the_same_seed_gives_the_same_model),
        TEST(a_drawn_seed_is_reported),
        TEST(a_second_generation_is_judged_on_what_the_first_has_not_seen),
        TEST(a_worse_candidate_is_rejected_and_the_live_one_stays),
        TEST(progress_rises_to_the_end),
        TEST(a_stopped_training_gives_the_lease_back_and_is_no_failure),
        TEST(seed_s15_a_held_lease_names_its_holder),
        TEST(samples_are_stored_while_the_lease_is_held),
        TEST(seed_s16_what_is_trained_here_is_not_trained_again),
        TEST(a_lost_lease_publishes_nothing_and_leaves_the_new_holder_alone),
        TEST(a_pin_set_meanwhile_is_not_overridden),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
