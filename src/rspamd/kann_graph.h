/* SPDX-License-Identifier: Apache-2.0
 *
 * How a KANN network lies in memory. Not for other files than kann*.c.
 */
#ifndef ND_RSPAMD_KANN_GRAPH_H
#define ND_RSPAMD_KANN_GRAPH_H

#include <stdbool.h>

#include "rspamd/kann.h"

/* Bits of a node's flag in the file. */
#define ND_KANN_FLAG_VARIABLE 1
#define ND_KANN_FLAG_CONSTANT 2

struct nd_kann_node {
    int32_t label; /* ext_label: kept, not looked at */
    uint32_t role;
    uint8_t flag;
    uint16_t operation; /* ND_KANN_LEAF for a leaf */
    uint32_t child_count;
    uint32_t children[ND_KANN_MAX_CHILDREN];
    struct nd_kann_shape shape;
    uint32_t length; /* product of the sizes */
    float *weights;  /* of a variable or constant, else NULL */
    size_t at;       /* of its values in the workspace */
    bool needed;     /* for the output */
};

struct nd_kann {
    struct nd_kann_node *nodes;
    uint32_t count;
    uint32_t input, output; /* indices */
    size_t workspace;
};

/* How the shape of an operator's result follows from its operands'. */
enum nd_kann_rule {
    ND_KANN_REFUSED,
    ND_KANN_SAME,   /* one operand */
    ND_KANN_ROWS,   /* one operand with a last dimension */
    ND_KANN_SPREAD, /* the second operand is repeated along the first */
    ND_KANN_PRODUCT_TRANSPOSED,
    ND_KANN_PRODUCT,
    ND_KANN_TO_COST,
};

/* Name of an operator's number in KANN's table; NULL where it has none. */
const char *nd_kann_operator_name(uint32_t number);

/* The rule of an operator; ND_KANN_REFUSED for one that is not read. */
enum nd_kann_rule nd_kann_operator_rule(uint32_t number);

/* Adds a checked copy of node, whose label, role, flag, operator, children and,
 * for a leaf, shape and weights are set; a leaf's weights become the graph's.
 * On failure they stay the caller's. */
enum nd_status nd_kann_append(struct nd_kann *kann,
                              const struct nd_kann_node *node,
                              struct nd_error *error) ND_MUST_CHECK;

/* Rows and columns of the two factors of a product; false where they do not
 * fit. rows[0] by columns times (the transpose of) rows[1] by columns for the
 * rule ND_KANN_PRODUCT_TRANSPOSED; for ND_KANN_PRODUCT rows[1] counts the
 * columns of the second. */
bool nd_kann_product(const struct nd_kann *kann,
                     const struct nd_kann_node *node, uint32_t rows_r[2],
                     uint32_t *columns_r);

#endif
