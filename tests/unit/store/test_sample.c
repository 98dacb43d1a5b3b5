/* SPDX-License-Identifier: Apache-2.0
 *
 * The encoding of samples: what goes in comes out, in few bytes, and nothing
 * malformed is taken for a sample.
 */
#include "store/sample.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "store/bits.h"

struct fixture {
    struct nd_arena *arena;
    struct nd_buffer buffer;
    struct nd_error error;
    struct nd_random random;
    struct nd_section sections[ND_SAMPLE_MAX_SECTIONS];
    size_t count;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    fixture->arena = nd_arena_create(0);
    nd_random_seed(&fixture->random, 42);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    nd_arena_destroy(&fixture->arena);
    nd_buffer_free(&fixture->buffer);
    free(fixture);
    return 0;
}

static void encode(struct fixture *fixture, const struct nd_section *sections,
                   size_t count)
{
    nd_buffer_clear(&fixture->buffer);
    assert_int_equal(
        nd_sample_encode(sections, count, &fixture->buffer, &fixture->error),
        ND_OK);
}

static enum nd_status decode(struct fixture *fixture, const void *data,
                             size_t length)
{
    return nd_sample_decode(data, length, fixture->arena, &fixture->error,
                            fixture->sections, &fixture->count);
}

static void assert_same(const struct nd_section *one,
                        const struct nd_section *other)
{
    assert_int_equal(one->family, other->family);
    assert_int_equal(one->count, other->count);
    for (uint32_t i = 0; i < one->count; i++) {
        float value = one->values == NULL ? 1.0F : one->values[i];
        float read = other->values == NULL ? 1.0F : other->values[i];
        assert_int_equal(one->slots[i], other->slots[i]);
        assert_true(fabsf(value - read) <= fabsf(value) / 256);
    }
}

static void round_trip(struct fixture *fixture,
                       const struct nd_section *sections, size_t count)
{
    encode(fixture, sections, count);
    assert_int_equal(
        decode(fixture, fixture->buffer.data, fixture->buffer.length), ND_OK);
    assert_int_equal(fixture->count, count);
    for (size_t i = 0; i < count; i++)
        assert_same(&sections[i], &fixture->sections[i]);
}

/* count slots, ascending, about evenly spread below bound. */
static uint32_t *random_slots(struct fixture *fixture, uint32_t count,
                              uint32_t bound)
{
    uint32_t *slots =
        nd_arena_take(fixture->arena, (count + 1) * sizeof(*slots));
    uint32_t given = 0;
    for (uint32_t slot = 0; slot < bound && given < count; slot++)
        if (nd_random_below(&fixture->random, bound - slot) < count - given)
            slots[given++] = slot;
    assert_int_equal(given, count);
    return slots;
}

static void sections_of_all_shapes_come_back(void **state)
{
    struct fixture *fixture = *state;
    const uint32_t edges[] = {0, (1U << 24) - 1};
    const uint32_t run[] = {5, 6, 7, 8};
    const float values[] = {1.0F, -0.25F, 0.0F, 3.5F};
    const struct nd_section sections[] = {
        {0, 0, NULL, NULL},  {1, 2, edges, NULL}, {2, 1, edges + 1, values},
        {3, 4, run, values}, {7, 4, run, NULL},   {31, 1, edges, NULL},
    };
    round_trip(fixture, sections, 6);
    assert_null(fixture->sections[1].values);
    assert_null(fixture->sections[2].values); /* its one value is 1 */
    assert_non_null(fixture->sections[3].values);
    round_trip(fixture, sections, 0);
    assert_int_equal(fixture->buffer.length, 1);
}

static void random_sections_come_back(void **state)
{
    struct fixture *fixture = *state;
    for (int round = 0; round < 300; round++) {
        struct nd_section sections[3];
        for (uint8_t i = 0; i < 3; i++) {
            uint32_t count = (uint32_t)nd_random_below(&fixture->random, 200);
            uint32_t bound =
                count + 1 + (uint32_t)nd_random_below(&fixture->random, 20000);
            float *values =
                nd_arena_take(fixture->arena, (count + 1) * sizeof(float));
            for (uint32_t j = 0; j < count; j++)
                values[j] = (float)ldexp(
                    nd_random_normal(&fixture->random),
                    (int)nd_random_below(&fixture->random, 30) - 15);
            sections[i] = (struct nd_section){
                (uint8_t)(3 * i), count, random_slots(fixture, count, bound),
                i == 0 ? NULL : values};
        }
        round_trip(fixture, sections, 3);
        nd_arena_reset(fixture->arena);
    }
}

