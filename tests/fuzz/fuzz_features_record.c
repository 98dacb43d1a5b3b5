/* SPDX-License-Identifier: Apache-2.0
 *
 * Records of a damaged spool. What is accepted keeps the promises of
 * features.h, and comes back the same when it is written again.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "learn/features_record.h"

static void check(bool good)
{
    if (!good)
        abort();
}

static void check_promises(const struct nd_features *features)
{
    check((features->families & ~ND_GROUP_KNOWN) == 0);
    for (size_t i = 0; i < features->named_count; i++) {
        check(features->named[i].name[0] != '\0');
        check(isfinite(features->named[i].value));
    }
    for (enum nd_family family = 0; family < ND_FAMILY_COUNT; family++) {
        const struct nd_slot_list *list = &features->text[family];
        check(list->count <= nd_family(family)->max_features);
        for (uint32_t i = 0; i < list->count; i++) {
            check(list->slots[i] >> nd_family(family)->slot_bits == 0);
            check(i == 0 || list->slots[i] > list->slots[i - 1]);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct nd_arena *arena = nd_arena_create(0);
    struct nd_features features, again;
    struct nd_error error;
    if (nd_features_record_read(data, size, arena, &error, &features) ==
        ND_OK) {
        struct nd_buffer first = {0}, second = {0};
        check_promises(&features);
        nd_features_record_write(&features, &first);
        check(nd_features_record_read(first.data, first.length, arena, &error,
                                      &again) == ND_OK);
        nd_features_record_write(&again, &second);
        check(first.length == second.length &&
              memcmp(first.data, second.data, first.length) == 0);
        nd_buffer_free(&first);
        nd_buffer_free(&second);
    }
    check(nd_arena_used(arena) <= 65536 + size * 64);
    nd_arena_destroy(&arena);
    return 0;
}
