/* SPDX-License-Identifier: Apache-2.0
 *
 * How well scores tell spam from ham: ROC and what is read off it, proper
 * scores, and intervals. All take count scores (higher: more like spam) with
 * labels (0 ham, 1 spam). No state; thread-safe.
 */
#ifndef ND_NN_METRICS_H
#define ND_NN_METRICS_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* Area under the ROC curve by the Mann-Whitney statistic, ties counted half.
 * NaN where a class is missing. */
double nd_auc(const double *scores, const uint8_t *labels, size_t count);

/* The greatest share of spam with score >= t over real thresholds t at which
 * the share of ham with score >= t is at most fpr. Ties counted whole, no
 * interpolation. threshold_r (may be NULL) gets that t, or infinity where no
 * threshold qualifies. NaN where a class is missing. */
double nd_recall_at_fpr(const double *scores, const uint8_t *labels,
                        size_t count, double fpr, double *threshold_r);

/* Mean squared difference of probability and label (Brier 1950). */
double nd_brier(const double *probabilities, const uint8_t *labels,
                size_t count);

/* Mean cross-entropy in nats, probabilities clamped to [1e-7, 1 - 1e-7];
 * deviation_r (may be NULL) gets the standard error of the mean. */
double nd_log_loss(const double *probabilities, const uint8_t *labels,
                   size_t count, double *standard_error_r);

/* Mean and standard error of the paired difference of two models' losses,
 * first minus second, on the same samples. */
double nd_log_loss_difference(const double *first, const double *second,
                              const uint8_t *labels, size_t count,
                              double *standard_error_r);

/* Wilson score interval (1927) of a share of successes at z standard
 * deviations. */
void nd_wilson(size_t successes, size_t trials, double z, double *low_r,
               double *high_r);

/* The ROC curve's corners, from (0,0) to (1,1), one for each distinct score.
 * The caller frees *points_r. */
struct nd_roc_point {
    double fpr, recall, threshold;
};
size_t nd_roc(const double *scores, const uint8_t *labels, size_t count,
              struct nd_roc_point **points_r);

#endif
