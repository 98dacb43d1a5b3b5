/* SPDX-License-Identifier: Apache-2.0
 *
 * From the bytes on the wire to UTF-8: transfer encodings, charsets, encoded
 * words. GMime does the work behind this header, one piece at a time.
 */
#ifndef ND_MAIL_DECODE_H
#define ND_MAIL_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "mail/field.h"

/* Prepares GMime, once; thread-safe. */
void nd_mail_init(void);

/* Undoes a Content-Transfer-Encoding ("base64", lower case; an unknown or empty
 * one leaves the bytes as they are). The result is data itself, or lies in
 * buffer until that is changed. Adds to defects what is not of the encoding. */
struct nd_span nd_decode_transfer(struct nd_span data, const char *encoding,
                                  struct nd_buffer *buffer, uint32_t *defects);

/* Converts from charset (lower case, may be empty or unknown) to valid UTF-8.
 * The result is data itself, or lies in buffer until that is changed. What
 * cannot be converted becomes U+FFFD and adds one to defects; bytes of no
 * known charset are taken as UTF-8 if they are that, else as Windows-1252. */
struct nd_span nd_decode_charset(struct nd_span data, const char *charset,
                                 struct nd_buffer *buffer, uint32_t *defects);

/* Decodes the encoded words (RFC 2047) and raw 8-bit text of an unfolded
 * value; raw bytes that are not UTF-8 are in charset (may be empty). The result
 * is value itself where nothing is to be done, else the arena's. */
struct nd_text nd_decode_header(struct nd_text value, const char *charset,
                                struct nd_arena *arena, uint32_t *defects);

/* What a byte means in Windows-1252; U+FFFD where it means nothing. */
uint32_t nd_western_code_point(uint8_t byte);

/* Whether all bytes are below 128. */
bool nd_is_ascii(const char *data, size_t length);
/* Whether the bytes are UTF-8 from end to end. */
bool nd_is_utf8(const char *data, size_t length);

/* Appends data to buffer, each malformed byte as U+FFFD; answers how many. */
uint32_t nd_append_utf8(struct nd_buffer *buffer, const char *data,
                        size_t length);

#endif
