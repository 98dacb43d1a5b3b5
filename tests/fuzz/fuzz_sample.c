/* SPDX-License-Identifier: Apache-2.0
 *
 * Encoded samples from outside. What is accepted keeps the promises of
 * sample.h, can be encoded again without a loss (in the version of today), and
 * merges with itself to itself; memory stays in proportion to the input.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "store/sample.h"

static void check(bool good)
{
    if (!good)
        abort();
}

static void check_section(const struct nd_section *section)
{
    check(section->family < ND_SAMPLE_MAX_SECTIONS);
    check(section->count <= ND_SAMPLE_MAX_ENTRIES);
    for (uint32_t i = 0; i < section->count; i++) {
        check(section->slots[i] < 1U << 24);
        check(i == 0 || section->slots[i] > section->slots[i - 1]);
        check(section->values == NULL || isfinite(section->values[i]));
    }
}

static void check_same(const struct nd_section *one,
                       const struct nd_section *other, float loss)
{
    check(one->family == other->family && one->count == other->count);
    for (uint32_t i = 0; i < one->count; i++) {
        float value = one->values == NULL ? 1.0F : one->values[i];
        float read = other->values == NULL ? 1.0F : other->values[i];
        check(one->slots[i] == other->slots[i]);
        check(fabsf(value - read) <= fabsf(value) * loss);
    }
}

/* Values that were decoded lie on the grid: a second turn is exact. Those of
 * version 1 lie on a finer one. */
static void check_again(const struct nd_section *sections, size_t count,
                        float loss, struct nd_arena *arena)
{
    struct nd_section read[ND_SAMPLE_MAX_SECTIONS];
    struct nd_buffer buffer = {0};
    struct nd_error error;
    size_t read_count;
    if (nd_sample_encode(sections, count, &buffer, &error) == ND_OK) {
        check(nd_sample_decode(buffer.data, buffer.length, arena, &error, read,
                               &read_count) == ND_OK);
        check(read_count == count);
        for (size_t i = 0; i < count; i++)
            check_same(&sections[i], &read[i], loss);
    }
    nd_buffer_free(&buffer);
}

static void check_merge(const uint8_t *data, size_t size, uint32_t families)
{
    static const uint8_t other[] = {1, 0, 1, 0, 9, 2, 1, 0};
    struct nd_buffer merged = {0};
    struct nd_error error;
    uint32_t both;
    check(nd_sample_merge(data, size, data, size, &merged, &error) == ND_OK);
    check(merged.length == size && memcmp(merged.data, data, size) == 0);
    nd_buffer_clear(&merged);
    if (nd_sample_merge(data, size, other, sizeof(other), &merged, &error) ==
        ND_OK) {
        check(nd_sample_families(merged.data, merged.length, &error, &both) ==
              ND_OK);
        check(both == (families | 1U | 1U << 9));
    }
    nd_buffer_free(&merged);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct nd_arena *arena = nd_arena_create(0);
    struct nd_section sections[ND_SAMPLE_MAX_SECTIONS];
    struct nd_error error = {""};
    size_t count;
    uint32_t families, mask = 0;
    enum nd_status walked = nd_sample_families(data, size, &error, &families);
    enum nd_status status =
        nd_sample_decode(data, size, arena, &error, sections, &count);
    check(nd_arena_used(arena) <= 64 * size + 4096);
    if (status == ND_OK) {
        check(walked == ND_OK && count <= ND_SAMPLE_MAX_SECTIONS);
        for (size_t i = 0; i < count; i++) {
            check_section(&sections[i]);
            check(i == 0 || sections[i].family > sections[i - 1].family);
            mask |= 1U << sections[i].family;
        }
        check(mask == families);
        check_again(sections, count, data[0] == 1 ? 1.0F / 256 : 0, arena);
        check_merge(data, size, families);
    } else {
        check(error.text[0] != '\0');
    }
    nd_arena_destroy(&arena);
    return 0;
}
