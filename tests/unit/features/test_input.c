/* SPDX-License-Identifier: Apache-2.0
 *
 * From features by slot to the network's input: layout, scaling, the way back,
 * and what is kept of it in a model.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "features/features.h"

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

static const uint32_t word_slots[] = {5, 9, 77, 1000};
static const uint32_t url_slots[] = {0, 3};
static const uint32_t named_slots[] = {2, 4};
static const float named_values[] = {1.0F, -0.5F};

static struct nd_slotted example(void)
{
    struct nd_slotted slotted = {
        .families = ND_GROUP_ALL,
        .named_slots = named_slots,
        .named_values = named_values,
        .named_count = 2,
    };
    slotted.text[ND_FAMILY_WORDS] = (struct nd_slot_list){word_slots, 4};
    slotted.text[ND_FAMILY_URLS] = (struct nd_slot_list){url_slots, 2};
    return slotted;
}

static double length_of(const struct nd_input *input, uint32_t from,
                        uint32_t to)
{
    double sum = 0;
    for (uint32_t i = 0; i < input->count; i++)
        if (input->columns[i] >= from && input->columns[i] < to)
            sum += (double)input->values[i] * (double)input->values[i];
    return sqrt(sum);
}

static void each_text_family_has_the_length_of_its_weight(void **state)
{
    struct nd_slotted slotted = example();
    struct nd_scaling scaling = {.families = 1U << ND_FAMILY_WORDS |
                                             1U << ND_FAMILY_URLS};
    scaling.weight[ND_FAMILY_WORDS] = 2.0F;
    scaling.weight[ND_FAMILY_URLS] = 0.5F;
    uint32_t words = 1U << nd_family(ND_FAMILY_WORDS)->slot_bits;
    struct nd_input input;
    nd_features_input(&slotted, &scaling, arena, &input);
    assert_int_equal(input.count, 6);
    assert_true(fabs(length_of(&input, 0, words) - 2.0) < 1e-6);
    assert_true(fabs(length_of(&input, words, UINT32_MAX) - 0.5) < 1e-6);
}

static void named_features_follow_the_text_families_that_are_fed(void **state)
{
    struct nd_slotted slotted = example();
    struct nd_scaling scaling;
    struct nd_input input;
    nd_scaling_default(ND_GROUP_ALL, &scaling);
    nd_features_input(&slotted, &scaling, arena, &input);
    assert_int_equal(input.count, 8);
    assert_int_equal(input.columns[6], nd_text_columns(ND_GROUP_ALL) + 2);
    assert_int_equal(input.columns[7], nd_text_columns(ND_GROUP_ALL) + 4);
    nd_scaling_default(ND_GROUP_SYMBOLS, &scaling);
    nd_features_input(&slotted, &scaling, arena, &input);
    assert_int_equal(input.count, 2);
    assert_int_equal(input.columns[0], 2);
    assert_int_equal(input.columns[1], 4);
}

static void named_families_have_weights_of_their_own(void **state)
{
    static const uint8_t families[] = {ND_FAMILY_METATOKENS, ND_FAMILY_SYMBOLS};
    struct nd_slotted slotted = example();
    struct nd_scaling scaling;
    struct nd_input input;
    slotted.named_families = families;
    nd_scaling_default(ND_GROUP_SYMBOLS | ND_GROUP_METATOKENS, &scaling);
    scaling.weight[ND_FAMILY_METATOKENS] = 3;
    nd_features_input(&slotted, &scaling, arena, &input);
    assert_int_equal(input.count, 2);
    assert_true(input.values[0] == 3.0F);
    assert_true(input.values[1] == -0.5F);
    scaling.families = ND_GROUP_METATOKENS;
    nd_features_input(&slotted, &scaling, arena, &input);
    assert_int_equal(input.count, 1);
    assert_int_equal(input.columns[0], 2);
}

static void families_that_are_not_fed_are_left_out(void **state)
{
    struct nd_slotted slotted = example();
    struct nd_scaling scaling;
    struct nd_input input;
    nd_scaling_default(1U << ND_FAMILY_URLS, &scaling);
    nd_features_input(&slotted, &scaling, arena, &input);
    assert_int_equal(input.count, 2);
    assert_int_equal(input.columns[0], 0);
    assert_int_equal(input.columns[1], 3);
}

static void an_empty_sample_gives_an_empty_input(void **state)
{
    struct nd_slotted slotted = {0};
    struct nd_scaling scaling;
    struct nd_input input = {.count = 9};
    nd_scaling_default(ND_GROUP_ALL, &scaling);
    nd_features_input(&slotted, &scaling, arena, &input);
    assert_int_equal(input.count, 0);
}

static void a_column_leads_back_to_its_feature(void **state)
{
    struct nd_slotted slotted = example();
    struct nd_scaling scaling;
    struct nd_input input;
    uint32_t slot;
    nd_scaling_default(ND_GROUP_ALL & ~(1U << ND_FAMILY_GRAMS), &scaling);
    nd_features_input(&slotted, &scaling, arena, &input);
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(nd_input_place(&scaling, input.columns[i], &slot),
                         ND_FAMILY_WORDS);
        assert_int_equal(slot, word_slots[i]);
    }
    assert_int_equal(nd_input_place(&scaling, input.columns[5], &slot),
                     ND_FAMILY_URLS);
    assert_int_equal(slot, 3);
    assert_int_equal(nd_input_place(&scaling, input.columns[7], &slot),
                     ND_FAMILY_SYMBOLS);
    assert_int_equal(slot, 4);
}

static void resolving_sorts_and_counts_what_is_unknown(void **state)
{
    struct nd_registry *registry = nd_registry_create();
    nd_registry_add(registry, "symbol:B");
    nd_registry_add(registry, "meta:size");
    nd_registry_add(registry, "symbol:A");
    const struct nd_named_feature named[] = {
        {"symbol:A", 1}, {"symbol:NEW", 1}, {"meta:size", 0.5F},
        {"symbol:B", 1}, {"symbol:A", 7},
    };
    struct nd_features features = {
        .families = ND_GROUP_ALL, .named = named, .named_count = 5};
    struct nd_slotted slotted;
    size_t unknown = 9;
    nd_features_resolve(&features, registry, arena, &slotted, &unknown);
    assert_int_equal(unknown, 1);
    assert_int_equal(slotted.named_count, 3);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(slotted.named_slots[i], i);
    assert_int_equal(slotted.named_families[0], ND_FAMILY_SYMBOLS);
    assert_int_equal(slotted.named_families[1], ND_FAMILY_METATOKENS);
    assert_true(slotted.named_values[1] == 0.5F);
    assert_true(slotted.named_values[2] == 1.0F);
    nd_registry_destroy(&registry);
}

static bool knows_even(const void *context, uint32_t column)
{
    (void)context;
    return column % 2 == 0;
}

/* Pairs and links tell, half and a quarter of them known; words do not, headers
 * are not there. */
