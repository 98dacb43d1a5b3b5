/* SPDX-License-Identifier: Apache-2.0
 *
 * A message on its way through score --headers: the first byte is the size of
 * the pieces, the rest the message. Pieces change nothing, nothing is added,
 * the body is untouched, and no header of ours is left.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cli/header_filter.h"

static void require(bool condition)
{
    if (!condition)
        abort();
}

static void pass(const uint8_t *data, size_t size, size_t piece,
                 struct nd_buffer *out)
{
    struct nd_header_filter filter = {0};
    for (size_t i = 0; i < size; i += piece) {
        size_t left = size - i;
        nd_header_filter_feed(&filter, data + i, left < piece ? left : piece,
                              out);
    }
    nd_header_filter_end(&filter, out);
}

/* Where the body begins: behind the first empty line, else at the end. */
static size_t body_of(const uint8_t *data, size_t size)
{
    size_t line = 0;
    for (size_t i = 0; i < size; i++) {
        if (data[i] != '\n')
            continue;
        if (i == line || (i == line + 1 && data[line] == '\r'))
            return i + 1;
        line = i + 1;
    }
    return size;
}

/* A field of our name, with few enough blanks in front of its colon. */
static bool is_ours(const uint8_t *line, size_t length)
{
    size_t name = strlen(ND_OUR_HEADER);
    size_t at = name;
    if (length <= name ||
        strncasecmp((const char *)line, ND_OUR_HEADER, name) != 0)
        return false;
    while (at < length && at < name + 8 &&
           (line[at] == ' ' || line[at] == '\t'))
        at++;
    return at < length && line[at] == ':';
}

static void check_header(const uint8_t *data, size_t size)
{
    size_t start = 0;
    while (start < size) {
        const uint8_t *end = memchr(data + start, '\n', size - start);
        size_t length =
            end != NULL ? (size_t)(end - data) + 1 - start : size - start;
        require(!is_ours(data + start, length));
        start += length;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct nd_buffer whole = {0}, pieces = {0};
    if (size < 2)
        return 0;
    size_t piece = 1 + data[0] % 64;
    data++;
    size--;
    pass(data, size, size, &whole);
    pass(data, size, piece, &pieces);
    require(whole.length == pieces.length && whole.length <= size);
    require(whole.length == 0 ||
            memcmp(whole.data, pieces.data, whole.length) == 0);

    size_t body = size - body_of(data, size);
    require(whole.length >= body);
    require(body == 0 || memcmp(whole.data + whole.length - body,
                                data + size - body, body) == 0);
    check_header(whole.data, whole.length - body);
    require(nd_header_place(data, size) <= size);
    nd_buffer_free(&whole);
    nd_buffer_free(&pieces);
    return 0;
}
