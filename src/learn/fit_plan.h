/* SPDX-License-Identifier: Apache-2.0
 *
 * How a network of these samples learns: its shape, its inputs, its training.
 * All of it follows from the samples by the rules in fit_plan.c; options say
 * otherwise. Internal to src/learn.
 */
#ifndef ND_LEARN_FIT_PLAN_H
#define ND_LEARN_FIT_PLAN_H

#include "learn/fit.h"
#include "nn/dataset.h"

struct nd_fit_plan {
    struct nd_scaling scaling;
    struct nd_shape shape;
    struct nd_train_options training; /* without a callback */
    uint32_t group_ends[ND_FAMILY_COUNT + 1];
};

/* Chooses. The plan points into itself: do not copy it. */
void nd_fit_plan_make(const struct nd_fit_sample *samples, size_t count,
                      const struct nd_fit_options *options,
                      struct nd_fit_plan *plan_r);

/* The samples as the network's inputs, in order, without the columns that too
 * few samples have. ND_LIMIT and ND_DATA as nd_dataset_add. */
enum nd_status nd_fit_plan_inputs(const struct nd_fit_plan *plan,
                                  const struct nd_fit_sample *samples,
                                  size_t count, struct nd_error *error,
                                  struct nd_dataset **set_r) ND_MUST_CHECK;

#endif
