/* SPDX-License-Identifier: Apache-2.0
 *
 * A parser's tree takes up to a hundred times the bytes of its text, so values
 * and depth are counted first: a value ends at a comma or a closing bracket.
 * Strings are passed over, since what is in them counts for nothing.
 */
#include "serve/json_guard.h"

/* Behind the string that begins at text[at], a quote; length without an end. */
static size_t pass_string(const char *text, size_t at, size_t length)
{
    for (at++; at < length && text[at] != '"'; at++) {
        at += text[at] == '\\';
    }
    return at < length ? at : length;
}

enum nd_status nd_json_guard(const char *text, size_t length,
                             struct nd_error *error)
{
    size_t values = 1, depth = 0;
    if (length > ND_JSON_MAX_BYTES) {
        return nd_fail(error, ND_LIMIT,
                       "%zu bytes of JSON, at most %u are read", length,
                       ND_JSON_MAX_BYTES);
    }
    for (size_t i = 0; i < length; i++) {
        char c = text[i];
        if (c == '"') {
            i = pass_string(text, i, length);
        } else if (c == '{' || c == '[') {
            depth++;
            values++;
        } else if (c == '}' || c == ']') {
            depth -= depth > 0;
        } else if (c == ',') {
            values++;
        }
        if (depth > ND_JSON_MAX_DEPTH) {
            return nd_fail(error, ND_LIMIT,
                           "JSON nested deeper than %d levels at byte %zu",
                           ND_JSON_MAX_DEPTH, i);
        }
    }
    if (values > ND_JSON_MAX_VALUES) {
        return nd_fail(error, ND_LIMIT,
                       "%zu values in the JSON, at most %d are read", values,
                       ND_JSON_MAX_VALUES);
    }
    return ND_OK;
}
