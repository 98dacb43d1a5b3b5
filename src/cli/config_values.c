/* SPDX-License-Identifier: Apache-2.0
 *
 * Values of configuration keys: from text into the field that the table names,
 * and back. Every type checks itself here, so the parser and the commands know
 * none of them.
 */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/units.h"
#include "cli/config_keys.h"
#include "features/features.h"
#include "mail/message.h"
#include "store/store.h"

static void *field_of(const struct nd_key_info *key, void *base)
{
    return (char *)base + key->offset;
}

static const void *field_in(const struct nd_key_info *key, const void *base)
{
    return (const char *)base + key->offset;
}

/* ---- times and sizes ---- */

struct unit {
    int64_t factor;
    const char *name;
};

/* In the largest unit that leaves no rest. */
static void format_measure(enum nd_key_type type, int64_t value,
                           struct nd_buffer *text)
{
    static const struct unit times[] = {{86400000, "d"}, {3600000, "h"},
                                        {60000, "m"},    {1000, "s"},
                                        {1, "ms"},       {0, NULL}};
    static const struct unit sizes[] = {{1 << 30, "GiB"},
                                        {1 << 20, "MiB"},
                                        {1 << 10, "KiB"},
                                        {1, ""},
                                        {0, NULL}};
    const struct unit *units = type == ND_KEY_SIZE ? sizes : times;
    while (value == 0 ? units[1].name != NULL : value % units->factor != 0) {
        units++;
    }
    nd_buffer_printf(text, "%" PRId64 "%s", value / units->factor, units->name);
}

/* ---- setting ---- */

static void store_integer(const struct nd_key_info *key, void *base,
                          int64_t value)
{
    void *field = field_of(key, base);
    if (key->size == sizeof(uint32_t)) {
        uint32_t narrow = (uint32_t)value;
        memcpy(field, &narrow, sizeof(narrow));
    } else {
        memcpy(field, &value, sizeof(value));
    }
}

static enum nd_status out_of_range(const struct nd_key_info *key,
                                   const char *text, struct nd_error *error)
{
    struct nd_buffer range = {0};
    if (key->type == ND_KEY_DURATION || key->type == ND_KEY_SIZE) {
        format_measure(key->type, (int64_t)key->minimum, &range);
        nd_buffer_append_text(&range, " to ");
        format_measure(key->type, (int64_t)key->maximum, &range);
    } else {
        nd_buffer_printf(&range, "%.16g to %.16g", key->minimum, key->maximum);
    }
    enum nd_status status = nd_fail(error, ND_CONFIG, "%s = %s is not in %s",
                                    key->name, text, (char *)range.data);
    nd_buffer_free(&range);
    return status;
}

static enum nd_status set_integer(const struct nd_key_info *key,
                                  const char *text, void *base,
                                  struct nd_error *error)
{
    struct nd_error detail = {0};
    int64_t value = 0;
    enum nd_status status =
        key->type == ND_KEY_DURATION ? nd_parse_duration(text, &detail, &value)
        : key->type == ND_KEY_SIZE   ? nd_parse_size(text, &detail, &value)
                                     : nd_parse_integer(text, &detail, &value);
    if (status != ND_OK) {
        return nd_fail(error, ND_CONFIG, "%s: %s", key->name, detail.text);
    }
    if ((double)value < key->minimum || (double)value > key->maximum) {
        return out_of_range(key, text, error);
    }
    store_integer(key, base, value);
    return ND_OK;
}

static enum nd_status set_number(const struct nd_key_info *key,
                                 const char *text, void *base,
                                 struct nd_error *error)
{
    struct nd_error detail = {0};
    double value = 0;
    bool is_set = !(key->type == ND_KEY_OPTIONAL && text[0] == '\0');
    if (is_set && nd_parse_number(text, &detail, &value) != ND_OK) {
        return nd_fail(error, ND_CONFIG, "%s: %s", key->name, detail.text);
    }
    if (value < key->minimum || value > key->maximum) {
        return out_of_range(key, text, error);
    }
    memcpy(field_of(key, base), &value, sizeof(value));
    if (key->type == ND_KEY_OPTIONAL) {
        memcpy((char *)base + key->flag_offset, &is_set, sizeof(is_set));
    }
    return ND_OK;
}

static enum nd_status set_switch(const struct nd_key_info *key,
                                 const char *text, void *base,
                                 struct nd_error *error)
{
    static const char *const words[] = {"false", "true", "no", "yes",
                                        "off",   "on",   "0",  "1"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(text, words[i]) == 0) {
            *(bool *)field_of(key, base) = i % 2 == 1;
            return ND_OK;
        }
    }
    return nd_fail(error, ND_CONFIG, "%s = %s is neither true nor false",
                   key->name, text);
}

