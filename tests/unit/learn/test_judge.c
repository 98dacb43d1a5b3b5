/* SPDX-License-Identifier: Apache-2.0
 *
 * Which samples are held out, and which candidates are promoted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "base/random.h"
#include "learn/judge.h"

#define MOST 600

static struct nd_sample_info samples[MOST];
static uint8_t folds[MOST];

/* spam and ham by turns, then the rest of the greater class; in order. */
static size_t make_samples(size_t spam, size_t ham)
{
    size_t count = spam + ham, given[2] = {0, 0};
    for (size_t i = 0; i < count; i++) {
        bool is_spam =
            given[ND_HAM] == ham || (given[ND_SPAM] < spam && i % 2 == 0);
        given[is_spam]++;
        samples[i] =
            (struct nd_sample_info){.label = is_spam ? ND_SPAM : ND_HAM,
                                    .time_ms = (int64_t)i * 1000,
                                    .sequence = i + 1};
    }
    return count;
}

static void the_newest_fifth_of_each_class_is_held_out(void **state)
{
    size_t count = make_samples(200, 51);
    assert_int_equal(nd_judge_plan(samples, count, NULL, folds), 1);
    size_t held[2] = {0, 0}, seen[2] = {0, 0};
    for (size_t i = 0; i < count; i++) {
        size_t place = seen[samples[i].label]++;
        size_t all = samples[i].label == ND_SPAM ? 200 : 51;
        assert_int_equal(folds[i], place >= all - all / 5);
        held[samples[i].label] += folds[i];
    }
    assert_int_equal(held[ND_SPAM], 40);
    assert_int_equal(held[ND_HAM], 10);
}

static void with_fewer_than_50_of_a_class_all_are_cross_validated(void **state)
{
    size_t count = make_samples(300, 49);
    assert_int_equal(nd_judge_plan(samples, count, NULL, folds),
                     ND_JUDGE_FOLDS);
    size_t in_fold[2][ND_JUDGE_FOLDS + 1] = {{0}};
    for (size_t i = 0; i < count; i++) {
        assert_in_range(folds[i], 1, ND_JUDGE_FOLDS);
        in_fold[samples[i].label][folds[i]]++;
    }
    for (size_t fold = 1; fold <= ND_JUDGE_FOLDS; fold++) {
        assert_int_equal(in_fold[ND_SPAM][fold], 60);
        assert_in_range(in_fold[ND_HAM][fold], 9, 10);
    }
}

static void samples_that_take_no_part_do_not_count(void **state)
{
    bool used[MOST] = {false};
    size_t count = make_samples(60, 60);
    for (size_t i = 0; i < 80; i++) {
        used[i] = true;
    }
    assert_int_equal(nd_judge_plan(samples, count, used, folds),
                     ND_JUDGE_FOLDS);
    for (size_t i = 80; i < count; i++) {
        assert_int_equal(folds[i], 0);
    }
}

/* ---- the decision ---- */

struct trial {
    uint8_t labels[MOST];
    double candidate[MOST], live[MOST];
    struct nd_model_figures live_figures;
    struct nd_evidence evidence;
};

/* count samples, half of them spam; log-odds around +-strength. */
static void make_trial(struct trial *trial, size_t count, double candidate,
                       double live)
{
    struct nd_random random;
    nd_random_seed(&random, 5);
    memset(trial, 0, sizeof *trial);
    for (size_t i = 0; i < count; i++) {
        double side = i % 2 == 0 ? 1 : -1;
        trial->labels[i] = i % 2 == 0;
        trial->candidate[i] = side * candidate + nd_random_normal(&random);
        trial->live[i] =
            isnan(live) ? NAN : side * live + nd_random_normal(&random);
    }
    trial->live_figures = (struct nd_model_figures){.held_spam = 100,
                                                    .held_ham = 100,
                                                    .held_log_loss = 0.05,
                                                    .held_recall = 0.9};
    trial->evidence = (struct nd_evidence){.labels = trial->labels,
                                           .candidate = trial->candidate,
                                           .live = trial->live,
                                           .count = count,
                                           .live_figures = &trial->live_figures,
                                           .target_fpr = 0.01};
}

static struct nd_judgement judge(const struct trial *trial)
{
    struct nd_judgement judgement;
    nd_judge(&trial->evidence, &judgement);
    assert_int_not_equal(judgement.reason[0], '\0');
    return judgement;
}

static void the_first_model_is_promoted_when_it_beats_chance(void **state)
{
    static struct trial trial;
    make_trial(&trial, 100, 3, NAN);
    trial.evidence.live_figures = NULL;
    trial.evidence.live = NULL;
    struct nd_judgement judgement = judge(&trial);
    assert_true(judgement.promote);
    assert_int_equal(judgement.ground, ND_GROUND_FIRST);
    assert_int_equal(judgement.figures.held_spam, 50);
    assert_int_equal(judgement.figures.held_ham, 50);
    assert_true(judgement.figures.held_auc > 0.9);
    assert_true(isnan(judgement.live_log_loss));
}

static void a_first_model_that_ranks_by_chance_is_rejected(void **state)
{
    static struct trial trial;
    make_trial(&trial, 100, 0.05, NAN);
    trial.evidence.live_figures = NULL;
    struct nd_judgement judgement = judge(&trial);
    assert_false(judgement.promote);
    assert_non_null(strstr(judgement.reason, "chance"));
    make_trial(&trial, 100, -1.5, NAN);
    trial.evidence.live_figures = NULL;
    assert_false(judge(&trial).promote);
}

