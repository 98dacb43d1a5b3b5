/* SPDX-License-Identifier: Apache-2.0
 *
 * Explanations: what each feature alone changed, worked out by the network,
 * under the name that the message or the model gives it. Scoring knows nothing
 * of this.
 */
#include "learn/reasons.h"

#include <math.h>
#include <stdlib.h>

#include "learn/samples.h"
#include "nn/network.h"

/* The first name whose slot has a slot's lowest bits. */
static const char *narrow_name(const struct nd_features *features,
                               const struct nd_family_info *info, uint32_t slot)
{
    const struct nd_slot_list *list = &features->text[info->wide];
    const char *const *names = features->text_names[info->wide];
    uint32_t mask = (1U << info->slot_bits) - 1U;
    for (uint32_t i = 0; names != NULL && i < list->count; i++) {
        if ((list->slots[i] & mask) == slot) {
            return names[i];
        }
    }
    return NULL;
}

/* The name of a text family's slot among the extracted ones. */
static const char *text_name(const struct nd_features *features,
                             enum nd_family family, uint32_t slot)
{
    const struct nd_slot_list *list = &features->text[family];
    uint32_t low = 0, high = list->count;
    if (nd_family(family)->wide != ND_FAMILY_NONE) {
        return narrow_name(features, nd_family(family), slot);
    }
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (list->slots[middle] < slot) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == list->count || list->slots[low] != slot ||
        features->text_names[family] == NULL) {
        return NULL;
    }
    return features->text_names[family][low];
}

static struct nd_reason reason_of(const struct nd_live *live,
                                  const struct nd_features *features,
                                  uint32_t column)
{
    uint32_t slot;
    enum nd_family family = nd_input_place(&live->scaling, column, &slot);
    const char *name;
    if (nd_family(family)->is_text) {
        name = text_name(features, family, slot);
    } else {
        name = nd_registry_name(live->names, slot);
        family = name != NULL ? nd_sample_family_of(name) : family;
    }
    return (struct nd_reason){.name = name != NULL ? name : "?",
                              .family = family};
}

static int by_change(const void *first, const void *second)
{
    double a = fabs(((const struct nd_reason *)first)->change);
    double b = fabs(((const struct nd_reason *)second)->change);
    return (a < b) - (a > b);
}

struct nd_reason *nd_live_reasons(const struct nd_live *live,
                                  const struct nd_features *features,
                                  const struct nd_slotted *slotted,
                                  struct nd_arena *arena, size_t *count_r)
{
    struct nd_input input;
    nd_features_input(slotted, &live->scaling, arena, &input);
    struct nd_sparse vector = {input.count, input.columns, input.values};
    float *changes = nd_arena_take(arena, input.count * sizeof *changes);
    struct nd_reason *reasons =
        nd_arena_take(arena, input.count * sizeof *reasons);
    nd_network_contributions(live->model->network, &vector, changes);
    size_t count = 0;
    for (uint32_t i = 0; i < input.count; i++) {
        if (changes[i] == 0) {
            continue;
        }
        reasons[count] = reason_of(live, features, input.columns[i]);
        reasons[count++].change =
            live->model->calibration.slope * (double)changes[i];
    }
    if (count > 0) {
        qsort(reasons, count, sizeof *reasons, by_change);
    }
    *count_r = count;
    return reasons;
}
