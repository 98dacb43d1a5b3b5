/* SPDX-License-Identifier: Apache-2.0
 *
 * What families mean under a next version's table (next_table.h): which number
 * is extracted, and what a model of the version before is fed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "features/features.h"

#define BIT(family) (1U << ND_FAMILY_##family)
#define WIDE 131072U /* the bit of a slot that words have gained */

static struct nd_arena *arena;

static int set_up(void **state)
{
    arena = nd_arena_create(0);
    return nd_hash_init(NULL) == ND_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    nd_arena_destroy(&arena);
    return 0;
}

static struct nd_scaling scaling_of(uint32_t families)
{
    struct nd_scaling scaling;
    nd_scaling_default(ND_GROUP_ALL, &scaling);
    scaling.families = families;
    for (size_t family = 0; family < ND_FAMILY_COUNT; family++)
        scaling.weight[family] = 1.0F;
    return scaling;
}

static void a_name_means_the_number_that_is_extracted(void **state)
{
    uint32_t mask = 0;
    assert_int_equal(nd_families_parse("words,grams", NULL, &mask), ND_OK);
    assert_int_equal(mask, BIT(WORDS) | BIT(GRAMS));
    assert_int_equal(nd_families_parse("all", NULL, &mask), ND_OK);
    assert_int_equal(mask & (BIT(WORDS_1) | BIT(GRAMS_1)), 0);
    assert_int_equal(ND_GROUP_RETIRED, BIT(WORDS_1) | BIT(GRAMS_1));
    assert_int_equal(ND_GROUP_TEXT & ND_GROUP_RETIRED, 0);
    assert_int_equal(ND_GROUP_HASHED & ND_GROUP_RETIRED, ND_GROUP_RETIRED);
}

static void a_new_model_is_never_fed_what_is_retired(void **state)
{
    struct nd_scaling scaling;
    nd_scaling_default(ND_GROUP_KNOWN, &scaling);
    assert_int_equal(scaling.families, ND_GROUP_ALL);
}

static void an_old_model_is_fed_the_narrow_form_of_what_grew(void **state)
{
    static const uint32_t words[] = {5, 9, WIDE + 5, WIDE + 700};
    static const uint32_t grams[] = {1, 2};
    struct nd_slotted slotted = {.families = BIT(WORDS) | BIT(GRAMS)};
    slotted.text[ND_FAMILY_WORDS] = (struct nd_slot_list){words, 4};
    slotted.text[ND_FAMILY_GRAMS] = (struct nd_slot_list){grams, 2};
    struct nd_scaling old = scaling_of(BIT(WORDS_1) | BIT(GRAMS_1));
    struct nd_input input;
    assert_int_equal(nd_families_sources(old.families), BIT(WORDS));
    nd_features_input(&slotted, &old, arena, &input);
    assert_int_equal(input.count, 3);
    static const uint32_t columns[] = {5, 9, 700};
    assert_memory_equal(input.columns, columns, sizeof columns);
    uint32_t slot;
    assert_int_equal(nd_input_place(&old, 700, &slot), ND_FAMILY_WORDS_1);
    assert_int_equal(slot, 700);
}

static void an_old_sample_gives_an_old_model_what_it_has(void **state)
{
    static const uint32_t words[] = {3}, wide[] = {WIDE}, grams[] = {8};
    struct nd_slotted slotted = {.families =
                                     BIT(WORDS_1) | BIT(WORDS) | BIT(GRAMS_1)};
    slotted.text[ND_FAMILY_WORDS_1] = (struct nd_slot_list){words, 1};
    slotted.text[ND_FAMILY_WORDS] = (struct nd_slot_list){wide, 1};
    slotted.text[ND_FAMILY_GRAMS_1] = (struct nd_slot_list){grams, 1};
    struct nd_scaling old = scaling_of(BIT(WORDS_1) | BIT(GRAMS_1));
    struct nd_input input;
    nd_features_input(&slotted, &old, arena, &input);
    assert_int_equal(input.count, 2);
    assert_int_equal(input.columns[0], 3);
    assert_int_equal(input.columns[1], WIDE + 8);
    struct nd_scaling new = scaling_of(BIT(WORDS) | BIT(GRAMS));
    nd_features_input(&slotted, &new, arena, &input);
    assert_int_equal(input.count, 1);
    assert_int_equal(input.columns[0], WIDE);
}

