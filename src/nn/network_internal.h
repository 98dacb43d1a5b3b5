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

#include "nn/kernels/kernels.h"
#include "nn/network.h"

/* A dense layer above the first: weights[inputs][width]. */
struct nd_dense {
    uint32_t inputs, units;
    size_t width; /* units, padded */
    float *weights;
    float *bias; /* [width] */
};

/* 64 columns: which of them have a row, and how many rows are before. */
struct nd_rank {
    uint64_t present;
    uint32_t before;
};

/* Before each compact row's numbers, in the same block of memory. */
struct nd_compact_head {
    float scale; /* a weight is scale * its 8-bit number */
    float wide;  /* the weight to the output; 0 without the wide path */
};

struct nd_compact {
    uint32_t rows;
    size_t pitch;          /* bytes from row to row, head included */
    size_t width;          /* numbers a row, padded with 0 */
    struct nd_rank *ranks; /* [(inputs + 63) / 64] */
    uint8_t *data;         /* [rows][pitch] */
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

/* Zeroed floats, aligned for the widest vectors; freed with free(). Never
 * NULL. Large blocks ask for huge pages, since rows are visited at random. */
float *nd_floats(size_t count) ND_MUST_CHECK;

/* A network of a checked shape with all weights 0 and no rows. */
enum nd_status nd_network_empty(const struct nd_shape *shape,
                                struct nd_error *error,
                                struct nd_network **network_r) ND_MUST_CHECK;

/* The index of column's compact row; false where it has none. */
static inline bool nd_compact_find(const struct nd_compact *compact,
                                   uint32_t column, uint32_t *row_r)
{
    const struct nd_rank *rank = &compact->ranks[column / 64];
    uint64_t bit = (uint64_t)1 << (column % 64);
    *row_r = rank->before +
             (uint32_t)__builtin_popcountll(rank->present & (bit - 1));
    return (rank->present & bit) != 0;
}

/* A compact form with room for the rows that are set in ranks[].present, whose
 * numbers and heads are 0. Takes ownership of ranks and fills in before. */
struct nd_compact *nd_compact_create(struct nd_rank *ranks, uint32_t inputs,
                                     uint32_t units) ND_MUST_CHECK;
void nd_compact_destroy(struct nd_compact **compact);

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
