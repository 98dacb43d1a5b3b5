/* SPDX-License-Identifier: Apache-2.0
 *
 * Candidate against live network, on vectors that neither was trained on. Where
 * scores saturate, as those of rspamd's own networks do, they are taken a
 * little short of 1 before they become log-odds.
 */
#include "rspamd/compare.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "nn/metrics.h"
#include "nn/model.h"

#define SHORT_OF_ONE (1 - 1e-6)
#define INTERVAL 1.96 /* 95 % */

/* Probabilities fitted to scores; even ones where nothing can be fitted. */
static double *fitted(const double *scores, const uint8_t *labels, size_t count)
{
    double *values = nd_calloc(count, sizeof(*values));
    struct nd_calibration calibration = {0};
    for (size_t i = 0; i < count; i++)
        values[i] =
            2 * atanh(fmax(-SHORT_OF_ONE, fmin(SHORT_OF_ONE, scores[i])));
    if (nd_calibrate(values, labels, count, NULL, &calibration) != ND_OK)
        calibration = (struct nd_calibration){0};
    for (size_t i = 0; i < count; i++)
        values[i] = nd_probability(&calibration, values[i]);
    return values;
}

void nd_rspamd_compare(const struct nd_rspamd_contest *contest,
                       struct nd_rspamd_judgement *judgement_r)
{
    const uint8_t *labels = contest->labels;
    size_t count = contest->count;
    struct nd_rspamd_judgement judgement = {0};
    double high;
    nd_rspamd_judge(contest->candidate, labels, count, &judgement.candidate);
    nd_rspamd_judge(contest->live, labels, count, &judgement.live);
    double *candidate = fitted(contest->candidate, labels, count);
    double *live = fitted(contest->live, labels, count);
    judgement.loss_difference = nd_log_loss_difference(
        candidate, live, labels, count, &judgement.difference_error);
    size_t spam = judgement.live.spam;
    nd_wilson((size_t)lround(judgement.live.recall * (double)spam), spam,
              INTERVAL, &judgement.live_recall_low, &high);
    judgement.better =
        judgement.loss_difference <= judgement.difference_error &&
        judgement.candidate.recall >= judgement.live_recall_low;
    free(candidate);
    free(live);
    *judgement_r = judgement;
}
