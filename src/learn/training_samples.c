/* SPDX-License-Identifier: Apache-2.0
 *
 * From the store's snapshot to the child: which samples take part, which are
 * held out, and what the live model says about those that it has not seen.
 * Payloads pass through in pieces; only a few are kept.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "learn/samples.h"
#include "learn/spare.h"
#include "learn/training.h"
#include "store/sample.h"

#define PIECE_SAMPLES 256U
#define FRAME_BYTES (1U << 20)
#define CHECK_PER_CLASS 50U

/* The live model's slot of each of the store's names. NULL where the model's
 * names are the beginning of the store's, as they are unless it was imported
 * from elsewhere. */
static uint32_t *map_slots(const struct nd_registry *registry,
                           const struct nd_live *live)
{
    uint32_t length = nd_registry_length(registry);
    uint8_t digest[ND_DIGEST_BYTES];
    if (live->model->registry_length <= length) {
        nd_registry_digest(registry, live->model->registry_length, digest);
        if (memcmp(digest, live->model->registry_digest, sizeof digest) == 0) {
            return NULL;
        }
    }
    uint32_t *map = nd_calloc(length, sizeof *map);
    for (uint32_t slot = 0; slot < length; slot++) {
        map[slot] =
            nd_registry_find(live->names, nd_registry_name(registry, slot));
    }
    return map;
}

/* The model that the candidate has to match: the one that serves. One that was
 * trained on another settings' samples has seen none of ours. */
static void take_live(struct nd_training *training)
{
    struct nd_engine *engine = training->engine;
    training->live = nd_engine_take_live(engine);
    if (training->live == NULL) {
        return;
    }
    bool own = training->pointer.generation == training->live->generation;
    training->live_watermark =
        own ? training->live->model->figures.watermark : 0;
    training->live_slots = map_slots(engine->registry, training->live);
}

enum nd_status nd_training_prepare(struct nd_training *training,
                                   struct nd_error *error)
{
    struct nd_engine *engine = training->engine;
    enum nd_status status = nd_engine_refresh(engine, error, NULL);
    if (status == ND_OK) {
        status = nd_store_model_current(engine->store, &engine->scope, error,
                                        &training->pointer);
    }
    if (status == ND_OK) {
        status = nd_store_snapshot(engine->store, &engine->scope, error,
                                   &training->snapshot);
    }
    if (status == ND_OK) {
        status = nd_engine_update_registry(engine, error);
    }
    if (status == ND_OK) {
        /* the model is of a profile that is there when it is published */
        status = nd_engine_update_profile(engine, error);
    }
    if (status != ND_OK) {
        return status;
    }
    size_t count = training->snapshot.count;
    if (count > ND_CHILD_MAX_SAMPLES) {
        return nd_fail(error, ND_LIMIT, "%zu samples are too many to train on",
                       count);
    }
    take_live(training);
    training->folds = nd_calloc(count, 1);
    training->fold_count =
        nd_judge_plan(training->snapshot.samples, count, NULL, training->folds);
    training->used = nd_calloc(count, sizeof *training->used);
    training->labels = nd_calloc(count, 1);
    training->live_odds = nd_calloc(count, sizeof *training->live_odds);
    training->check = nd_calloc(2 * CHECK_PER_CLASS, sizeof *training->check);
    training->check_arena = nd_arena_create(0);
    return ND_OK;
}

/* ---- one sample ---- */

static double live_odds_of(const struct nd_training *training,
                           const struct nd_sample_info *info,
                           const struct nd_slotted *slotted,
                           struct nd_arena *arena)
{
    const struct nd_live *live = training->live;
    if (live == NULL || info->sequence <= training->live_watermark) {
        return NAN;
    }
    struct nd_slotted own = *slotted;
    if (training->live_slots != NULL) {
        nd_sample_translate(slotted, training->live_slots,
                            nd_registry_length(training->engine->registry),
                            arena, &own);
    }
    return nd_live_log_odds(live, &own, arena);
}

