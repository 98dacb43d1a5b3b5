/* SPDX-License-Identifier: Apache-2.0
 *
 * The trainer's child: reads settings and samples from its parent, fits the
 * candidates, sends the best one's held-out log-odds, and, once it is told
 * that they were good enough, fits that candidate on all samples and sends the
 * model. It decides nothing: whether a candidate is promoted is its parent's
 * to say (training.c). It confines itself before it reads the first sample.
 */
#include "learn/trainer.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "learn/child_end.h"
#include "learn/child_messages.h"
#include "learn/confine.h"
#include "learn/fit.h"
#include "learn/samples.h"
#include "nn/metrics.h"

struct worker {
    struct nd_child_settings settings;
    struct nd_child_end end;

    struct nd_arena *arena; /* of the samples */
    struct nd_fit_sample *samples;
    struct nd_fit_sample *chosen; /* those of one fit */
    uint8_t *folds;
    size_t count, judged_count;

    /* progress: this fit's part of all */
    double done_before, span;
};

static bool tell_progress(struct worker *worker, double done, double loss)
{
    double all = worker->done_before + worker->span * done;
    return nd_child_end_progress(&worker->end, all, loss);
}

static bool on_fit_progress(double done, double loss, const char *stage,
                            void *context)
{
    (void)stage;
    return tell_progress(context, done, loss);
}

/* ---- the samples ---- */

static enum nd_status add_sample(struct worker *worker,
                                 const struct nd_child_sample *sample,
                                 struct nd_error *error)
{
    if (worker->count == worker->settings.sample_count) {
        return nd_fail(error, ND_DATA, "the trainer sent too many samples");
    }
    struct nd_fit_sample *slot = &worker->samples[worker->count];
    struct nd_payload payload = {sample->payload, sample->length};
    enum nd_status status =
        nd_sample_unpack(&payload, worker->settings.registry_length,
                         worker->arena, error, &slot->features);
    if (status != ND_OK) {
        return status;
    }
    slot->label = sample->label;
    slot->time_ms = sample->time_ms;
    worker->folds[worker->count++] = sample->fold;
    worker->judged_count += sample->fold != 0;
    return ND_OK;
}

static enum nd_status add_frame(struct worker *worker,
                                const struct nd_frame *frame,
                                struct nd_error *error)
{
    struct nd_reader reader;
    nd_reader_init(&reader, frame->data, frame->length);
    for (;;) {
        struct nd_child_sample sample;
        enum nd_status status = nd_child_read_sample(
            &reader, worker->settings.folds, error, &sample);
        if (status == ND_NOTHING) {
            (void)tell_progress(worker, 0, NAN);
            return ND_OK;
        }
        if (status == ND_OK) {
            status = add_sample(worker, &sample, error);
        }
        if (status != ND_OK) {
            return status;
        }
    }
}

static enum nd_status read_samples(struct worker *worker,
                                   struct nd_error *error)
{
    size_t room = worker->settings.sample_count;
    worker->samples = nd_calloc(room, sizeof *worker->samples);
    worker->chosen = nd_calloc(room, sizeof *worker->chosen);
    worker->folds = nd_calloc(room, 1);
    worker->arena = nd_arena_create((size_t)1 << 20);
    for (;;) {
        struct nd_frame frame;
        enum nd_status status = nd_child_end_next(&worker->end, error, &frame);
        if (status != ND_OK) {
            return status;
        }
        if (frame.type == ND_FRAME_TRAIN) {
            return ND_OK;
        }
        if (frame.type != ND_FRAME_SAMPLES) {
            return nd_fail(error, ND_DATA, "the trainer sent frame %d early",
                           (int)frame.type);
        }
        status = add_frame(worker, &frame, error);
        if (status != ND_OK) {
            return status;
        }
    }
}

/* ---- fitting ---- */

