/* SPDX-License-Identifier: Apache-2.0
 *
 * The growing buffer: appends numbers in little-endian order, text, and JSON
 * strings. Its counterpart, the bounded reader, is in reader.c.
 */
#include "base/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/utf8.h"

#define SMALLEST_CAPACITY 64

void nd_buffer_free(struct nd_buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct nd_buffer){0};
}

void nd_buffer_clear(struct nd_buffer *buffer)
{
    buffer->length = 0;
    if (buffer->data != NULL)
        buffer->data[0] = '\0';
}

uint8_t *nd_buffer_reserve(struct nd_buffer *buffer, size_t extra)
{
    size_t needed;
    if (__builtin_add_overflow(buffer->length, extra, &needed) ||
        needed > SIZE_MAX / 2 - 1)
        needed = SIZE_MAX - 1; /* nd_realloc says so and aborts */
    needed++;                  /* the NUL after the contents */
    if (needed > buffer->capacity) {
        size_t capacity = buffer->capacity;
        if (capacity < SMALLEST_CAPACITY)
            capacity = SMALLEST_CAPACITY;
        while (capacity < needed)
            capacity = capacity > SIZE_MAX / 2 ? needed : capacity * 2;
        buffer->data = nd_realloc(buffer->data, capacity, 1);
        buffer->capacity = capacity;
    }
    return buffer->data + buffer->length;
}

void nd_buffer_append(struct nd_buffer *buffer, const void *data, size_t length)
{
    uint8_t *end = nd_buffer_reserve(buffer, length);
    if (length > 0)
        memcpy(end, data, length);
    end[length] = '\0';
    buffer->length += length;
}

void nd_buffer_append_text(struct nd_buffer *buffer, const char *text)
{
    nd_buffer_append(buffer, text, strlen(text));
}

void nd_buffer_printf(struct nd_buffer *buffer, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    uint8_t *end = nd_buffer_reserve(buffer, SMALLEST_CAPACITY);
    int length =
        vsnprintf((char *)end, SMALLEST_CAPACITY + 1, format, arguments);
    va_end(arguments);
    if (length > SMALLEST_CAPACITY) {
        end = nd_buffer_reserve(buffer, (size_t)length);
        (void)vsnprintf((char *)end, (size_t)length + 1, format, again);
    }
    if (length > 0)
        buffer->length += (size_t)length;
    va_end(again);
}

static void append_little_endian(struct nd_buffer *buffer, uint64_t value,
                                 size_t bytes)
{
    uint8_t encoded[sizeof(value)];
    for (size_t i = 0; i < bytes; i++)
        encoded[i] = (uint8_t)(value >> (8 * i));
    nd_buffer_append(buffer, encoded, bytes);
}

void nd_buffer_u8(struct nd_buffer *buffer, uint8_t value)
{
    append_little_endian(buffer, value, 1);
}

void nd_buffer_u16(struct nd_buffer *buffer, uint16_t value)
{
    append_little_endian(buffer, value, 2);
}

void nd_buffer_u32(struct nd_buffer *buffer, uint32_t value)
{
    append_little_endian(buffer, value, 4);
}

void nd_buffer_u64(struct nd_buffer *buffer, uint64_t value)
{
    append_little_endian(buffer, value, 8);
}

void nd_buffer_f32(struct nd_buffer *buffer, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof(bits));
    nd_buffer_u32(buffer, bits);
}

void nd_buffer_f64(struct nd_buffer *buffer, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    nd_buffer_u64(buffer, bits);
}

void nd_buffer_varint(struct nd_buffer *buffer, uint64_t value)
{
    while (value >= 0x80) {
        nd_buffer_u8(buffer, (uint8_t)(value | 0x80));
        value >>= 7;
    }
    nd_buffer_u8(buffer, (uint8_t)value);
}

static void append_json_ascii(struct nd_buffer *buffer, char letter)
{
    switch (letter) {
    case '"':
        nd_buffer_append_text(buffer, "\\\"");
        break;
    case '\\':
        nd_buffer_append_text(buffer, "\\\\");
        break;
    case '\n':
        nd_buffer_append_text(buffer, "\\n");
        break;
    case '\r':
        nd_buffer_append_text(buffer, "\\r");
        break;
    case '\t':
        nd_buffer_append_text(buffer, "\\t");
        break;
    default:
        if ((unsigned char)letter < 0x20 || letter == 0x7f)
            nd_buffer_printf(buffer, "\\u%04x", (unsigned)letter);
        else
            nd_buffer_append(buffer, &letter, 1);
    }
}

/* Bytes at text that stand for themselves. */
static size_t json_run(const char *text, size_t length)
{
    size_t run = 0;
    while (run < length && text[run] >= ' ' && text[run] < 0x7f &&
           text[run] != '"' && text[run] != '\\')
        run++;
    return run;
}

void nd_buffer_json_string(struct nd_buffer *buffer, const char *text,
                           size_t length)
{
    static const char replacement[] = "\xef\xbf\xbd";
    nd_buffer_append(buffer, "\"", 1);
    for (size_t i = 0; i < length;) {
        size_t run = json_run(text + i, length - i);
        nd_buffer_append(buffer, text + i, run);
        i += run;
        if (i == length)
            break;
        uint32_t code_point;
        size_t used = nd_utf8_decode(text + i, length - i, &code_point);
        if (used == 0) {
            nd_buffer_append_text(buffer, replacement);
            i++;
        } else if (used == 1) {
            append_json_ascii(buffer, text[i]);
            i++;
        } else {
            nd_buffer_append(buffer, text + i, used);
            i += used;
        }
    }
    nd_buffer_append(buffer, "\"", 1);
}