/* Keeps the payload for the last check, if there are not enough yet. */
static void keep_for_check(struct nd_training *training, enum nd_class label,
                           const struct nd_payload *payload)
{
    size_t *count = &training->check_count[label];
    if (*count < CHECK_PER_CLASS) {
        struct nd_payload *slot =
            &training->check[(size_t)label * CHECK_PER_CLASS + (*count)++];
        slot->data = (const uint8_t *)nd_arena_strndup(
            training->check_arena, (const char *)payload->data,
            payload->length);
        slot->length = payload->length;
    }
}

/* Whether a sample has anything to learn from here. Families of another version
 * are not read, and that is counted. */
static bool is_of_use(struct nd_training *training,
                      const struct nd_slotted *slotted)
{
    uint32_t other = slotted->later | nd_families_outdated(slotted->families);
    if (other == 0) {
        return true;
    }
    training->other_families |= other;
    if ((slotted->families & training->engine->rule.families) == 0) {
        training->foreign++;
        return false;
    }
    training->other_layout++;
    return true;
}

/* Writes one sample for the child. What has gone is left out; what cannot be
 * read is left out and counted (S14). */
static void write_sample(struct nd_training *training, size_t place,
                         const struct nd_payload *payload,
                         struct nd_arena *arena, struct nd_buffer *buffer)
{
    const struct nd_sample_info *info = &training->snapshot.samples[place];
    struct nd_slotted slotted;
    struct nd_error ignored;
    if (payload->data == NULL) {
        return;
    }
    if (nd_sample_unpack(payload,
                         nd_registry_length(training->engine->registry), arena,
                         &ignored, &slotted) != ND_OK) {
        training->malformed++;
        return;
    }
    if (!is_of_use(training, &slotted)) {
        return;
    }
    uint8_t fold = training->folds[place];
    if (fold != 0) {
        size_t judged = training->judged_count++;
        training->labels[judged] = (uint8_t)info->label;
        training->live_odds[judged] =
            live_odds_of(training, info, &slotted, arena);
        keep_for_check(training, info->label, payload);
    }
    struct nd_child_sample sample = {.label = (uint8_t)info->label,
                                     .fold = fold,
                                     .time_ms = info->time_ms,
                                     .payload = payload->data,
                                     .length = (uint32_t)payload->length};
    nd_child_write_sample(&sample, buffer);
    training->used[training->used_count++] = *info;
    training->class_count[info->label]++;
}

/* ---- all samples ---- */

static enum nd_status send_frame(struct nd_training *training, size_t start,
                                 struct nd_buffer *buffer,
                                 struct nd_error *error)
{
    nd_frame_end(buffer, start);
    enum nd_status status = nd_child_send(training->child, buffer, error);
    nd_buffer_clear(buffer);
    return status;
}

/* A piece of the snapshot: read, checked, judged by the live model, sent. */
static enum nd_status send_piece(struct nd_training *training, size_t first,
                                 struct nd_buffer *buffer,
                                 struct nd_error *error)
{
    struct nd_engine *engine = training->engine;
    size_t count = training->snapshot.count - first;
    count = count < PIECE_SAMPLES ? count : PIECE_SAMPLES;
    struct nd_payload payloads[PIECE_SAMPLES];
    struct nd_arena *arena = nd_arena_create((size_t)1 << 20);
    struct nd_arena *scratch = nd_arena_create(0);
    enum nd_status status = nd_store_read(engine->store, &engine->scope,
                                          &training->snapshot.samples[first],
                                          count, arena, error, payloads);
    size_t start = nd_frame_begin(buffer, ND_FRAME_SAMPLES);
    for (size_t i = 0; status == ND_OK && i < count; i++) {
        write_sample(training, first + i, &payloads[i], scratch, buffer);
        nd_arena_reset(scratch);
        if (buffer->length > FRAME_BYTES) {
            status = send_frame(training, start, buffer, error);
            start = nd_frame_begin(buffer, ND_FRAME_SAMPLES);
        }
    }
    if (status == ND_OK) {
        status = send_frame(training, start, buffer, error);
    }
    nd_buffer_clear(buffer);
    nd_arena_destroy(&scratch);
    nd_arena_destroy(&arena);
    return status;
}

