/* SPDX-License-Identifier: Apache-2.0
 *
 * Bytes: a growing buffer to write to, and a bounded reader. Both speak
 * little-endian, the byte order of every format of the project.
 */
#ifndef ND_BASE_BUFFER_H
#define ND_BASE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* A growing buffer. Zero-initialise ({0}), free with nd_buffer_free. data
 * always has a NUL after length bytes once anything was appended. */
struct nd_buffer {
    uint8_t *data;
    size_t length;
    size_t capacity;
};

void nd_buffer_free(struct nd_buffer *buffer);  /* also clears it */
void nd_buffer_clear(struct nd_buffer *buffer); /* keeps the memory */

/* Room for extra more bytes; returns a pointer to the end of the contents.
 * The caller writes there and adds to length. */
uint8_t *nd_buffer_reserve(struct nd_buffer *buffer, size_t extra);

/* Each appends to the end: bytes, text without its NUL, formatted text, and
 * numbers in little-endian order. data is copied and may not lie inside
 * buffer. */
void nd_buffer_append(struct nd_buffer *buffer, const void *data,
                      size_t length);
void nd_buffer_append_text(struct nd_buffer *buffer, const char *text);
void nd_buffer_printf(struct nd_buffer *buffer, const char *format, ...)
    ND_PRINTF(2, 3);
void nd_buffer_u8(struct nd_buffer *buffer, uint8_t value);
void nd_buffer_u16(struct nd_buffer *buffer, uint16_t value);
void nd_buffer_u32(struct nd_buffer *buffer, uint32_t value);
void nd_buffer_u64(struct nd_buffer *buffer, uint64_t value);
void nd_buffer_f32(struct nd_buffer *buffer, float value);
void nd_buffer_f64(struct nd_buffer *buffer, double value);

/* LEB128, at most 10 bytes. */
void nd_buffer_varint(struct nd_buffer *buffer, uint64_t value);

/* Appends text as a JSON string with its quotes. Invalid UTF-8 becomes
 * U+FFFD; control characters are escaped. */
void nd_buffer_json_string(struct nd_buffer *buffer, const char *text,
                           size_t length);

/* A cursor over bytes that it does not own. Once a read passes the end, failed
 * is set, and that read and all later ones answer 0 or NULL: check failed once
 * at the end, but before a length that was read is used to take memory. */
struct nd_reader {
    const uint8_t *data;
    size_t length;
    size_t position;
    bool failed;
};

/* Starts at the first byte of data, which outlives the reader. */
void nd_reader_init(struct nd_reader *reader, const void *data, size_t length);
/* Bytes from the position to the end; 0 once failed. */
size_t nd_reader_left(const struct nd_reader *reader);
/* The next number, and the position moves past it. A varint of more than 64
 * bits fails. */
uint8_t nd_reader_u8(struct nd_reader *reader);
uint16_t nd_reader_u16(struct nd_reader *reader);
uint32_t nd_reader_u32(struct nd_reader *reader);
uint64_t nd_reader_u64(struct nd_reader *reader);
float nd_reader_f32(struct nd_reader *reader);
double nd_reader_f64(struct nd_reader *reader);
uint64_t nd_reader_varint(struct nd_reader *reader);

/* The next length bytes, inside the reader's data; NULL past the end. */
const uint8_t *nd_reader_bytes(struct nd_reader *reader, size_t length);

#endif