static void every_finite_value_is_kept_to_a_256th(void **state)
{
    struct fixture *fixture = *state;
    const uint32_t slot = 3;
    struct nd_section section = {1, 1, &slot, NULL};
    const float edges[] = {FLT_MAX, -FLT_MAX,       FLT_MIN, 1e-45F,
                           -1e-45F, 0.99999994F,    1e-30F,  -2.0F,
                           65504.F, 0.000060975552F};
    for (size_t i = 0; i < sizeof(edges) / sizeof(edges[0]); i++) {
        section.values = &edges[i];
        round_trip(fixture, &section, 1);
    }
    for (int round = 0; round < 100000; round++) {
        uint32_t bits = (uint32_t)nd_random_u64(&fixture->random);
        float value;
        memcpy(&value, &bits, sizeof(value));
        section.values = &value;
        if (isfinite(value))
            round_trip(fixture, &section, 1);
        if (round % 1000 == 0)
            nd_arena_reset(fixture->arena);
    }
}

static void one_and_zero_are_exact(void **state)
{
    struct fixture *fixture = *state;
    const uint32_t slots[] = {1, 2, 3, 4};
    const float values[] = {1.0F, 0.0F, -0.0F, -1.0F};
    const struct nd_section section = {1, 4, slots, values};
    round_trip(fixture, &section, 1);
    for (size_t i = 0; i < 4; i++)
        assert_true(fixture->sections[0].values[i] == values[i]);
}

static void a_sample_of_all_families_takes_less_than_four_kilobytes(
    void **state)
{
    struct fixture *fixture = *state;
    const uint32_t bits[] = {13, 14, 15, 16, 17, 17, 17};
    const uint32_t counts[] = {60, 200, 300, 450, 400, 600, 490};
    struct nd_section sections[7];
    for (uint8_t i = 0; i < 7; i++)
        sections[i] = (struct nd_section){
            (uint8_t)(i + 2), counts[i],
            random_slots(fixture, counts[i], 1U << bits[i]), NULL};
    round_trip(fixture, sections, 7);
    assert_true(fixture->buffer.length < 3000); /* 2,500 slots */
}

/* As SpamAssassin's corpus has them: 20 symbols' features in a registry of
 * 320 names, most of them present or with a score, and 16 metatokens. */
static void a_sample_of_symbols_and_metatokens_takes_about_60_bytes(
    void **state)
{
    struct fixture *fixture = *state;
    size_t total = 0;
    for (int round = 0; round < 200; round++) {
        float scores[20], facts[16];
        for (uint32_t i = 0; i < 20; i++)
            scores[i] = i % 7 < 5
                            ? 1.0F
                            : (float)nd_random_unit(&fixture->random) - 0.3F;
        for (uint32_t i = 0; i < 16; i++)
            facts[i] = (float)nd_random_unit(&fixture->random);
        struct nd_section sections[] = {
            {0, 20, random_slots(fixture, 20, 320), scores},
            {1, 16, random_slots(fixture, 16, 60), facts}};
        round_trip(fixture, sections, 2);
        total += fixture->buffer.length;
        nd_arena_reset(fixture->arena);
    }
    assert_in_range(total / 200, 45, 65);
}

/* ---- what cannot be encoded ---- */

static void assert_refused(struct fixture *fixture, enum nd_status wanted,
                           const struct nd_section *sections, size_t count)
{
    nd_buffer_clear(&fixture->buffer);
    nd_buffer_append_text(&fixture->buffer, "before");
    assert_int_equal(
        nd_sample_encode(sections, count, &fixture->buffer, &fixture->error),
        wanted);
    assert_true(fixture->error.text[0] != '\0');
    assert_int_equal(fixture->buffer.length, 6);
}

