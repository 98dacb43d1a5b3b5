/* SPDX-License-Identifier: Apache-2.0
 *
 * The bounded reader of base/buffer.h: numbers in little-endian order out of
 * bytes that nobody vouches for. Past the end it answers zeros and remembers
 * that it failed.
 */
#include <string.h>

#include "base/buffer.h"

void nd_reader_init(struct nd_reader *reader, const void *data, size_t length)
{
    *reader = (struct nd_reader){.data = data, .length = length};
}

size_t nd_reader_left(const struct nd_reader *reader)
{
    return reader->failed ? 0 : reader->length - reader->position;
}

const uint8_t *nd_reader_bytes(struct nd_reader *reader, size_t length)
{
    if (reader->failed || length > reader->length - reader->position) {
        reader->failed = true;
        return NULL;
    }
    const uint8_t *bytes = reader->data + reader->position;
    reader->position += length;
    return bytes;
}

static uint64_t read_little_endian(struct nd_reader *reader, size_t bytes)
{
    const uint8_t *encoded = nd_reader_bytes(reader, bytes);
    if (encoded == NULL)
        return 0;
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++)
        value |= (uint64_t)encoded[i] << (8 * i);
    return value;
}

uint8_t nd_reader_u8(struct nd_reader *reader)
{
    return (uint8_t)read_little_endian(reader, 1);
}

uint16_t nd_reader_u16(struct nd_reader *reader)
{
    return (uint16_t)read_little_endian(reader, 2);
}

uint32_t nd_reader_u32(struct nd_reader *reader)
{
    return (uint32_t)read_little_endian(reader, 4);
}

uint64_t nd_reader_u64(struct nd_reader *reader)
{
    return read_little_endian(reader, 8);
}

float nd_reader_f32(struct nd_reader *reader)
{
    uint32_t bits = nd_reader_u32(reader);
    float value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

double nd_reader_f64(struct nd_reader *reader)
{
    uint64_t bits = nd_reader_u64(reader);
    double value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

uint64_t nd_reader_varint(struct nd_reader *reader)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte = nd_reader_u8(reader);
        /* the tenth byte has room for one bit */
        if (shift == 63 && byte > 1)
            break;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0)
            return reader->failed ? 0 : value;
    }
    reader->failed = true;
    return 0;
}
