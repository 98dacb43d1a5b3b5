/* SPDX-License-Identifier: Apache-2.0
 *
 * Bodies of requests for a score: the first byte chooses the type, for parts
 * the boundary ends with the first line.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "mail/scan_builder.h"
#include "serve/input.h"
#include "serve/multipart.h"
#include "serve/route.h"

static void require(bool condition)
{
    if (!condition)
        abort();
}

static void check_symbols(const struct nd_scan_symbol *symbols, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        require(nd_scan_is_name(symbols[i].name, strlen(symbols[i].name)));
        require(isfinite(symbols[i].score));
    }
}

/* Parts lie in the body, one behind the other. */
static void check_parts(const char *type, const char *data, size_t length,
                        struct nd_arena *arena)
{
    struct nd_body_part parts[ND_MAX_BODY_PARTS];
    struct nd_error error = {""};
    size_t count = 0;
    const char *end = data;
    if (nd_multipart_read(type, data, length, arena, &error, parts, &count) !=
        ND_OK) {
        require(error.text[0] != '\0');
        return;
    }
    require(count > 0 && count <= ND_MAX_BODY_PARTS);
    for (size_t i = 0; i < count; i++) {
        require(parts[i].data >= end);
        end = parts[i].data + parts[i].length;
        require(end <= data + length);
    }
}

static void check_input(const struct nd_scored_input *input)
{
    require(input->id != NULL && input->settings != NULL);
    require(strlen(input->id) <= 998);
    if (input->scan != NULL) {
        check_symbols(input->scan->symbols, input->scan->count);
        check_symbols(input->scan->metatokens, input->scan->metatoken_count);
        for (size_t i = 0; i < input->scan->metatoken_count; i++) {
            double fact = input->scan->metatokens[i].score;
            require(fact >= 0 && fact <= 1);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const types[] = {
        "application/json", "multipart/mixed; boundary=b", "message/rfc822"};
    struct nd_mail_limits limits;
    struct nd_error error = {""};
    struct nd_scored_input input;
    if (size == 0 || nd_hash_init(&error) != ND_OK)
        return 0;
    nd_mail_limits_default(&limits);
    struct nd_arena *arena = nd_arena_create(0);
    const char *text =
        nd_arena_strndup(arena, (const char *)data + 1, size - 1);
    const char *type = types[data[0] % 3];
    if (data[0] % 3 == 1) {
        const char *line = memchr(text, '\n', size - 1);
        if (line != NULL) {
            type = nd_arena_strndup(arena, text, (size_t)(line - text));
            size -= (size_t)(line + 1 - text);
            text = line + 1;
        }
        check_parts(type, text, size - 1, arena);
    }
    struct nd_body body = {.kind = nd_route_body(type),
                           .content_type = type,
                           .data = text,
                           .length = size - 1,
                           .full_length = size - 1};
    enum nd_status status =
        nd_scored_input_read(&body, &limits, NULL, arena, &error, &input);
    if (status == ND_OK)
        check_input(&input);
    else
        require(error.text[0] != '\0');
    nd_arena_destroy(&arena);
    return 0;
}
