/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of the network share: how its weights lie in memory. Not for
 * other folders.
 *
 * The first layer has one row a column: the weights to the hidden units, then,
 * with the wide path, the weight to the output. So one visit to a row serves
 * both paths, and the wide path is one more unit of the first layer, linear,
 * which goes into the output with weight 1.
 *
 * The rows exist in one of two forms. Plain: floats, as training leaves them.
 * Compact: 8-bit numbers with a scale a row, absent rows left out, as the model
 * file has them. Everything else is always floats.
 */
#ifndef ND_NN_NETWORK_INTERNAL_H
#define ND_NN_NETWORK_INTERNAL_H

#include "nn/compact.h"
#include "nn/kernels/kernels.h"
#include "nn/network.h"

/* A dense layer above the first: weights[inputs][width]. */
struct nd_dense {
    uint32_t inputs, units;
    size_t width; /* units, padded */
    float *weights;
    float *bias; /* [width] */
};

struct nd_network {
    struct nd_shape shape;
    uint32_t first_units;       /* units[0], or 0 without hidden layers */
    uint32_t last_units;        /* of the last hidden layer */
    size_t width;               /* first_units and the wide unit, padded */
    float *rows;                /* plain form [inputs][width], or NULL */
    struct nd_compact *compact; /* compact form, or NULL */
    float *bias;                /* [width]; 0 for the wide unit */
    uint32_t dense_count;       /* layers - 1, or 0 */
    struct nd_dense dense[ND_MAX_LAYERS - 1];
    float *out; /* [padded last_units] */
    float out_bias;
    bool trained; /* rows that are not 0 have been learned */
};

/* Most floats that a network's first layer, or a dense layer, may hold. */
#define ND_MAX_WEIGHTS ((size_t)1 << 28)
/* Log-odds are kept within this, so that they are finite for any input. */
#define ND_LOG_ODDS_LIMIT 1e9F

/* Zeroed memory, aligned for the widest vectors; freed with free(). Never
 * NULL. Large blocks ask for huge pages, since rows are visited at random. */
void *nd_aligned(size_t count, size_t size) ND_MUST_CHECK;
float *nd_floats(size_t count) ND_MUST_CHECK;

/* A network of a checked shape with all weights 0 and no rows. */
enum nd_status nd_network_empty(const struct nd_shape *shape,
                                struct nd_error *error,
                                struct nd_network **network_r) ND_MUST_CHECK;

/* The compact form of a network's plain rows; rows of zeros are absent. */
struct nd_compact *nd_compact_from_rows(const struct nd_network *network)
    ND_MUST_CHECK;

/* Gives a compact network plain rows again, so that it can be trained on; the
 * compact form goes. Does nothing to a plain one. */
void nd_network_expand(struct nd_network *network);

/* Pre-activations of the first layer without bias, and the wide sum:
 * hidden_r[0..width) += rows' sum; returns the wide sum. */
float nd_network_first(const struct nd_network *network,
                       const struct nd_sparse *vector, float *hidden_r);

#endif
