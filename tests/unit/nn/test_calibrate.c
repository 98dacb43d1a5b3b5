/* SPDX-License-Identifier: Apache-2.0
 *
 * Probabilities and thresholds: known distributions give known fits, and small
 * or odd sets give sane ones.
 */
#include "fixture.h"

#include "nn/model.h"

#define MOST 20000

/* Log-odds of the two classes, normal about -mean and mean with deviation 1. */
struct scores {
    double log_odds[MOST];
    uint8_t labels[MOST];
    size_t count;
};

static struct scores *draw(size_t count, double mean, uint64_t seed)
{
    struct nd_random random;
    struct scores *scores = calloc(1, sizeof(*scores));
    nd_random_seed(&random, seed);
    scores->count = count;
    for (size_t i = 0; i < count; i++) {
        scores->labels[i] = i % 2;
        scores->log_odds[i] =
            nd_random_normal(&random) + (i % 2 ? mean : -mean);
    }
    return scores;
}

static struct nd_calibration calibrate(const struct scores *scores)
{
    struct nd_calibration calibration;
    struct nd_error error;
    assert_int_equal(nd_calibrate(scores->log_odds, scores->labels,
                                  scores->count, &error, &calibration),
                     ND_OK);
    return calibration;
}

/* Two normals at -m and m with deviation 1 have the log-odds 2 m x. */
static void the_fit_finds_the_true_slope(void **state)
{
    struct scores *scores = draw(MOST, 1.5, 1);
    struct nd_calibration calibration = calibrate(scores);
    assert_true(fabs(calibration.slope - 3) < 0.15);
    assert_true(fabs(calibration.offset) < 0.1);
    free(scores);
}

static void unequal_classes_move_the_offset(void **state)
{
    struct scores *scores = draw(MOST, 1.5, 1);
    size_t kept = 0;
    for (size_t i = 0; i < MOST; i++)
        if (!scores->labels[i] || i % 10 == 1) {
            scores->labels[kept] = scores->labels[i];
            scores->log_odds[kept++] = scores->log_odds[i];
        }
    scores->count = kept;
    struct nd_calibration calibration = calibrate(scores);
    assert_true(fabs(calibration.offset - log(0.2)) < 0.15);
    free(scores);
}

static void probabilities_are_monotone_and_bounded(void **state)
{
    struct nd_calibration calibration = {2, -1, 0.9, 0.1};
    double last = 0;
    for (double z = -1e9; z < 1e9; z += 1e6) {
        double probability = nd_probability(&calibration, z);
        assert_true(probability >= last && probability <= 1);
        last = probability;
    }
    assert_true(fabs(nd_probability(&calibration, 0.5) - 0.5) < 1e-12);
    assert_true(nd_probability(&calibration, -1e300) == 0);
    assert_true(nd_probability(&calibration, 1e300) == 1);
}

static void separated_classes_give_a_finite_fit(void **state)
{
    struct scores *scores = draw(40, 50, 1);
    struct nd_calibration calibration = calibrate(scores);
    assert_true(isfinite(calibration.slope) && calibration.slope > 0);
    assert_true(nd_probability(&calibration, 50) > 0.9);
    assert_true(nd_probability(&calibration, -50) < 0.1);
    free(scores);
}

static void a_reversed_ranking_keeps_a_positive_slope(void **state)
{
    struct scores *scores = draw(1000, -2, 1);
    struct nd_calibration calibration = calibrate(scores);
    assert_true(calibration.slope > 0 && calibration.slope < 0.01);
    assert_true(fabs(nd_probability(&calibration, 0) - 0.5) < 0.05);
    free(scores);
}

static void equal_scores_give_the_share_of_spam(void **state)
{
    struct scores *scores = draw(1000, 0, 1);
    for (size_t i = 0; i < 1000; i++)
        scores->log_odds[i] = 3;
    struct nd_calibration calibration = calibrate(scores);
    assert_true(calibration.slope > 0);
    assert_true(fabs(nd_probability(&calibration, 3) - 0.5) < 0.05);
    free(scores);
}

static void huge_scores_do_not_break_the_fit(void **state)
{
    struct scores *scores = draw(1000, 2, 1);
    for (size_t i = 0; i < 1000; i++)
        scores->log_odds[i] *= 1e8;
    struct nd_calibration calibration = calibrate(scores);
    assert_true(isfinite(calibration.slope) && calibration.slope > 0);
    assert_true(isfinite(calibration.offset));
    free(scores);
}

static void a_missing_class_is_told(void **state)
{
    const double log_odds[] = {1, 2};
    const uint8_t labels[] = {1, 1};
    struct nd_calibration calibration = {.slope = 42};
    struct nd_error error;
    assert_int_equal(nd_calibrate(log_odds, labels, 2, &error, &calibration),
                     ND_NOTHING);
    assert_true(calibration.slope == 42);
    assert_non_null(strstr(error.text, "0 ham"));
}

static double share_above(const struct scores *scores, int label,
                          const struct nd_calibration *calibration,
                          double threshold)
{
    double above = 0, all = 0;
    for (size_t i = 0; i < scores->count; i++)
        if (scores->labels[i] == label) {
            all++;
            if (nd_probability(calibration, scores->log_odds[i]) >= threshold)
                above++;
        }
    return above / all;
}

