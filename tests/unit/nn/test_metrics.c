/* SPDX-License-Identifier: Apache-2.0
 *
 * Figures of merit, on cases small enough to work out by hand, and the area
 * against the definition on larger ones.
 */
#include "fixture.h"

#include "nn/metrics.h"

static void assert_near(double value, double expected)
{
    if (!(fabs(value - expected) < 1e-9))
        fail_msg("%.12g instead of %.12g", value, expected);
}

static void the_area_counts_pairs_in_order(void **state)
{
    const double scores[] = {0.9, 0.8, 0.7, 0.6, 0.5};
    const uint8_t labels[] = {1, 0, 1, 1, 0};
    assert_near(nd_auc(scores, labels, 5), 4.0 / 6);
}

static void ties_count_half_in_the_area(void **state)
{
    const double scores[] = {1, 1, 1, 0};
    const uint8_t labels[] = {1, 0, 0, 0};
    assert_near(nd_auc(scores, labels, 4), 2.0 / 3);
    const double same[] = {5, 5, 5, 5};
    assert_near(nd_auc(same, labels, 4), 0.5);
}

static double area_by_definition(const double *scores, const uint8_t *labels,
                                 size_t count)
{
    double won = 0, pairs = 0;
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < count; j++)
            if (labels[i] && !labels[j]) {
                won += scores[i] > scores[j] ? 1.0 : 0.0;
                won += scores[i] == scores[j] ? 0.5 : 0.0;
                pairs++;
            }
    return won / pairs;
}

static void the_area_is_its_definition_on_random_scores(void **state)
{
    struct nd_random random;
    double scores[200];
    uint8_t labels[200];
    nd_random_seed(&random, 1);
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 200; i++) {
            labels[i] = nd_random_below(&random, 3) == 0;
            scores[i] = (double)nd_random_below(&random, 30) + labels[i];
        }
        assert_near(nd_auc(scores, labels, 200),
                    area_by_definition(scores, labels, 200));
    }
}

static void a_missing_class_has_no_area_and_no_recall(void **state)
{
    const double scores[] = {1, 2};
    const uint8_t spam[] = {1, 1}, ham[] = {0, 0};
    double threshold = 0;
    assert_true(isnan(nd_auc(scores, spam, 2)));
    assert_true(isnan(nd_auc(scores, ham, 2)));
    assert_true(isnan(nd_auc(scores, ham, 0)));
    assert_true(isnan(nd_recall_at_fpr(scores, spam, 2, 0.5, &threshold)));
    assert_true(isinf(threshold));
}

static void scores_that_are_no_numbers_rank_last(void **state)
{
    const double scores[] = {NAN, 0.2, 0.1, NAN};
    const uint8_t labels[] = {0, 1, 1, 0};
    assert_near(nd_auc(scores, labels, 4), 1);
}

static void recall_is_the_greatest_within_the_rate(void **state)
{
    const double scores[] = {9, 8, 7, 6, 5, 4, 3, 2, 1, 0};
    const uint8_t labels[] = {1, 1, 0, 1, 1, 0, 0, 0, 1, 0};
    double threshold;
    assert_near(nd_recall_at_fpr(scores, labels, 10, 0, &threshold), 0.4);
    assert_near(threshold, 8);
    assert_near(nd_recall_at_fpr(scores, labels, 10, 0.19, NULL), 0.4);
    assert_near(nd_recall_at_fpr(scores, labels, 10, 0.2, &threshold), 0.8);
    assert_near(threshold, 5);
    assert_near(nd_recall_at_fpr(scores, labels, 10, 1, &threshold), 1);
}

static void tied_scores_are_taken_whole(void **state)
{
    const double scores[] = {2, 1, 1, 1, 0};
    const uint8_t labels[] = {1, 1, 1, 0, 0};
    double threshold;
    assert_near(nd_recall_at_fpr(scores, labels, 5, 0.4, &threshold), 1.0 / 3);
    assert_near(threshold, 2);
    assert_near(nd_recall_at_fpr(scores, labels, 5, 0.5, &threshold), 1);
    assert_near(threshold, 1);
}