static void wrong_sections_are_refused_and_nothing_is_written(void **state)
{
    struct fixture *fixture = *state;
    const uint32_t down[] = {5, 4}, twice[] = {5, 5}, far[] = {1U << 24};
    const uint32_t slots[] = {1, 2};
    const float infinite[] = {1.0F, INFINITY}, none[] = {NAN, 1.0F};
    const struct nd_section wrong[] = {
        {1, 2, down, NULL},      {1, 2, twice, NULL}, {1, 1, far, NULL},
        {1, 2, slots, infinite}, {1, 2, slots, none}, {32, 1, slots, NULL},
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_refused(fixture, ND_DATA, &wrong[i], 1);
    const struct nd_section disorder[] = {{2, 1, slots, NULL},
                                          {2, 1, slots, NULL}};
    assert_refused(fixture, ND_DATA, disorder, 2);
    const struct nd_section large = {1, ND_SAMPLE_MAX_ENTRIES + 1, slots, NULL};
    assert_refused(fixture, ND_LIMIT, &large, 1);
    assert_refused(fixture, ND_LIMIT, disorder, ND_SAMPLE_MAX_SECTIONS + 1);
}

static void a_sample_over_the_limit_of_bytes_is_refused(void **state)
{
    struct fixture *fixture = *state;
    static uint32_t slots[ND_SAMPLE_MAX_ENTRIES];
    static float values[ND_SAMPLE_MAX_ENTRIES];
    struct nd_section sections[20];
    for (uint32_t i = 0; i < ND_SAMPLE_MAX_ENTRIES; i++) {
        slots[i] = i * 255;
        values[i] = 1.7e-38F;
    }
    for (uint8_t i = 0; i < 20; i++)
        sections[i] =
            (struct nd_section){i, ND_SAMPLE_MAX_ENTRIES, slots, values};
    assert_refused(fixture, ND_LIMIT, sections, 20);
}

/* ---- what is no sample ---- */

static void cut_samples_are_refused_at_every_length(void **state)
{
    struct fixture *fixture = *state;
    const uint32_t slots[] = {4, 9, 300, 70000};
    const float values[] = {0.5F, 1.0F, -2.0F, 0.1F};
    const struct nd_section sections[] = {{1, 4, slots, values},
                                          {2, 4, slots, NULL}};
    encode(fixture, sections, 2);
    uint8_t copy[64];
    size_t length = fixture->buffer.length;
    size_t first = length;
    memcpy(copy, fixture->buffer.data, length);
    encode(fixture, sections, 1);
    first = fixture->buffer.length;
    for (size_t cut = 0; cut < length; cut++) {
        bool whole = cut == first || cut == 1;
        assert_int_equal(decode(fixture, copy, cut), whole ? ND_OK : ND_DATA);
    }
}

static void malformed_bytes_are_refused(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        uint8_t bytes[12];
        size_t length;
    } wrong[] = {
        {{0}, 1},                            /* no such encoding */
        {{3}, 1},                            /* a later one */
        {{1, 1}, 2},                         /* a section without a length */
        {{1, 1, 5, 0}, 4},                   /* longer than the sample */
        {{1, 1, 0}, 3},                      /* without a count */
        {{1, 1, 1, 1}, 4},                   /* one slot without its bits */
        {{1, 1, 2, 0, 0}, 5},                /* bytes after an empty section */
        {{1, 0x21, 1, 0}, 4},                /* values of no slot */
        {{1, 0x41, 1, 0}, 4},                /* signs without values */
        {{1, 0x81, 1, 0}, 4},                /* ones without values */
        {{1, 2, 1, 0, 1, 1, 0}, 7},          /* families descend */
        {{1, 2, 1, 0, 2, 1, 0}, 7},          /* a family twice */
        {{1, 1, 2, 1, 0xff}, 5},             /* parameter 31 */
        {{1, 1, 4, 1, 0xb8, 0, 0}, 7},       /* ends early: the length lies */
        {{1, 1, 4, 1, 0, 0, 0}, 7},          /* bytes after the last slot */
        {{1, 1, 4, 0xff, 0xff, 3, 0}, 7},    /* more slots than bits */
        {{1, 1, 2, 1, 1}, 5},                /* a bit set after the end */
        {{1, 1, 3, 1, 0xbf, 0xff}, 6},       /* a slot that never ends */
        {{1, 1, 0xff, 0xff, 0xff, 0x7f}, 6}, /* a length of 256 MB */
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        if (decode(fixture, wrong[i].bytes, wrong[i].length) != ND_DATA)
            fail_msg("case %zu was taken", i);
        assert_true(fixture->error.text[0] != '\0');
    }
    assert_int_equal(decode(fixture, "", 0), ND_DATA);
    assert_int_equal(decode(fixture, "", ND_SAMPLE_MAX_BYTES + 1), ND_LIMIT);
}

static void memory_is_taken_in_proportion_to_the_bytes(void **state)
{
    struct fixture *fixture = *state;
    struct nd_arena *arena = nd_arena_create(64);
    static uint8_t bomb[4 + 8 * 32];
    size_t count = 1;
    bomb[0] = 1;
    for (uint8_t family = 0; family < 31; family++) {
        const uint8_t section[] = {family, 5, 0x80, 0x80, 4, 0, 0};
        memcpy(bomb + count, section, sizeof(section));
        count += sizeof(section); /* 65,536 slots in two bytes */
    }
    assert_int_equal(nd_sample_decode(bomb, count, arena, &fixture->error,
                                      fixture->sections, &fixture->count),
                     ND_DATA);
    assert_true(nd_arena_used(arena) < 4096);
    nd_arena_destroy(&arena);
}

