/* SPDX-License-Identifier: Apache-2.0
 *
 * Bits in a row, for the coding of samples. A word gathers them and whole
 * bytes leave it; unary runs go through a count of leading ones, since they
 * are where the time goes.
 */
#include "store/bits.h"

void nd_bits_put(struct nd_bit_writer *writer, uint32_t value, unsigned count)
{
    writer->pending = writer->pending << count |
                      (value & (uint32_t)((UINT64_C(1) << count) - 1));
    writer->count += count;
    while (writer->count >= 8) {
        writer->count -= 8;
        nd_buffer_u8(writer->buffer,
                     (uint8_t)(writer->pending >> writer->count));
    }
}

void nd_bits_put_unary(struct nd_bit_writer *writer, uint32_t ones)
{
    for (; ones >= 24; ones -= 24)
        nd_bits_put(writer, 0xffffff, 24);
    nd_bits_put(writer, (UINT32_C(1) << (ones + 1)) - 2, ones + 1);
}

void nd_bits_flush(struct nd_bit_writer *writer)
{
    if (writer->count > 0)
        nd_bits_put(writer, 0, 8 - writer->count);
}

void nd_bits_init(struct nd_bit_reader *reader, const void *data, size_t length)
{
    *reader = (struct nd_bit_reader){.data = data, .length = length};
}

static void refill(struct nd_bit_reader *reader)
{
    while (reader->count <= 48 && reader->position < reader->length) {
        reader->pending =
            reader->pending << 8 | reader->data[reader->position++];
        reader->count += 8;
    }
}

static uint32_t fail(struct nd_bit_reader *reader)
{
    reader->failed = true;
    reader->count = 0;
    reader->position = reader->length;
    return 0;
}

uint32_t nd_bits_get(struct nd_bit_reader *reader, unsigned count)
{
    if (reader->count < count)
        refill(reader);
    if (reader->count < count)
        return fail(reader);
    reader->count -= count;
    return (uint32_t)(reader->pending >> reader->count) &
           (uint32_t)((UINT64_C(1) << count) - 1);
}

uint32_t nd_bits_get_unary(struct nd_bit_reader *reader)
{
    uint32_t ones = 0;
    for (;;) {
        refill(reader);
        if (reader->count == 0)
            return fail(reader);
        /* the unread bits to the top, and what is below them set to 0 */
        uint64_t top = reader->pending << (64 - reader->count);
        unsigned run = (unsigned)__builtin_clzll(~top);
        if (run < reader->count) {
            reader->count -= run + 1;
            return ones + run;
        }
        ones += reader->count;
        reader->count = 0;
    }
}

bool nd_bits_at_end(const struct nd_bit_reader *reader)
{
    uint64_t left = reader->pending & ((UINT64_C(1) << reader->count) - 1);
    return !reader->failed && reader->position == reader->length &&
           reader->count < 8 && left == 0;
}