static enum nd_status set_choice(const struct nd_key_info *key,
                                 const char *text, void *base,
                                 struct nd_error *error)
{
    const char *word = key->choices;
    for (uint32_t i = 0; *word != '\0'; i++) {
        size_t length = strcspn(word, " ");
        if (strlen(text) == length && memcmp(text, word, length) == 0) {
            memcpy(field_of(key, base), &i, sizeof(i));
            return ND_OK;
        }
        word += length;
        word += strspn(word, " ");
    }
    return nd_fail(error, ND_CONFIG, "%s = %s is none of: %s", key->name, text,
                   key->choices);
}

/* Names go into the store's keys and into headers: printable, no blanks. */
static bool is_symbol(const char *text)
{
    for (const char *c = text; *c != '\0'; c++) {
        if (*c <= ' ' || *c > '~' || strchr("\",;", *c) != NULL) {
            return false;
        }
    }
    return strlen(text) < 128;
}

static enum nd_status set_text(const struct nd_key_info *key, const char *text,
                               void *base, struct nd_error *error)
{
    char **field = field_of(key, base);
    bool symbol = strncmp(key->name, "symbol_", 7) == 0;
    if (symbol && (text[0] == '\0' || !is_symbol(text))) {
        return nd_fail(error, ND_CONFIG,
                       "%s = \"%s\": a symbol is 1 to 127 printable "
                       "characters without blanks, quotes and commas",
                       key->name, text);
    }
    free(*field);
    *field = text[0] == '\0' ? NULL : nd_strdup(text);
    return ND_OK;
}

static enum nd_status set_name(const struct nd_key_info *key, const char *text,
                               void *base, struct nd_error *error)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
    size_t length = strlen(text);
    if (length == 0 || length >= ND_NAME_BYTES ||
        strspn(text, allowed) != length) {
        return nd_fail(error, ND_CONFIG,
                       "%s \"%s\": a name is 1 to %d letters, digits, '_', '.' "
                       "and '-'",
                       key->name, text, ND_NAME_BYTES - 1);
    }
    memcpy(field_of(key, base), text, length + 1);
    return ND_OK;
}

static enum nd_status add_trust(const struct nd_key_info *key, const char *text,
                                void *base, struct nd_error *error)
{
    struct nd_mail_trust *trust = field_of(key, base);
    size_t header = strcspn(text, " \t");
    const char *host = text + header + strspn(text + header, " \t");
    if (header == 0 || *host == '\0' || host[strcspn(host, " \t")] != '\0') {
        return nd_fail(error, ND_CONFIG,
                       "%s: \"%s\" is not a header's name, a blank, and the "
                       "host that it must name",
                       key->name, text);
    }
    trust->headers =
        nd_realloc(trust->headers, trust->count + 1, sizeof(*trust->headers));
    trust->headers[trust->count++] =
        (struct nd_trusted_header){nd_strndup(text, header), nd_strdup(host)};
    return ND_OK;
}

static enum nd_status set_families(const struct nd_key_info *key,
                                   const char *text, void *base,
                                   struct nd_error *error)
{
    struct nd_error detail = {0};
    uint32_t mask = 0;
    if (nd_families_parse(text, &detail, &mask) != ND_OK) {
        return nd_fail(error, ND_CONFIG, "%s: %s", key->name, detail.text);
    }
    memcpy(field_of(key, base), &mask, sizeof(mask));
    return ND_OK;
}

enum nd_status nd_key_set(const struct nd_key_info *key, const char *text,
                          void *base, struct nd_error *error)
{
    switch (key->type) {
    case ND_KEY_TEXT:
        return set_text(key, text, base, error);
    case ND_KEY_NAME:
        return set_name(key, text, base, error);
    case ND_KEY_SWITCH:
        return set_switch(key, text, base, error);
    case ND_KEY_COUNT:
    case ND_KEY_DURATION:
    case ND_KEY_SIZE:
        return set_integer(key, text, base, error);
    case ND_KEY_NUMBER:
    case ND_KEY_OPTIONAL:
        return set_number(key, text, base, error);
    case ND_KEY_CHOICE:
        return set_choice(key, text, base, error);
    case ND_KEY_FAMILIES:
        return set_families(key, text, base, error);
    case ND_KEY_TRUST:
        return add_trust(key, text, base, error);
    }
    return nd_fail(error, ND_INTERNAL, "key %s has no type", key->name);
}

/* ---- formatting ---- */

