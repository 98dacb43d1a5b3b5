/* SPDX-License-Identifier: Apache-2.0
 *
 * UTF-8, as RFC 3629 has it: no surrogates, no overlong forms, at most
 * U+10FFFF.
 */
#ifndef ND_BASE_UTF8_H
#define ND_BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Decodes the code point at the start of length bytes of text. Returns the
 * bytes that it takes (1 to 4), or 0 where none is there: length is 0, or the
 * bytes are not UTF-8; code_point_r is then untouched. Thread-safe. */
size_t nd_utf8_decode(const char *text, size_t length, uint32_t *code_point_r);

/* Encodes code_point into bytes_r (at least 4) and returns how many bytes it
 * took; an invalid one becomes U+FFFD. Thread-safe. */
size_t nd_utf8_encode(uint32_t code_point, char *bytes_r);

#endif
