/* SPDX-License-Identifier: Apache-2.0
 *
 * Fitting a model to samples in memory. The samples are dealt into folds, each
 * class for itself; for every fold a network learns the other folds and judges
 * it, so that every sample gets log-odds from a network that has not seen it.
 * These give calibration and thresholds. The network that is kept then learns
 * all samples. Every network is judged as it will be deployed, quantised.
 *
 * Knows nothing of stores and leases, and makes no decision: whether the model
 * is better than another is the caller's to say.
 */
#include "learn/fit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/random.h"
#include "nn/dataset.h"
#include "nn/metrics.h"

#define MOST_FOLDS 3U
#define TEXT_UNITS 7U   /* with the wide path, a row is one cache line */
#define NAMED_UNITS 31U /* symbols and metatokens alone */

struct fit {
    const struct nd_fit_sample *samples;
    size_t count;
    const struct nd_fit_options *options;
    struct nd_scaling scaling;
    struct nd_shape shape;
    struct nd_train_options training;
    uint32_t folds;
    uint8_t *fold_of; /* [count] */
    uint8_t *labels;  /* [count] */
    double *log_odds; /* [count], out of fold */
    struct nd_arena *arena;
    const char *stage; /* of the training under way, and its share */
    double from, to;
};

static size_t count_spam(const struct nd_fit_sample *samples, size_t count)
{
    size_t spam = 0;
    for (size_t i = 0; i < count; i++)
        spam += samples[i].label != 0;
    return spam;
}

static uint32_t families_present(const struct nd_fit_sample *samples,
                                 size_t count)
{
    uint32_t families = 0;
    for (size_t i = 0; i < count; i++)
        families |= samples[i].features.families;
    return families;
}

/* ---- what is fitted ---- */

static void choose_shape(struct fit *fit)
{
    bool has_text = (fit->scaling.families & ND_GROUP_TEXT) != 0;
    uint32_t units = fit->options->hidden_units;
    if (units == 0)
        units = has_text ? TEXT_UNITS : NAMED_UNITS;
    fit->shape = (struct nd_shape){
        .inputs = nd_text_columns(fit->scaling.families) +
                  fit->options->registry_length,
        .layers = 1,
        .units = {units},
        .wide = has_text,
    };
    if (fit->shape.inputs == 0)
        fit->shape.inputs = 1;
}

/* A small set is seen more often: about 16,000 samples in all, within limits */
static uint32_t choose_epochs(const struct fit *fit)
{
    if (fit->options->epochs > 0)
        return fit->options->epochs;
    size_t epochs = 16000 / fit->count + 1;
    return epochs < 4 ? 4 : epochs > 40 ? 40 : (uint32_t)epochs;
}

static bool tell(const struct nd_train_progress *progress, void *context)
{
    const struct fit *fit = context;
    double done = fit->from + (fit->to - fit->from) * progress->done;
    return fit->options->progress(done, progress->loss, fit->stage,
                                  fit->options->context);
}

static void choose_training(struct fit *fit)
{
    nd_train_defaults(&fit->training);
    fit->training.epochs = choose_epochs(fit);
    fit->training.seed = fit->options->seed;
    if (fit->options->learning_rate > 0)
        fit->training.learning_rate = (float)fit->options->learning_rate;
    if (fit->options->progress != NULL) {
        fit->training.callback = tell;
        fit->training.context = fit;
    }
}

/* ---- folds ---- */

/* Deals the samples of one class round, in random order. */
static void deal_class(struct fit *fit, int label, struct nd_random *random)
{
    uint32_t *members = nd_calloc(fit->count, sizeof(*members));
    size_t count = 0;
    for (size_t i = 0; i < fit->count; i++)
        if (fit->labels[i] == label)
            members[count++] = (uint32_t)i;
    nd_random_shuffle(random, members, count);
    for (size_t i = 0; i < count; i++)
        fit->fold_of[members[i]] = (uint8_t)(i % fit->folds);
    free(members);
}

static void deal(struct fit *fit)
{
    struct nd_random random;
    nd_random_seed(&random, fit->options->seed);
    deal_class(fit, 0, &random);
    deal_class(fit, 1, &random);
}

static struct nd_sparse input_of(struct fit *fit, size_t sample)
{
    struct nd_input input;
    nd_arena_reset(fit->arena);
    nd_features_input(&fit->samples[sample].features, &fit->scaling, fit->arena,
                      &input);
    return (struct nd_sparse){input.count, input.columns, input.values};
}

/* A network trained on all samples but those of fold left_out, quantised.
 * left_out >= folds leaves none out. */
static enum nd_status train(struct fit *fit, uint32_t left_out,
                            struct nd_error *error,
                            struct nd_network **network_r,
                            struct nd_train_report *report_r)
{
    struct nd_dataset *set = nd_dataset_create();
    struct nd_network *network = NULL;
    enum nd_status status = ND_OK;
    for (size_t i = 0; i < fit->count && status == ND_OK; i++) {
        if (fit->fold_of[i] == left_out)
            continue;
        struct nd_sparse input = input_of(fit, i);
        status = nd_dataset_add(set, &input, fit->labels[i], 1, error);
    }
    if (status == ND_OK)
        status =
            nd_network_create(&fit->shape, fit->options->seed, error, &network);
    if (status == ND_OK)
        status = nd_train(network, set, NULL, &fit->training, error, report_r);
    nd_dataset_destroy(&set);
    if (status != ND_OK) {
        nd_network_destroy(&network);
        return status;
    }
    nd_network_quantize(network);
    *network_r = network;
    return ND_OK;
}

