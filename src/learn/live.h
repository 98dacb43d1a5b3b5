/* SPDX-License-Identifier: Apache-2.0
 *
 * A loaded model, ready to score: immutable, shared by reference counts, so
 * that threads go on scoring with the old one while a newer takes its place.
 */
#ifndef ND_LEARN_LIVE_H
#define ND_LEARN_LIVE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "features/features.h"
#include "features/registry.h"
#include "learn/fit.h"
#include "nn/model.h"

struct nd_live {
    atomic_uint references;
    struct nd_model *model;
    struct nd_scorer *scorer;
    struct nd_registry *names; /* the model's own, by slot */
    struct nd_scaling scaling; /* how its input is built */
    uint64_t generation;
};

/* Takes model over, also on failure (then it is destroyed). One reference, the
 * caller's. ND_DATA where its scaling or its names are malformed or its columns
 * are not those of its features, ND_VERSION where it reads families of a later
 * version. */
enum nd_status nd_live_create(struct nd_model *model, uint64_t generation,
                              struct nd_error *error,
                              struct nd_live **live_r) ND_MUST_CHECK;

/* One more reference. Thread-safe. */
struct nd_live *nd_live_hold(struct nd_live *live) ND_MUST_CHECK;
/* Gives a reference back; the last one frees. NULL and a pointer to NULL are
 * accepted. Thread-safe. */
void nd_live_release(struct nd_live **live);

/* Whether a sample of these families holds anything that the model reads. */
bool nd_live_reads(const struct nd_live *live, uint32_t families);

/* Families that the model was trained with and that no message gives any more:
 * it answers without them. */
uint32_t nd_live_blind(const struct nd_live *live);

/* Calibrated log-odds of spam. Thread-safe with an arena of its own. */
double nd_live_log_odds(const struct nd_live *live,
                        const struct nd_slotted *slotted,
                        struct nd_arena *arena);

#endif
