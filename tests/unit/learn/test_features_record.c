/* SPDX-License-Identifier: Apache-2.0
 *
 * Features as bytes: they come back as they went, and damage is recognised.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "fixture.h"
#include "learn/features_record.h"

static const uint8_t secret[ND_KEY_BYTES] = {1, 2, 3};

/* A message's features, symbols among them. */
static void extract(struct fixture *fixture, struct nd_features *features_r)
{
    static const char *const names[] = {"BAYES_99", "DKIM_VALID", NULL};
    struct nd_scan scan = make_scan(fixture->arena, names, 3);
    struct nd_extract_options options = {.families = ND_GROUP_ALL};
    struct nd_key key;
    nd_key_from_secret(secret, &key);
    nd_features_extract(make_message(fixture->arena, ND_SPAM, 1, 0.8), &scan,
                        &key, &options, fixture->arena, features_r);
}

static void features_come_back_as_they_went(void **state)
{
    struct fixture *fixture = *state;
    struct nd_features given, got;
    struct nd_buffer buffer = {0};
    struct nd_error error = {""};
    extract(fixture, &given);
    nd_features_record_write(&given, &buffer);
    must(nd_features_record_read(buffer.data, buffer.length, fixture->arena,
                                 &error, &got),
         &error);
    nd_buffer_free(&buffer); /* nothing points into it */
    assert_int_equal(got.families, given.families);
    assert_memory_equal(got.key_id, given.key_id, sizeof got.key_id);
    assert_int_equal(got.named_count, given.named_count);
    for (size_t i = 0; i < given.named_count; i++) {
        assert_string_equal(got.named[i].name, given.named[i].name);
        assert_true(got.named[i].value == given.named[i].value);
    }
    for (size_t family = 0; family < ND_FAMILY_COUNT; family++) {
        const struct nd_slot_list *list = &given.text[family];
        assert_int_equal(got.text[family].count, list->count);
        if (list->count > 0) {
            assert_memory_equal(got.text[family].slots, list->slots,
                                list->count * sizeof(uint32_t));
        }
    }
    assert_true(given.text[ND_FAMILY_WORDS].count > 0);
}

static void each_cut_is_recognised(void **state)
{
    struct fixture *fixture = *state;
    struct nd_features given, got;
    struct nd_buffer buffer = {0};
    struct nd_error error = {""};
    extract(fixture, &given);
    nd_features_record_write(&given, &buffer);
    for (size_t length = 0; length < buffer.length; length++) {
        assert_int_equal(nd_features_record_read(buffer.data, length,
                                                 fixture->arena, &error, &got),
                         ND_DATA);
        nd_arena_reset(fixture->arena);
    }
    nd_buffer_u8(&buffer, 0);
    assert_int_equal(nd_features_record_read(buffer.data, buffer.length,
                                             fixture->arena, &error, &got),
                     ND_DATA);
    nd_buffer_free(&buffer);
}

static void what_cannot_be_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct nd_features got;
    struct nd_error error = {""};
    struct nd_named_feature named = {"symbol:A", NAN};
    uint32_t slot = 1U << nd_family(ND_FAMILY_WORDS)->slot_bits;
    struct nd_features bad[] = {
        {.families = 1U << 31},
        {.families = ND_GROUP_SYMBOLS, .named = &named, .named_count = 1},
        {.families = 1U << ND_FAMILY_WORDS,
         .text[ND_FAMILY_WORDS] = {&slot, 1}},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct nd_buffer buffer = {0};
        nd_features_record_write(&bad[i], &buffer);
        assert_int_equal(nd_features_record_read(buffer.data, buffer.length,
                                                 fixture->arena, &error, &got),
                         i == 0 ? ND_VERSION : ND_DATA);
        buffer.data[0] = 2;
        assert_int_equal(nd_features_record_read(buffer.data, buffer.length,
                                                 fixture->arena, &error, &got),
                         ND_VERSION);
        nd_buffer_free(&buffer);
    }
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(features_come_back_as_they_went),
        TEST(each_cut_is_recognised),
        TEST(what_cannot_be_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