static void one_class_and_no_number_are_rejected(void **state)
{
    static struct trial trial;
    make_trial(&trial, 100, 3, 3);
    for (size_t i = 0; i < 100; i++) {
        trial.candidate[i] = 2;
    }
    assert_false(judge(&trial).promote);
    make_trial(&trial, 100, 3, 3);
    trial.candidate[17] = NAN;
    assert_false(judge(&trial).promote);
    make_trial(&trial, 100, 3, 3);
    memset(trial.labels, 1, sizeof trial.labels);
    assert_false(judge(&trial).promote);
}

static void an_equal_candidate_is_promoted_on_unseen_samples(void **state)
{
    static struct trial trial;
    make_trial(&trial, 200, 3, 3);
    memcpy(trial.candidate, trial.live, sizeof trial.candidate);
    struct nd_judgement judgement = judge(&trial);
    assert_true(judgement.promote);
    assert_int_equal(judgement.ground, ND_GROUND_PAIRED);
    assert_true(fabs(judgement.live_log_loss -
                     judgement.figures.held_log_loss) < 1e-12);
}

static void a_clearly_worse_candidate_is_rejected(void **state)
{
    static struct trial trial;
    make_trial(&trial, 400, 1, 4);
    struct nd_judgement judgement = judge(&trial);
    assert_false(judgement.promote);
    assert_non_null(strstr(judgement.reason, "log-loss"));
    assert_true(judgement.live_log_loss < judgement.figures.held_log_loss);
}

/* Both right throughout, one a little surer than the other. */
static void being_less_sure_of_what_is_right_is_no_ground_for_rejection(
    void **state)
{
    static struct trial trial;
    make_trial(&trial, 200, 3, 3);
    for (size_t i = 0; i < 200; i++) {
        double side = trial.labels[i] != 0 ? 1 : -1;
        trial.live[i] = 7 * side;
        trial.candidate[i] = 6 * side;
    }
    assert_true(judge(&trial).promote);
    for (size_t i = 0; i < 200; i++) {
        trial.candidate[i] /= 3; /* 25 nats in all */
    }
    struct nd_judgement judgement = judge(&trial);
    assert_false(judgement.promote);
}

/* A candidate with as good a loss that misses much more spam at the target. */
static void a_lower_recall_at_the_target_is_rejected(void **state)
{
    static struct trial trial;
    make_trial(&trial, 400, 3, 3);
    for (size_t i = 0; i < 400; i++) {
        bool spam = trial.labels[i] != 0;
        trial.live[i] = spam ? 1.5 : -1.5;
        trial.candidate[i] = spam ? 3 : -3;
    }
    for (size_t i = 1; i < 16; i += 2) {
        trial.candidate[i] = 3.2; /* eight ham above all spam */
    }
    struct nd_judgement judgement = judge(&trial);
    assert_true(judgement.figures.held_log_loss < judgement.live_log_loss);
    assert_false(judgement.promote);
    assert_non_null(strstr(judgement.reason, "recall"));
}

static void samples_that_the_live_model_saw_do_not_count_against_the_candidate(
    void **state)
{
    static struct trial trial;
    make_trial(&trial, 400, 2.5, 2.5);
    memcpy(trial.candidate, trial.live, sizeof trial.candidate);
    for (size_t i = 0; i < 300; i++) {
        trial.candidate[i] *= 0.3; /* it was not trained on these */
        trial.live[i] = NAN;       /* the live one was */
    }
    struct nd_judgement judgement = judge(&trial);
    assert_true(judgement.promote);
    assert_int_equal(judgement.ground, ND_GROUND_PAIRED);
}

static void with_too_few_unseen_the_recorded_figures_decide(void **state)
{
    static struct trial trial;
    make_trial(&trial, 200, 4, 4);
    for (size_t i = 0; i < 190; i++) {
        trial.live[i] = NAN;
    }
    struct nd_judgement judgement = judge(&trial);
    assert_true(judgement.promote);
    assert_int_equal(judgement.ground, ND_GROUND_RECORDED);
    assert_true(judgement.live_recall == 0.9);
    make_trial(&trial, 200, 1, NAN);
    judgement = judge(&trial);
    assert_false(judgement.promote);
    assert_int_equal(judgement.ground, ND_GROUND_RECORDED);
}

static void a_live_model_without_figures_is_matched_against_chance(void **state)
{
    static struct trial trial;
    make_trial(&trial, 200, 3, NAN);
    trial.live_figures = (struct nd_model_figures){0};
    struct nd_judgement judgement = judge(&trial);
    assert_true(judgement.promote);
    assert_int_equal(judgement.ground, ND_GROUND_FIRST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_newest_fifth_of_each_class_is_held_out),
        cmocka_unit_test(with_fewer_than_50_of_a_class_all_are_cross_validated),
        cmocka_unit_test(samples_that_take_no_part_do_not_count),
        cmocka_unit_test(the_first_model_is_promoted_when_it_beats_chance),
        cmocka_unit_test(a_first_model_that_ranks_by_chance_is_rejected),
        cmocka_unit_test(one_class_and_no_number_are_rejected),
        cmocka_unit_test(an_equal_candidate_is_promoted_on_unseen_samples),
        cmocka_unit_test(a_clearly_worse_candidate_is_rejected),
        cmocka_unit_test(
            being_less_sure_of_what_is_right_is_no_ground_for_rejection),
        cmocka_unit_test(a_lower_recall_at_the_target_is_rejected),
        cmocka_unit_test(
            samples_that_the_live_model_saw_do_not_count_against_the_candidate),
        cmocka_unit_test(with_too_few_unseen_the_recorded_figures_decide),
        cmocka_unit_test(
            a_live_model_without_figures_is_matched_against_chance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
