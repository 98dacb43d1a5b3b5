/* SPDX-License-Identifier: Apache-2.0
 *
 * Networks in KANN's file format (docs/formats/kann.md), which is how rspamd
 * keeps its own: read, written, built node by node, and evaluated.
 */
#ifndef ND_RSPAMD_KANN_H
#define ND_RSPAMD_KANN_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/status.h"

#define ND_KANN_MAX_NODES 1024
#define ND_KANN_MAX_DIMENSIONS 4
#define ND_KANN_MAX_CHILDREN 3
/* Floats of one variable or constant, and of all values of one evaluation. */
#define ND_KANN_MAX_FLOATS (1U << 26)
#define ND_KANN_MAX_VALUES (1U << 22)
/* Multiplications of one evaluation. */
#define ND_KANN_MAX_WORK (1U << 27)

/* KANN's numbers of the operators that are read; the others are refused by
 * name. The last four are costs: kept in the file, never evaluated. */
enum nd_kann_operator {
    ND_KANN_LEAF = 0,
    ND_KANN_ADD = 1,
    ND_KANN_MULTIPLY = 2,
    ND_KANN_TIMES_TRANSPOSED = 3, /* x W^T */
    ND_KANN_SQUARE = 5,
    ND_KANN_SIGMOID = 6,
    ND_KANN_TANH = 7,
    ND_KANN_RELU = 8,
    ND_KANN_TIMES = 9, /* x W */
    ND_KANN_ONE_MINUS = 11,
    ND_KANN_SOFTMAX = 14,
    ND_KANN_SUBTRACT = 23,
    ND_KANN_LOG = 27,
    ND_KANN_NORMALIZE = 32,
    ND_KANN_EXP = 33,
    ND_KANN_SIN = 34,
    ND_KANN_COST_BINARY_NEGATIVE = 4,
    ND_KANN_COST_MULTICLASS = 13,
    ND_KANN_COST_BINARY = 22,
    ND_KANN_COST_SQUARE = 29,
};

/* What a node is for: bits of its ext_flag. */
enum nd_kann_role {
    ND_KANN_NO_ROLE = 0,
    ND_KANN_INPUT = 1,
    ND_KANN_OUTPUT = 2,
    ND_KANN_TRUTH = 4,
    ND_KANN_COST = 8,
};

/* Row by row, the last dimension the fastest; no dimensions: one number. */
struct nd_kann_shape {
    uint32_t dimensions;
    uint32_t sizes[ND_KANN_MAX_DIMENSIONS];
};

/* A graph of nodes, each after those that it takes its values from. Once
 * complete, threads may share it. */
struct nd_kann;

/* Reads a file of length bytes, all of them. Every length, index and shape is
 * checked before memory is taken; memory stays below a small multiple of
 * length. ND_DATA where it is malformed, a weight is not finite, an operator
 * is none of the above, or there is not exactly one input and one output;
 * ND_LIMIT above the limits. The caller owns *kann_r. */
enum nd_status nd_kann_read(const void *data, size_t length,
                            struct nd_error *error,
                            struct nd_kann **kann_r) ND_MUST_CHECK;

/* Appends the file that nd_kann_read reads, and rspamd. */
void nd_kann_write(const struct nd_kann *kann, struct nd_buffer *buffer);

/* An empty graph, and its end; destroy accepts NULL and clears *kann. */
struct nd_kann *nd_kann_create(void) ND_MUST_CHECK;
void nd_kann_destroy(struct nd_kann **kann);

/* Adds a leaf: a variable with a copy of its floats, or, where weights is
 * NULL, a feed (input or truth). index_r gets its number. Failures as of
 * nd_kann_read. */
enum nd_status nd_kann_add_leaf(struct nd_kann *kann, enum nd_kann_role role,
                                const struct nd_kann_shape *shape,
                                const float *weights, struct nd_error *error,
                                uint32_t *index_r) ND_MUST_CHECK;

/* Adds an operator over count earlier nodes. */
enum nd_status nd_kann_add(struct nd_kann *kann, enum nd_kann_role role,
                           enum nd_kann_operator operation,
                           const uint32_t *children, uint32_t count,
                           struct nd_error *error,
                           uint32_t *index_r) ND_MUST_CHECK;

/* Finds input and output and lays out what an evaluation needs; call it once
 * after the last node was added (nd_kann_read does). */
enum nd_status nd_kann_complete(struct nd_kann *kann,
                                struct nd_error *error) ND_MUST_CHECK;

/* Numbers that the input takes, and that the output gives. */
uint32_t nd_kann_inputs(const struct nd_kann *kann);
uint32_t nd_kann_outputs(const struct nd_kann *kann);

/* Floats of memory that one evaluation works in. */
size_t nd_kann_workspace(const struct nd_kann *kann);

/* Evaluates input (nd_kann_inputs floats) in workspace (nd_kann_workspace
 * floats, the caller's); answers the output, which lies in workspace. It may
 * hold values that are not finite where a weight or an input is large. */
const float *nd_kann_evaluate(const struct nd_kann *kann, const float *input,
                              float *workspace);

#endif
