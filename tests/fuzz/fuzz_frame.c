/* SPDX-License-Identifier: Apache-2.0
 *
 * The pipes between trainer and child: frames of both sides and all that they
 * carry. Whatever arrives, a reader stays within its bytes, what it accepts is
 * within its limits, and an answer accepted is written back as it was.
 */
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "learn/child_messages.h"
#include "learn/frame.h"
#include "learn/samples.h"
#include "rspamd/child_messages.h"

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void try_samples(const struct nd_frame *frame)
{
    struct nd_reader reader;
    struct nd_child_sample sample;
    struct nd_arena *arena = nd_arena_create(0);
    nd_reader_init(&reader, frame->data, frame->length);
    while (nd_child_read_sample(&reader, 5, NULL, &sample) == ND_OK) {
        struct nd_payload payload = {sample.payload, sample.length};
        struct nd_slotted slotted;
        require(sample.label <= 1 && sample.fold <= 5);
        if (nd_sample_unpack(&payload, 100, arena, NULL, &slotted) == ND_OK) {
            for (uint32_t i = 0; i < slotted.named_count; i++) {
                require(slotted.named_slots[i] < 100);
                require(isfinite(slotted.named_values[i]));
                require(i == 0 ||
                        slotted.named_slots[i - 1] < slotted.named_slots[i]);
            }
        }
        nd_arena_reset(arena);
    }
    nd_arena_destroy(&arena);
}

static void try_settings(const struct nd_frame *frame)
{
    struct nd_child_settings settings;
    if (nd_child_read_settings(frame, NULL, &settings) == ND_OK) {
        struct nd_buffer again = {0};
        require(settings.folds >= 1 && settings.seeds >= 1);
        require(settings.sample_count <= ND_CHILD_MAX_SAMPLES);
        nd_child_write_settings(&settings, &again);
        require(again.length == frame->length + ND_FRAME_HEADER_BYTES);
        require(memcmp(again.data + ND_FRAME_HEADER_BYTES, frame->data,
                       frame->length) == 0);
        nd_buffer_free(&again);
    }
}

/* The same bytes as what a training for rspamd sends, and is answered. */
static void try_rspamd(const struct nd_frame *frame)
{
    struct nd_rspamd_child_settings settings;
    struct nd_vectors vectors = {0};
    struct nd_kann *kann = NULL;
    double thresholds[2];
    if (nd_rspamd_read_settings(frame, NULL, &settings) == ND_OK)
        require(settings.width >= 1 && settings.width <= ND_VECTORS_MAX_WIDTH &&
                settings.count <= ND_CHILD_MAX_SAMPLES);
    if (nd_rspamd_read_vectors(frame, 3, 5, NULL, &vectors) == ND_OK)
        require(vectors.count <= 5 &&
                vectors.count * (1 + 3 * sizeof(float)) == frame->length);
    for (size_t i = 0; i < vectors.count * 3; i++)
        require(isfinite(vectors.values[i]));
    nd_vectors_free(&vectors);
    if (nd_rspamd_read_model(frame, 3, NULL, &kann, thresholds) == ND_OK)
        require(fabs(thresholds[0]) <= 1 && nd_kann_inputs(kann) == 3);
    nd_kann_destroy(&kann);
}

static void try_answer(const struct nd_frame *frame)
{
    struct nd_child_progress progress;
    struct nd_child_judged judged;
    struct nd_error error;
    size_t expected = frame->length / sizeof(double);
    if (nd_child_read_progress(frame, NULL, &progress) == ND_OK) {
        require(progress.done >= 0 && progress.done <= 1);
        require(strlen(progress.stage) < sizeof progress.stage);
    }
    for (size_t count = expected > 3 ? expected - 3 : 0; count <= expected;
         count++) {
        if (nd_child_read_judged(frame, count, NULL, &judged) == ND_OK) {
            require(judged.count == count);
            free(judged.log_odds);
        }
    }
    require(nd_child_read_failure(frame, &error) != ND_OK);
}

static void try_stream(const uint8_t *data, size_t length,
                       enum nd_frame_side writer)
{
    while (length > 0) {
        struct nd_frame frame;
        size_t used = 0;
        enum nd_status status =
            nd_frame_parse(data, length, writer, NULL, &frame, &used);
        if (status != ND_OK) {
            require(status != ND_NOTHING || used > length);
            return;
        }
        require(used == frame.length + ND_FRAME_HEADER_BYTES);
        require(used <= length);
        try_rspamd(&frame);
        if (writer == ND_FRAME_CHILD) {
            try_answer(&frame);
        } else if (frame.type == ND_FRAME_SETTINGS) {
            try_settings(&frame);
        } else {
            try_samples(&frame);
        }
        data += used;
        length -= used;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    try_stream(data, size, ND_FRAME_PARENT);
    try_stream(data, size, ND_FRAME_CHILD);
    return 0;
}
