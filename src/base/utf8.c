/* SPDX-License-Identifier: Apache-2.0
 *
 * UTF-8 by the table of well-formed byte sequences in RFC 3629, section 4.
 */
#include "base/utf8.h"

#include <stdbool.h>

#define REPLACEMENT 0xfffdU
#define LAST_CODE_POINT 0x10ffffU

static bool is_surrogate(uint32_t code_point)
{
    return code_point >= 0xd800 && code_point <= 0xdfff;
}

/* Length announced by a first byte, 0 where none starts with it. */
static size_t sequence_length(uint8_t first)
{
    if (first < 0x80)
        return 1;
    if (first >= 0xc2 && first <= 0xdf)
        return 2;
    if (first >= 0xe0 && first <= 0xef)
        return 3;
    if (first >= 0xf0 && first <= 0xf4)
        return 4;
    return 0;
}

size_t nd_utf8_decode(const char *text, size_t length, uint32_t *code_point_r)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    if (length == 0)
        return 0;
    uint8_t first = (uint8_t)text[0];
    size_t bytes = sequence_length(first);
    if (bytes == 0 || bytes > length)
        return 0;
    uint32_t code_point =
        bytes == 1 ? first : first & ((1U << (7 - bytes)) - 1U);
    for (size_t i = 1; i < bytes; i++) {
        uint8_t byte = (uint8_t)text[i];
        if ((byte & 0xc0) != 0x80)
            return 0;
        code_point = code_point << 6 | (byte & 0x3fU);
    }
    if (code_point < smallest[bytes] || code_point > LAST_CODE_POINT ||
        is_surrogate(code_point))
        return 0;
    *code_point_r = code_point;
    return bytes;
}

size_t nd_utf8_encode(uint32_t code_point, char *bytes_r)
{
    if (code_point > LAST_CODE_POINT || is_surrogate(code_point))
        code_point = REPLACEMENT;
    if (code_point < 0x80) {
        bytes_r[0] = (char)code_point;
        return 1;
    }
    size_t bytes = code_point < 0x800 ? 2 : code_point < 0x10000 ? 3 : 4;
    static const uint8_t lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = bytes - 1; i > 0; i--) {
        bytes_r[i] = (char)(0x80 | (code_point & 0x3f));
        code_point >>= 6;
    }
    bytes_r[0] = (char)(lead[bytes] | code_point);
    return bytes;
}
