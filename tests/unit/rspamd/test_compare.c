/* SPDX-License-Identifier: Apache-2.0
 *
 * What may take a live network's place: not what is worse, whatever the scale
 * of its scores.
 */
#include "fixture.h"

#include <math.h>

#include "rspamd/compare.h"

#define COUNT 600

static uint8_t labels[COUNT];

/* Scores that are right but for noise of this size, times scale. */
static void make_scores(double noise, double scale, uint64_t seed,
                        double *scores)
{
    struct nd_random random;
    nd_random_seed(&random, seed);
    for (size_t i = 0; i < COUNT; i++) {
        labels[i] = i % 3 == 0;
        double z = (labels[i] ? 1 : -1) + noise * nd_random_normal(&random);
        scores[i] = tanh(scale * z);
    }
}

static struct nd_rspamd_judgement judged(double candidate_noise,
                                         double candidate_scale,
                                         double live_noise, double live_scale)
{
    double candidate[COUNT], live[COUNT];
    struct nd_rspamd_judgement judgement;
    make_scores(candidate_noise, candidate_scale, 1, candidate);
    make_scores(live_noise, live_scale, 2, live);
    struct nd_rspamd_contest contest = {candidate, live, labels, COUNT};
    nd_rspamd_compare(&contest, &judgement);
    return judgement;
}

static void the_better_one_wins(void **state)
{
    struct nd_rspamd_judgement judgement = judged(0.4, 1, 1.5, 1);
    assert_true(judgement.better);
    assert_true(judgement.loss_difference < 0);
    assert_true(judgement.candidate.auc > judgement.live.auc);
    assert_int_equal(judgement.candidate.spam, COUNT / 3);
}

static void the_worse_one_does_not(void **state)
{
    assert_false(judged(1.5, 1, 0.4, 1).better);
    assert_false(judged(0.8, 1, 0.4, 1).better);
}

static void the_scale_of_scores_does_not_matter(void **state)
{
    assert_true(judged(0.4, 0.05, 1.5, 20).better); /* modest, saturated */
    assert_false(judged(1.5, 0.05, 0.4, 20).better);
    assert_false(judged(1.5, 20, 0.4, 0.05).better);
}

static void a_network_is_as_good_as_itself(void **state)
{
    double scores[COUNT];
    struct nd_rspamd_judgement judgement;
    make_scores(0.7, 1, 3, scores);
    struct nd_rspamd_contest contest = {scores, scores, labels, COUNT};
    nd_rspamd_compare(&contest, &judgement);
    assert_true(judgement.better);
    assert_true(judgement.loss_difference == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_better_one_wins),
        cmocka_unit_test(the_worse_one_does_not),
        cmocka_unit_test(the_scale_of_scores_does_not_matter),
        cmocka_unit_test(a_network_is_as_good_as_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
