/* SPDX-License-Identifier: Apache-2.0
 *
 * Extraction as a whole: which families, symbols and metatokens, and slots
 * that never change.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "example.h"

static const struct nd_scan_symbol symbols[] = {{"BAYES_99", 3.5, true},
                                                {"MIME_GOOD", 0, true},
                                                {"NEURALD_SPAM", 3, true},
                                                {"HTML_MESSAGE", 0, false}};
static const struct nd_scan scan = {.symbols = symbols, .count = 4};

static struct nd_features extract(const struct nd_message *message,
                                  const struct nd_scan *findings,
                                  uint32_t families)
{
    static const char *const excluded[] = {"NEURALD_SPAM"};
    struct nd_extract_options options = {
        .families = families, .excluded = excluded, .excluded_count = 1};
    struct nd_features features;
    nd_features_extract(message, findings, &key, &options, arena, &features);
    return features;
}

static void a_symbol_is_its_presence_and_its_damped_score(void **state)
{
    struct nd_features features = extract(NULL, &scan, ND_GROUP_ALL);
    assert_true(value_of(&features, "symbol:BAYES_99") == 1);
    assert_true(fabs((double)value_of(&features, "score:BAYES_99") -
                     log(4.5) / log(11)) < 1e-6);
    assert_true(value_of(&features, "symbol:MIME_GOOD") == 1);
    assert_true(value_of(&features, "score:MIME_GOOD") == 0);
    assert_true(value_of(&features, "symbol:HTML_MESSAGE") == 1);
    assert_int_equal(features.named_count, 4);
}

static void our_own_symbols_are_never_learned_from(void **state)
{
    struct nd_features features = extract(NULL, &scan, ND_GROUP_ALL);
    assert_true(value_of(&features, "symbol:NEURALD_SPAM") == 0);
    assert_true(value_of(&features, "score:NEURALD_SPAM") == 0);
}

static void findings_alone_give_symbols_alone(void **state)
{
    struct nd_features features = extract(NULL, &scan, ND_GROUP_ALL);
    assert_int_equal(features.families, ND_GROUP_SYMBOLS);
    for (uint32_t family = 0; family < ND_FAMILY_COUNT; family++)
        assert_int_equal(features.text[family].count, 0);
}

static void the_mask_says_what_was_looked_for(void **state)
{
    struct nd_message message = empty_message();
    message.text = text_of("hello there");
    message.raw_bytes = 1000;
    struct nd_features features = extract(&message, NULL, ND_GROUP_ALL);
    assert_int_equal(features.families, ND_GROUP_ALL & ~ND_GROUP_SYMBOLS);
    features = extract(&message, &scan, ND_GROUP_ALL);
    assert_int_equal(features.families, ND_GROUP_ALL);
    features = extract(&message, &scan, 1U << ND_FAMILY_WORDS);
    assert_int_equal(features.families, 1U << ND_FAMILY_WORDS);
    assert_int_equal(features.named_count, 0);
    assert_int_equal(features.text[ND_FAMILY_WORDS].count, 2);
    assert_int_equal(features.text[ND_FAMILY_GRAMS].count, 0);
    features = extract(&message, &scan, ND_GROUP_METATOKENS);
    assert_true(value_of(&features, "meta:size") > 0);
    assert_true(value_of(&features, "symbol:BAYES_99") == 0);
}

static void pairs_are_the_same_with_and_without_words(void **state)
{
    struct nd_message message = empty_message();
    message.text = text_of("one two three");
    struct nd_features alone = extract(&message, NULL, 1U << ND_FAMILY_PAIRS);
    struct nd_features all = extract(&message, NULL, ND_GROUP_ALL);
    assert_int_equal(alone.text[ND_FAMILY_PAIRS].count, 2);
    assert_memory_equal(alone.text[ND_FAMILY_PAIRS].slots,
                        all.text[ND_FAMILY_PAIRS].slots, 8);
}

static void trusted_findings_of_the_message_are_used(void **state)
{
    struct nd_message message = empty_message();
    message.scan = scan;
    struct nd_features features = extract(&message, NULL, ND_GROUP_SYMBOLS);
    assert_true(value_of(&features, "symbol:BAYES_99") == 1);
    static const struct nd_scan other = {.symbols = symbols + 1, .count = 1};
    features = extract(&message, &other, ND_GROUP_SYMBOLS);
    assert_true(value_of(&features, "symbol:BAYES_99") == 0);
    assert_true(value_of(&features, "symbol:MIME_GOOD") == 1);
}

static void reported_metatokens_stand_in_for_a_message(void **state)
{
    static const struct nd_scan_symbol facts[] = {
        {"hops", 0.75, true}, {"mine", 0.5, true}, {"none", 0, true}};
    struct nd_scan findings = {.metatokens = facts, .metatoken_count = 3};
    struct nd_features features = extract(NULL, &findings, ND_GROUP_ALL);
    assert_int_equal(features.families, ND_GROUP_SYMBOLS | ND_GROUP_METATOKENS);
    assert_int_equal(features.named_count, 2);
    assert_true(value_of(&features, "meta:hops") == 0.75F);

    struct nd_message message = empty_message();
    message.hops = 30;
    features = extract(&message, &findings, ND_GROUP_METATOKENS);
    assert_true(value_of(&features, "meta:hops") != 0.75F);
    assert_true(value_of(&features, "meta:mine") == 0.5F);
}

static void extra_metatokens_are_taken_when_they_are_numbers(void **state)
{
    static const struct nd_named_feature extra[] = {{"meta:mine", 0.5F},
                                                    {"meta:broken", NAN}};
    struct nd_extract_options options = {
        .families = ND_GROUP_ALL, .extra = extra, .extra_count = 2};
    struct nd_features features;
    nd_features_extract(NULL, NULL, &key, &options, arena, &features);
    assert_int_equal(features.families, ND_GROUP_METATOKENS);
    assert_int_equal(features.named_count, 1);
    assert_true(value_of(&features, "meta:mine") == 0.5F);
}

static void another_key_gives_other_slots(void **state)
{
    struct nd_message message = empty_message();
    message.text = text_of("the quick brown fox jumps over the lazy dog");
    struct nd_features first = extract(&message, NULL, ND_GROUP_TEXT);
    struct nd_key other = key;
    struct nd_extract_options options = {.families = ND_GROUP_TEXT};
    struct nd_features second;
    uint8_t secret[ND_KEY_BYTES] = {1};
    nd_key_from_secret(secret, &other);
    nd_features_extract(&message, NULL, &other, &options, arena, &second);
    static const enum nd_family families[] = {ND_FAMILY_WORDS, ND_FAMILY_PAIRS,
                                              ND_FAMILY_GRAMS};
    for (size_t i = 0; i < 3; i++) {
        const struct nd_slot_list *a = &first.text[families[i]];
        const struct nd_slot_list *b = &second.text[families[i]];
        uint32_t same = 0;
        for (uint32_t j = 0; j < a->count && j < b->count; j++)
            same += a->slots[j] == b->slots[j];
        assert_true(same <= 1);
    }
    assert_memory_not_equal(first.key_id, second.key_id, ND_KEY_ID_BYTES);
}

static void metatokens_lie_between_0_and_1_for_extreme_messages(void **state)
{
    struct nd_message message = empty_message();
    memset(&message.html, 0x7f, sizeof(message.html));
    message.html.tokens = NULL;
    message.html.token_count = 0;
    message.raw_bytes = SIZE_MAX / 2;
    message.unread_bytes = SIZE_MAX;
    message.cut_parts = message.hops = message.recipients_to = UINT32_MAX;
    message.spf = ND_AUTH_PASS;
    message.dkim = ND_AUTH_SOFT;
    message.text = text_of("!!!!\x01\x02  ABC");
    struct nd_features features = extract(&message, NULL, ND_GROUP_METATOKENS);
    assert_true(features.named_count > 20);
    for (size_t i = 0; i < features.named_count; i++) {
        assert_true(features.named[i].value > 0);
        assert_true(features.named[i].value <= 1);
        assert_int_equal(strncmp(features.named[i].name, "meta:", 5), 0);
    }
    assert_true(value_of(&features, "meta:spf_pass") == 1);
    assert_true(value_of(&features, "meta:spf_fail") == 0);
    assert_true(value_of(&features, "meta:dkim_other") == 1);
}

static void an_empty_message_has_hardly_any_metatokens(void **state)
{
    struct nd_message message = empty_message();
    struct nd_features features = extract(&message, NULL, ND_GROUP_METATOKENS);
    assert_int_equal(features.named_count, 0);
    assert_int_equal(features.families, ND_GROUP_METATOKENS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_symbol_is_its_presence_and_its_damped_score),
        cmocka_unit_test(our_own_symbols_are_never_learned_from),
        cmocka_unit_test(findings_alone_give_symbols_alone),
        cmocka_unit_test(the_mask_says_what_was_looked_for),
        cmocka_unit_test(pairs_are_the_same_with_and_without_words),
        cmocka_unit_test(trusted_findings_of_the_message_are_used),
        cmocka_unit_test(reported_metatokens_stand_in_for_a_message),
        cmocka_unit_test(extra_metatokens_are_taken_when_they_are_numbers),
        cmocka_unit_test(another_key_gives_other_slots),
        cmocka_unit_test(metatokens_lie_between_0_and_1_for_extreme_messages),
        cmocka_unit_test(an_empty_message_has_hardly_any_metatokens),
    };
    return cmocka_run_group_tests_name("extract", tests, set_up_example,
                                       tear_down_example);
}