/* Thresholds fitted on 600 samples, tried on 20,000 others: the share of ham
 * above stays near the target, on average over draws. */
static void thresholds_keep_the_target_on_new_samples(void **state)
{
    struct scores *fresh = draw(MOST, 2.5, 99);
    double lost = 0, kept = 0;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct scores *scores = draw(600, 2.5, seed);
        struct nd_calibration calibration = calibrate(scores);
        nd_set_thresholds(scores->log_odds, scores->labels, scores->count,
                          (struct nd_targets){0.001, 0.001}, &calibration);
        lost += share_above(fresh, 0, &calibration, calibration.spam_threshold);
        kept +=
            1 - share_above(fresh, 1, &calibration, calibration.ham_threshold);
        free(scores);
    }
    assert_true(lost / 20 < 0.002 && lost > 0);
    assert_true(kept / 20 < 0.002 && kept > 0);
    free(fresh);
}

/* Thresholds fitted on 40 samples of each class, 5 deviations apart: none
 * lies beyond most of the other class, and on average they keep the target. */
static void few_samples_give_thresholds_of_use(void **state)
{
    struct scores *fresh = draw(MOST, 2.5, 99);
    double lost = 0, least = 1;
    for (uint64_t seed = 0; seed < 100; seed++) {
        struct scores *scores = draw(80, 2.5, seed);
        struct nd_calibration calibration = calibrate(scores);
        nd_set_thresholds(scores->log_odds, scores->labels, scores->count,
                          (struct nd_targets){0.001, 0.001}, &calibration);
        double share =
            share_above(fresh, 1, &calibration, calibration.spam_threshold);
        lost += share_above(fresh, 0, &calibration, calibration.spam_threshold);
        least = share < least ? share : least;
        free(scores);
    }
    assert_true(lost / 100 < 0.001);
    assert_true(least > 0.4);
    free(fresh);
}

static void one_bad_ham_does_not_decide_the_threshold(void **state)
{
    struct scores *scores = draw(2000, 4, 1);
    struct nd_calibration calibration = calibrate(scores);
    scores->log_odds[0] = 30; /* ham */
    nd_set_thresholds(scores->log_odds, scores->labels, scores->count,
                      (struct nd_targets){0.001, 0.001}, &calibration);
    assert_true(calibration.spam_threshold < nd_probability(&calibration, 10));
    assert_true(
        share_above(scores, 1, &calibration, calibration.spam_threshold) > 0.5);
    free(scores);
}

static void a_verdict_is_never_less_than_95_percent_sure(void **state)
{
    for (size_t count = 2; count < 60; count++) {
        struct scores *scores = draw(count, 20, count);
        struct nd_calibration calibration = calibrate(scores);
        nd_set_thresholds(scores->log_odds, scores->labels, count,
                          (struct nd_targets){0.001, 0.01}, &calibration);
        assert_true(calibration.spam_threshold >= 0.95);
        assert_true(calibration.spam_threshold <= 1);
        assert_true(calibration.ham_threshold <= 0.05);
        assert_true(calibration.ham_threshold >= 0);
        free(scores);
    }
}

static void a_lower_target_means_a_higher_threshold(void **state)
{
    struct scores *scores = draw(2000, 1, 3);
    struct nd_calibration calibration = calibrate(scores);
    double last = 0;
    for (double target = 0.004; target > 1e-5; target /= 2) {
        nd_set_thresholds(scores->log_odds, scores->labels, scores->count,
                          (struct nd_targets){target, target}, &calibration);
        assert_true(calibration.spam_threshold > last);
        last = calibration.spam_threshold;
    }
    free(scores);
}

static void thresholds_without_samples_mean_never(void **state)
{
    struct nd_calibration calibration = {1, 0, 0.5, 0.5};
    nd_set_thresholds(NULL, NULL, 0, (struct nd_targets){0.001, 0.001},
                      &calibration);
    assert_true(calibration.spam_threshold == 1);
    assert_true(calibration.ham_threshold == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_fit_finds_the_true_slope),
        cmocka_unit_test(unequal_classes_move_the_offset),
        cmocka_unit_test(probabilities_are_monotone_and_bounded),
        cmocka_unit_test(separated_classes_give_a_finite_fit),
        cmocka_unit_test(a_reversed_ranking_keeps_a_positive_slope),
        cmocka_unit_test(equal_scores_give_the_share_of_spam),
        cmocka_unit_test(huge_scores_do_not_break_the_fit),
        cmocka_unit_test(a_missing_class_is_told),
        cmocka_unit_test(thresholds_keep_the_target_on_new_samples),
        cmocka_unit_test(few_samples_give_thresholds_of_use),
        cmocka_unit_test(one_bad_ham_does_not_decide_the_threshold),
        cmocka_unit_test(a_verdict_is_never_less_than_95_percent_sure),
        cmocka_unit_test(a_lower_target_means_a_higher_threshold),
        cmocka_unit_test(thresholds_without_samples_mean_never),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
