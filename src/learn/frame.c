/* SPDX-License-Identifier: Apache-2.0
 *
 * Frames of the trainer's pipes. The child reads what its parent built, and
 * the parent what a child built that may have gone wrong in any way, so one
 * table says what each side may send and how much of it. What the contents
 * mean is not known here (child_messages.c).
 */
#include "learn/frame.h"

#include <stdbool.h>
#include <string.h>

#define FRAME_MAGIC 0x3146444eU /* "NDF1" */

static const struct {
    uint32_t type;
    enum nd_frame_side writer;
    uint32_t limit;
} table[] = {
    {ND_FRAME_SETTINGS, ND_FRAME_PARENT, 4096},
    {ND_FRAME_SAMPLES, ND_FRAME_PARENT, ND_FRAME_MAX_SAMPLES},
    {ND_FRAME_TRAIN, ND_FRAME_PARENT, 0},
    {ND_FRAME_REFIT, ND_FRAME_PARENT, 0},
    {ND_FRAME_PROGRESS, ND_FRAME_CHILD, 256},
    {ND_FRAME_JUDGED, ND_FRAME_CHILD, 16U << 20},
    {ND_FRAME_MODEL, ND_FRAME_CHILD, ND_FRAME_MAX_MODEL},
    {ND_FRAME_FAILURE, ND_FRAME_CHILD, 1024},
};

size_t nd_frame_begin(struct nd_buffer *buffer, enum nd_frame_type type)
{
    size_t start = buffer->length;
    nd_buffer_u32(buffer, FRAME_MAGIC);
    nd_buffer_u32(buffer, type);
    nd_buffer_u32(buffer, 0);
    return start;
}

void nd_frame_end(struct nd_buffer *buffer, size_t start)
{
    size_t length = buffer->length - start - ND_FRAME_HEADER_BYTES;
    for (unsigned i = 0; i < 4; i++) {
        buffer->data[start + 8 + i] = (uint8_t)(length >> (8 * i));
    }
}

static bool allowed(uint32_t type, uint32_t length, enum nd_frame_side writer)
{
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (table[i].type == type && table[i].writer == writer) {
            return length <= table[i].limit;
        }
    }
    return false;
}

enum nd_status nd_frame_parse(const void *data, size_t length,
                              enum nd_frame_side writer, struct nd_error *error,
                              struct nd_frame *frame_r, size_t *used_r)
{
    if (length < ND_FRAME_HEADER_BYTES) {
        *used_r = ND_FRAME_HEADER_BYTES;
        return ND_NOTHING;
    }
    struct nd_reader reader;
    nd_reader_init(&reader, data, length);
    uint32_t magic = nd_reader_u32(&reader);
    uint32_t type = nd_reader_u32(&reader);
    uint32_t contents = nd_reader_u32(&reader);
    if (magic != FRAME_MAGIC || !allowed(type, contents, writer)) {
        return nd_fail(error, ND_DATA,
                       "the trainer's pipe carries no valid frame "
                       "(magic %08x, type %u, length %u)",
                       (unsigned)magic, (unsigned)type, (unsigned)contents);
    }
    *used_r = ND_FRAME_HEADER_BYTES + (size_t)contents;
    if (nd_reader_left(&reader) < contents) {
        return ND_NOTHING;
    }
    *frame_r = (struct nd_frame){.type = (enum nd_frame_type)type,
                                 .data = nd_reader_bytes(&reader, contents),
                                 .length = contents};
    return ND_OK;
}
