/* SPDX-License-Identifier: Apache-2.0
 *
 * From the child's model to a published one: names, key and figures are added,
 * the file is written and read back as every host will read it, tried on
 * samples, uploaded, and only then pointed to. And the other end: what a
 * rejected or failed training leaves in the store.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/memory.h"
#include "learn/samples.h"
#include "learn/training.h"

#define ATTEMPTS 5
#define PAUSE_NS 20000000L

/* Before repeating a call whose outcome is unknown. */
static void pause_before(int attempt)
{
    struct timespec pause = {0, PAUSE_NS << attempt};
    (void)nanosleep(&pause, NULL);
}

static bool worth_repeating(enum nd_status status)
{
    return status == ND_UNCERTAIN || status == ND_UNAVAILABLE;
}

/* ---- figures ---- */

static void write_number(struct nd_buffer *buffer, const char *name,
                         double value)
{
    if (isfinite(value)) {
        nd_buffer_printf(buffer, ", \"%s\": %.6g", name, value);
    } else {
        nd_buffer_printf(buffer, ", \"%s\": null", name);
    }
}

static const char *ground_name(enum nd_judge_ground ground)
{
    switch (ground) {
    case ND_GROUND_PAIRED:
        return "unseen";
    case ND_GROUND_RECORDED:
        return "recorded";
    case ND_GROUND_FIRST:
    default:
        return "first";
    }
}

/* The journal's JSON object. */
static void write_figures(const struct nd_training *training,
                          struct nd_buffer *buffer)
{
    const struct nd_judgement *judgement = &training->judgement;
    const struct nd_model_figures *figures = &judgement->figures;
    nd_buffer_printf(buffer, "{\"spam\": %zu, \"ham\": %zu",
                     training->class_count[ND_SPAM],
                     training->class_count[ND_HAM]);
    nd_buffer_printf(buffer, ", \"seconds\": %.2f",
                     (double)(nd_clock_monotonic_us() - training->started_us) /
                         1e6);
    if (training->other_layout > 0) {
        nd_buffer_printf(buffer, ", \"other_layout\": %llu",
                         (unsigned long long)training->other_layout);
    }
    if (training->judged) {
        nd_buffer_printf(
            buffer,
            ", \"held_spam\": %llu, \"held_ham\": %llu, \"folds\": %u"
            ", \"compared\": \"%s\", \"seed\": %llu",
            (unsigned long long)figures->held_spam,
            (unsigned long long)figures->held_ham,
            (unsigned)training->fold_count, ground_name(judgement->ground),
            (unsigned long long)training->seed);
        write_number(buffer, "auc", figures->held_auc);
        write_number(buffer, "log_loss", figures->held_log_loss);
        write_number(buffer, "recall", figures->held_recall);
        write_number(buffer, "target_fpr", figures->target_fpr);
        write_number(buffer, "live_log_loss", judgement->live_log_loss);
        write_number(buffer, "live_recall", judgement->live_recall);
    }
    nd_buffer_append_text(buffer, "}");
}

/* Samples that the store drops afterwards: under balanced those that were
 * used, so that a full set makes room. */
static size_t consumed_count(const struct nd_training *training)
{
    return training->engine->rule.learn_mode == ND_QUOTA_BALANCED
               ? training->used_count
               : 0;
}

enum nd_status nd_training_finish(struct nd_training *training,
                                  enum nd_decision decision, const char *reason,
                                  struct nd_error *error)
{
    struct nd_engine *engine = training->engine;
    struct nd_buffer figures = {0};
    write_figures(training, &figures);
    struct nd_journal_entry entry = {.token = training->lease.token,
                                     .decision = decision,
                                     .holder = engine->holder,
                                     .reason = reason,
                                     .figures = (const char *)figures.data};
    /* A crash or a limit says nothing about the samples: they stay. */
    size_t consumed =
        decision == ND_DECISION_REJECTED ? consumed_count(training) : 0;
    struct nd_finish finish = {.entry = &entry,
                               .consumed = training->used,
                               .consumed_count = consumed,
                               .watermark = training->snapshot.watermark};
    enum nd_status status = ND_UNCERTAIN;
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        status = nd_store_training_finish(engine->store, &engine->scope,
                                          &training->lease, &finish, error);
        if (!worth_repeating(status)) {
            break;
        }
        pause_before(attempt);
    }
    nd_buffer_free(&figures);
    return status;
}

