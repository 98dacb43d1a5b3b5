/* SPDX-License-Identifier: Apache-2.0
 *
 * The network as bytes, inside the model file (docs/formats/model.md): shape,
 * upper layers as 32-bit floats, a bit for each column that has a row, and the
 * rows in their compact form. Reading checks every length against what is left
 * before it takes memory, and every weight for being finite, since the bytes
 * may come from anywhere.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "nn/network_internal.h"

#define HEAD_BYTES sizeof(struct nd_compact_head)

static void write_floats(struct nd_buffer *buffer, const float *values,
                         size_t count)
{
    for (size_t i = 0; i < count; i++)
        nd_buffer_f32(buffer, values[i]);
}

static void write_shape(const struct nd_network *network,
                        struct nd_buffer *buffer)
{
    nd_buffer_u32(buffer, network->shape.inputs);
    nd_buffer_u8(buffer, (uint8_t)network->shape.layers);
    nd_buffer_u8(buffer, network->shape.wide);
    for (uint32_t k = 0; k < network->shape.layers; k++)
        nd_buffer_u16(buffer, (uint16_t)network->shape.units[k]);
}

static void write_upper(const struct nd_network *network,
                        struct nd_buffer *buffer)
{
    write_floats(buffer, network->bias, network->first_units);
    for (uint32_t k = 0; k < network->dense_count; k++) {
        const struct nd_dense *dense = &network->dense[k];
        write_floats(buffer, dense->bias, dense->units);
        for (size_t i = 0; i < dense->inputs; i++)
            write_floats(buffer, dense->weights + i * dense->width,
                         dense->units);
    }
    write_floats(buffer, network->out, network->last_units);
    nd_buffer_f32(buffer, network->out_bias);
}

static void write_row(const struct nd_network *network, const uint8_t *place,
                      struct nd_buffer *buffer)
{
    struct nd_compact_head head;
    memcpy(&head, place, sizeof(head));
    if (network->first_units > 0)
        nd_buffer_f32(buffer, head.scale);
    if (network->shape.wide)
        nd_buffer_f32(buffer, head.wide);
    nd_buffer_append(buffer, place + sizeof(head), network->first_units);
}

void nd_network_write(const struct nd_network *network,
                      struct nd_buffer *buffer)
{
    struct nd_compact *made = NULL;
    const struct nd_compact *compact = network->compact;
    if (compact == NULL)
        compact = made = nd_compact_from_rows(network);
    write_shape(network, buffer);
    write_upper(network, buffer);
    for (uint32_t i = 0; i < (network->shape.inputs + 63) / 64; i++)
        nd_buffer_u64(buffer, compact->ranks[i].present);
    for (uint32_t row = 0; row < compact->rows; row++)
        write_row(network, nd_compact_row(compact, row), buffer);
    nd_compact_destroy(&made);
}

static enum nd_status truncated(struct nd_error *error)
{
    return nd_fail(error, ND_DATA,
                   "the network in the model is cut off; fetch or train the "
                   "model again");
}

static bool read_floats(struct nd_reader *reader, float *values, size_t count)
{
    bool finite = true;
    for (size_t i = 0; i < count; i++) {
        values[i] = nd_reader_f32(reader);
        finite = finite && isfinite(values[i]);
    }
    return finite;
}

static enum nd_status read_shape(struct nd_reader *reader,
                                 struct nd_error *error, struct nd_shape *shape)
{
    *shape = (struct nd_shape){.inputs = nd_reader_u32(reader)};
    shape->layers = nd_reader_u8(reader);
    uint8_t wide = nd_reader_u8(reader);
    shape->wide = wide != 0;
    for (uint32_t k = 0; k < shape->layers && k < ND_MAX_LAYERS; k++)
        shape->units[k] = nd_reader_u16(reader);
    if (reader->failed)
        return truncated(error);
    if (wide > 1 || shape->layers > ND_MAX_LAYERS ||
        (shape->layers == 0 && wide == 0))
        return nd_fail(error, ND_DATA, "the network's shape makes no sense");
    return ND_OK;
}

/* Bytes that the upper layers and the bits of a shape take in the file: what
 * must be left before any memory is taken for them. */
