/* SPDX-License-Identifier: Apache-2.0
 *
 * The compact form of the first layer: 8-bit rows with a scale each, rows of
 * zeros left out. Not for other folders.
 */
#ifndef ND_NN_COMPACT_H
#define ND_NN_COMPACT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* 64 columns: which of them have a row, and how many rows are before. */
struct nd_rank {
    uint64_t present;
    uint32_t before;
};

/* Before each row's numbers, in the same block of memory. */
struct nd_compact_head {
    float scale; /* a weight is scale * its 8-bit number */
    float wide;  /* the weight to the output; 0 without the wide path */
};

struct nd_compact {
    uint32_t inputs;
    uint32_t rows;
    size_t pitch;          /* bytes from row to row, head included */
    size_t width;          /* numbers a row, padded with 0 */
    struct nd_rank *ranks; /* [(inputs + 63) / 64] */
    uint8_t *data;         /* [rows][pitch] */
};

/* The index of column's row; false where it has none. column < inputs. */
static inline bool nd_compact_find(const struct nd_compact *compact,
                                   uint32_t column, uint32_t *row_r)
{
    const struct nd_rank *rank = &compact->ranks[column / 64];
    uint64_t bit = (uint64_t)1 << (column % 64);
    *row_r = rank->before +
             (uint32_t)__builtin_popcountll(rank->present & (bit - 1));
    return (rank->present & bit) != 0;
}

static inline uint8_t *nd_compact_row(const struct nd_compact *compact,
                                      uint32_t row)
{
    return compact->data + row * compact->pitch;
}

/* A compact form with room for the rows that are set in ranks[].present, whose
 * numbers and heads are 0. Takes ownership of ranks and fills in before. */
struct nd_compact *nd_compact_create(struct nd_rank *ranks, uint32_t inputs,
                                     uint32_t units) ND_MUST_CHECK;
/* Fills a row from weights: units of them, and with the wide path one more. */
void nd_compact_put(struct nd_compact *compact, uint32_t row,
                    const float *weights, uint32_t units, bool wide);

/* Frees the compact form and clears *compact; NULL is accepted. */
void nd_compact_destroy(struct nd_compact **compact);

#endif
