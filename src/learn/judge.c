/* SPDX-License-Identifier: Apache-2.0
 *
 * The judge of candidates. It sees labels and log-odds and nothing else, so
 * what it decides can be checked with a pencil. The question is never "is the
 * candidate better" (with few samples nobody could say) but "is there evidence
 * that it is worse", since it has seen more mail, and newer.
 */
#include "learn/judge.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "nn/metrics.h"

#define HOLD_OUT_FROM (ND_JUDGE_HELD_MIN * 5)
#define INTERVAL_Z 1.96

static bool takes_part(const bool *used, size_t i)
{
    return used == NULL || used[i];
}

uint32_t nd_judge_plan(const struct nd_sample_info *samples, size_t count,
                       const bool *used, uint8_t *folds_r)
{
    size_t class_count[2] = {0, 0}, seen[2] = {0, 0};
    for (size_t i = 0; i < count; i++) {
        class_count[samples[i].label] += takes_part(used, i);
    }
    bool hold_out =
        class_count[0] >= HOLD_OUT_FROM && class_count[1] >= HOLD_OUT_FROM;
    for (size_t i = 0; i < count; i++) {
        folds_r[i] = 0;
        if (!takes_part(used, i)) {
            continue;
        }
        enum nd_class label = samples[i].label;
        size_t place = seen[label]++;
        if (hold_out) {
            folds_r[i] = place >= class_count[label] - class_count[label] / 5;
        } else {
            folds_r[i] = (uint8_t)(1 + place % ND_JUDGE_FOLDS);
        }
    }
    return hold_out ? 1 : ND_JUDGE_FOLDS;
}

/* The judged samples that count in a comparison. */
struct trial {
    uint8_t *labels;
    double *candidate_odds, *live_odds;
    double *candidate, *live; /* probabilities */
    size_t count, class_count[2];
};

static double probability_of(double log_odds)
{
    return 1 / (1 + exp(-log_odds));
}

static void free_trial(struct trial *trial)
{
    free(trial->labels);
    free(trial->candidate_odds);
    free(trial->live_odds);
    free(trial->candidate);
    free(trial->live);
}

/* All judged samples, or those alone that the live model has not seen. Without
 * the live model its place is taken by the share of spam. */
static void make_trial(const struct nd_evidence *evidence, bool only_unseen,
                       struct trial *trial_r)
{
    size_t room = evidence->count;
    struct trial trial = {.labels = nd_calloc(room, 1),
                          .candidate_odds = nd_calloc(room, sizeof(double)),
                          .live_odds = nd_calloc(room, sizeof(double)),
                          .candidate = nd_calloc(room, sizeof(double)),
                          .live = nd_calloc(room, sizeof(double))};
    for (size_t i = 0; i < room; i++) {
        double live = evidence->live != NULL ? evidence->live[i] : NAN;
        if (only_unseen && !isfinite(live)) {
            continue;
        }
        size_t place = trial.count++;
        trial.labels[place] = evidence->labels[i];
        trial.class_count[evidence->labels[i]]++;
        trial.candidate_odds[place] = evidence->candidate[i];
        trial.candidate[place] = probability_of(evidence->candidate[i]);
        trial.live_odds[place] = live;
        trial.live[place] = probability_of(live);
    }
    *trial_r = trial;
}

static bool is_enough(const struct trial *trial)
{
    return trial->class_count[0] >= ND_JUDGE_HELD_MIN &&
           trial->class_count[1] >= ND_JUDGE_HELD_MIN;
}

static bool answers_one_class(const struct nd_evidence *evidence)
{
    size_t spam = 0;
    for (size_t i = 0; i < evidence->count; i++) {
        if (!isfinite(evidence->candidate[i])) {
            return true;
        }
        spam += evidence->candidate[i] >= 0;
    }
    return spam == 0 || spam == evidence->count;
}

static void fill_figures(const struct nd_evidence *evidence,
                         const struct trial *trial,
                         struct nd_judgement *judgement)
{
    struct nd_model_figures *figures = &judgement->figures;
    figures->held_ham = trial->class_count[0];
    figures->held_spam = trial->class_count[1];
    figures->target_fpr = evidence->target_fpr;
    figures->held_auc =
        nd_auc(trial->candidate_odds, trial->labels, trial->count);
    figures->held_log_loss =
        nd_log_loss(trial->candidate, trial->labels, trial->count, NULL);
    figures->held_recall =
        nd_recall_at_fpr(trial->candidate_odds, trial->labels, trial->count,
                         evidence->target_fpr, NULL);
}

static void refuse(struct nd_judgement *judgement, const char *text)
{
    judgement->promote = false;
    (void)snprintf(judgement->reason, sizeof judgement->reason, "%s", text);
}

/* Compares mean losses over count samples. One standard error is allowed, and
 * never less than one nat over all samples together: where both models are
 * right throughout, the standard error is next to nothing, and how sure they
 * are of it is no evidence either way. */