/* Fits on the samples outside a fold; fold 0: on all. */
static enum nd_status fit_without(struct worker *worker, uint32_t fold,
                                  uint64_t seed, struct nd_error *error,
                                  struct nd_model **model_r)
{
    const struct nd_child_settings *settings = &worker->settings;
    size_t count = 0;
    for (size_t i = 0; i < worker->count; i++) {
        if (fold == 0 || worker->folds[i] != fold) {
            worker->chosen[count++] = worker->samples[i];
        }
    }
    struct nd_fit_options options = {.families = settings->families,
                                     .registry_length =
                                         settings->registry_length,
                                     .hidden_units = settings->hidden_units,
                                     .epochs = settings->epochs,
                                     .learning_rate = settings->learning_rate,
                                     .seed = seed,
                                     .target_fpr = settings->target_fpr,
                                     .target_fnr = settings->target_fnr,
                                     .threads = settings->threads,
                                     .progress = on_fit_progress,
                                     .context = worker};
    enum nd_status status =
        nd_fit(worker->chosen, count, &options, error, model_r);
    worker->done_before += worker->span;
    return status;
}

/* The model's calibrated log-odds for the samples of a fold, into their places
 * among the judged. */
static enum nd_status judge_fold(const struct worker *worker,
                                 const struct nd_model *model, uint32_t fold,
                                 struct nd_error *error, double *log_odds)
{
    struct nd_scorer *scorer;
    enum nd_status status = nd_scorer_create(model, error, &scorer);
    if (status != ND_OK) {
        return status;
    }
    struct nd_arena *arena = nd_arena_create(0);
    size_t place = 0;
    for (size_t i = 0; i < worker->count; i++) {
        if (worker->folds[i] == fold) {
            double raw =
                nd_scorer_log_odds(scorer, &worker->samples[i].features, arena);
            log_odds[place] =
                model->calibration.slope * raw + model->calibration.offset;
            nd_arena_reset(arena);
        }
        place += worker->folds[i] != 0;
    }
    nd_arena_destroy(&arena);
    nd_scorer_destroy(&scorer);
    return ND_OK;
}

/* One candidate: a fit for each fold. */
static enum nd_status try_candidate(struct worker *worker, uint64_t seed,
                                    struct nd_error *error, double *log_odds)
{
    for (uint32_t fold = 1; fold <= worker->settings.folds; fold++) {
        struct nd_model *model;
        enum nd_status status = fit_without(worker, fold, seed, error, &model);
        if (status != ND_OK) {
            return status;
        }
        status = judge_fold(worker, model, fold, error, log_odds);
        nd_model_destroy(&model);
        if (status != ND_OK) {
            return status;
        }
    }
    return ND_OK;
}

/* A network that answers no number, or one class whatever it is asked. */
static bool is_useless(const double *log_odds, size_t count)
{
    size_t spam = 0;
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(log_odds[i])) {
            return true;
        }
        spam += log_odds[i] >= 0;
    }
    return spam == 0 || spam == count;
}

static double mean_loss(const double *log_odds, const uint8_t *labels,
                        size_t count)
{
    double *probabilities = nd_calloc(count, sizeof *probabilities);
    for (size_t i = 0; i < count; i++) {
        probabilities[i] = 1 / (1 + exp(-log_odds[i]));
    }
    double loss = nd_log_loss(probabilities, labels, count, NULL);
    free(probabilities);
    return loss;
}

static uint8_t *judged_labels(const struct worker *worker)
{
    uint8_t *labels = nd_calloc(worker->judged_count, 1);
    size_t place = 0;
    for (size_t i = 0; i < worker->count; i++) {
        if (worker->folds[i] != 0) {
            labels[place++] = worker->samples[i].label;
        }
    }
    return labels;
}

/* Tries every seed and leaves the best candidate in judged, whose
 * log_odds hold judged_count. ND_DATA where none was of use. */