static size_t fixed_bytes(const struct nd_shape *shape)
{
    size_t floats = 1;
    for (uint32_t k = 0; k < shape->layers; k++) {
        floats += shape->units[k];
        if (k > 0)
            floats += (size_t)shape->units[k - 1] * shape->units[k];
    }
    if (shape->layers > 0)
        floats += shape->units[shape->layers - 1];
    return floats * sizeof(float) +
           (shape->inputs + (size_t)63) / 64 * sizeof(uint64_t);
}

static bool read_upper(struct nd_reader *reader, struct nd_network *network)
{
    bool finite = read_floats(reader, network->bias, network->first_units);
    for (uint32_t k = 0; k < network->dense_count; k++) {
        struct nd_dense *dense = &network->dense[k];
        finite = read_floats(reader, dense->bias, dense->units) && finite;
        for (size_t i = 0; i < dense->inputs; i++)
            finite = read_floats(reader, dense->weights + i * dense->width,
                                 dense->units) &&
                     finite;
    }
    finite = read_floats(reader, network->out, network->last_units) && finite;
    return read_floats(reader, &network->out_bias, 1) && finite;
}

static float float_at(const uint8_t *bytes)
{
    uint32_t bits = (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 |
                    (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
    float value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

/* A row of the file, all of which is there, to its place. */
static bool read_row(const uint8_t *row, const struct nd_network *network,
                     uint8_t *place)
{
    struct nd_compact_head head = {0};
    if (network->first_units > 0) {
        head.scale = float_at(row);
        row += sizeof(float);
    }
    if (network->shape.wide) {
        head.wide = float_at(row);
        row += sizeof(float);
    }
    memcpy(place, &head, sizeof(head));
    memcpy(place + HEAD_BYTES, row, network->first_units);
    return isfinite(head.scale) && isfinite(head.wide);
}

static size_t row_bytes(const struct nd_network *network)
{
    size_t heads = (network->first_units > 0) + (size_t)network->shape.wide;
    return heads * sizeof(float) + network->first_units;
}

static struct nd_rank *read_ranks(struct nd_reader *reader, uint32_t inputs,
                                  size_t *rows_r)
{
    uint32_t words = (inputs + 63) / 64;
    struct nd_rank *ranks = nd_calloc(words, sizeof(*ranks));
    *rows_r = 0;
    for (uint32_t i = 0; i < words; i++) {
        ranks[i].present = nd_reader_u64(reader);
        *rows_r += (size_t)__builtin_popcountll(ranks[i].present);
    }
    if (inputs % 64 != 0 && ranks[words - 1].present >> (inputs % 64) != 0)
        reader->failed = true; /* a row beyond the last column */
    return ranks;
}

static enum nd_status read_rows(struct nd_reader *reader,
                                struct nd_error *error,
                                struct nd_network *network)
{
    size_t rows;
    uint32_t inputs = network->shape.inputs;
    struct nd_rank *ranks = read_ranks(reader, inputs, &rows);
    if (reader->failed || rows > nd_reader_left(reader) / row_bytes(network)) {
        free(ranks);
        return truncated(error);
    }
    struct nd_compact *compact =
        nd_compact_create(ranks, inputs, network->first_units);
    network->compact = compact;
    network->trained = true;
    bool finite = true;
    size_t bytes = row_bytes(network);
    const uint8_t *rows_at = nd_reader_bytes(reader, rows * bytes);
    for (uint32_t row = 0; row < compact->rows; row++)
        finite = read_row(rows_at + row * bytes, network,
                          nd_compact_row(compact, row)) &&
                 finite;
    if (!finite)
        return nd_fail(error, ND_DATA, "a weight is not a finite number");
    return ND_OK;
}

enum nd_status nd_network_read(struct nd_reader *reader, struct nd_error *error,
                               struct nd_network **network_r)
{
    struct nd_shape shape;
    struct nd_network *network = NULL;
    enum nd_status status = read_shape(reader, error, &shape);
    if (status == ND_OK && fixed_bytes(&shape) > nd_reader_left(reader))
        status = truncated(error);
    if (status == ND_OK && nd_network_empty(&shape, error, &network) != ND_OK)
        status = ND_DATA;
    if (status == ND_OK && !read_upper(reader, network))
        status = nd_fail(error, ND_DATA, "a weight is not a finite number");
    if (status == ND_OK)
        status = read_rows(reader, error, network);
    if (status == ND_OK)
        *network_r = network;
    else
        nd_network_destroy(&network);
    return status;
}
