/* SPDX-License-Identifier: Apache-2.0
 *
 * Words, pairs and 4-grams of running text.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "example.h"

static struct nd_features features_of(const char *subject, const char *text)
{
    struct nd_message message = empty_message();
    message.subject = text_of(subject);
    message.text = text_of(text);
    return named_features(&message);
}

static void words_are_folded_runs_of_letters(void **state)
{
    struct nd_features features =
        features_of("", "Buy NOW: don't wait, élan (12 left)");
    static const char *const words[] = {"word:buy",  "word:now",  "word:don't",
                                        "word:wait", "word:élan", "word:00",
                                        "word:left"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        assert_true(has(&features, ND_FAMILY_WORDS, words[i]));
    assert_int_equal(features.text[ND_FAMILY_WORDS].count, 7);
}

static void pairs_are_neighbours_in_order(void **state)
{
    struct nd_features features = features_of("", "cheap pills, here");
    assert_true(has(&features, ND_FAMILY_PAIRS, "pair:cheap pills"));
    assert_true(has(&features, ND_FAMILY_PAIRS, "pair:pills here"));
    assert_int_equal(features.text[ND_FAMILY_PAIRS].count, 2);
    struct nd_features turned = features_of("", "pills cheap");
    assert_true(turned.text[ND_FAMILY_PAIRS].slots[0] !=
                features.text[ND_FAMILY_PAIRS].slots[0]);
}

static void grams_overlap_and_count_blanks_once(void **state)
{
    struct nd_features features = features_of("", "a\n\n b  CD1");
    assert_true(has(&features, ND_FAMILY_GRAMS, "gram: a b"));
    assert_true(has(&features, ND_FAMILY_GRAMS, "gram:a b "));
    assert_true(has(&features, ND_FAMILY_GRAMS, "gram: b c"));
    assert_true(has(&features, ND_FAMILY_GRAMS, "gram:b cd"));
    assert_true(has(&features, ND_FAMILY_GRAMS, "gram: cd0"));
    assert_int_equal(features.text[ND_FAMILY_GRAMS].count, 5);
}

static void subject_words_count_twice_once_with_a_mark(void **state)
{
    struct nd_features features = features_of("Free offer", "other");
    assert_true(has(&features, ND_FAMILY_WORDS, "word:free"));
    assert_true(has(&features, ND_FAMILY_WORDS, "subject:free"));
    assert_true(has(&features, ND_FAMILY_WORDS, "word:other"));
    assert_false(has(&features, ND_FAMILY_WORDS, "subject:other"));
    assert_false(has(&features, ND_FAMILY_PAIRS, "pair:offer other"));
}

static void hidden_characters_and_case_do_not_split_a_word(void **state)
{
    struct nd_features plain = features_of("", "viagra");
    struct nd_features hidden = features_of("", "VI\xC2\xAD"
                                                "AG\xE2\x80\x8B"
                                                "RA");
    assert_int_equal(hidden.text[ND_FAMILY_WORDS].count, 1);
    assert_int_equal(hidden.text[ND_FAMILY_WORDS].slots[0],
                     plain.text[ND_FAMILY_WORDS].slots[0]);
}

static void ideographs_are_words_alone(void **state)
{
    struct nd_features features = features_of("", "免费 ok");
    assert_true(has(&features, ND_FAMILY_WORDS, "word:免"));
    assert_true(has(&features, ND_FAMILY_WORDS, "word:费"));
    assert_true(has(&features, ND_FAMILY_PAIRS, "pair:免 费"));
    assert_true(has(&features, ND_FAMILY_WORDS, "word:ok"));
}

static void a_long_run_leaves_only_its_length(void **state)
{
    char text[400];
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    struct nd_features features = features_of("", text);
    assert_int_equal(features.text[ND_FAMILY_WORDS].count, 1);
    assert_true(has(&features, ND_FAMILY_WORDS, "word:<long 256>"));
}

static void a_long_text_stops_at_the_families_limits(void **state)
{
    size_t room = 400000, length = 0;
    char *text = malloc(room);
    uint32_t number = 1;
    while (length + 20 < room) {
        number = number * 1664525U + 1013904223U;
        for (uint32_t bits = number, i = 0; i < 5; i++, bits >>= 5)
            text[length++] = (char)('a' + (bits >> 7) % 26);
        text[length++] = ' ';
    }
    text[length] = '\0';
    struct nd_features features = features_of("", text);
    static const enum nd_family families[] = {ND_FAMILY_WORDS, ND_FAMILY_PAIRS,
                                              ND_FAMILY_GRAMS};
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(features.text[families[i]].count,
                         nd_family(families[i])->max_features);
    free(text);
}

static void an_empty_text_has_no_words(void **state)
{
    struct nd_features features = features_of("", "");
    assert_int_equal(features.text[ND_FAMILY_WORDS].count, 0);
    assert_int_equal(features.text[ND_FAMILY_PAIRS].count, 0);
    assert_int_equal(features.text[ND_FAMILY_GRAMS].count, 0);
}

static void slots_are_ascending_and_below_the_families_bound(void **state)
{
    struct nd_features features = features_of(
        "Some subject", "a text of several words that are not the same");
    for (uint32_t family = 0; family < ND_FAMILY_COUNT; family++) {
        const struct nd_slot_list *list = &features.text[family];
        for (uint32_t i = 0; i < list->count; i++) {
            assert_true(list->slots[i] < 1U << nd_family(family)->slot_bits);
            assert_true(i == 0 || list->slots[i] > list->slots[i - 1]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_folded_runs_of_letters),
        cmocka_unit_test(pairs_are_neighbours_in_order),
        cmocka_unit_test(grams_overlap_and_count_blanks_once),
        cmocka_unit_test(subject_words_count_twice_once_with_a_mark),
        cmocka_unit_test(hidden_characters_and_case_do_not_split_a_word),
        cmocka_unit_test(ideographs_are_words_alone),
        cmocka_unit_test(a_long_run_leaves_only_its_length),
        cmocka_unit_test(a_long_text_stops_at_the_families_limits),
        cmocka_unit_test(an_empty_text_has_no_words),
        cmocka_unit_test(slots_are_ascending_and_below_the_families_bound),
    };
    return cmocka_run_group_tests_name("text", tests, set_up_example,
                                       tear_down_example);
}
