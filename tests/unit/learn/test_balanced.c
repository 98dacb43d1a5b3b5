/* SPDX-License-Identifier: Apache-2.0
 *
 * Trainings under learn_mode balanced: the seed's conditions, and what happens
 * to the samples that were used and to those that came meanwhile.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "fixture.h"
#include "learn/engine_private.h"
#include "misbehave.h"

struct meddler {
    struct fixture *fixture;
    struct nd_store *store;
    struct nd_engine *engine;
    bool done;
    enum nd_status status;
};

/* Samples that arrive during a training are stored, and stay. */
static bool learn_more(double done, double loss, const char *stage,
                       void *context)
{
    struct meddler *meddler = context;
    struct nd_error error = {""};
    struct nd_lesson lesson = {.label = ND_SPAM, .source = ND_SOURCE_USER};
    if (!meddler->done && strncmp(stage, "candidate", 9) == 0) {
        meddler->done = true;
        for (uint32_t i = 500; i < 510; i++) {
            must(nd_engine_learn(
                     meddler->engine,
                     make_message(meddler->fixture->arena, ND_SPAM, i, 1), NULL,
                     &lesson, NULL, NULL, &error),
                 &error);
        }
        must(nd_engine_flush(meddler->engine, NULL, NULL, &error), &error);
    }
    return true;
}

static void samples_of_meanwhile_survive_the_publish(void **state)
{
    struct fixture *fixture = *state;
    struct nd_training_report report;
    struct nd_error error = {""};
    fixture->rule.learn_mode = ND_QUOTA_BALANCED;
    fixture->rule.max_trains = 40;
    make_engine(fixture);
    for (uint32_t i = 0; i < 40; i++) {
        learn_both(fixture, i, 1);
    }
    struct meddler meddler = {.fixture = fixture, .store = open_store(fixture)};
    must(nd_engine_create(meddler.store, &fixture->rule, NULL, &error,
                          &meddler.engine),
         &error);
    must(nd_engine_train(fixture->engine, false, learn_more, &meddler, &error,
                         &report),
         &error);
    assert_int_equal(report.decision, ND_DECISION_PROMOTED);
    /* Balanced: the 80 that were used are consumed; of the ten late ones the
     * seed's rule took two. */
    assert_int_equal(count_samples(fixture, ND_SPAM), 2);
    assert_int_equal(count_samples(fixture, ND_HAM), 0);
    nd_engine_destroy(&meddler.engine);
    nd_store_close(&meddler.store);
}

static void learn_by_turns(struct fixture *fixture, uint32_t first,
                           uint32_t count)
{
    for (uint32_t i = first; i < first + count; i++) {
        learn_both(fixture, i, 1);
    }
}

/* Defect e was an assertion with the lock held. */
static void seed_s13_fewer_than_half_of_max_trains_are_refused(void **state)
{
    struct fixture *fixture = *state;
    struct nd_training_report report;
    struct nd_error error = {""};
    fixture->rule.learn_mode = ND_QUOTA_BALANCED;
    fixture->rule.max_trains = 80;
    make_engine(fixture);
    learn_by_turns(fixture, 0, 39);
    assert_int_equal(
        nd_engine_train(fixture->engine, false, NULL, NULL, &error, &report),
        ND_NOTHING);
    assert_non_null(strstr(error.text, "40 of each"));
    assert_idle(fixture);
    learn_by_turns(fixture, 39, 1);
    must(nd_engine_train(fixture->engine, false, NULL, NULL, &error, &report),
         &error);
    assert_int_equal(report.decision, ND_DECISION_PROMOTED);
}

static void by_force_balanced_trains_with_20_a_class(void **state)
{
    struct fixture *fixture = *state;
    fixture->rule.learn_mode = ND_QUOTA_BALANCED;
    fixture->rule.max_trains = 80;
    make_engine(fixture);
    learn_by_turns(fixture, 0, 25);
    assert_int_equal(train(fixture).decision, ND_DECISION_PROMOTED);
    assert_int_equal(count_samples(fixture, ND_SPAM), 0); /* consumed */
}

static void under_balanced_rejected_samples_make_room(void **state)
{
    struct fixture *fixture = *state;
    struct nd_training_report report;
    struct nd_error error = {""};
    fixture->rule.learn_mode = ND_QUOTA_BALANCED;
    fixture->rule.max_trains = 100;
    make_engine(fixture);
    learn_by_turns(fixture, 0, 100);
    must(nd_engine_train(fixture->engine, false, NULL, NULL, &error, &report),
         &error);
    assert_int_equal(report.decision, ND_DECISION_PROMOTED);
    for (uint32_t i = 1000; i < 1100; i++) { /* the older ones mislabelled */
        bool swap = i < 1080;
        learn_as(fixture, ND_SPAM, swap ? ND_HAM : ND_SPAM, i, 1);
        learn_as(fixture, ND_HAM, swap ? ND_SPAM : ND_HAM, i, 1);
    }
    must(nd_engine_train(fixture->engine, false, NULL, NULL, &error, &report),
         &error);
    assert_int_equal(report.decision, ND_DECISION_REJECTED);
    assert_int_equal(count_samples(fixture, ND_SPAM), 0);
    assert_int_equal(live_generation(fixture), 1);
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
        TEST(samples_of_meanwhile_survive_the_publish),
        TEST(seed_s13_fewer_than_half_of_max_trains_are_refused),
        TEST(by_force_balanced_trains_with_20_a_class),
        TEST(under_balanced_rejected_samples_make_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