static enum nd_status judge_fold(struct fit *fit, uint32_t fold,
                                 struct nd_error *error)
{
    struct nd_network *network;
    struct nd_train_report report;
    enum nd_status status = train(fit, fold, error, &network, &report);
    if (status != ND_OK)
        return status;
    for (size_t i = 0; i < fit->count; i++) {
        if (fit->fold_of[i] != fold)
            continue;
        struct nd_sparse input = input_of(fit, i);
        fit->log_odds[i] = (double)nd_network_score(network, &input);
    }
    nd_network_destroy(&network);
    return ND_OK;
}

/* Folds take folds - 1 parts of the work each, the last network folds. */
static void set_stage(struct fit *fit, uint32_t fold)
{
    double fold_part = fit->folds - 1;
    double all = fold_part * fit->folds + fit->folds;
    fit->stage = fold < fit->folds ? "calibrating" : "training";
    fit->from = fold_part * fold / all;
    fit->to = fold < fit->folds ? fold_part * (fold + 1) / all : 1;
}

static enum nd_status judge(struct fit *fit, struct nd_error *error)
{
    for (uint32_t fold = 0; fold < fit->folds; fold++) {
        set_stage(fit, fold);
        enum nd_status status = judge_fold(fit, fold, error);
        if (status != ND_OK)
            return status;
    }
    return ND_OK;
}

/* ---- the model ---- */

static void set_figures(struct fit *fit, const struct nd_train_report *report,
                        struct nd_model *model)
{
    struct nd_model_figures *figures = &model->figures;
    double *probabilities = nd_calloc(fit->count, sizeof(*probabilities));
    for (size_t i = 0; i < fit->count; i++)
        probabilities[i] =
            nd_probability(&model->calibration, fit->log_odds[i]);
    figures->trained_ms = nd_clock_wall_ms();
    figures->seed = fit->options->seed;
    figures->spam = count_spam(fit->samples, fit->count);
    figures->ham = fit->count - figures->spam;
    figures->held_spam = figures->spam;
    figures->held_ham = figures->ham;
    figures->held_auc = nd_auc(fit->log_odds, fit->labels, fit->count);
    figures->held_log_loss =
        nd_log_loss(probabilities, fit->labels, fit->count, NULL);
    figures->held_recall = nd_recall_at_fpr(
        fit->log_odds, fit->labels, fit->count, fit->options->target_fpr, NULL);
    figures->target_fpr = fit->options->target_fpr;
    figures->epochs = report->epochs;
    figures->families = fit->scaling.families;
    free(probabilities);
}

static enum nd_status build(struct fit *fit, struct nd_error *error,
                            struct nd_model **model_r)
{
    struct nd_calibration calibration;
    struct nd_network *network;
    struct nd_train_report report;
    enum nd_status status = nd_calibrate(fit->log_odds, fit->labels, fit->count,
                                         error, &calibration);
    if (status != ND_OK)
        return status;
    struct nd_targets targets = {fit->options->target_fpr,
                                 fit->options->target_fnr};
    nd_set_thresholds(fit->log_odds, fit->labels, fit->count, targets,
                      &calibration);
    set_stage(fit, fit->folds);
    status = train(fit, fit->folds, error, &network, &report);
    if (status != ND_OK)
        return status;
    struct nd_model *model = nd_calloc(1, sizeof(*model));
    model->network = network;
    model->calibration = calibration;
    set_figures(fit, &report, model);
    nd_scaling_write(&fit->scaling, &model->extra);
    *model_r = model;
    return ND_OK;
}

static enum nd_status begin(struct fit *fit, struct nd_error *error)
{
    size_t spam = count_spam(fit->samples, fit->count);
    size_t ham = fit->count - spam;
    size_t fewest = spam < ham ? spam : ham;
    uint32_t families = families_present(fit->samples, fit->count);
    if (fewest < 2)
        return nd_fail(error, ND_NOTHING,
                       "%zu spam and %zu ham to learn from: at least 2 of "
                       "each are needed",
                       spam, ham);
    fit->folds = fewest < MOST_FOLDS ? (uint32_t)fewest : MOST_FOLDS;
    nd_scaling_default(families & fit->options->families, &fit->scaling);
    choose_shape(fit);
    choose_training(fit);
    fit->arena = nd_arena_create(0);
    fit->fold_of = nd_calloc(fit->count, sizeof(*fit->fold_of));
    fit->labels = nd_calloc(fit->count, sizeof(*fit->labels));
    fit->log_odds = nd_calloc(fit->count, sizeof(*fit->log_odds));
    for (size_t i = 0; i < fit->count; i++)
        fit->labels[i] = fit->samples[i].label != 0;
    return ND_OK;
}

enum nd_status nd_fit(const struct nd_fit_sample *samples, size_t count,
                      const struct nd_fit_options *options,
                      struct nd_error *error, struct nd_model **model_r)
{
    struct fit fit = {.samples = samples, .count = count, .options = options};
    enum nd_status status = begin(&fit, error);
    if (status != ND_OK)
        return status;
    deal(&fit);
    status = judge(&fit, error);
    if (status == ND_OK)
        status = build(&fit, error, model_r);
    nd_arena_destroy(&fit.arena);
    free(fit.fold_of);
    free(fit.labels);
    free(fit.log_odds);
    return status;
}
