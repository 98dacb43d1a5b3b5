/* SPDX-License-Identifier: Apache-2.0
 *
 * The network: a sparse first layer, dense hidden layers with leaky rectified
 * linear units, one logistic output, and, if asked for, a linear path from the
 * inputs straight to the output (Cheng et al., "Wide & Deep Learning", 2016),
 * which learns what single features say while the hidden layers learn what
 * they say together.
 *
 *     h1 = act(b1 + sum_j x_j * W1[j])             (units[0])
 *     hk = act(bk + Wk h(k-1))                     (units[k-1])
 *     z  = b + v . h_last + sum_j x_j * u[j]       (log-odds of spam)
 */
#ifndef ND_NN_NETWORK_H
#define ND_NN_NETWORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/status.h"
#include "nn/dataset.h"

#define ND_MAX_LAYERS 4
#define ND_MAX_UNITS 4096
#define ND_MAX_INPUTS (1U << 24)

struct nd_shape {
    uint32_t inputs;               /* columns, up to ND_MAX_INPUTS */
    uint32_t layers;               /* hidden layers, 0 (linear) to 4 */
    uint32_t units[ND_MAX_LAYERS]; /* width of each, up to ND_MAX_UNITS */
    bool wide;                     /* the linear path; implied by 0 layers */
};

/* Immutable while it scores: any number of threads may share it. */
struct nd_network;

/* A network with weights drawn from seed (He et al. 2015, scaled for sparse
 * rows). ND_LIMIT where the shape passes a limit above. */
enum nd_status nd_network_create(const struct nd_shape *shape, uint64_t seed,
                                 struct nd_error *error,
                                 struct nd_network **network_r) ND_MUST_CHECK;
void nd_network_destroy(struct nd_network **network);
struct nd_shape nd_network_shape(const struct nd_network *network);

/* Log-odds of spam for one vector. Columns at or beyond the network's inputs
 * are left out: they came after it was trained. Takes no memory but stack,
 * never fails; the answer is finite for finite input. Thread-safe. */
float nd_network_score(const struct nd_network *network,
                       const struct nd_sparse *vector);

/* Whether the network has weights of its own for a column; one that training
 * never saw, or too seldom to keep, has none. Thread-safe. */
bool nd_network_knows(const struct nd_network *network, uint32_t column);

/* For each entry of the vector, the change in log-odds that taking that entry
 * alone away would undo: z(x) - z(x without entry). changes_r holds
 * vector->count floats. Thread-safe. */
void nd_network_contributions(const struct nd_network *network,
                              const struct nd_sparse *vector, float *changes_r);

/* Copies the weights of a network of one hidden layer, no linear path and plain
 * rows (never quantized, never read from a file) out: rows_r[inputs][units],
 * bias_r[units], out_r[units]; answers the output's bias. Units have the slope
 * ND_LEAK (nn/kernels/kernels.h) below zero. For other formats than ours. */
float nd_network_weights(const struct nd_network *network, float *rows_r,
                         float *bias_r, float *out_r);

/* Name of the kernel set in use ("scalar", "avx2", "avx512", "neon"), chosen
 * once from the processor; NEURALD_KERNEL in the environment overrides it with
 * one that the processor has. */
const char *nd_kernel_name(void);

/* Rounds the first layer to the compact form that the model file keeps (8-bit
 * numbers with a scale a row, rows of zeros left out) and scores from it from
 * now on: exactly as the network will after nd_network_write and
 * nd_network_read, faster, in less memory. Call it after training and before
 * calibrating. Does nothing the second time. Training a compact network further
 * is possible and makes it plain again. Not thread-safe. */
void nd_network_quantize(struct nd_network *network);

/* One network, compact, that answers the mean of the members' log-odds, but for
 * the rounding of the compact form. The members are plain, have the same
 * inputs, the wide path, and one hidden layer or none; columns[j], rising, is
 * what their column j is called in the whole, which has inputs columns. The
 * members stay the caller's. ND_USAGE where they differ, ND_LIMIT where the
 * whole passes a limit above. */
enum nd_status nd_network_join(const struct nd_network *const *members,
                               uint32_t count, const uint32_t *columns,
                               uint32_t inputs, struct nd_error *error,
                               struct nd_network **network_r) ND_MUST_CHECK;

/* Appends the network to buffer in the model file's encoding (docs/formats/
 * model.md); weights of the first layer as 16-bit or 8-bit numbers. */
void nd_network_write(const struct nd_network *network,
                      struct nd_buffer *buffer);

/* Reads what nd_network_write wrote. Every length is checked before memory is
 * taken. ND_DATA where it is malformed or a weight is not finite. */
enum nd_status nd_network_read(struct nd_reader *reader, struct nd_error *error,
                               struct nd_network **network_r) ND_MUST_CHECK;

#endif
