/* SPDX-License-Identifier: Apache-2.0
 *
 * Features to payloads and back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "learn/samples.h"
#include "store/sample.h"

static const uint32_t words[] = {5, 77, 65535};
static const struct nd_named_feature named[] = {
    {"symbol:B", 1}, {"meta:size", 0.25F}, {"symbol:A", 1}, {"score:A", -0.5F}};

static struct nd_features make_features(void)
{
    struct nd_features features = {
        .families = ND_GROUP_SYMBOLS | ND_GROUP_METATOKENS |
                    1U << ND_FAMILY_WORDS | 1U << ND_FAMILY_URLS,
        .named = named,
        .named_count = 4};
    features.text[ND_FAMILY_WORDS] = (struct nd_slot_list){words, 3};
    return features;
}

static struct nd_registry *make_registry(void)
{
    struct nd_registry *registry = nd_registry_create();
    assert_int_equal(nd_registry_add(registry, "symbol:A"), 0);
    assert_int_equal(nd_registry_add(registry, "meta:size"), 1);
    assert_int_equal(nd_registry_add(registry, "score:A"), 2);
    assert_int_equal(nd_registry_add(registry, "symbol:B"), 3);
    return registry;
}

static int set_up(void **state)
{
    return nd_hash_init(NULL) == ND_OK ? 0 : -1;
}

static void features_come_back_by_slot_with_their_families(void **state)
{
    struct nd_arena *arena = nd_arena_create(0);
    struct nd_registry *registry = make_registry();
    struct nd_features features = make_features();
    struct nd_buffer payload = {0};
    size_t unknown;
    assert_int_equal(
        nd_sample_pack(&features, registry, arena, &payload, &unknown),
        ND_REFUSED_NONE);
    assert_int_equal(unknown, 0);
    struct nd_payload stored = {payload.data, payload.length};
    struct nd_slotted slotted;
    assert_int_equal(nd_sample_unpack(&stored, 4, arena, NULL, &slotted),
                     ND_OK);
    /* Looked for and empty (urls) is kept apart from not looked for. */
    assert_int_equal(slotted.families, features.families);
    assert_int_equal(slotted.named_count, 4);
    for (uint32_t slot = 0; slot < 4; slot++) {
        assert_int_equal(slotted.named_slots[slot], slot);
    }
    assert_true(slotted.named_values[1] == 0.25F);
    assert_true(slotted.named_values[2] == -0.5F);
    assert_true(slotted.named_values[3] == 1);
    assert_int_equal(slotted.text[ND_FAMILY_WORDS].count, 3);
    assert_memory_equal(slotted.text[ND_FAMILY_WORDS].slots, words,
                        sizeof words);
    assert_int_equal(slotted.text[ND_FAMILY_URLS].count, 0);
    nd_buffer_free(&payload);
    nd_registry_destroy(&registry);
    nd_arena_destroy(&arena);
}

static void names_without_a_slot_are_counted_and_left_out(void **state)
{
    struct nd_arena *arena = nd_arena_create(0);
    struct nd_registry *registry = nd_registry_create();
    (void)nd_registry_add(registry, "symbol:B");
    struct nd_features features = make_features();
    struct nd_buffer payload = {0};
    size_t unknown;
    assert_int_equal(
        nd_sample_pack(&features, registry, arena, &payload, &unknown),
        ND_REFUSED_NONE);
    assert_int_equal(unknown, 3);
    struct nd_payload stored = {payload.data, payload.length};
    struct nd_slotted slotted;
    assert_int_equal(nd_sample_unpack(&stored, 1, arena, NULL, &slotted),
                     ND_OK);
    assert_int_equal(slotted.named_count, 1);
    nd_buffer_free(&payload);
    nd_registry_destroy(&registry);
    nd_arena_destroy(&arena);
}

static void seed_s14_a_value_that_is_no_number_is_refused_at_the_door(
    void **state)
{
    struct nd_arena *arena = nd_arena_create(0);
    struct nd_registry *registry = make_registry();
    const float bad[3] = {NAN, INFINITY, -INFINITY};
    for (size_t i = 0; i < 3; i++) {
        struct nd_named_feature one = {"symbol:A", bad[i]};
        struct nd_features features = {
            .families = ND_GROUP_SYMBOLS, .named = &one, .named_count = 1};
        struct nd_buffer payload = {0};
        size_t unknown;
        assert_int_equal(
            nd_sample_pack(&features, registry, arena, &payload, &unknown),
            ND_REFUSED_NOT_FINITE);
        assert_int_equal(payload.length, 0);
        nd_buffer_free(&payload);
    }
    nd_registry_destroy(&registry);
    nd_arena_destroy(&arena);
}

