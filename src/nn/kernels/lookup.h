/* SPDX-License-Identifier: Apache-2.0
 *
 * From columns to compact rows, shared by all kernels: compiled into each,
 * since counting bits is one instruction on some processors and a dozen on
 * others.
 */
#ifndef ND_NN_KERNELS_LOOKUP_H
#define ND_NN_KERNELS_LOOKUP_H

#include "nn/compact.h"
#include "nn/dataset.h"
#include "nn/kernels/kernels.h"

/* Columns looked up before their rows are summed: long enough for the rows to
 * come into the cache meanwhile, short enough to stay on the stack. */
#define ND_CHUNK 256

/* Some of a vector's columns as rows. */
struct nd_chunk {
    uint32_t next; /* entry of the vector to go on from */
    uint32_t count;
    uint32_t rows[ND_CHUNK];
    float factors[ND_CHUNK]; /* values, then values times scales */
};

/* The present rows of up to ND_CHUNK entries from chunk->next on, with their
 * values as factors. No branch depends on whether a row is there, which nobody
 * could predict. */
static inline void nd_find_rows(struct nd_chunk *chunk,
                                const struct nd_compact *compact,
                                const struct nd_sparse *vector)
{
    uint32_t end = vector->count - chunk->next > ND_CHUNK
                       ? chunk->next + ND_CHUNK
                       : vector->count;
    chunk->count = 0;
    for (; chunk->next < end; chunk->next++) {
        uint32_t column = vector->columns[chunk->next];
        if (column >= compact->inputs)
            continue;
        bool found =
            nd_compact_find(compact, column, &chunk->rows[chunk->count]);
        chunk->factors[chunk->count] = vector->values[chunk->next];
        __builtin_prefetch(nd_compact_row(compact, chunk->rows[chunk->count]));
        chunk->count += found;
    }
}

/* Multiplies the scales in; returns the wide sum. */
static inline float nd_scale_rows(struct nd_chunk *chunk,
                                  const struct nd_compact *compact)
{
    float wide = 0;
    for (uint32_t i = 0; i < chunk->count; i++) {
        const struct nd_compact_head *head =
            (const void *)nd_compact_row(compact, chunk->rows[i]);
        wide += chunk->factors[i] * head->wide;
        chunk->factors[i] *= head->scale;
    }
    return wide;
}

#endif
