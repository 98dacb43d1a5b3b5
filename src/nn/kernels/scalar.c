/* SPDX-License-Identifier: Apache-2.0
 *
 * The kernels in plain C: the reference that the vector variants are tested
 * against, and what runs where none of them does. Written for clearness; the
 * compiler's own vectorising is welcome but not counted on.
 */
#include "nn/kernels/kernels.h"

#include <math.h>

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

static void add_compact_rows(float *out, size_t width, const int8_t *base,
                             size_t pitch, const struct nd_terms *terms)
{
    for (size_t t = 0; t < terms->count; t++) {
        const int8_t *row = base + row_of(terms, t) * pitch;
        for (size_t i = 0; i < width; i++)
            out[i] += terms->factors[t] * (float)row[i];
    }
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

static void adagrad(float *weights, const float *gradient, size_t width,
                    const struct nd_step *step)
{
    float *squares = weights + width;
    for (size_t i = 0; i < width; i++) {
        squares[i] += gradient[i] * gradient[i];
        weights[i] = weights[i] * step->keep -
                     step->rate * gradient[i] / sqrtf(squares[i] + ND_EPSILON);
    }
}

const struct nd_kernels nd_kernels_scalar = {
    .name = "scalar",
    .add_rows = add_rows,
    .add_compact_rows = add_compact_rows,
    .dot = dot,
    .rectify = rectify,
    .backward = backward,
    .adagrad = adagrad,
};
