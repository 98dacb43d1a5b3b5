/* SPDX-License-Identifier: Apache-2.0
 *
 * Single bits, most significant first, to a buffer and from bytes.
 */
#ifndef ND_STORE_BITS_H
#define ND_STORE_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

/* Zero-initialise, but for buffer, which has all bits only after a flush. */
struct nd_bit_writer {
    struct nd_buffer *buffer;
    uint64_t pending; /* the last count bits are not in buffer yet */
    unsigned count;   /* below 32 between calls */
};
/* Appends the low count bits of value, at most 32. */
void nd_bits_put(struct nd_bit_writer *writer, uint32_t value, unsigned count);
/* Appends ones times a 1 bit and a 0 bit. */
void nd_bits_put_unary(struct nd_bit_writer *writer, uint32_t ones);
/* Appends value in Rice code: its high part in unary, then the low bits. */
void nd_bits_put_rice(struct nd_bit_writer *writer, uint32_t value,
                      unsigned low_bits);
/* Fills the last byte with 0 bits, and appends what is pending. */
void nd_bits_flush(struct nd_bit_writer *writer);

/* A read past the end sets failed and answers 0 from then on. */
struct nd_bit_reader {
    const uint8_t *data;
    size_t length;    /* bytes */
    size_t position;  /* bytes taken into pending */
    uint64_t pending; /* unread bits, from the highest on; at least count */
    unsigned count;
    bool failed;
};
void nd_bits_init(struct nd_bit_reader *reader, const void *data,
                  size_t length);
/* The next count bits, at most 32. */
uint32_t nd_bits_get(struct nd_bit_reader *reader, unsigned count);
/* The number of 1 bits before the next 0 bit. */
uint32_t nd_bits_get_unary(struct nd_bit_reader *reader);
/* The number that nd_bits_put_rice wrote. */
uint64_t nd_bits_get_rice(struct nd_bit_reader *reader, unsigned low_bits);
/* Whether all that is left is less than a byte of 0 bits. */
bool nd_bits_at_end(const struct nd_bit_reader *reader);

#endif
