/* SPDX-License-Identifier: Apache-2.0
 *
 * The kernels in plain C: the reference that the vector variants are tested
 * against, and what runs where none of them does. Written for clearness; the
 * compiler's own vectorising is welcome but not counted on.
 */
#include "nn/kernels/kernels.h"

#include <math.h>

#include "nn/kernels/lookup.h"

static size_t row_of(const struct nd_terms *terms, size_t term)
{
    return terms->rows == NULL ? term : terms->rows[term];
}

static void add_rows(float *out, size_t width, const float *base, size_t pitch,
                     const struct nd_terms *terms)
{
    for (size_t t = 0; t < terms->count; t++) {
        const float *row = base + row_of(terms, t) * pitch;
        for (size_t i = 0; i < width; i++)
            out[i] += terms->factors[t] * row[i];
    }
}

static void add_chunk(float *out, const struct nd_compact *compact,
                      const struct nd_chunk *chunk)
{
    for (uint32_t t = 0; t < chunk->count; t++) {
        const int8_t *numbers =
            (const int8_t *)nd_compact_row(compact, chunk->rows[t]) +
            sizeof(struct nd_compact_head);
        for (size_t i = 0; i < compact->width; i++)
            out[i] += chunk->factors[t] * (float)numbers[i];
    }
}

static float add_compact(float *out, const struct nd_compact *compact,
                         const struct nd_sparse *vector)
{
    struct nd_chunk chunk;
    float wide = 0;
    for (chunk.next = 0; chunk.next < vector->count;) {
        nd_find_rows(&chunk, compact, vector);
        wide += nd_scale_rows(&chunk, compact);
        add_chunk(out, compact, &chunk);
    }
    return wide;
}

static float dot(const float *first, const float *second, size_t width)
{
    float sum = 0;
    for (size_t i = 0; i < width; i++)
        sum += first[i] * second[i];
    return sum;
}

static void rectify(float *values, size_t width)
{
    for (size_t i = 0; i < width; i++)
        values[i] = values[i] > 0 ? values[i] : values[i] * ND_LEAK;
}

static void backward(float *delta, const float *output, const float *weights,
                     float delta_out, size_t width)
{
    for (size_t i = 0; i < width; i++) {
        float slope = output[i] > 0 ? 1.0F : ND_LEAK;
        delta[i] = delta_out * weights[i] * slope;
    }
}

static void step_rows(float *base, size_t width, const float *gradient,
                      const struct nd_terms *terms, const struct nd_step *step)
{
    for (size_t t = 0; t < terms->count; t++) {
        float *weights = base + row_of(terms, t) * width;
        float scale = nd_step_scale(step, row_of(terms, t), terms->factors[t]);
        for (size_t i = 0; i < width; i++)
            weights[i] = weights[i] * step->keep + scale * gradient[i];
    }
}

const struct nd_kernels nd_kernels_scalar = {
    .name = "scalar",
    .add_rows = add_rows,
    .add_compact = add_compact,
    .dot = dot,
    .rectify = rectify,
    .backward = backward,
    .step_rows = step_rows,
};
