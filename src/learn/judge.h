/* SPDX-License-Identifier: Apache-2.0
 *
 * Promotion by evidence: which samples are held out, and whether a candidate
 * may replace the live model. Pure functions; docs/decisions/0010-promotion.md
 * has the reasons.
 */
#ifndef ND_LEARN_JUDGE_H
#define ND_LEARN_JUDGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nn/model.h"
#include "store/store.h"

/* Folds for cross-validation, and the least that is held out of a class. */
#define ND_JUDGE_FOLDS 5U
#define ND_JUDGE_HELD_MIN 10U

/* Fills folds_r, one a sample of a snapshot (in its order: time, sequence),
 * and answers the number of folds. Where each class has 50 and more: 1, and
 * the newest fifth of each class is fold 1, the rest 0 (trained on, never
 * judged). Else ND_JUDGE_FOLDS, each class dealt evenly over them. used (may
 * be NULL) marks the samples that take part; others get 0. */
uint32_t nd_judge_plan(const struct nd_sample_info *samples, size_t count,
                       const bool *used, uint8_t *folds_r);

/* What was judged, sample by sample. */
struct nd_evidence {
    const uint8_t *labels;
    const double *candidate; /* calibrated log-odds */
    const double *live;      /* NaN: the live model was trained on it, or
                                there is none; may be NULL */
    size_t count;
    const struct nd_model_figures *live_figures; /* NULL: no live model */
    double target_fpr;
};

/* How the comparison was made. */
enum nd_judge_ground {
    ND_GROUND_FIRST,    /* no live model, or one without figures: against
                           chance */
    ND_GROUND_PAIRED,   /* on the same samples, unseen by either */
    ND_GROUND_RECORDED, /* too few unseen: against the live one's own figures */
};

struct nd_judgement {
    bool promote;
    enum nd_judge_ground ground;
    char reason[256];
    struct nd_model_figures figures;   /* held_*, target_fpr filled */
    double live_log_loss, live_recall; /* NaN without */
};

/* The decision: promoted unless
 * - labels lack a class, a log-odds is not finite, or all say the same class;
 * - there is no live model and the AUC lies within what chance gives;
 * - the log-loss is worse than the live model's by more than one standard
 *   error (of the paired difference; of the candidate's own mean where the
 *   ground is recorded figures), and by more than one nat over all samples
 *   together;
 * - the recall at target_fpr is below the lower end of the live model's 95 %
 *   Wilson interval. */
void nd_judge(const struct nd_evidence *evidence,
              struct nd_judgement *judgement_r);

#endif
