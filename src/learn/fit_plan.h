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
    uint32_t inputs;   /* columns of the whole network */
    uint32_t units;    /* hidden units of the whole network */
    uint32_t members;  /* networks that it is made of, 2 and more */
    uint32_t left_out; /* folds, of as many as members, that each leaves out */
    struct nd_train_options training; /* of a member, without a callback */
    uint32_t group_ends[ND_FAMILY_COUNT + 1];
    /* The columns that members have, rising: members know them by their place
     * here, so that what is trained lies close together. */
    uint32_t *columns;
    uint32_t column_count;
    float *known; /* of each sample: nd_input_known by the others' columns */
};

/* Chooses. The plan points into itself: do not copy it. */
void nd_fit_plan_make(const struct nd_fit_sample *samples, size_t count,
                      const struct nd_fit_options *options,
                      struct nd_fit_plan *plan_r);
void nd_fit_plan_free(struct nd_fit_plan *plan);

/* The samples as the members' inputs, in order, without the columns that too
 * few samples have; settles the plan's columns, once. ND_LIMIT and ND_DATA as
 * nd_dataset_add. */
enum nd_status nd_fit_plan_inputs(struct nd_fit_plan *plan,
                                  const struct nd_fit_sample *samples,
                                  size_t count, struct nd_error *error,
                                  struct nd_dataset **set_r) ND_MUST_CHECK;

/* The shape of a member, from 0. */
struct nd_shape nd_fit_plan_shape(const struct nd_fit_plan *plan,
                                  uint32_t member);

#endif
