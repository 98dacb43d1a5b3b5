/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of families, and families by name.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "features/features.h"

static void numbers_and_names_are_those_in_samples_and_models(void **state)
{
    static const char *const names[] = {
        "symbols",   "metatokens", "words",   "pairs",       "grams",
        "structure", "urls",       "headers", "header_grams"};
    assert_int_equal(ND_FAMILY_COUNT, 9);
    for (uint32_t family = 0; family < ND_FAMILY_COUNT; family++)
        assert_string_equal(nd_family(family)->name, names[family]);
}

static void groups_cover_all_families_once(void **state)
{
    assert_int_equal(ND_GROUP_SYMBOLS & ND_GROUP_METATOKENS, 0);
    assert_int_equal(ND_GROUP_SYMBOLS & ND_GROUP_TEXT, 0);
    assert_int_equal(ND_GROUP_SYMBOLS | ND_GROUP_METATOKENS | ND_GROUP_TEXT,
                     ND_GROUP_ALL);
    for (uint32_t family = 0; family < ND_FAMILY_COUNT; family++)
        assert_int_equal(nd_family(family)->is_text,
                         (ND_GROUP_TEXT >> family & 1U));
}

static void every_family_has_limits(void **state)
{
    for (uint32_t family = 0; family < ND_FAMILY_COUNT; family++) {
        const struct nd_family_info *info = nd_family(family);
        assert_true(info->max_features > 0);
        if (info->is_text) {
            assert_true(info->slot_bits >= 8 && info->slot_bits <= 24);
            assert_true(info->max_features < 1U << info->slot_bits);
        }
    }
}

static void words_become_masks(void **state)
{
    uint32_t mask = 0;
    struct nd_error error = {""};
    assert_int_equal(nd_families_parse("text", &error, &mask), ND_OK);
    assert_int_equal(mask, ND_GROUP_TEXT);
    assert_int_equal(
        nd_families_parse("symbols,metatokens,text", &error, &mask), ND_OK);
    assert_int_equal(mask, ND_GROUP_ALL);
    assert_int_equal(nd_families_parse("urls,grams,urls", &error, &mask),
                     ND_OK);
    assert_int_equal(mask, 1U << ND_FAMILY_URLS | 1U << ND_FAMILY_GRAMS);
}

static void a_wrong_word_is_named_and_changes_nothing(void **state)
{
    static const char *const wrong[] = {"",      "symbol",    "symbolss",
                                        "text,", ",text",     "text urls",
                                        "Text",  "text,,urls"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        uint32_t mask = 77;
        struct nd_error error = {""};
        assert_int_equal(nd_families_parse(wrong[i], &error, &mask), ND_USAGE);
        assert_int_equal(mask, 77);
        assert_true(strlen(error.text) > 0);
    }
    uint32_t mask;
    struct nd_error error = {""};
    assert_int_equal(nd_families_parse("text,colour", &error, &mask), ND_USAGE);
    assert_non_null(strstr(error.text, "\"colour\""));
}

static void columns_are_those_of_the_families_fed(void **state)
{
    uint32_t urls = 1U << nd_family(ND_FAMILY_URLS)->slot_bits;
    uint32_t words = 1U << nd_family(ND_FAMILY_WORDS)->slot_bits;
    assert_int_equal(nd_text_columns(0), 0);
    assert_int_equal(nd_text_columns(ND_GROUP_SYMBOLS | ND_GROUP_METATOKENS),
                     0);
    assert_int_equal(nd_text_columns(1U << ND_FAMILY_URLS), urls);
    assert_int_equal(nd_text_columns(1U << ND_FAMILY_URLS |
                                     1U << ND_FAMILY_WORDS | ND_GROUP_SYMBOLS),
                     urls + words);
    assert_true(nd_text_columns(ND_GROUP_ALL) <= 1U << 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_and_names_are_those_in_samples_and_models),
        cmocka_unit_test(groups_cover_all_families_once),
        cmocka_unit_test(every_family_has_limits),
        cmocka_unit_test(words_become_masks),
        cmocka_unit_test(a_wrong_word_is_named_and_changes_nothing),
        cmocka_unit_test(columns_are_those_of_the_families_fed),
    };
    return cmocka_run_group_tests_name("families", tests, NULL, NULL);
}
