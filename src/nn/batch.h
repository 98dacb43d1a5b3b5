/* SPDX-License-Identifier: Apache-2.0
 *
 * A mini-batch of sparse samples, by rows for the forward pass and by columns
 * for the update, so that each column's row of weights is visited once a batch
 * and its gradient never leaves the registers' neighbourhood.
 */
#ifndef ND_NN_BATCH_H
#define ND_NN_BATCH_H

#include "base/random.h"
#include "nn/dataset.h"
#include "nn/train.h"

/* One sample of a batch. */
struct nd_batch_row {
    struct nd_sparse input; /* after input dropout */
    float target;           /* 0 to 1, after label smoothing */
    float weight;           /* of its loss */
};

/* Samples of one step; reused from step to step. Columns are in order of first
 * appearance; column c's entries are those from starts[c] to starts[c + 1]. A
 * batch of one sample is not transposed: its columns are the sample's own, and
 * column_count is 0. */
struct nd_batch {
    uint32_t count;
    struct nd_batch_row *rows;
    uint32_t column_count;
    uint32_t *columns;
    uint32_t *starts;
    uint32_t *samples; /* of each entry: index into rows */
    float *values;
    /* the batch's own memory */
    uint32_t capacity;
    size_t entry_capacity;
    uint32_t inputs;
    uint32_t *places; /* [inputs], all 0 between batches */
    uint32_t *kept_columns;
    float *kept_values;
};

/* What turns samples of a set into rows of a batch. */
struct nd_batch_source {
    const struct nd_dataset *set;
    float class_weight[2];
    float input_dropout;
    float label_smoothing;
    struct nd_train_groups groups;
};

/* Room for batches of up to capacity samples on columns below inputs. */
struct nd_batch *nd_batch_create(uint32_t capacity,
                                 uint32_t inputs) ND_MUST_CHECK;
void nd_batch_destroy(struct nd_batch **batch);

/* Fills batch with count samples of the source's set, columns at or beyond
 * inputs left out. Rows may point into the set. */
void nd_batch_fill(struct nd_batch *batch, const struct nd_batch_source *source,
                   const uint32_t *samples, uint32_t count,
                   struct nd_random *random);

#endif
