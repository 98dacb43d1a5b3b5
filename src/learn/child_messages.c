/* SPDX-License-Identifier: Apache-2.0
 *
 * The contents of the trainer's frames. Readers check every field against its
 * range, since a child that went wrong may send anything that its parent then
 * counts, shows or stores.
 */
#include "learn/child_messages.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "features/features.h"
#include "nn/network.h"
#include "store/sample.h"

void nd_child_write_settings(const struct nd_child_settings *settings,
                             struct nd_buffer *buffer)
{
    size_t start = nd_frame_begin(buffer, ND_FRAME_SETTINGS);
    nd_buffer_u32(buffer, settings->sample_count);
    nd_buffer_u32(buffer, settings->families);
    nd_buffer_u32(buffer, settings->registry_length);
    nd_buffer_u32(buffer, settings->hidden_units);
    nd_buffer_u32(buffer, settings->epochs);
    nd_buffer_f64(buffer, settings->learning_rate);
    nd_buffer_u64(buffer, settings->seed);
    nd_buffer_u32(buffer, settings->seeds);
    nd_buffer_u32(buffer, settings->folds);
    nd_buffer_f64(buffer, settings->target_fpr);
    nd_buffer_f64(buffer, settings->target_fnr);
    nd_buffer_u64(buffer, settings->memory_bytes);
    nd_buffer_u64(buffer, settings->cpu_seconds);
    nd_buffer_u32(buffer, (uint32_t)settings->nice);
    nd_buffer_u32(buffer, settings->threads);
    nd_frame_end(buffer, start);
}

static bool settings_are_sound(const struct nd_child_settings *settings)
{
    return settings->sample_count <= ND_CHILD_MAX_SAMPLES &&
           (settings->families & ~ND_GROUP_ALL) == 0 &&
           settings->registry_length <= ND_MAX_INPUTS &&
           settings->hidden_units <= ND_MAX_UNITS && settings->seeds >= 1 &&
           settings->seeds <= 100 && settings->folds >= 1 &&
           settings->folds <= ND_CHILD_MAX_FOLDS && settings->threads >= 1 &&
           settings->threads <= 4096 && settings->learning_rate >= 0 &&
           isfinite(settings->learning_rate) && settings->target_fpr >= 0 &&
           settings->target_fpr <= 1 && settings->target_fnr >= 0 &&
           settings->target_fnr <= 1;
}

enum nd_status nd_child_read_settings(const struct nd_frame *frame,
                                      struct nd_error *error,
                                      struct nd_child_settings *settings_r)
{
    struct nd_reader reader;
    nd_reader_init(&reader, frame->data, frame->length);
    struct nd_child_settings settings = {0};
    settings.sample_count = nd_reader_u32(&reader);
    settings.families = nd_reader_u32(&reader);
    settings.registry_length = nd_reader_u32(&reader);
    settings.hidden_units = nd_reader_u32(&reader);
    settings.epochs = nd_reader_u32(&reader);
    settings.learning_rate = nd_reader_f64(&reader);
    settings.seed = nd_reader_u64(&reader);
    settings.seeds = nd_reader_u32(&reader);
    settings.folds = nd_reader_u32(&reader);
    settings.target_fpr = nd_reader_f64(&reader);
    settings.target_fnr = nd_reader_f64(&reader);
    settings.memory_bytes = nd_reader_u64(&reader);
    settings.cpu_seconds = nd_reader_u64(&reader);
    settings.nice = (int32_t)nd_reader_u32(&reader);
    settings.threads = nd_reader_u32(&reader);
    if (reader.failed || nd_reader_left(&reader) != 0 ||
        !settings_are_sound(&settings)) {
        return nd_fail(error, ND_DATA, "the trainer's settings are malformed");
    }
    *settings_r = settings;
    return ND_OK;
}

void nd_child_write_sample(const struct nd_child_sample *sample,
                           struct nd_buffer *buffer)
{
    nd_buffer_u8(buffer, sample->label);
    nd_buffer_u8(buffer, sample->fold);
    nd_buffer_u64(buffer, (uint64_t)sample->time_ms);
    nd_buffer_u32(buffer, sample->length);
    nd_buffer_append(buffer, sample->payload, sample->length);
}

enum nd_status nd_child_read_sample(struct nd_reader *reader, uint32_t folds,
                                    struct nd_error *error,
                                    struct nd_child_sample *sample_r)
{
    if (nd_reader_left(reader) == 0) {
        return ND_NOTHING;
    }
    struct nd_child_sample sample = {0};
    sample.label = nd_reader_u8(reader);
    sample.fold = nd_reader_u8(reader);
    sample.time_ms = (int64_t)nd_reader_u64(reader);
    sample.length = nd_reader_u32(reader);
    sample.payload = nd_reader_bytes(reader, sample.length);
    if (reader->failed || sample.label > 1 || sample.fold > folds ||
        sample.length > ND_SAMPLE_MAX_BYTES) {
        return nd_fail(error, ND_DATA, "a sample for the trainer is malformed");
    }
    *sample_r = sample;
    return ND_OK;
}