static void changed_bits_never_crash_and_never_break_the_rules(void **state)
{
    struct fixture *fixture = *state;
    struct nd_section sections[4];
    float values[50];
    for (uint32_t i = 0; i < 50; i++)
        values[i] = (float)nd_random_normal(&fixture->random);
    for (uint8_t i = 0; i < 4; i++)
        sections[i] = (struct nd_section){
            i, 50, random_slots(fixture, 50, 5000), i < 2 ? values : NULL};
    encode(fixture, sections, 4);
    uint8_t *copy = nd_calloc(1, fixture->buffer.length);
    for (int round = 0; round < 20000; round++) {
        memcpy(copy, fixture->buffer.data, fixture->buffer.length);
        for (int i = 0; i <= round % 3; i++)
            copy[nd_random_below(&fixture->random, fixture->buffer.length)] ^=
                (uint8_t)(1U << nd_random_below(&fixture->random, 8));
        if (decode(fixture, copy, fixture->buffer.length) == ND_OK) {
            struct nd_buffer again = {0};
            assert_int_equal(nd_sample_encode(fixture->sections, fixture->count,
                                              &again, &fixture->error),
                             ND_OK);
            nd_buffer_free(&again);
        }
        nd_arena_reset(fixture->arena);
    }
    free(copy);
}

/* ---- families and merging ---- */

static uint32_t families(struct fixture *fixture)
{
    uint32_t mask;
    assert_int_equal(nd_sample_families(fixture->buffer.data,
                                        fixture->buffer.length, &fixture->error,
                                        &mask),
                     ND_OK);
    return mask;
}

static void the_mask_names_empty_families_too(void **state)
{
    struct fixture *fixture = *state;
    const uint32_t slots[] = {7};
    const struct nd_section sections[] = {
        {0, 0, NULL, NULL}, {5, 1, slots, NULL}, {31, 0, NULL, NULL}};
    encode(fixture, sections, 3);
    assert_true(families(fixture) == (1U | 1U << 5 | 1U << 31));
    encode(fixture, sections, 0);
    assert_int_equal(families(fixture), 0);
}

static void a_merge_keeps_the_old_and_adds_what_lacks(void **state)
{
    struct fixture *fixture = *state;
    const uint32_t low[] = {7}, high[] = {9};
    const struct nd_section old[] = {{1, 1, low, NULL}, {4, 1, low, NULL}};
    const struct nd_section added[] = {
        {0, 1, high, NULL}, {1, 1, high, NULL}, {5, 1, high, NULL}};
    struct nd_buffer first = {0}, second = {0};
    assert_int_equal(nd_sample_encode(old, 2, &first, &fixture->error), ND_OK);
    assert_int_equal(nd_sample_encode(added, 3, &second, &fixture->error),
                     ND_OK);
    assert_int_equal(nd_sample_merge(first.data, first.length, second.data,
                                     second.length, &fixture->buffer,
                                     &fixture->error),
                     ND_OK);
    assert_int_equal(
        decode(fixture, fixture->buffer.data, fixture->buffer.length), ND_OK);
    const uint32_t wanted[][2] = {{0, 9}, {1, 7}, {4, 7}, {5, 9}};
    assert_int_equal(fixture->count, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(fixture->sections[i].family, wanted[i][0]);
        assert_int_equal(fixture->sections[i].slots[0], wanted[i][1]);
    }
    nd_buffer_free(&first);
    nd_buffer_free(&second);
}

static void a_merge_with_rubbish_leaves_the_buffer_alone(void **state)
{
    struct fixture *fixture = *state;
    const uint8_t good[] = {1, 1, 1, 0}, bad[] = {1, 2, 9, 0};
    nd_buffer_append_text(&fixture->buffer, "before");
    assert_int_equal(
        nd_sample_merge(good, 4, bad, 4, &fixture->buffer, &fixture->error),
        ND_DATA);
    assert_int_equal(
        nd_sample_merge(bad, 4, good, 4, &fixture->buffer, &fixture->error),
        ND_DATA);
    assert_int_equal(
        nd_sample_merge(good, 4, "", 0, &fixture->buffer, &fixture->error),
        ND_DATA);
    assert_int_equal(fixture->buffer.length, 6);
    assert_memory_equal(fixture->buffer.data, "before", 6);
}