static enum nd_status send_settings(struct nd_training *training,
                                    struct nd_buffer *buffer,
                                    struct nd_error *error)
{
    const struct nd_engine *engine = training->engine;
    const struct nd_rule *rule = &engine->rule;
    struct nd_child_settings settings = {
        .sample_count = (uint32_t)training->snapshot.count,
        .families = rule->families,
        .registry_length = nd_registry_length(engine->registry),
        .hidden_units = rule->hidden_units,
        .epochs = rule->max_iterations,
        .learning_rate = rule->learning_rate,
        .seed = training->seed,
        .seeds = rule->seeds,
        .folds = training->fold_count,
        .target_fpr = rule->target_fpr,
        .target_fnr = rule->target_fnr,
        .memory_bytes = (uint64_t)rule->train_memory_bytes,
        .cpu_seconds = (uint64_t)(rule->train_time_ms + 999) / 1000,
        .nice = rule->train_nice,
        .threads = nd_spare_threads()};
    nd_child_write_settings(&settings, buffer);
    enum nd_status status = nd_child_send(training->child, buffer, error);
    nd_buffer_clear(buffer);
    return status;
}

uint64_t nd_training_least(const struct nd_rule *rule, bool force)
{
    return rule->learn_mode == ND_QUOTA_BALANCED && !force
               ? rule->max_trains / 2
               : rule->min_train;
}

static void count_left_out(struct nd_training *training, enum nd_refusal reason,
                           uint64_t count)
{
    struct nd_error ignored;
    if (count > 0) {
        (void)nd_store_count(training->engine->store, &training->engine->scope,
                             reason, count, &ignored);
    }
}

static void tell_left_out(struct nd_training *training)
{
    const struct nd_rule *rule = &training->engine->rule;
    count_left_out(training, ND_REFUSED_MALFORMED, training->malformed);
    count_left_out(training, ND_REFUSED_OTHER_LAYOUT, training->foreign);
    if (training->malformed > 0) {
        nd_log(ND_LOG_WARNING, "rule %s: %llu stored samples cannot be read",
               rule->name, (unsigned long long)training->malformed);
    }
    if (training->other_families != 0) {
        struct nd_buffer text = {0};
        nd_families_describe(training->other_families, &text);
        nd_log(ND_LOG_WARNING,
               "rule %s: %llu stored samples are used without, and %llu are "
               "nothing but, families of another version: %s",
               rule->name, (unsigned long long)training->other_layout,
               (unsigned long long)training->foreign, (const char *)text.data);
        nd_buffer_free(&text);
    }
}

/* After all that was left out: is there still enough to train on? Under
 * balanced the seed's condition holds (S13). */
static enum nd_status check_counts(struct nd_training *training,
                                   struct nd_error *error)
{
    const struct nd_rule *rule = &training->engine->rule;
    size_t spam = training->class_count[ND_SPAM];
    size_t ham = training->class_count[ND_HAM];
    tell_left_out(training);
    uint64_t least = nd_training_least(rule, training->force);
    if (spam < least || ham < least) {
        return nd_fail(error, ND_NOTHING,
                       "%zu spam and %zu ham to learn from: %llu of each are "
                       "needed",
                       spam, ham, (unsigned long long)least);
    }
    return ND_OK;
}

enum nd_status nd_training_send_samples(struct nd_training *training,
                                        struct nd_error *error)
{
    struct nd_buffer buffer = {0};
    size_t count = training->snapshot.count;
    enum nd_status status = send_settings(training, &buffer, error);
    training->stage = "samples";
    for (size_t first = 0; status == ND_OK && first < count;
         first += PIECE_SAMPLES) {
        status = send_piece(training, first, &buffer, error);
        if (status == ND_OK) {
            training->done = 0.1 * (double)first / (double)count;
            status = nd_training_advance(training, error);
        }
        if (status == ND_OK) {
            status = nd_training_tell(training, error);
        }
    }
    if (status == ND_OK) {
        status = check_counts(training, error);
    }
    if (status == ND_OK) {
        size_t start = nd_frame_begin(&buffer, ND_FRAME_TRAIN);
        status = send_frame(training, start, &buffer, error);
    }
    nd_buffer_free(&buffer);
    return status;
}
