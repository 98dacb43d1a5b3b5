/* SPDX-License-Identifier: Apache-2.0
 *
 * The trainer's child: reads settings and samples from its parent, fits the
 * candidates, sends the best one's held-out log-odds, and, once it is told
 * that they were good enough, fits that candidate on all samples and sends the
 * model. It decides nothing: whether a candidate is promoted is its parent's
 * to say (training.c). It confines itself before it reads the first sample.
 */
#include "learn/trainer.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/memory.h"
#include "learn/child_messages.h"
#include "learn/confine.h"
#include "learn/fit.h"
#include "learn/frame.h"
#include "learn/samples.h"
#include "nn/metrics.h"

#define CHUNK_BYTES 65536
#define PROGRESS_EVERY_US 100000

struct worker {
    struct nd_child_settings settings;
    struct nd_buffer incoming, outgoing;
    size_t used; /* bytes of incoming that the last frame took */

    struct nd_arena *arena; /* of the samples */
    struct nd_fit_sample *samples;
    struct nd_fit_sample *chosen; /* those of one fit */
    uint8_t *folds;
    size_t count, judged_count;

    /* progress: this fit's part of all */
    double done_before, span;
    uint64_t counter;
    int64_t sent_us;
    char stage[ND_CHILD_STAGE_BYTES];
};

/* ---- the pipes ---- */

static enum nd_status send_outgoing(struct worker *worker,
                                    struct nd_error *error)
{
    size_t sent = 0;
    while (sent < worker->outgoing.length) {
        ssize_t written = write(STDOUT_FILENO, worker->outgoing.data + sent,
                                worker->outgoing.length - sent);
        if (written < 0 && errno != EINTR) {
            return nd_fail_errno(error, "writing to the trainer");
        }
        sent += written > 0 ? (size_t)written : 0;
    }
    nd_buffer_clear(&worker->outgoing);
    return ND_OK;
}

static enum nd_status read_more(struct worker *worker, struct nd_error *error)
{
    uint8_t *end = nd_buffer_reserve(&worker->incoming, CHUNK_BYTES);
    ssize_t length = read(STDIN_FILENO, end, CHUNK_BYTES);
    if (length == 0) {
        return nd_fail(error, ND_CANCELLED, "the trainer is gone");
    }
    if (length < 0 && errno != EINTR) {
        return nd_fail_errno(error, "reading from the trainer");
    }
    worker->incoming.length += length > 0 ? (size_t)length : 0;
    return ND_OK;
}

/* The next frame; its data are valid until the next call. */
static enum nd_status next_frame(struct worker *worker, struct nd_error *error,
                                 struct nd_frame *frame_r)
{
    struct nd_buffer *incoming = &worker->incoming;
    if (worker->used > 0) {
        incoming->length -= worker->used;
        memmove(incoming->data, incoming->data + worker->used,
                incoming->length);
        worker->used = 0;
    }
    for (;;) {
        size_t used;
        enum nd_status status =
            nd_frame_parse(incoming->data, incoming->length, ND_FRAME_PARENT,
                           error, frame_r, &used);
        if (status == ND_OK) {
            worker->used = used;
        }
        if (status != ND_NOTHING) {
            return status;
        }
        status = read_more(worker, error);
        if (status != ND_OK) {
            return status;
        }
    }
}

static enum nd_status expect(struct worker *worker, enum nd_frame_type type,
                             struct nd_error *error, struct nd_frame *frame_r)
{
    enum nd_status status = next_frame(worker, error, frame_r);
    if (status == ND_OK && frame_r->type != type) {
        return nd_fail(error, ND_DATA,
                       "the trainer sent frame %d where %d was due",
                       (int)frame_r->type, (int)type);
    }
    return status;
}

/* Names what is done from now on; the parent is told at the next progress. */
ND_PRINTF(2, 3)
static void set_stage(struct worker *worker, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(worker->stage, sizeof worker->stage, format, arguments);
    va_end(arguments);
    worker->sent_us = 0;
}

/* Tells the parent that work goes on; often enough to be seen alive, seldom
 * enough to cost nothing. False where the parent is gone. */
static bool tell_progress(struct worker *worker, double done, double loss)
{
    int64_t now_us = nd_clock_monotonic_us();
    if (worker->sent_us != 0 && now_us - worker->sent_us < PROGRESS_EVERY_US) {
        return true;
    }
    worker->sent_us = now_us;
    double all = worker->done_before + worker->span * done;
    struct nd_child_progress progress = {.counter = ++worker->counter,
                                         .done = fmin(fmax(all, 0), 1),
                                         .loss = loss};
    memcpy(progress.stage, worker->stage, sizeof progress.stage);
    nd_child_write_progress(&progress, &worker->outgoing);
    struct nd_error ignored;
    return send_outgoing(worker, &ignored) == ND_OK;
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
        enum nd_status status = next_frame(worker, error, &frame);
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
        set_stage(worker, "candidate %u of %u", (unsigned)i + 1,
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
        nd_child_write_judged(&judged, &worker->outgoing);
        status = send_outgoing(worker, error);
    }
    free(judged.log_odds);
    struct nd_frame frame;
    if (status == ND_OK) {
        status = expect(worker, ND_FRAME_REFIT, error, &frame);
    }
    *seed_r = judged.seed;
    return status;
}

static enum nd_status refit(struct worker *worker, uint64_t seed,
                            struct nd_error *error)
{
    struct nd_model *model;
    set_stage(worker, "final");
    enum nd_status status = fit_without(worker, 0, seed, error, &model);
    if (status != ND_OK) {
        return status;
    }
    /* Names and key are the parent's to add. */
    model->has_key = false;
    model->registry_length = model->names != NULL ? model->registry_length : 0;
    size_t start = nd_frame_begin(&worker->outgoing, ND_FRAME_MODEL);
    nd_model_write(model, NULL, &worker->outgoing);
    nd_frame_end(&worker->outgoing, start);
    nd_model_destroy(&model);
    return send_outgoing(worker, error);
}

/* ---- the whole ---- */

static enum nd_status prepare(struct worker *worker, struct nd_error *error)
{
    const char *parent = getenv("NEURALD_PARENT");
    enum nd_status status =
        nd_confine_begin(parent != NULL ? strtol(parent, NULL, 10) : 0, error);
    if (status == ND_OK) {
        status = nd_hash_init(error);
    }
    struct nd_frame frame;
    if (status == ND_OK) {
        status = expect(worker, ND_FRAME_SETTINGS, error, &frame);
    }
    if (status == ND_OK) {
        status = nd_child_read_settings(&frame, error, &worker->settings);
    }
    const struct nd_child_settings *settings = &worker->settings;
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
    (void)snprintf(worker->stage, sizeof worker->stage, "samples");
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
    if (status != ND_OK) {
        nd_buffer_clear(&worker->outgoing);
        nd_child_write_failure(status, error.text, &worker->outgoing);
        (void)send_outgoing(worker, &error);
    }
    /* No destructors: they would run under the filter, and nothing is owed. */
    _exit(status == ND_OK ? 0 : 1);
}
