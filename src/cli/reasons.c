/* SPDX-License-Identifier: Apache-2.0
 *
 * Explanations for the report: the change in log-odds with one feature alone
 * removed, worked out by the network, under the feature's name.
 */
#include "cli/reasons.h"

#include <math.h>
#include <stdlib.h>

#include "learn/samples.h"
#include "nn/network.h"

static const char *text_name(const struct nd_features *features,
                             enum nd_family family, uint32_t slot)
{
    const struct nd_slot_list *list = &features->text[family];
    for (uint32_t i = 0; i < list->count; i++) {
        if (list->slots[i] == slot) {
            return features->text_names[family][i];
        }
    }
    return NULL;
}

static struct nd_reason make_reason(const struct nd_live *live,
                                    const struct nd_features *features,
                                    uint32_t column, double change)
{
    uint32_t slot;
    struct nd_reason reason = {.change = change};
    reason.family = nd_input_place(&live->scaling, column, &slot);
    if (nd_family(reason.family)->is_text) {
        reason.name = text_name(features, reason.family, slot);
    } else {
        reason.name = nd_registry_name(live->names, slot);
        reason.family = reason.name != NULL ? nd_sample_family_of(reason.name)
                                            : reason.family;
    }
    reason.name = reason.name != NULL ? reason.name : "?";
    return reason;
}

static int by_weight(const void *left, const void *right)
{
    double a = fabs(((const struct nd_reason *)left)->change);
    double b = fabs(((const struct nd_reason *)right)->change);
    return (a < b) - (a > b);
}

void nd_reasons_find(const struct nd_live *live, const struct nd_key *key,
                     uint32_t families, const struct nd_item *item,
                     size_t limit, const struct nd_reason **reasons_r,
                     size_t *count_r)
{
    struct nd_extract_options options = {.families = families,
                                         .flags = ND_EXTRACT_NAMES};
    struct nd_features features;
    struct nd_slotted slotted;
    struct nd_input input;
    nd_features_extract(&item->message, item->scan, key, &options, item->arena,
                        &features);
    nd_features_resolve(&features, live->names, item->arena, &slotted, NULL);
    nd_features_input(&slotted, &live->scaling, item->arena, &input);

    struct nd_sparse vector = {input.count, input.columns, input.values};
    float *changes =
        nd_arena_take(item->arena, input.count * sizeof(*changes) + 1);
    struct nd_reason *reasons =
        nd_arena_take(item->arena, input.count * sizeof(*reasons) + 1);
    nd_network_contributions(live->model->network, &vector, changes);
    for (uint32_t i = 0; i < input.count; i++) {
        reasons[i] =
            make_reason(live, &features, input.columns[i],
                        live->model->calibration.slope * (double)changes[i]);
    }
    qsort(reasons, input.count, sizeof(*reasons), by_weight);
    *reasons_r = reasons;
    *count_r = input.count < limit ? input.count : limit;
}
