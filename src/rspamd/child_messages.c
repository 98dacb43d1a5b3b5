/* SPDX-License-Identifier: Apache-2.0
 *
 * What the frames of a training for rspamd hold. Both sides check all that they
 * read: the vectors are a peer's, and a child that went wrong on them may
 * answer anything.
 */
#include "rspamd/child_messages.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "learn/child_messages.h"

#define FRAME_BYTES ((size_t)1 << 20) /* of vectors, about */

void nd_rspamd_write_settings(const struct nd_rspamd_child_settings *settings,
                              struct nd_buffer *buffer)
{
    size_t start = nd_frame_begin(buffer, ND_FRAME_SETTINGS);
    nd_buffer_u32(buffer, settings->count);
    nd_buffer_u32(buffer, settings->width);
    nd_buffer_u64(buffer, settings->seed);
    nd_buffer_u64(buffer, settings->memory_bytes);
    nd_buffer_u64(buffer, settings->cpu_seconds);
    nd_buffer_u32(buffer, (uint32_t)settings->nice);
    nd_frame_end(buffer, start);
}

enum nd_status nd_rspamd_read_settings(
    const struct nd_frame *frame, struct nd_error *error,
    struct nd_rspamd_child_settings *settings_r)
{
    struct nd_reader reader;
    nd_reader_init(&reader, frame->data, frame->length);
    struct nd_rspamd_child_settings settings = {
        .count = nd_reader_u32(&reader), .width = nd_reader_u32(&reader)};
    settings.seed = nd_reader_u64(&reader);
    settings.memory_bytes = nd_reader_u64(&reader);
    settings.cpu_seconds = nd_reader_u64(&reader);
    settings.nice = (int32_t)nd_reader_u32(&reader);
    if (reader.failed || nd_reader_left(&reader) != 0 ||
        settings.count > ND_CHILD_MAX_SAMPLES || settings.width == 0 ||
        settings.width > ND_VECTORS_MAX_WIDTH)
        return nd_fail(error, ND_DATA, "the trainer's settings are malformed");
    *settings_r = settings;
    return ND_OK;
}

size_t nd_rspamd_write_vectors(const struct nd_vectors *vectors, size_t first,
                               struct nd_buffer *buffer)
{
    size_t start = nd_frame_begin(buffer, ND_FRAME_SAMPLES), row = first;
    do {
        const float *values = nd_vectors_row(vectors, row);
        nd_buffer_u8(buffer, vectors->labels[row]);
        for (uint32_t i = 0; i < vectors->width; i++)
            nd_buffer_f32(buffer, values[i]);
        row++;
    } while (row < vectors->count && buffer->length - start < FRAME_BYTES);
    nd_frame_end(buffer, start);
    return row;
}

enum nd_status nd_rspamd_read_vectors(const struct nd_frame *frame,
                                      uint32_t width, size_t most,
                                      struct nd_error *error,
                                      struct nd_vectors *vectors)
{
    struct nd_reader reader;
    nd_reader_init(&reader, frame->data, frame->length);
    float *values = nd_calloc(width, sizeof(*values));
    enum nd_status status = ND_OK;
    while (status == ND_OK && nd_reader_left(&reader) > 0) {
        uint8_t label = nd_reader_u8(&reader);
        for (uint32_t i = 0; i < width; i++)
            values[i] = nd_reader_f32(&reader);
        if (reader.failed || label > 1 || vectors->count == most)
            status = nd_fail(error, ND_DATA,
                             "a vector for the trainer is malformed");
        else
            status = nd_vectors_add(vectors, values, width, label, error);
    }
    free(values);
    return status;
}

void nd_rspamd_write_model(const struct nd_kann *kann,
                           const double thresholds[2], struct nd_buffer *buffer)
{
    size_t start = nd_frame_begin(buffer, ND_FRAME_MODEL);
    nd_buffer_f64(buffer, thresholds[0]);
    nd_buffer_f64(buffer, thresholds[1]);
    nd_kann_write(kann, buffer);
    nd_frame_end(buffer, start);
}

enum nd_status nd_rspamd_read_model(const struct nd_frame *frame,
                                    uint32_t width, struct nd_error *error,
                                    struct nd_kann **kann_r,
                                    double thresholds_r[2])
{
    struct nd_reader reader;
    struct nd_kann *kann = NULL;
    double thresholds[2];
    nd_reader_init(&reader, frame->data, frame->length);
    thresholds[0] = nd_reader_f64(&reader);
    thresholds[1] = nd_reader_f64(&reader);
    if (reader.failed || !(fabs(thresholds[0]) <= 1) ||
        !(fabs(thresholds[1]) <= 1))
        return nd_fail(error, ND_DATA,
                       "the trainer child answered thresholds that are none");
    size_t length = nd_reader_left(&reader);
    enum nd_status status =
        nd_kann_read(nd_reader_bytes(&reader, length), length, error, &kann);
    if (status == ND_OK && nd_kann_inputs(kann) != width)
        status = nd_fail(error, ND_DATA,
                         "the trainer child answered a network of %u inputs "
                         "for vectors of %u",
                         nd_kann_inputs(kann), width);
    if (status != ND_OK) {
        nd_kann_destroy(&kann);
        return status;
    }
    *kann_r = kann;
    thresholds_r[0] = thresholds[0];
    thresholds_r[1] = thresholds[1];
    return ND_OK;
}
