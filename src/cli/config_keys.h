/* SPDX-License-Identifier: Apache-2.0
 *
 * The one table of configuration keys. The parser, `neurald config`, the
 * example and the reference pages all come from it.
 */
#ifndef ND_CLI_CONFIG_KEYS_H
#define ND_CLI_CONFIG_KEYS_H

#include <stddef.h>

#include "base/buffer.h"
#include "base/status.h"

enum nd_key_type {
    ND_KEY_TEXT,     /* char *, "" becomes NULL */
    ND_KEY_NAME,     /* char[ND_NAME_BYTES] */
    ND_KEY_SWITCH,   /* bool */
    ND_KEY_COUNT,    /* whole number; uint64_t, uint32_t, size_t or int */
    ND_KEY_NUMBER,   /* double */
    ND_KEY_OPTIONAL, /* double with a bool that says whether it is set */
    ND_KEY_DURATION, /* int64_t, milliseconds */
    ND_KEY_SIZE,     /* size_t or int64_t, bytes */
    ND_KEY_CHOICE,   /* an enum; its words in order of their values */
    ND_KEY_FAMILIES, /* uint32_t, a mask */
    ND_KEY_TRUST,    /* struct nd_mail_trust, a list of "HEADER HOST" */
};

struct nd_key_info {
    const char *name;
    enum nd_key_type type;
    const char *standard;    /* the default, as one would write it */
    double minimum, maximum; /* of numbers, in ms and bytes for those */
    size_t offset, size;     /* of the field in the section's struct */
    size_t flag_offset;      /* ND_KEY_OPTIONAL: of its bool */
    const char *choices;     /* ND_KEY_CHOICE: "balanced reservoir" */
    const char *text;        /* what it does, in sentences */
};

/* The sections in the order of the reference. The struct behind them is
 * nd_global, nd_mail_limits, nd_serve_settings, nd_milter_settings, nd_rule;
 * there are several rules, and one of each other. */
enum nd_section_id {
    ND_SECTION_GLOBAL,
    ND_SECTION_LIMITS,
    ND_SECTION_SERVE,
    ND_SECTION_MILTER,
    ND_SECTION_RULE,
    ND_SECTION_COUNT_OF_THEM
};
struct nd_section_info {
    const char *name; /* "" for global */
    const char *text;
    const struct nd_key_info *keys;
    size_t count;
};
const struct nd_section_info *nd_config_section(enum nd_section_id id);

/* Sets the field of key in the section's struct at base from text, checked
 * against type and range; what it held before is freed. ND_CONFIG names the
 * key, the value, and what would do. For ND_KEY_TRUST one element of the list
 * is added. */
enum nd_status nd_key_set(const struct nd_key_info *key, const char *text,
                          void *base, struct nd_error *error) ND_MUST_CHECK;

/* Appends the field's value as one would write it in the file, quotes
 * included; a size or duration with the largest unit that keeps it exact. */
void nd_key_format(const struct nd_key_info *key, const void *base,
                   struct nd_buffer *text);

/* Frees what the section's fields own. */
void nd_section_free(enum nd_section_id id, void *base);

#endif