void nd_child_write_progress(const struct nd_child_progress *progress,
                             struct nd_buffer *buffer)
{
    size_t start = nd_frame_begin(buffer, ND_FRAME_PROGRESS);
    nd_buffer_u64(buffer, progress->counter);
    nd_buffer_f64(buffer, progress->done);
    nd_buffer_f64(buffer, progress->loss);
    nd_buffer_append(buffer, progress->stage,
                     strnlen(progress->stage, ND_CHILD_STAGE_BYTES - 1));
    nd_frame_end(buffer, start);
}

/* Copies length bytes to text_r (size bytes) as printable ASCII. */
static void copy_printable(const uint8_t *bytes, size_t length, char *text_r,
                           size_t size)
{
    size_t kept = length < size - 1 ? length : size - 1;
    for (size_t i = 0; i < kept; i++) {
        text_r[i] = bytes[i] >= ' ' && bytes[i] <= '~' ? (char)bytes[i] : '?';
    }
    text_r[kept] = '\0';
}

enum nd_status nd_child_read_progress(const struct nd_frame *frame,
                                      struct nd_error *error,
                                      struct nd_child_progress *progress_r)
{
    struct nd_reader reader;
    nd_reader_init(&reader, frame->data, frame->length);
    struct nd_child_progress progress = {0};
    progress.counter = nd_reader_u64(&reader);
    progress.done = nd_reader_f64(&reader);
    progress.loss = nd_reader_f64(&reader);
    if (reader.failed || !(progress.done >= 0 && progress.done <= 1)) {
        return nd_fail(error, ND_DATA,
                       "the trainer child's progress is malformed");
    }
    size_t length = nd_reader_left(&reader);
    copy_printable(nd_reader_bytes(&reader, length), length, progress.stage,
                   sizeof progress.stage);
    *progress_r = progress;
    return ND_OK;
}

void nd_child_write_judged(const struct nd_child_judged *judged,
                           struct nd_buffer *buffer)
{
    size_t start = nd_frame_begin(buffer, ND_FRAME_JUDGED);
    nd_buffer_u64(buffer, judged->seed);
    nd_buffer_u32(buffer, judged->thrown_away);
    nd_buffer_u32(buffer, judged->count);
    for (uint32_t i = 0; i < judged->count; i++) {
        nd_buffer_f64(buffer, judged->log_odds[i]);
    }
    nd_frame_end(buffer, start);
}

enum nd_status nd_child_read_judged(const struct nd_frame *frame,
                                    size_t expected, struct nd_error *error,
                                    struct nd_child_judged *judged_r)
{
    struct nd_reader reader;
    nd_reader_init(&reader, frame->data, frame->length);
    struct nd_child_judged judged = {0};
    judged.seed = nd_reader_u64(&reader);
    judged.thrown_away = nd_reader_u32(&reader);
    judged.count = nd_reader_u32(&reader);
    if (reader.failed || judged.count != expected ||
        nd_reader_left(&reader) != expected * sizeof(double)) {
        return nd_fail(error, ND_DATA,
                       "the trainer child judged %u samples of %zu",
                       (unsigned)judged.count, expected);
    }
    judged.log_odds = nd_calloc(expected, sizeof(double));
    bool sound = true;
    for (size_t i = 0; i < expected; i++) {
        judged.log_odds[i] = nd_reader_f64(&reader);
        sound = sound && isfinite(judged.log_odds[i]);
    }
    if (!sound) {
        free(judged.log_odds);
        return nd_fail(
            error, ND_DATA,
            "the trainer child answered log-odds that are no number");
    }
    *judged_r = judged;
    return ND_OK;
}

void nd_child_write_failure(enum nd_status status, const char *text,
                            struct nd_buffer *buffer)
{
    size_t start = nd_frame_begin(buffer, ND_FRAME_FAILURE);
    nd_buffer_u32(buffer, (uint32_t)status);
    nd_buffer_append(buffer, text, strnlen(text, ND_ERROR_BYTES - 1));
    nd_frame_end(buffer, start);
}

enum nd_status nd_child_read_failure(const struct nd_frame *frame,
                                     struct nd_error *error)
{
    struct nd_reader reader;
    nd_reader_init(&reader, frame->data, frame->length);
    uint32_t status = nd_reader_u32(&reader);
    if (reader.failed || status == ND_OK || status > ND_KEY) {
        status = ND_INTERNAL;
    }
    if (status == ND_NOTHING) { /* which is what silence is to the reader */
        status = ND_DATA;
    }
    char text[ND_ERROR_BYTES] = "";
    size_t length = nd_reader_left(&reader);
    if (length > 0) {
        copy_printable(nd_reader_bytes(&reader, length), length, text,
                       sizeof text);
    }
    return nd_fail(error, (enum nd_status)status, "the trainer child: %s",
                   text[0] != '\0' ? text : "failed without a word");
}
