/* SPDX-License-Identifier: Apache-2.0
 *
 * The body of the vector kernels, compiled once for each processor by the
 * small files beside it, which define before they include it:
 *
 *     VECTOR_FLOATS       4, 8 or 16 floats a vector
 *     VECTOR_BLOCK        vectors of sums that fit into registers, up to 12
 *     VECTOR_NAME         the table's name, a string
 *     VECTOR_TABLE        the table's symbol
 *     INVERSE_ROOT(v)     1 / sqrt(v) for normal v > 0, nearly rounded
 *     WIDEN(p)            a vector of the 8-bit numbers at p, as floats
 *
 * It is written with the compilers' vector types, so that all variants share
 * one text, and only what these cannot say is left to the files. While a sum
 * over rows runs, its block of sums stays in registers: memory is read once.
 */
#include <stdbool.h>

#include "nn/kernels/kernels.h"
#include "nn/kernels/lookup.h"

#define ALWAYS_INLINE static inline __attribute__((always_inline))
#define VECTOR_BYTES (VECTOR_FLOATS * 4)
/* Rows ahead of the sum that are called into the cache. */
#define AHEAD 16
#define CACHE_LINE 64

typedef float lanes __attribute__((vector_size(VECTOR_BYTES)));
typedef int32_t integers __attribute__((vector_size(VECTOR_BYTES)));
typedef float loose_vector
    __attribute__((vector_size(VECTOR_BYTES), aligned(4), may_alias));

_Static_assert(ND_LANES % VECTOR_FLOATS == 0, "widths are whole vectors");

ALWAYS_INLINE lanes load(const float *from)
{
    return *(const loose_vector *)from;
}

ALWAYS_INLINE void store(float *to, lanes values)
{
    *(loose_vector *)to = values;
}

/* Where terms yes, else no; yes and no as bits, which selects without a
 * branch. */
ALWAYS_INLINE lanes choose(integers condition, lanes yes, lanes no)
{
    return (lanes)((condition & (integers)yes) | (~condition & (integers)no));
}

ALWAYS_INLINE float sum_of(lanes values)
{
    float sum = 0;
    for (int i = 0; i < VECTOR_FLOATS; i++)
        sum += values[i];
    return sum;
}

/* Rows of floats or of 8-bit numbers; pitch in bytes. */
struct source {
    const uint8_t *base;
    size_t pitch;
    bool compact;
};

ALWAYS_INLINE const uint8_t *row_at(const struct source *source,
                                    const struct nd_terms *terms, size_t term)
{
    size_t row = terms->rows == NULL ? term : terms->rows[term];
    return source->base + row * source->pitch;
}

/* Calls the start of a row into the cache; the processor fetches the rest of a
 * long one by itself. */
ALWAYS_INLINE void call(const uint8_t *row, size_t bytes)
{
    __builtin_prefetch(row);
    if (bytes > CACHE_LINE)
        __builtin_prefetch(row + CACHE_LINE);
}

/* Adds one block of at most VECTOR_BLOCK vectors. size is a constant where
 * this is inlined, so sums lives in registers. */
ALWAYS_INLINE void add_block(float *out, const struct source *source,
                             const struct nd_terms *terms, size_t size)
{
    lanes sums[VECTOR_BLOCK];
    for (size_t v = 0; v < size; v++)
        sums[v] = load(out + v * VECTOR_FLOATS);
    for (size_t t = 0; t < terms->count; t++) {
        const uint8_t *row = row_at(source, terms, t);
        float factor = terms->factors[t];
        if (terms->rows != NULL && t + AHEAD < terms->count)
            call(row_at(source, terms, t + AHEAD), CACHE_LINE);
        for (size_t v = 0; v < size; v++) {
            lanes values = source->compact
                               ? (lanes)WIDEN(row + v * VECTOR_FLOATS)
                               : load((const float *)(const void *)row +
                                      v * VECTOR_FLOATS);
            sums[v] += factor * values;
        }
    }
    for (size_t v = 0; v < size; v++)
        store(out + v * VECTOR_FLOATS, sums[v]);
}

