/* SPDX-License-Identifier: Apache-2.0
 *
 * How rspamd's numbers become the columns that a network learns from: each
 * number scaled, and, for numbers of many values, steps besides. All of it can
 * be folded into a KANN network, which then takes rspamd's numbers as they
 * are.
 */
#ifndef ND_RSPAMD_ENCODING_H
#define ND_RSPAMD_ENCODING_H

#include <stdbool.h>
#include <stdint.h>

#include "nn/dataset.h"
#include "rspamd/vectors.h"

#define ND_ENCODING_STEPS 3 /* of one input, at most */

/* A step: 0 below low, 1 above high, a straight line between. */
struct nd_encoding_step {
    uint32_t input;
    float low, high;
};

/* Column i below inputs is input i times scales[i]; column inputs + k is
 * step k. An input that says nothing has the scale 0 and no steps. */
struct nd_encoding {
    uint32_t inputs, step_count;
    float *scales;
    struct nd_encoding_step *steps; /* by input */
};

/* Chooses scales and steps by what the inputs of vectors are like; free with
 * nd_encoding_free. */
void nd_encoding_plan(const struct nd_vectors *vectors,
                      struct nd_encoding *encoding_r);
void nd_encoding_free(struct nd_encoding *encoding); /* also clears it */

/* How high step is at value, 0 to 1. */
float nd_encoding_step_at(const struct nd_encoding_step *step, float value);

/* Encodes one vector of encoding->inputs numbers into columns_r and values_r,
 * which have room for inputs + step_count. The answer points to them. */
struct nd_sparse nd_encoding_apply(const struct nd_encoding *encoding,
                                   const float *vector, uint32_t *columns_r,
                                   float *values_r);

#endif