static void without_a_threshold_recall_is_zero(void **state)
{
    const double scores[] = {5, 1, 0};
    const uint8_t labels[] = {0, 1, 1};
    double threshold = 0;
    assert_near(nd_recall_at_fpr(scores, labels, 3, 0.5, &threshold), 0);
    assert_true(isinf(threshold) && threshold > 0);
}

static void the_curve_has_a_corner_for_each_score(void **state)
{
    const double scores[] = {3, 2, 2, 1};
    const uint8_t labels[] = {1, 1, 0, 0};
    const double expected[][2] = {{0, 0}, {0, 0.5}, {0.5, 1}, {1, 1}};
    struct nd_roc_point *points;
    assert_int_equal(nd_roc(scores, labels, 4, &points), 4);
    for (size_t i = 0; i < 4; i++) {
        assert_near(points[i].fpr, expected[i][0]);
        assert_near(points[i].recall, expected[i][1]);
    }
    assert_true(isinf(points[0].threshold));
    assert_near(points[2].threshold, 2);
    free(points);
}

static void brier_is_the_mean_squared_difference(void **state)
{
    const double probabilities[] = {1, 0.5, 0.25};
    const uint8_t labels[] = {1, 1, 0};
    assert_near(nd_brier(probabilities, labels, 3), (0.25 + 0.0625) / 3);
}

static void log_loss_has_a_mean_and_its_error(void **state)
{
    const double probabilities[] = {0.5, 0.25, 0.75};
    const uint8_t labels[] = {1, 0, 1};
    double error, a = -log(0.5), b = -log(0.75);
    double mean = (a + 2 * b) / 3;
    double variance =
        ((a - mean) * (a - mean) + 2 * (b - mean) * (b - mean)) / 2;
    assert_near(nd_log_loss(probabilities, labels, 3, &error), mean);
    assert_near(error, sqrt(variance / 3));
    assert_near(nd_log_loss(probabilities, labels, 3, NULL), mean);
}

static void certainty_in_error_costs_a_bounded_loss(void **state)
{
    const double probabilities[] = {0, 1};
    const uint8_t labels[] = {1, 0};
    double loss = nd_log_loss(probabilities, labels, 2, NULL);
    assert_true(fabs(loss - log(1e7)) < 1e-6);
}

static void the_paired_difference_has_the_pairs_error(void **state)
{
    const double first[] = {0.5, 0.5, 0.5}, second[] = {0.25, 0.25, 0.25};
    const uint8_t labels[] = {1, 1, 1};
    double error = 1;
    assert_near(nd_log_loss_difference(first, second, labels, 3, &error),
                -log(2));
    assert_true(fabs(error) < 1e-7);
    assert_near(nd_log_loss_difference(second, first, labels, 3, NULL), log(2));
}

static void the_wilson_interval_is_wilsons(void **state)
{
    double low, high;
    nd_wilson(8, 10, 1.96, &low, &high); /* 0.4902 to 0.9433 */
    assert_true(fabs(low - 0.4902) < 1e-4 && fabs(high - 0.9433) < 1e-4);
    nd_wilson(0, 20, 1.96, &low, &high);
    assert_near(low, 0);
    assert_true(fabs(high - 0.1611) < 1e-4);
    nd_wilson(20, 20, 1.96, &low, &high);
    assert_near(high, 1);
    nd_wilson(0, 0, 1.96, &low, &high);
    assert_true(low == 0 && high == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_area_counts_pairs_in_order),
        cmocka_unit_test(ties_count_half_in_the_area),
        cmocka_unit_test(the_area_is_its_definition_on_random_scores),
        cmocka_unit_test(a_missing_class_has_no_area_and_no_recall),
        cmocka_unit_test(scores_that_are_no_numbers_rank_last),
        cmocka_unit_test(recall_is_the_greatest_within_the_rate),
        cmocka_unit_test(tied_scores_are_taken_whole),
        cmocka_unit_test(without_a_threshold_recall_is_zero),
        cmocka_unit_test(the_curve_has_a_corner_for_each_score),
        cmocka_unit_test(brier_is_the_mean_squared_difference),
        cmocka_unit_test(log_loss_has_a_mean_and_its_error),
        cmocka_unit_test(certainty_in_error_costs_a_bounded_loss),
        cmocka_unit_test(the_paired_difference_has_the_pairs_error),
        cmocka_unit_test(the_wilson_interval_is_wilsons),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