/* ---- the model file ---- */

static void fill_names(const struct nd_registry *registry,
                       struct nd_model *model)
{
    uint32_t length = nd_registry_length(registry);
    for (uint32_t i = 0; model->names != NULL && i < model->registry_length;
         i++) {
        free(model->names[i]);
    }
    free(model->names);
    model->names = nd_calloc(length, sizeof *model->names);
    for (uint32_t slot = 0; slot < length; slot++) {
        model->names[slot] = nd_strdup(nd_registry_name(registry, slot));
    }
    model->registry_length = length;
    nd_registry_digest(registry, length, model->registry_digest);
}

/* The held-out figures are those of the judgement: the refitted network itself
 * has no samples left that it was not trained on. */
static void fill_figures(const struct nd_training *training,
                         struct nd_model_figures *figures)
{
    const struct nd_model_figures *judged = &training->judgement.figures;
    figures->generation = training->lease.token;
    figures->trained_ms =
        nd_clock_wall_ms() + training->engine->clock_offset_ms;
    figures->seed = training->seed;
    figures->spam = training->class_count[ND_SPAM];
    figures->ham = training->class_count[ND_HAM];
    figures->held_spam = judged->held_spam;
    figures->held_ham = judged->held_ham;
    figures->held_auc = judged->held_auc;
    figures->held_log_loss = judged->held_log_loss;
    figures->held_recall = judged->held_recall;
    figures->target_fpr = judged->target_fpr;
    figures->watermark = training->snapshot.watermark;
}

static void complete(const struct nd_training *training, struct nd_model *model)
{
    const struct nd_engine *engine = training->engine;
    fill_names(engine->registry, model);
    fill_figures(training, &model->figures);
    free(model->rule);
    free(model->settings);
    model->rule = nd_strdup(engine->rule.name);
    model->settings = nd_strdup(engine->rule.settings);
    model->has_key = (model->figures.families & ND_GROUP_HASHED) != 0;
    memcpy(model->key_id, engine->key.id, sizeof model->key_id);
}

/* Reads the child's model, completes it and writes the file. */
static enum nd_status write_blob(const struct nd_training *training,
                                 const struct nd_frame *frame,
                                 struct nd_error *error, struct nd_buffer *blob)
{
    const struct nd_engine *engine = training->engine;
    struct nd_model *model;
    enum nd_status status =
        nd_model_read(frame->data, frame->length, NULL, error, &model);
    if (status != ND_OK) {
        return status;
    }
    complete(training, model);
    uint32_t families = model->figures.families;
    uint32_t expected =
        nd_text_columns(families) + nd_registry_length(engine->registry);
    if (nd_network_shape(model->network).inputs != expected) {
        status = nd_fail(error, ND_DATA,
                         "the trainer child's network has %u inputs, not %u",
                         (unsigned)nd_network_shape(model->network).inputs,
                         (unsigned)expected);
    } else {
        nd_model_write(model, &engine->key, blob);
    }
    nd_model_destroy(&model);
    return status;
}

