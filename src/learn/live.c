/* SPDX-License-Identifier: Apache-2.0
 *
 * A loaded model with what scoring needs beside it. The registry here is built
 * from the names inside the model file, not from the store's: scoring then
 * never asks the store, and a slot can never be read under another name.
 */
#include "learn/live.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static void destroy(struct nd_live *live)
{
    nd_scorer_destroy(&live->scorer);
    nd_registry_destroy(&live->names);
    nd_model_destroy(&live->model);
    free(live);
}

static enum nd_status take_names(struct nd_live *live, struct nd_error *error)
{
    const struct nd_model *model = live->model;
    live->names = nd_registry_create();
    for (uint32_t slot = 0; slot < model->registry_length; slot++) {
        if (nd_registry_add(live->names, model->names[slot]) != slot) {
            return nd_fail(error, ND_DATA,
                           "the model has the feature %s under two slots",
                           model->names[slot]);
        }
    }
    uint8_t digest[ND_DIGEST_BYTES];
    nd_registry_digest(live->names, model->registry_length, digest);
    if (memcmp(digest, model->registry_digest, sizeof digest) != 0) {
        return nd_fail(error, ND_DATA,
                       "the model's feature names do not match their digest");
    }
    return ND_OK;
}

/* The network has a column for each slot of what it is fed, or it was made by
 * a program that counts them otherwise. */
static enum nd_status check_columns(const struct nd_live *live,
                                    struct nd_error *error)
{
    uint32_t columns =
        nd_text_columns(live->scaling.families) + live->model->registry_length;
    uint32_t inputs = nd_network_shape(live->model->network).inputs;
    if (inputs == columns || (columns == 0 && inputs == 1)) {
        return ND_OK;
    }
    return nd_fail(error, ND_DATA,
                   "the model's network has %u columns, its features make "
                   "%u: it is of a version with other slots; train a model "
                   "with this one",
                   (unsigned)inputs, (unsigned)columns);
}

enum nd_status nd_live_create(struct nd_model *model, uint64_t generation,
                              struct nd_error *error, struct nd_live **live_r)
{
    struct nd_live *live = nd_calloc(1, sizeof *live);
    live->model = model;
    live->generation = generation;
    atomic_init(&live->references, 1);
    enum nd_status status = take_names(live, error);
    if (status == ND_OK) {
        status = nd_scorer_create(model, error, &live->scorer);
    }
    if (status == ND_OK) {
        struct nd_reader reader;
        nd_reader_init(&reader, model->extra.data, model->extra.length);
        status = nd_scaling_read(&reader, error, &live->scaling);
    }
    if (status == ND_OK) {
        status = check_columns(live, error);
    }
    if (status != ND_OK) {
        destroy(live);
        return status;
    }
    *live_r = live;
    return ND_OK;
}

struct nd_live *nd_live_hold(struct nd_live *live)
{
    atomic_fetch_add_explicit(&live->references, 1, memory_order_relaxed);
    return live;
}

void nd_live_release(struct nd_live **live)
{
    if (live == NULL || *live == NULL) {
        return;
    }
    if (atomic_fetch_sub_explicit(&(*live)->references, 1,
                                  memory_order_acq_rel) == 1) {
        destroy(*live);
    }
    *live = NULL;
}

bool nd_live_reads(const struct nd_live *live, uint32_t families)
{
    uint32_t read = live->scaling.families;
    return (families & (read | nd_families_sources(read))) != 0;
}

uint32_t nd_live_blind(const struct nd_live *live)
{
    uint32_t blind = 0;
    for (uint32_t family = 0; family < ND_FAMILY_COUNT; family++) {
        uint32_t bit = 1U << family;
        if ((live->scaling.families & bit) && nd_families_sources(bit) == 0) {
            blind |= bit;
        }
    }
    return blind;
}

double nd_live_log_odds(const struct nd_live *live,
                        const struct nd_slotted *slotted,
                        struct nd_arena *arena)
{
    const struct nd_calibration *calibration = &live->model->calibration;
    return calibration->slope *
               nd_scorer_log_odds(live->scorer, slotted, arena) +
           calibration->offset;
}