static int64_t load_integer(const struct nd_key_info *key, const void *base)
{
    if (key->size == sizeof(uint32_t)) {
        uint32_t narrow;
        memcpy(&narrow, field_in(key, base), sizeof(narrow));
        return narrow;
    }
    int64_t value;
    memcpy(&value, field_in(key, base), sizeof(value));
    return value;
}

static void format_families(uint32_t mask, struct nd_buffer *text)
{
    const char *comma = "\"";
    if ((mask & ND_GROUP_TEXT) == ND_GROUP_TEXT) {
        nd_buffer_append_text(text, "\"text");
        mask &= ~ND_GROUP_TEXT;
        comma = ",";
    }
    for (int family = 0; family < ND_FAMILY_COUNT; family++) {
        if (mask & (1U << family)) {
            nd_buffer_printf(text, "%s%s", comma,
                             nd_family((enum nd_family)family)->name);
            comma = ",";
        }
    }
    nd_buffer_append_text(text, "\"");
}

static void format_choice(const struct nd_key_info *key, uint32_t value,
                          struct nd_buffer *text)
{
    const char *word = key->choices;
    for (; value > 0; value--) {
        word += strcspn(word, " ");
        word += strspn(word, " ");
    }
    nd_buffer_append(text, word, strcspn(word, " "));
}

static void format_quoted(const char *value, struct nd_buffer *text)
{
    nd_buffer_append_text(text, "\"");
    for (; *value != '\0'; value++) {
        if (strchr("\"\\$", *value) != NULL) {
            nd_buffer_append_text(text, "\\");
        }
        nd_buffer_append(text, value, 1);
    }
    nd_buffer_append_text(text, "\"");
}

static void format_trust(const struct nd_mail_trust *trust,
                         struct nd_buffer *text)
{
    nd_buffer_append_text(text, "{");
    for (size_t i = 0; i < trust->count; i++) {
        char *pair = nd_sprintf("%s %s", trust->headers[i].header,
                                trust->headers[i].host);
        nd_buffer_append_text(text, i > 0 ? ", " : "");
        format_quoted(pair, text);
        free(pair);
    }
    nd_buffer_append_text(text, "}");
}

static void format_number(const struct nd_key_info *key, const void *base,
                          struct nd_buffer *text)
{
    double value;
    memcpy(&value, field_in(key, base), sizeof(value));
    bool is_set = key->type != ND_KEY_OPTIONAL ||
                  *((const bool *)base + key->flag_offset);
    if (is_set) {
        nd_buffer_printf(text, "%.12g", value);
    } else {
        nd_buffer_append_text(text, "\"\"");
    }
}

void nd_key_format(const struct nd_key_info *key, const void *base,
                   struct nd_buffer *text)
{
    const void *field = field_in(key, base);

    switch (key->type) {
    case ND_KEY_TEXT: {
        const char *value = *(char *const *)field;
        format_quoted(value != NULL ? value : "", text);
        break;
    }
    case ND_KEY_NAME:
        format_quoted(field, text);
        break;
    case ND_KEY_SWITCH:
        nd_buffer_append_text(text, *(const bool *)field ? "true" : "false");
        break;
    case ND_KEY_COUNT:
        nd_buffer_printf(text, "%" PRId64, load_integer(key, base));
        break;
    case ND_KEY_NUMBER:
    case ND_KEY_OPTIONAL:
        format_number(key, base, text);
        break;
    case ND_KEY_DURATION:
    case ND_KEY_SIZE:
        format_measure(key->type, load_integer(key, base), text);
        break;
    case ND_KEY_CHOICE:
        format_choice(key, (uint32_t)load_integer(key, base), text);
        break;
    case ND_KEY_FAMILIES:
        format_families((uint32_t)load_integer(key, base), text);
        break;
    case ND_KEY_TRUST:
        format_trust(field, text);
        break;
    }
}

/* ---- freeing ---- */

static void free_trust(struct nd_mail_trust *trust)
{
    for (size_t i = 0; i < trust->count; i++) {
        free(trust->headers[i].header);
        free(trust->headers[i].host);
    }
    free(trust->headers);
    *trust = (struct nd_mail_trust){0};
}

void nd_section_free(enum nd_section_id id, void *base)
{
    const struct nd_section_info *section = nd_config_section(id);
    for (size_t i = 0; i < section->count; i++) {
        const struct nd_key_info *key = &section->keys[i];
        if (key->type == ND_KEY_TEXT) {
            char **field = field_of(key, base);
            free(*field);
            *field = NULL;
        } else if (key->type == ND_KEY_TRUST) {
            free_trust(field_of(key, base));
        }
    }
}