static void what_is_known_is_counted_by_telling_family(void **state)
{
    const uint32_t words[] = {1, 3, 5}, pairs[] = {2, 3}, urls[] = {1, 2, 5, 7};
    struct nd_slotted slotted = {.families = ND_GROUP_TEXT};
    struct nd_scaling scaling;
    struct nd_input input;
    nd_scaling_default(ND_GROUP_TEXT, &scaling);
    assert_true((scaling.telling >> ND_FAMILY_PAIRS & 1U) != 0);
    assert_true((scaling.telling >> ND_FAMILY_WORDS & 1U) == 0);
    nd_features_input(&slotted, &scaling, arena, &input);
    assert_true(nd_input_known(&input, &scaling, knows_even, NULL) < 0);
    slotted.text[ND_FAMILY_WORDS] = (struct nd_slot_list){words, 3};
    slotted.text[ND_FAMILY_PAIRS] = (struct nd_slot_list){pairs, 2};
    slotted.text[ND_FAMILY_URLS] = (struct nd_slot_list){urls, 4};
    nd_features_input(&slotted, &scaling, arena, &input);
    assert_true(nd_input_known(&input, &scaling, knows_even, NULL) == 0.375F);
}

static void the_familiar_counts_in_full_and_the_rest_in_part(void **state)
{
    const struct nd_scaling scaling = {.usual = 0.5F}, none = {.usual = 0};
    assert_true(nd_familiar(&scaling, -1) == 1);
    assert_true(nd_familiar(&scaling, 0.9F) == 1);
    assert_true(nd_familiar(&scaling, 0.375F) == 0.75F);
    assert_true(nd_familiar(&scaling, 0) == ND_FAMILIAR_LEAST);
    assert_true(nd_familiar(&none, 0) == 1);
}