static void what_a_sample_says_in_retired_families_alone_is_outdated(
    void **state)
{
    assert_int_equal(nd_families_outdated(ND_GROUP_ALL), 0);
    assert_int_equal(nd_families_outdated(BIT(WORDS_1) | BIT(URLS)),
                     BIT(WORDS_1));
    assert_int_equal(
        nd_families_outdated(BIT(WORDS_1) | BIT(GRAMS_1) | BIT(WORDS)),
        BIT(GRAMS_1));
    struct nd_buffer text = {0};
    nd_families_describe(BIT(WORDS_1) | BIT(WORDS) | 1U << 20, &text);
    assert_string_equal((const char *)text.data, "words/1, words/2, family 20");
    nd_buffer_free(&text);
}

/* ---- what a model says of its scaling ---- */

#define MOST_FAMILIES 32

/* As a version of so many families writes it; word_bits is of words' slots. */
static enum nd_status read_scaling(uint8_t version, uint8_t count,
                                   uint32_t families, uint8_t word_bits,
                                   struct nd_error *error)
{
    struct nd_buffer buffer = {0};
    struct nd_scaling scaling;
    nd_buffer_u8(&buffer, version);
    nd_buffer_u8(&buffer, count);
    nd_buffer_u32(&buffer, families);
    for (uint32_t family = 0; family < count; family++)
        nd_buffer_f32(&buffer, 1.0F);
    for (uint32_t family = 0; family < count && version > 1; family++)
        nd_buffer_u8(&buffer, family == ND_FAMILY_WORDS_1 ? word_bits : 18);
    struct nd_reader reader;
    nd_reader_init(&reader, buffer.data, buffer.length);
    enum nd_status status = nd_scaling_read(&reader, error, &scaling);
    assert_true(status != ND_OK || scaling.families == families);
    nd_buffer_free(&buffer);
    return status;
}

static void a_model_says_which_families_it_needs(void **state)
{
    struct nd_error error = {""};
    uint32_t known = BIT(WORDS_1) | BIT(PAIRS);
    assert_int_equal(read_scaling(1, 9, known, 0, &error), ND_OK);
    assert_int_equal(read_scaling(2, 9, known, 17, &error), ND_OK);
    assert_int_equal(read_scaling(2, 9, known, 16, &error), ND_DATA);
    assert_non_null(strstr(error.text, "words of 16 bits"));
    assert_int_equal(read_scaling(2, 9, BIT(PAIRS), 16, &error), ND_OK);
    /* a later version's, with and without what is not known here */
    assert_int_equal(read_scaling(2, 13, known, 17, &error), ND_OK);
    assert_int_equal(read_scaling(2, 13, known | 1U << 12, 17, &error),
                     ND_VERSION);
    assert_non_null(strstr(error.text, "family 12"));
    assert_int_equal(read_scaling(4, 9, known, 17, &error), ND_VERSION);
    assert_int_equal(read_scaling(2, 9, known | 1U << 12, 17, &error), ND_DATA);
    assert_int_equal(read_scaling(2, MOST_FAMILIES + 1, known, 17, &error),
                     ND_DATA);
    assert_int_equal(read_scaling(0, 9, known, 17, &error), ND_DATA);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_means_the_number_that_is_extracted),
        cmocka_unit_test(a_new_model_is_never_fed_what_is_retired),
        cmocka_unit_test(an_old_model_is_fed_the_narrow_form_of_what_grew),
        cmocka_unit_test(an_old_sample_gives_an_old_model_what_it_has),
        cmocka_unit_test(
            what_a_sample_says_in_retired_families_alone_is_outdated),
        cmocka_unit_test(a_model_says_which_families_it_needs),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
