/* SPDX-License-Identifier: Apache-2.0
 *
 * What a model says of its families: a file from elsewhere may say anything.
 * What is accepted can be fed, and is written so that it reads the same again.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "features/features.h"

static void check(bool good)
{
    if (!good)
        abort();
}

/* A slot of each text family and a name, at the ends of their ranges. */
static void feed(const struct nd_scaling *scaling, struct nd_arena *arena)
{
    static const uint32_t named[] = {0, 7};
    static const float values[] = {1, -1};
    uint32_t ends[ND_FAMILY_COUNT][2] = {{0}};
    struct nd_slotted slotted = {.families = ND_GROUP_KNOWN,
                                 .named_slots = named,
                                 .named_values = values,
                                 .named_count = 2};
    for (uint32_t family = 0; family < ND_FAMILY_COUNT; family++) {
        const struct nd_family_info *info = nd_family((enum nd_family)family);
        ends[family][1] = (1U << info->slot_bits) - 1U;
        if (info->is_text)
            slotted.text[family] = (struct nd_slot_list){ends[family], 2};
    }
    struct nd_input input;
    nd_features_input(&slotted, scaling, arena, &input);
    for (uint32_t i = 0; i < input.count; i++) {
        uint32_t slot;
        enum nd_family family =
            nd_input_place(scaling, input.columns[i], &slot);
        check(isfinite(input.values[i]));
        check(input.columns[i] < nd_text_columns(scaling->families) + 8);
        check(!nd_family(family)->is_text ||
              (scaling->families >> family & 1U));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct nd_error error = {""};
    struct nd_scaling scaling, again;
    struct nd_reader reader;
    nd_reader_init(&reader, data, size);
    enum nd_status status = nd_scaling_read(&reader, &error, &scaling);
    if (status != ND_OK) {
        check(status == ND_DATA || status == ND_VERSION);
        check(error.text[0] != '\0');
        return 0;
    }
    check((scaling.families & ~ND_GROUP_KNOWN) == 0);
    struct nd_arena *arena = nd_arena_create(0);
    struct nd_buffer buffer = {0};
    feed(&scaling, arena);
    nd_scaling_write(&scaling, &buffer);
    nd_reader_init(&reader, buffer.data, buffer.length);
    check(nd_scaling_read(&reader, &error, &again) == ND_OK);
    check(again.families == scaling.families);
    check(memcmp(again.weight, scaling.weight, sizeof again.weight) == 0);
    nd_buffer_free(&buffer);
    nd_arena_destroy(&arena);
    return 0;
}
