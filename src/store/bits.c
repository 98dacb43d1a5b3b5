/* SPDX-License-Identifier: Apache-2.0
 *
 * Bits in a row, for the coding of samples. A word gathers them and whole
 * bytes leave it; unary runs go through a count of leading ones, since they
 * are where the time goes.
 */
#include "store/bits.h"

#include <endian.h>
#include <string.h>

/* Four bytes at a time leave pending. */
static void spill(struct nd_bit_writer *writer)
{
    writer->count -= 32;
    uint32_t word = htobe32((uint32_t)(writer->pending >> writer->count));
    memcpy(nd_buffer_reserve(writer->buffer, sizeof(word)), &word,
           sizeof(word));
    writer->buffer->length += sizeof(word);
}

void nd_bits_put(struct nd_bit_writer *writer, uint32_t value, unsigned count)
{
    writer->pending = writer->pending << count |
                      (value & (uint32_t)((UINT64_C(1) << count) - 1));
    writer->count += count;
    if (writer->count >= 32)
        spill(writer);
}

void nd_bits_put_unary(struct nd_bit_writer *writer, uint32_t ones)
{
    for (; ones >= 24; ones -= 24)
        nd_bits_put(writer, 0xffffff, 24);
    nd_bits_put(writer, (UINT32_C(1) << (ones + 1)) - 2, ones + 1);
}

void nd_bits_put_rice(struct nd_bit_writer *writer, uint32_t value,
                      unsigned low_bits)
{
    nd_bits_put_unary(writer, value >> low_bits);
    nd_bits_put(writer, value, low_bits);
}

void nd_bits_flush(struct nd_bit_writer *writer)
{
    unsigned last = writer->count % 8;
    if (last > 0)
        nd_bits_put(writer, 0, 8 - last);
    while (writer->count > 0) {
        writer->count -= 8;
        nd_buffer_u8(writer->buffer,
                     (uint8_t)(writer->pending >> writer->count));
    }
}

void nd_bits_init(struct nd_bit_reader *reader, const void *data, size_t length)
{
    *reader = (struct nd_bit_reader){.data = data, .length = length};
}

/* Leaves 49 to 63 bits, or all that there are. Eight bytes are taken at
 * once where there are as many; those of their bits that count does not cover
 * yet come again with the next eight, and are the same. */
static void refill(struct nd_bit_reader *reader)
{
    if (reader->length - reader->position >= 8) {
        uint64_t next;
        memcpy(&next, reader->data + reader->position, sizeof(next));
        reader->pending |= be64toh(next) >> reader->count;
        reader->position += (63 - reader->count) / 8;
        reader->count |= 56;
        return;
    }
    while (reader->count <= 48 && reader->position < reader->length) {
        uint64_t next = reader->data[reader->position++];
        reader->pending |= next << (56 - reader->count);
        reader->count += 8;
    }
}

static uint32_t fail(struct nd_bit_reader *reader)
{
    reader->failed = true;
    reader->count = 0;
    reader->pending = 0;
    reader->position = reader->length;
    return 0;
}

uint32_t nd_bits_get(struct nd_bit_reader *reader, unsigned count)
{
    if (reader->count < count)
        refill(reader);
    if (reader->count < count)
        return fail(reader);
    uint64_t value = reader->pending >> 32 >> (32 - count);
    reader->pending <<= count;
    reader->count -= count;
    return (uint32_t)value;
}

uint32_t nd_bits_get_unary(struct nd_bit_reader *reader)
{
    uint32_t ones = 0;
    for (;;) {
        if (reader->count < 32)
            refill(reader);
        if (reader->count == 0)
            return fail(reader);
        unsigned run = (unsigned)__builtin_clzll(~reader->pending | 1);
        if (run < reader->count) {
            reader->pending = reader->pending << run << 1;
            reader->count -= run + 1;
            return ones + run;
        }
        ones += reader->count;
        reader->pending = 0;
        reader->count = 0;
    }
}

uint64_t nd_bits_get_rice(struct nd_bit_reader *reader, unsigned low_bits)
{
    uint64_t high = nd_bits_get_unary(reader);
    return high << low_bits | nd_bits_get(reader, low_bits);
}

bool nd_bits_at_end(const struct nd_bit_reader *reader)
{
    return !reader->failed && reader->position == reader->length &&
           reader->count < 8 && reader->pending == 0;
}