ALWAYS_INLINE void add_sized(float *out, const struct source *source,
                             const struct nd_terms *terms, size_t size)
{
#define SIZE(n)                           \
    case n:                               \
        add_block(out, source, terms, n); \
        break;
    switch (size) {
        SIZE(1)
        SIZE(2)
        SIZE(3)
        SIZE(4)
        SIZE(5)
        SIZE(6)
        SIZE(7)
        SIZE(8)
#if VECTOR_BLOCK > 8
        SIZE(9)
        SIZE(10)
        SIZE(11)
        SIZE(12)
#endif
    default:
        break;
    }
#undef SIZE
}

/* Cuts the width into blocks of nearly equal size: a small last one would wait
 * for its own sums. */
ALWAYS_INLINE void add_all(float *out, size_t width, struct source source,
                           const struct nd_terms *terms)
{
    size_t left = width / VECTOR_FLOATS;
    size_t blocks = (left + VECTOR_BLOCK - 1) / VECTOR_BLOCK;
    for (; blocks > 0; blocks--) {
        size_t size = (left + blocks - 1) / blocks;
        add_sized(out, &source, terms, size);
        out += size * VECTOR_FLOATS;
        source.base += size * VECTOR_FLOATS *
                       (source.compact ? sizeof(int8_t) : sizeof(float));
        left -= size;
    }
}

static void add_rows(float *out, size_t width, const float *base, size_t pitch,
                     const struct nd_terms *terms)
{
    add_all(
        out, width,
        (struct source){(const uint8_t *)base, pitch * sizeof(float), false},
        terms);
}

static float add_compact(float *out, const struct nd_compact *compact,
                         const struct nd_sparse *vector)
{
    struct nd_chunk chunk;
    struct source source = {compact->data + sizeof(struct nd_compact_head),
                            compact->pitch, true};
    float wide = 0;
    for (chunk.next = 0; chunk.next < vector->count;) {
        nd_find_rows(&chunk, compact, vector);
        wide += nd_scale_rows(&chunk, compact);
        struct nd_terms terms = {chunk.count, chunk.rows, chunk.factors};
        add_all(out, compact->width, source, &terms);
    }
    return wide;
}

static float dot(const float *first, const float *second, size_t width)
{
    lanes sum = {0};
    for (size_t i = 0; i < width; i += VECTOR_FLOATS)
        sum += load(first + i) * load(second + i);
    return sum_of(sum);
}

static void rectify(float *values, size_t width)
{
    for (size_t i = 0; i < width; i += VECTOR_FLOATS) {
        lanes here = load(values + i);
        store(values + i, choose(here > 0, here, here * ND_LEAK));
    }
}

static void backward(float *delta, const float *output, const float *weights,
                     float delta_out, size_t width)
{
    for (size_t i = 0; i < width; i += VECTOR_FLOATS) {
        lanes whole = delta_out * load(weights + i);
        store(delta + i, choose(load(output + i) > 0, whole, whole * ND_LEAK));
    }
}

ALWAYS_INLINE void step_row(float *weights, size_t width, const float *gradient,
                            float factor, const struct nd_step *step)
{
    float *squares = weights + width;
    for (size_t i = 0; i < width; i += VECTOR_FLOATS) {
        lanes slope = factor * load(gradient + i);
        lanes square = load(squares + i) + slope * slope;
        store(squares + i, square);
        store(weights + i,
              load(weights + i) * step->keep -
                  step->rate * slope * INVERSE_ROOT(square + ND_EPSILON));
    }
}

static void step_rows(float *base, size_t width, const float *gradient,
                      const struct nd_terms *terms, const struct nd_step *step)
{
    struct source source = {(const uint8_t *)base, 2 * width * sizeof(float),
                            false};
    for (size_t t = 0; t < terms->count; t++) {
        size_t row = terms->rows == NULL ? t : terms->rows[t];
        if (terms->rows != NULL && t + AHEAD < terms->count)
            call(row_at(&source, terms, t + AHEAD), 2 * width * sizeof(float));
        step_row(base + row * 2 * width, width, gradient, terms->factors[t],
                 step);
    }
}

const struct nd_kernels VECTOR_TABLE = {
    .name = VECTOR_NAME,
    .add_rows = add_rows,
    .add_compact = add_compact,
    .dot = dot,
    .rectify = rectify,
    .backward = backward,
    .step_rows = step_rows,
};
