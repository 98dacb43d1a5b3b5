/* SPDX-License-Identifier: Apache-2.0
 *
 * Sparse vectors and labelled sets of them, the input of the network.
 */
#ifndef ND_NN_DATASET_H
#define ND_NN_DATASET_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* A sparse vector: count columns with their values. It does not own its
 * arrays. Columns are unique; their order does not matter. */
struct nd_sparse {
    uint32_t count;
    const uint32_t *columns;
    const float *values;
};

/* A set of sparse vectors in compressed rows, with a label (0 ham, 1 spam) and
 * a weight each. Grows by nd_dataset_add. One writer; many readers once it is
 * complete. */
struct nd_dataset;

/* An empty set; destroy accepts NULL and clears *dataset. */
struct nd_dataset *nd_dataset_create(void) ND_MUST_CHECK;
void nd_dataset_destroy(struct nd_dataset **dataset);

/* Appends a copy of vector. label is 0 or 1; weight (> 0) multiplies the
 * sample's loss. ND_DATA if a value or the weight is not finite, ND_LIMIT over
 * 2^32 - 1 entries in all. */
enum nd_status nd_dataset_add(struct nd_dataset *dataset,
                              const struct nd_sparse *vector, int label,
                              float weight,
                              struct nd_error *error) ND_MUST_CHECK;

/* A set of count rows of set, in that order, which shares their entries with
 * it: set outlives it and does not change meanwhile. Nothing can be added. */
struct nd_dataset *nd_dataset_select(const struct nd_dataset *set,
                                     const uint32_t *rows,
                                     size_t count) ND_MUST_CHECK;

/* Vectors in the set, and entries of all of them together. */
size_t nd_dataset_count(const struct nd_dataset *dataset);
size_t nd_dataset_entries(const struct nd_dataset *dataset);
/* Largest column plus one; 0 for an empty set. */
uint32_t nd_dataset_width(const struct nd_dataset *dataset);
/* Row's vector, pointing into the set. row < count. */
struct nd_sparse nd_dataset_row(const struct nd_dataset *dataset, size_t row);
int nd_dataset_label(const struct nd_dataset *dataset, size_t row);
float nd_dataset_weight(const struct nd_dataset *dataset, size_t row);

/* Reads svmlight text ("LABEL COLUMN:VALUE ... # comment"; a label above 0 is
 * spam; columns count from 1 in the file and from 0 here). ND_DATA names file
 * and line. */
enum nd_status nd_dataset_read_svmlight(
    const char *path, struct nd_error *error,
    struct nd_dataset **dataset_r) ND_MUST_CHECK;

#endif