/* Scores the kept samples with the model as it will be loaded. */
static enum nd_status try_samples(const struct nd_training *training,
                                  const struct nd_live *live,
                                  struct nd_error *error)
{
    struct nd_arena *arena = nd_arena_create(0);
    size_t spam = 0, tried = 0;
    size_t room = training->check_count[0] + training->check_count[1];
    enum nd_status status = ND_OK;
    for (size_t i = 0; status == ND_OK && tried < room; i++) {
        struct nd_slotted slotted;
        if (training->check[i].data == NULL) {
            continue;
        }
        tried++;
        status =
            nd_sample_unpack(&training->check[i], live->model->registry_length,
                             arena, error, &slotted);
        if (status == ND_OK) {
            double log_odds = nd_live_log_odds(live, &slotted, arena);
            spam += log_odds >= 0;
            if (!isfinite(log_odds)) {
                status = nd_fail(error, ND_DATA,
                                 "the refitted model answers no number");
            }
        }
        nd_arena_reset(arena);
    }
    nd_arena_destroy(&arena);
    if (status == ND_OK && (spam == 0 || spam == room)) {
        return nd_fail(error, ND_DATA, "the refitted model answers one class");
    }
    return status;
}

/* The last check: the file loads, as any host would load it, and works. */
static enum nd_status check_blob(const struct nd_training *training,
                                 const struct nd_buffer *blob,
                                 struct nd_error *error)
{
    struct nd_model *model;
    struct nd_live *live;
    enum nd_status status = nd_model_read(
        blob->data, blob->length, &training->engine->key, error, &model);
    if (status == ND_OK) {
        status = nd_live_create(model, training->lease.token, error, &live);
    }
    if (status == ND_OK) {
        status = try_samples(training, live, error);
        nd_live_release(&live);
    }
    return status;
}

/* ---- publishing ---- */

static enum nd_status upload(const struct nd_training *training,
                             const struct nd_buffer *blob,
                             struct nd_error *error, uint8_t *digest_r)
{
    const struct nd_engine *engine = training->engine;
    enum nd_status status = ND_UNCERTAIN;
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        status =
            nd_store_model_upload(engine->store, &engine->scope, blob->data,
                                  blob->length, error, digest_r);
        if (!worth_repeating(status)) {
            break;
        }
        pause_before(attempt);
    }
    return status;
}

static enum nd_status point_to(struct nd_training *training,
                               const uint8_t *digest, struct nd_error *error)
{
    struct nd_engine *engine = training->engine;
    struct nd_buffer figures = {0};
    write_figures(training, &figures);
    struct nd_journal_entry entry = {.token = training->lease.token,
                                     .decision = ND_DECISION_PROMOTED,
                                     .holder = engine->holder,
                                     .reason = training->judgement.reason,
                                     .figures = (const char *)figures.data};
    struct nd_publish publish = {.judged_revision = training->pointer.revision,
                                 .entry = &entry,
                                 .consumed = training->used,
                                 .consumed_count = consumed_count(training),
                                 .watermark = training->snapshot.watermark,
                                 .keep = engine->rule.keep_models};
    memcpy(publish.digest, digest, sizeof publish.digest);
    nd_symbols_digest(&engine->symbols, publish.profile);
    uint64_t generation;
    enum nd_status status = ND_UNCERTAIN;
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        status = nd_store_model_publish(engine->store, &engine->scope,
                                        &training->lease, &publish, error,
                                        &generation);
        if (!worth_repeating(status)) {
            break;
        }
        pause_before(attempt);
    }
    nd_buffer_free(&figures);
    return status;
}

enum nd_status nd_training_publish(struct nd_training *training,
                                   const struct nd_frame *frame,
                                   struct nd_error *error)
{
    struct nd_buffer blob = {0};
    uint8_t digest[ND_DIGEST_BYTES];
    enum nd_status status = write_blob(training, frame, error, &blob);
    if (status == ND_OK) {
        status = check_blob(training, &blob, error);
    }
    if (status == ND_OK) {
        status = nd_training_advance(training, error);
    }
    if (status == ND_OK) {
        status = nd_engine_store_profile(training->engine, error);
    }
    if (status == ND_OK) {
        status = upload(training, &blob, error, digest);
    }
    if (status == ND_OK) {
        status = nd_training_advance(training, error);
    }
    nd_buffer_free(&blob);
    return status == ND_OK ? point_to(training, digest, error) : status;
}
