/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of feature families, and families by name.
 */
#include "features/features.h"

#include <string.h>

static const struct nd_family_info table[ND_FAMILY_COUNT] = {
#define ND_FAMILY_INFO(family, number, name, layout, kind, bits, most, wide) \
    [number] = {                                                             \
        name, layout, ND_FAMILY_##kind, ND_FAMILY_##kind != ND_FAMILY_NAMED, \
        bits, most,   ND_FAMILY_##wide},
    ND_FAMILY_MAP(ND_FAMILY_INFO)
#undef ND_FAMILY_INFO
};

/* Groups of families, for --families. */
static const struct {
    const char *name;
    uint32_t mask;
} groups[] = {
    {"symbols", ND_GROUP_SYMBOLS},
    {"metatokens", ND_GROUP_METATOKENS},
    {"text", ND_GROUP_TEXT},
    {"all", ND_GROUP_ALL},
};

const struct nd_family_info *nd_family(enum nd_family family)
{
    return &table[family];
}

uint32_t nd_text_columns(uint32_t families)
{
    uint32_t columns = 0;
    for (enum nd_family family = 0; family < ND_FAMILY_COUNT; family++) {
        if (table[family].is_text && (families >> family & 1U)) {
            columns += 1U << table[family].slot_bits;
        }
    }
    return columns;
}

uint32_t nd_families_sources(uint32_t families)
{
    uint32_t sources = families & ND_GROUP_ALL;
    for (uint32_t family = 0; family < ND_FAMILY_COUNT; family++) {
        if ((families >> family & 1U) && table[family].wide != ND_FAMILY_NONE) {
            sources |= 1U << table[family].wide;
        }
    }
    return sources;
}

static bool has_successor(uint32_t families, const char *name)
{
    for (uint32_t family = 0; family < ND_FAMILY_COUNT; family++) {
        if ((families & ND_GROUP_ALL) >> family & 1U &&
            strcmp(table[family].name, name) == 0) {
            return true;
        }
    }
    return false;
}

uint32_t nd_families_outdated(uint32_t families)
{
    uint32_t outdated = families & ND_GROUP_RETIRED;
    for (uint32_t family = 0; family < ND_FAMILY_COUNT; family++) {
        if ((outdated >> family & 1U) &&
            has_successor(families, table[family].name)) {
            outdated &= ~(1U << family);
        }
    }
    return outdated;
}

void nd_families_describe(uint32_t families, struct nd_buffer *text)
{
    const char *comma = "";
    for (uint32_t family = 0; family < 32; family++) {
        if ((families >> family & 1U) == 0) {
            continue;
        }
        nd_buffer_append_text(text, comma);
        if (family < ND_FAMILY_COUNT) {
            nd_buffer_printf(text, "%s/%u", table[family].name,
                             (unsigned)table[family].layout);
        } else {
            nd_buffer_printf(text, "family %u", (unsigned)family);
        }
        comma = ", ";
    }
}

/* 0 where the word names neither family nor group. */
static uint32_t mask_of(const char *word, size_t length)
{
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++) {
        if (strlen(groups[i].name) == length &&
            memcmp(groups[i].name, word, length) == 0) {
            return groups[i].mask;
        }
    }
    for (uint32_t family = 0; family < ND_FAMILY_COUNT; family++) {
        if (table[family].kind != ND_FAMILY_RETIRED &&
            strlen(table[family].name) == length &&
            memcmp(table[family].name, word, length) == 0) {
            return 1U << family;
        }
    }
    return 0;
}

enum nd_status nd_families_parse(const char *text, struct nd_error *error,
                                 uint32_t *mask_r)
{
    uint32_t mask = 0;
    for (const char *word = text;; word++) {
        size_t length = strcspn(word, ",");
        uint32_t found = mask_of(word, length);
        if (found == 0) {
            return nd_fail(error, ND_USAGE,
                           "\"%.*s\" is no family of features: use symbols, "
                           "metatokens, text, or a family of docs/features.md",
                           length > 64 ? 64 : (int)length, word);
        }
        mask |= found;
        word += length;
        if (*word == '\0') {
            break;
        }
    }
    *mask_r = mask;
    return ND_OK;
}