/* ---- versions ---- */

/* The example of docs/formats/sample.md, and what version 1 made of it. */
static const uint32_t example_slots[] = {2, 5, 9};
static const float example_values[] = {1.0F, 0.3F, -2.5F};
static const struct nd_section example[] = {
    {0, 3, example_slots, example_values}, {2, 0, NULL, NULL}};
static const uint8_t example_bytes[] = {2,    0xe0, 7,    3, 0x0c, 0x95, 0x46,
                                        0xbe, 0xd0, 0x00, 2, 1,    0};
static const uint8_t example_of_1[] = {1,    0xe0, 7,    3, 0x0c, 0x95, 0x46,
                                       0x6f, 0xb4, 0x00, 2, 1,    0};

static void the_example_of_the_specification_is_right(void **state)
{
    struct fixture *fixture = *state;
    round_trip(fixture, example, 2);
    assert_int_equal(fixture->buffer.length, sizeof(example_bytes));
    assert_memory_equal(fixture->buffer.data, example_bytes,
                        sizeof(example_bytes));
}

static void a_sample_of_version_1_is_read(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(decode(fixture, example_of_1, sizeof(example_of_1)),
                     ND_OK);
    assert_int_equal(fixture->count, 2);
    assert_same(&example[0], &fixture->sections[0]);
    assert_same(&example[1], &fixture->sections[1]);
}

static void samples_of_two_versions_are_merged(void **state)
{
    struct fixture *fixture = *state;
    const struct nd_section newer = {5, 3, example_slots, example_values};
    struct nd_buffer added = {0};
    assert_int_equal(nd_sample_encode(&newer, 1, &added, &fixture->error),
                     ND_OK);
    assert_int_equal(nd_sample_merge(example_of_1, sizeof(example_of_1),
                                     added.data, added.length, &fixture->buffer,
                                     &fixture->error),
                     ND_OK);
    assert_int_equal(
        decode(fixture, fixture->buffer.data, fixture->buffer.length), ND_OK);
    assert_int_equal(fixture->count, 3);
    assert_same(&example[0], &fixture->sections[0]);
    assert_same(&example[1], &fixture->sections[1]);
    assert_same(&newer, &fixture->sections[2]);
    nd_buffer_free(&added);
}

/* ---- bits ---- */

static void bits_come_back_as_they_went(void **state)
{
    struct fixture *fixture = *state;
    struct nd_bit_writer writer = {.buffer = &fixture->buffer};
    for (uint32_t i = 0; i < 33; i++) {
        nd_bits_put(&writer, 0xdeadbeef, i);
        nd_bits_put_unary(&writer, i * 3);
    }
    nd_bits_flush(&writer);
    struct nd_bit_reader reader;
    nd_bits_init(&reader, fixture->buffer.data, fixture->buffer.length);
    for (uint32_t i = 0; i < 33; i++) {
        uint64_t mask = (UINT64_C(1) << i) - 1;
        assert_true(nd_bits_get(&reader, i) == (0xdeadbeef & mask));
        assert_int_equal(nd_bits_get_unary(&reader), i * 3);
    }
    assert_true(nd_bits_at_end(&reader));
    assert_int_equal(nd_bits_get(&reader, 32), 0);
    assert_true(reader.failed);
    assert_false(nd_bits_at_end(&reader));
}

int main(void)
{
#define test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        test(sections_of_all_shapes_come_back),
        test(random_sections_come_back),
        test(every_finite_value_is_kept_to_a_256th),
        test(one_and_zero_are_exact),
        test(a_sample_of_all_families_takes_less_than_four_kilobytes),
        test(a_sample_of_symbols_and_metatokens_takes_about_60_bytes),
        test(wrong_sections_are_refused_and_nothing_is_written),
        test(a_sample_over_the_limit_of_bytes_is_refused),
        test(cut_samples_are_refused_at_every_length),
        test(malformed_bytes_are_refused),
        test(memory_is_taken_in_proportion_to_the_bytes),
        test(changed_bits_never_crash_and_never_break_the_rules),
        test(the_mask_names_empty_families_too),
        test(a_merge_keeps_the_old_and_adds_what_lacks),
        test(a_merge_with_rubbish_leaves_the_buffer_alone),
        test(the_example_of_the_specification_is_right),
        test(a_sample_of_version_1_is_read),
        test(samples_of_two_versions_are_merged),
        test(bits_come_back_as_they_went),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