static void compare_loss(struct nd_judgement *judgement, double difference,
                         double standard_error, size_t count)
{
    double allowed = fmax(standard_error, 1 / (double)count);
    if (difference > allowed) {
        judgement->promote = false;
        (void)snprintf(judgement->reason, sizeof judgement->reason,
                       "held-out log-loss is worse than the live model's by "
                       "%.4f, more than the %.4f that chance explains",
                       difference, allowed);
    }
}

/* Compares the recall with the interval of the live model's. */
static void compare_recall(struct nd_judgement *judgement, double recall,
                           double live_recall, uint64_t live_spam)
{
    double low, high;
    nd_wilson((size_t)llround(live_recall * (double)live_spam),
              (size_t)live_spam, INTERVAL_Z, &low, &high);
    if (judgement->promote && recall < low) {
        judgement->promote = false;
        (void)snprintf(judgement->reason, sizeof judgement->reason,
                       "held-out recall %.4f is below the live model's "
                       "interval from %.4f to %.4f",
                       recall, low, high);
    }
}

/* The first model has nothing to be worse than, and any model that tells the
 * classes apart serves better than none: it need only rank spam above ham
 * beyond doubt, which is where the Mann-Whitney statistic lies outside the 95 %
 * interval that chance gives it (Mann and Whitney 1947). Its calibration may
 * still be poor where the newest mail is of another kind. */
static void judge_first(const struct trial *trial,
                        struct nd_judgement *judgement)
{
    double spam = (double)trial->class_count[1];
    double ham = (double)trial->class_count[0];
    double by_chance =
        0.5 + INTERVAL_Z * sqrt((spam + ham + 1) / (12 * spam * ham));
    if (!(judgement->figures.held_auc > by_chance)) {
        judgement->promote = false;
        (void)snprintf(judgement->reason, sizeof judgement->reason,
                       "held-out AUC %.4f is within what chance gives, up to "
                       "%.4f",
                       judgement->figures.held_auc, by_chance);
    }
}

static void judge_paired(const struct nd_evidence *evidence,
                         const struct trial *trial,
                         struct nd_judgement *judgement)
{
    double standard_error;
    double difference =
        nd_log_loss_difference(trial->candidate, trial->live, trial->labels,
                               trial->count, &standard_error);
    judgement->live_log_loss =
        nd_log_loss(trial->live, trial->labels, trial->count, NULL);
    judgement->live_recall =
        nd_recall_at_fpr(trial->live_odds, trial->labels, trial->count,
                         evidence->target_fpr, NULL);
    double recall = nd_recall_at_fpr(trial->candidate_odds, trial->labels,
                                     trial->count, evidence->target_fpr, NULL);
    compare_loss(judgement, difference, standard_error, trial->count);
    compare_recall(judgement, recall, judgement->live_recall,
                   trial->class_count[1]);
}

static void judge_recorded(const struct nd_evidence *evidence,
                           const struct trial *trial,
                           struct nd_judgement *judgement)
{
    const struct nd_model_figures *live = evidence->live_figures;
    double standard_error;
    double loss = nd_log_loss(trial->candidate, trial->labels, trial->count,
                              &standard_error);
    judgement->live_log_loss = live->held_log_loss;
    judgement->live_recall = live->held_recall;
    compare_loss(judgement, loss - live->held_log_loss, standard_error,
                 trial->count);
    compare_recall(judgement, judgement->figures.held_recall, live->held_recall,
                   live->held_spam);
}

static bool has_figures(const struct nd_model_figures *figures)
{
    return figures != NULL && figures->held_spam > 0 && figures->held_ham > 0 &&
           isfinite(figures->held_log_loss) && isfinite(figures->held_recall);
}

void nd_judge(const struct nd_evidence *evidence,
              struct nd_judgement *judgement_r)
{
    struct nd_judgement judgement = {.promote = true,
                                     .live_log_loss = NAN,
                                     .live_recall = NAN,
                                     .ground = ND_GROUND_FIRST};
    struct trial all, unseen;
    make_trial(evidence, false, &all);
    make_trial(evidence, true, &unseen);
    fill_figures(evidence, &all, &judgement);
    if (all.class_count[0] == 0 || all.class_count[1] == 0) {
        refuse(&judgement, "no held-out samples are left of one class");
    } else if (answers_one_class(evidence)) {
        refuse(&judgement, "it answers one class, or no number");
    } else if (evidence->live_figures != NULL && is_enough(&unseen)) {
        judgement.ground = ND_GROUND_PAIRED;
        judge_paired(evidence, &unseen, &judgement);
    } else if (has_figures(evidence->live_figures)) {
        judgement.ground = ND_GROUND_RECORDED;
        judge_recorded(evidence, &all, &judgement);
    } else {
        judge_first(&all, &judgement);
    }
    if (judgement.promote) {
        (void)snprintf(judgement.reason, sizeof judgement.reason,
                       judgement.ground == ND_GROUND_FIRST
                           ? "the first model"
                           : "not worse than the live model");
    }
    free_trial(&all);
    free_trial(&unseen);
    *judgement_r = judgement;
}
