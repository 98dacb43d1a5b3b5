/* SPDX-License-Identifier: Apache-2.0
 *
 * Writing JSON: one object or array after another into a buffer, with the
 * commas put where they belong.
 */
#ifndef ND_BASE_JSON_H
#define ND_BASE_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/buffer.h"
#include "base/status.h"

/* Zero-initialise; freed with nd_json_free. In all functions key is NULL for
 * an element of an array and for the outermost value. */
struct nd_json {
    struct nd_buffer buffer;
    bool need_comma;
};

/* Frees what was gathered and not written. */
void nd_json_free(struct nd_json *json);

/* bracket is '{' or '['; nd_json_close takes its counterpart. */
void nd_json_open(struct nd_json *json, const char *key, char bracket);
void nd_json_close(struct nd_json *json, char bracket);

/* text becomes a string; what is not UTF-8 in it is replaced. */
void nd_json_text(struct nd_json *json, const char *key, const char *text);
/* A whole number with a sign. */
void nd_json_integer(struct nd_json *json, const char *key, int64_t value);
/* A whole number without. */
void nd_json_unsigned(struct nd_json *json, const char *key, uint64_t value);
/* The shortest decimal number that reads back as value; null where it is not
 * finite, since JSON has no word for that. */
void nd_json_number(struct nd_json *json, const char *key, double value);
/* value with digits significant digits. */
void nd_json_rounded(struct nd_json *json, const char *key, double value,
                     int digits);
/* true or false. */
void nd_json_switch(struct nd_json *json, const char *key, bool value);

/* Writes what was gathered as one line to out, flushes, and starts again.
 * ND_TEMPORARY where out cannot take it. */
enum nd_status nd_json_line(struct nd_json *json, FILE *out,
                            struct nd_error *error) ND_MUST_CHECK;

#endif
