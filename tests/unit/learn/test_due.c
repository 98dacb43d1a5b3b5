/* SPDX-License-Identifier: Apache-2.0
 *
 * When a training is due (design, point 4).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "fixture.h"
#include "learn/engine_private.h"
#include "misbehave.h"

static char why[160];

static bool is_due(struct fixture *fixture)
{
    bool due;
    struct nd_error error = {""};
    must(nd_engine_due(fixture->engine, &error, &due, why, sizeof why), &error);
    assert_int_not_equal(why[0], '\0');
    return due;
}

static void the_first_training_needs_20_of_each_class(void **state)
{
    struct fixture *fixture = *state;
    make_engine(fixture);
    learn_as(fixture, ND_SPAM, ND_SPAM, 0, 60);
    learn_as(fixture, ND_HAM, ND_HAM, 0, 19);
    assert_false(is_due(fixture));
    assert_string_equal(why, "60 of 20 spam, 19 of 20 ham");
    learn_as(fixture, ND_HAM, ND_HAM, 19, 1);
    assert_true(is_due(fixture));
}

static void it_needs_50_changes_also_where_that_is_more_than_a_tenth(
    void **state)
{
    struct fixture *fixture = *state;
    make_engine(fixture);
    learn_both(fixture, 0, 24);
    assert_false(is_due(fixture));
    assert_string_equal(why, "48 of 50 changed samples");
    learn_both(fixture, 24, 1);
    assert_true(is_due(fixture));
}

static void train_after_replaces_the_tenth(void **state)
{
    struct fixture *fixture = *state;
    fixture->rule.train_after = 45;
    make_engine(fixture);
    learn_both(fixture, 0, 22);
    assert_false(is_due(fixture));
    learn_both(fixture, 22, 1);
    assert_true(is_due(fixture));
}

static void after_a_training_changes_and_the_interval_count_anew(void **state)
{
    struct fixture *fixture = *state;
    make_engine(fixture);
    learn_both(fixture, 0, 40);
    assert_true(is_due(fixture));
    assert_int_equal(train(fixture).decision, ND_DECISION_PROMOTED);
    assert_false(is_due(fixture));
    assert_string_equal(why, "0 of 50 changed samples");
    learn_both(fixture, 40, 30);
    assert_false(is_due(fixture));
    assert_non_null(strstr(why, "in "));
    fixture->clock_change_ms += fixture->rule.train_interval_ms;
    assert_true(is_due(fixture));
}

static void relabelled_and_forgotten_samples_count_as_changes(void **state)
{
    struct fixture *fixture = *state;
    struct nd_error error = {""};
    bool existed;
    fixture->rule.train_interval_ms = 0;
    fixture->rule.train_after = 3;
    make_engine(fixture);
    learn_both(fixture, 0, 40);
    (void)train(fixture);
    assert_false(is_due(fixture));
    learn_as(fixture, ND_SPAM, ND_HAM, 0, 2);
    assert_false(is_due(fixture));
    const struct nd_message *message =
        make_message(fixture->arena, ND_HAM, 7, 0.8);
    must(nd_store_forget(fixture->store, &fixture->engine->scope,
                         message->identity, 0, &error, &existed),
         &error);
    assert_true(existed);
    assert_true(is_due(fixture));
}

static void failures_double_the_interval_up_to_six_hours(void **state)
{
    struct fixture *fixture = *state;
    struct nd_training_report report;
    struct nd_error error = {""};
    fixture->rule.train_interval_ms = 3600 * 1000;
    make_engine(fixture);
    misbehave_like("die");
    const char *const expected[] = {"in 7200 s", "in 14400 s", "in 21600 s",
                                    "in 21600 s"};
    for (uint32_t i = 0; i < 4; i++) {
        learn_both(fixture, 100 * i, 30);
        must(
            nd_engine_train(fixture->engine, true, NULL, NULL, &error, &report),
            &error);
        assert_int_equal(report.decision, ND_DECISION_FAILED);
        learn_both(fixture, 100 * i + 30, 30);
        assert_false(is_due(fixture));
        if (strncmp(why, expected[i], strlen(expected[i])) != 0) {
            fail_msg("%s instead of %s", why, expected[i]);
        }
    }
    misbehave_like(NULL);
}

/* S18: both classes count. */
static void seed_s18_balanced_waits_for_max_trains_of_both(void **state)
{
    struct fixture *fixture = *state;
    fixture->rule.learn_mode = ND_QUOTA_BALANCED;
    fixture->rule.max_trains = 30;
    make_engine(fixture);
    for (uint32_t i = 0; i < 29; i++) {
        learn_both(fixture, i, 1);
    }
    assert_false(is_due(fixture));
    assert_string_equal(why, "29 of 30 spam, 29 of 30 ham");
    learn_both(fixture, 29, 1);
    assert_true(is_due(fixture));
}

static void a_pinned_model_is_not_trained_over(void **state)
{
    struct fixture *fixture = *state;
    struct nd_model_pointer pointer;
    struct nd_training_report report;
    struct nd_error error = {""};
    fixture->rule.train_interval_ms = 0;
    make_engine(fixture);
    learn_both(fixture, 0, 40);
    uint64_t generation = train(fixture).generation;
    must(nd_store_model_pin(fixture->store, &fixture->engine->scope, generation,
                            true, &error, &pointer),
         &error);
    learn_both(fixture, 40, 40);
    assert_false(is_due(fixture));
    assert_non_null(strstr(why, "pinned"));
    assert_int_equal(
        nd_engine_train(fixture->engine, true, NULL, NULL, &error, &report),
        ND_NOTHING);
    assert_non_null(strstr(error.text, "pinned"));
    assert_int_equal(lease_token(fixture), 0);
}

/* Two hosts find the same training due; the one that comes second to the lease
 * must not train the same samples again. */
static void what_another_trained_meanwhile_is_not_trained_again(void **state)
{
    struct fixture *fixture = *state;
    struct nd_training_report report;
    struct nd_error error = {""};
    make_engine(fixture);
    learn_both(fixture, 0, 40);
    assert_true(is_due(fixture));
    struct nd_store *store = open_store(fixture);
    struct nd_engine *other;
    must(nd_engine_create(store, &fixture->rule, NULL, &error, &other), &error);
    must(nd_engine_train(other, true, NULL, NULL, &error, &report), &error);
    nd_engine_destroy(&other);
    nd_store_close(&store);
    assert_int_equal(
        nd_engine_train(fixture->engine, false, NULL, NULL, &error, &report),
        ND_NOTHING);
    assert_non_null(strstr(error.text, "just ended"));
    assert_int_equal(lease_token(fixture), 0);
    size_t count;
    (void)journal(fixture, &count);
    assert_int_equal(count, 1);
    must(nd_engine_train(fixture->engine, false, NULL, NULL, &error, &report),
         &error);
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
        TEST(the_first_training_needs_20_of_each_class),
        TEST(it_needs_50_changes_also_where_that_is_more_than_a_tenth),
        TEST(train_after_replaces_the_tenth),
        TEST(after_a_training_changes_and_the_interval_count_anew),
        TEST(relabelled_and_forgotten_samples_count_as_changes),
        TEST(failures_double_the_interval_up_to_six_hours),
        TEST(seed_s18_balanced_waits_for_max_trains_of_both),
        TEST(a_pinned_model_is_not_trained_over),
        TEST(what_another_trained_meanwhile_is_not_trained_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
