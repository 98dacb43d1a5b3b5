/* SPDX-License-Identifier: Apache-2.0
 *
 * The JSON that the program prints: each object on one line of standard
 * output. Only writes; reading JSON is jansson's job.
 */
#include "base/json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void nd_json_free(struct nd_json *json)
{
    nd_buffer_free(&json->buffer);
    json->need_comma = false;
}

static void begin_value(struct nd_json *json, const char *key)
{
    if (json->need_comma) {
        nd_buffer_append_text(&json->buffer, ",");
    }
    if (key != NULL) {
        nd_buffer_json_string(&json->buffer, key, strlen(key));
        nd_buffer_append_text(&json->buffer, ":");
    }
    json->need_comma = true;
}

void nd_json_open(struct nd_json *json, const char *key, char bracket)
{
    begin_value(json, key);
    nd_buffer_u8(&json->buffer, (uint8_t)bracket);
    json->need_comma = false;
}

void nd_json_close(struct nd_json *json, char bracket)
{
    nd_buffer_u8(&json->buffer, (uint8_t)bracket);
    json->need_comma = true;
}

void nd_json_text(struct nd_json *json, const char *key, const char *text)
{
    begin_value(json, key);
    nd_buffer_json_string(&json->buffer, text, strlen(text));
}

void nd_json_integer(struct nd_json *json, const char *key, int64_t value)
{
    begin_value(json, key);
    nd_buffer_printf(&json->buffer, "%lld", (long long)value);
}

void nd_json_unsigned(struct nd_json *json, const char *key, uint64_t value)
{
    begin_value(json, key);
    nd_buffer_printf(&json->buffer, "%llu", (unsigned long long)value);
}

void nd_json_rounded(struct nd_json *json, const char *key, double value,
                     int digits)
{
    begin_value(json, key);
    if (isfinite(value)) {
        nd_buffer_printf(&json->buffer, "%.*g", digits, value);
    } else {
        nd_buffer_append_text(&json->buffer, "null");
    }
}

void nd_json_number(struct nd_json *json, const char *key, double value)
{
    int digits = 15; /* fewer come by themselves: %g drops zeros at the end */
    char text[40];
    for (; digits < 17; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, value);
        if (strtod(text, NULL) == value) {
            break;
        }
    }
    nd_json_rounded(json, key, value, digits);
}

void nd_json_switch(struct nd_json *json, const char *key, bool value)
{
    begin_value(json, key);
    nd_buffer_append_text(&json->buffer, value ? "true" : "false");
}

enum nd_status nd_json_line(struct nd_json *json, FILE *out,
                            struct nd_error *error)
{
    nd_buffer_append_text(&json->buffer, "\n");
    size_t length = json->buffer.length;
    bool written =
        fwrite(json->buffer.data, 1, length, out) == length && fflush(out) == 0;
    nd_buffer_clear(&json->buffer);
    json->need_comma = false;
    if (!written) {
        return nd_fail(error, ND_TEMPORARY,
                       "cannot write to standard output; is its disk full or "
                       "its reader gone?");
    }
    return ND_OK;
}