/* A model of version 2 ends before what tells: all counts in full. */
static void older_scaling_tells_nothing(void **state)
{
    struct nd_scaling scaling, read;
    struct nd_buffer buffer = {0};
    struct nd_reader reader;
    nd_scaling_default(ND_GROUP_TEXT, &scaling);
    nd_scaling_write(&scaling, &buffer);
    buffer.data[0] = 2;
    nd_reader_init(&reader, buffer.data, buffer.length - 8);
    assert_int_equal(nd_scaling_read(&reader, NULL, &read), ND_OK);
    assert_int_equal(read.telling, 0);
    assert_true(nd_familiar(&read, 0) == 1);
    nd_buffer_free(&buffer);
}

static void scaling_survives_writing_and_reading(void **state)
{
    struct nd_scaling scaling, read;
    struct nd_buffer buffer = {0};
    struct nd_reader reader;
    struct nd_error error;
    nd_scaling_default(ND_GROUP_TEXT, &scaling);
    scaling.weight[3] = 0.125F;
    scaling.usual = 0.625F;
    nd_scaling_write(&scaling, &buffer);
    nd_reader_init(&reader, buffer.data, buffer.length);
    assert_int_equal(nd_scaling_read(&reader, &error, &read), ND_OK);
    assert_int_equal(read.families, scaling.families);
    assert_memory_equal(read.weight, scaling.weight, sizeof(read.weight));
    assert_int_equal(read.telling, scaling.telling);
    assert_true(read.usual == 0.625F);
    assert_int_equal(nd_reader_left(&reader), 0);
    nd_buffer_free(&buffer);
}

static void scaling_cut_anywhere_is_refused(void **state)
{
    struct nd_scaling scaling, read;
    struct nd_buffer buffer = {0};
    nd_scaling_default(ND_GROUP_ALL, &scaling);
    nd_scaling_write(&scaling, &buffer);
    for (size_t length = 0; length < buffer.length; length++) {
        struct nd_reader reader;
        struct nd_error error;
        nd_reader_init(&reader, buffer.data, length);
        assert_int_equal(nd_scaling_read(&reader, &error, &read), ND_DATA);
    }
    nd_buffer_free(&buffer);
}

static void scaling_of_later_or_broken_models_is_refused(void **state)
{
    struct nd_scaling scaling, read;
    struct nd_buffer buffer = {0};
    struct nd_reader reader;
    struct nd_error error;
    nd_scaling_default(ND_GROUP_ALL, &scaling);
    scaling.weight[0] = NAN;
    nd_scaling_write(&scaling, &buffer);
    nd_reader_init(&reader, buffer.data, buffer.length);
    assert_int_equal(nd_scaling_read(&reader, &error, &read), ND_DATA);
    buffer.data[0] = 200;
    nd_reader_init(&reader, buffer.data, buffer.length);
    assert_int_equal(nd_scaling_read(&reader, &error, &read), ND_VERSION);
    nd_buffer_free(&buffer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_known_is_counted_by_telling_family),
        cmocka_unit_test(the_familiar_counts_in_full_and_the_rest_in_part),
        cmocka_unit_test(older_scaling_tells_nothing),
        cmocka_unit_test(each_text_family_has_the_length_of_its_weight),
        cmocka_unit_test(named_features_follow_the_text_families_that_are_fed),
        cmocka_unit_test(named_families_have_weights_of_their_own),
        cmocka_unit_test(families_that_are_not_fed_are_left_out),
        cmocka_unit_test(an_empty_sample_gives_an_empty_input),
        cmocka_unit_test(a_column_leads_back_to_its_feature),
        cmocka_unit_test(resolving_sorts_and_counts_what_is_unknown),
        cmocka_unit_test(scaling_survives_writing_and_reading),
        cmocka_unit_test(scaling_cut_anywhere_is_refused),
        cmocka_unit_test(scaling_of_later_or_broken_models_is_refused),
    };
    return cmocka_run_group_tests_name("input", tests, set_up, tear_down);
}
