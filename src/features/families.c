/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of feature families, and families by name. The numbers below are
 * part of every stored sample and model: changing slot_bits makes them
 * unreadable (docs/decisions has why they are as they are).
 */
#include "features/features.h"

#include <string.h>

#include "mail/scan.h"

static const struct nd_family_info table[ND_FAMILY_COUNT] = {
    [ND_FAMILY_SYMBOLS] = {"symbols", false, 0, 2 * ND_MAX_SCAN_SYMBOLS},
    [ND_FAMILY_METATOKENS] = {"metatokens", false, 0, 128},
    [ND_FAMILY_WORDS] = {"words", true, 17, 1000},
    [ND_FAMILY_PAIRS] = {"pairs", true, 18, 1000},
    [ND_FAMILY_GRAMS] = {"grams", true, 18, 2000},
    [ND_FAMILY_STRUCTURE] = {"structure", true, 13, 300},
    [ND_FAMILY_URLS] = {"urls", true, 17, 300},
    [ND_FAMILY_HEADERS] = {"headers", true, 16, 300},
    [ND_FAMILY_HEADER_GRAMS] = {"header_grams", true, 17, 1000},
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
        if (strlen(table[family].name) == length &&
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