static enum nd_status try_candidates(struct worker *worker,
                                     struct nd_error *error,
                                     struct nd_child_judged *judged)
{
    const struct nd_child_settings *settings = &worker->settings;
    uint8_t *labels = judged_labels(worker);
    double *trial = nd_calloc(worker->judged_count, sizeof *trial);
    double best = INFINITY;
    enum nd_status status = ND_OK;
    for (uint32_t i = 0; i < settings->seeds; i++) {
        nd_child_end_stage(&worker->end, "candidate %u of %u", (unsigned)i + 1,
                           (unsigned)settings->seeds);
        status = try_candidate(worker, settings->seed + i, error, trial);
        if (status != ND_OK && status != ND_DATA) {
            break;
        }
        if (status == ND_DATA || is_useless(trial, judged->count)) {
            judged->thrown_away++;
            status = ND_OK;
            continue;
        }
        double loss = mean_loss(trial, labels, judged->count);
        if (loss < best) {
            best = loss;
            judged->seed = settings->seed + i;
            memcpy(judged->log_odds, trial, judged->count * sizeof *trial);
        }
    }
    free(labels);
    free(trial);
    if (status == ND_OK && best == INFINITY) {
        return nd_fail(error, ND_DATA,
                       "each of %u candidates answered one class for all "
                       "held-out samples, or no number",
                       (unsigned)settings->seeds);
    }
    return status;
}

/* Candidates, and the parent's word on them. */
static enum nd_status compete(struct worker *worker, struct nd_error *error,
                              uint64_t *seed_r)
{
    struct nd_child_judged judged = {
        .count = (uint32_t)worker->judged_count,
        .log_odds = nd_calloc(worker->judged_count, sizeof(double))};
    enum nd_status status = try_candidates(worker, error, &judged);
    if (status == ND_OK) {
        nd_child_write_judged(&judged, &worker->end.outgoing);
        status = nd_child_end_send(&worker->end, error);
    }
    free(judged.log_odds);
    struct nd_frame frame;
    if (status == ND_OK) {
        status =
            nd_child_end_expect(&worker->end, ND_FRAME_REFIT, error, &frame);
    }
    *seed_r = judged.seed;
    return status;
}

static enum nd_status refit(struct worker *worker, uint64_t seed,
                            struct nd_error *error)
{
    struct nd_model *model;
    nd_child_end_stage(&worker->end, "final");
    enum nd_status status = fit_without(worker, 0, seed, error, &model);
    if (status != ND_OK) {
        return status;
    }
    /* Names and key are the parent's to add. */
    model->has_key = false;
    model->registry_length = model->names != NULL ? model->registry_length : 0;
    size_t start = nd_frame_begin(&worker->end.outgoing, ND_FRAME_MODEL);
    nd_model_write(model, NULL, &worker->end.outgoing);
    nd_frame_end(&worker->end.outgoing, start);
    nd_model_destroy(&model);
    return nd_child_end_send(&worker->end, error);
}

/* ---- the whole ---- */

static enum nd_status prepare(struct worker *worker, struct nd_error *error)
{
    struct nd_frame frame;
    const struct nd_child_settings *settings = &worker->settings;
    enum nd_status status = nd_child_end_begin(&worker->end, error, &frame);
    if (status == ND_OK) {
        status = nd_child_read_settings(&frame, error, &worker->settings);
    }
    if (status == ND_OK) {
        status =
            nd_confine_limits(settings->memory_bytes, settings->cpu_seconds,
                              settings->nice, error);
    }
    return status == ND_OK ? nd_confine_lock(error) : status;
}

static enum nd_status work(struct worker *worker, struct nd_error *error)
{
    uint64_t seed;
    nd_child_end_stage(&worker->end, "samples");
    enum nd_status status = read_samples(worker, error);
    if (status != ND_OK) {
        return status;
    }
    worker->span =
        1.0 / (worker->settings.seeds * worker->settings.folds + 1.0);
    status = compete(worker, error, &seed);
    return status == ND_OK ? refit(worker, seed, error) : status;
}

int nd_trainer_child_main(void)
{
    struct worker *worker = nd_calloc(1, sizeof *worker);
    struct nd_error error = {""};
    enum nd_status status = prepare(worker, &error);
    if (status == ND_OK) {
        status = work(worker, &error);
    }
    nd_child_end_finish(&worker->end, status, &error);
}