static void a_sample_beyond_the_limits_is_refused(void **state)
{
    static uint32_t many[ND_SAMPLE_MAX_ENTRIES + 1];
    for (uint32_t i = 0; i <= ND_SAMPLE_MAX_ENTRIES; i++) {
        many[i] = i;
    }
    struct nd_arena *arena = nd_arena_create(0);
    struct nd_registry *registry = nd_registry_create();
    struct nd_features features = {.families = 1U << ND_FAMILY_WORDS};
    features.text[ND_FAMILY_WORDS] =
        (struct nd_slot_list){many, ND_SAMPLE_MAX_ENTRIES + 1};
    struct nd_buffer payload = {0};
    size_t unknown;
    assert_int_equal(
        nd_sample_pack(&features, registry, arena, &payload, &unknown),
        ND_REFUSED_TOO_LARGE);
    nd_buffer_free(&payload);
    nd_registry_destroy(&registry);
    nd_arena_destroy(&arena);
}

static enum nd_status unpack_slot(uint8_t family, uint32_t slot,
                                  uint32_t registry_length)
{
    struct nd_arena *arena = nd_arena_create(0);
    struct nd_section section = {.family = family, .count = 1, .slots = &slot};
    struct nd_buffer payload = {0};
    assert_int_equal(nd_sample_encode(&section, 1, &payload, NULL), ND_OK);
    struct nd_payload stored = {payload.data, payload.length};
    struct nd_slotted slotted;
    enum nd_status status =
        nd_sample_unpack(&stored, registry_length, arena, NULL, &slotted);
    nd_buffer_free(&payload);
    nd_arena_destroy(&arena);
    return status;
}

static void slots_that_cannot_be_are_malformed(void **state)
{
    assert_int_equal(unpack_slot(ND_FAMILY_SYMBOLS, 9, 10), ND_OK);
    assert_int_equal(unpack_slot(ND_FAMILY_SYMBOLS, 10, 10), ND_DATA);
    uint32_t bound = 1U << nd_family(ND_FAMILY_URLS)->slot_bits;
    assert_int_equal(unpack_slot(ND_FAMILY_URLS, bound - 1, 0), ND_OK);
    assert_int_equal(unpack_slot(ND_FAMILY_URLS, bound, 0), ND_DATA);
}

static void a_family_of_a_later_version_is_passed_over(void **state)
{
    assert_int_equal(unpack_slot(ND_FAMILY_COUNT, 3, 0), ND_OK);
}

static void rubbish_is_malformed(void **state)
{
    struct nd_arena *arena = nd_arena_create(0);
    const uint8_t rubbish[] = {0xff, 0xff, 0xff, 0xff, 0x0f, 0x12, 0x00};
    struct nd_payload stored = {rubbish, sizeof rubbish};
    struct nd_slotted slotted;
    struct nd_error error = {""};
    assert_int_equal(nd_sample_unpack(&stored, 9, arena, &error, &slotted),
                     ND_DATA);
    nd_arena_destroy(&arena);
}

static void translation_goes_by_the_map_and_stays_in_order(void **state)
{
    struct nd_arena *arena = nd_arena_create(0);
    const uint32_t slots[] = {0, 1, 2, 3, 9};
    const float values[] = {1, 2, 3, 4, 5};
    const uint32_t map[] = {7, ND_NO_SLOT, 0, 4};
    struct nd_slotted slotted = {.families = ND_GROUP_SYMBOLS,
                                 .named_slots = slots,
                                 .named_values = values,
                                 .named_count = 5};
    struct nd_slotted translated;
    nd_sample_translate(&slotted, map, 4, arena, &translated);
    assert_int_equal(translated.named_count, 3);
    assert_int_equal(translated.named_slots[0], 0);
    assert_int_equal(translated.named_slots[1], 4);
    assert_int_equal(translated.named_slots[2], 7);
    assert_true(translated.named_values[0] == 3);
    assert_true(translated.named_values[2] == 1);
    assert_int_equal(translated.families, ND_GROUP_SYMBOLS);
    nd_arena_destroy(&arena);
}

static void a_copy_outlives_its_arena(void **state)
{
    struct nd_arena *first = nd_arena_create(0), *second = nd_arena_create(0);
    struct nd_features features = make_features(), copy;
    struct nd_named_feature *own = nd_arena_take(first, sizeof *own);
    *own = (struct nd_named_feature){nd_arena_strndup(first, "symbol:X", 8), 1};
    features.named = own;
    features.named_count = 1;
    nd_sample_copy_features(&features, second, &copy);
    nd_arena_destroy(&first);
    assert_string_equal(copy.named[0].name, "symbol:X");
    assert_memory_equal(copy.text[ND_FAMILY_WORDS].slots, words, sizeof words);
    nd_arena_destroy(&second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(features_come_back_by_slot_with_their_families),
        cmocka_unit_test(names_without_a_slot_are_counted_and_left_out),
        cmocka_unit_test(
            seed_s14_a_value_that_is_no_number_is_refused_at_the_door),
        cmocka_unit_test(a_sample_beyond_the_limits_is_refused),
        cmocka_unit_test(slots_that_cannot_be_are_malformed),
        cmocka_unit_test(a_family_of_a_later_version_is_passed_over),
        cmocka_unit_test(rubbish_is_malformed),
        cmocka_unit_test(translation_goes_by_the_map_and_stays_in_order),
        cmocka_unit_test(a_copy_outlives_its_arena),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
