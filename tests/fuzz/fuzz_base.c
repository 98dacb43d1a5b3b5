/* SPDX-License-Identifier: Apache-2.0
 *
 * Text and bytes that nobody vouches for, through src/base: JSON strings are
 * valid JSON whatever goes in, numbers with units leave their result alone
 * when they fail, and the reader never leaves its bytes.
 */
#include <jansson.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/units.h"

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void try_json(const char *text, size_t length)
{
    struct nd_buffer buffer = {0};
    nd_buffer_json_string(&buffer, text, length);
    json_t *parsed = json_loadb((const char *)buffer.data, buffer.length,
                                JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    require(parsed != NULL && json_is_string(parsed));
    json_decref(parsed);
    nd_buffer_free(&buffer);
}

static void try_units(const char *text)
{
    const int64_t untouched = INT64_MIN + 12345;
    int64_t duration = untouched, size = untouched, whole = untouched;
    double number = -12345.5;
    require((nd_parse_duration(text, NULL, &duration) == ND_OK) ==
            (duration != untouched));
    require((nd_parse_size(text, NULL, &size) == ND_OK) == (size != untouched));
    require(duration == untouched || duration >= 0);
    require(size == untouched || size >= 0);
    if (nd_parse_integer(text, NULL, &whole) != ND_OK)
        require(whole == untouched);
    require(nd_parse_number(text, NULL, &number) != ND_OK || isfinite(number));
}

/* What follows is chosen by the bytes themselves. */
static void try_reader(const uint8_t *data, size_t length)
{
    struct nd_reader reader;
    nd_reader_init(&reader, data, length);
    while (!reader.failed && nd_reader_left(&reader) > 0) {
        size_t left = nd_reader_left(&reader);
        uint8_t choice = nd_reader_u8(&reader);
        if (choice % 4 == 0)
            (void)nd_reader_varint(&reader);
        else if (choice % 4 == 1)
            (void)nd_reader_u64(&reader);
        else if (choice % 4 == 2)
            (void)nd_reader_f32(&reader);
        else
            (void)nd_reader_bytes(&reader, choice);
        require(nd_reader_left(&reader) < left);
        require(reader.position <= length);
    }
}

static void try_hexadecimal(const char *text)
{
    uint8_t bytes[8];
    char again[17], lower[17] = "";
    if (!nd_unhex(text, bytes, sizeof(bytes)))
        return;
    for (size_t i = 0; i < 16; i++)
        lower[i] =
            (char)(text[i] >= 'A' && text[i] <= 'F' ? text[i] | 0x20 : text[i]);
    nd_hex(bytes, sizeof(bytes), again);
    require(strcmp(again, lower) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
    char *text = nd_strndup((const char *)data, length);
    try_json((const char *)data, length);
    try_units(text);
    try_hexadecimal(text);
    try_reader(data, length);
    free(text);
    return 0;
}
