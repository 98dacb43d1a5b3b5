/* SPDX-License-Identifier: Apache-2.0
 *
 * The inner loops of the network as a table of functions, one table for each
 * kind of processor. The scalar table is the truth; the others may differ from
 * it by rounding alone. No function allocates or keeps state; all are
 * thread-safe.
 *
 * Rows are padded: every width is one that nd_padded gives, padding is 0 and
 * stays 0.
 */
#ifndef ND_NN_KERNELS_H
#define ND_NN_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#include "nn/compact.h"
#include "nn/dataset.h"

#define ND_LANES 16
#define ND_NARROW 8
/* Keeps an AdaGrad step without gradient from dividing by 0. */
#define ND_EPSILON 1e-10F
/* Slope of the leaky rectified linear unit below zero. */
#define ND_LEAK 0.01F

/* The width of a row of so many numbers: 8, so that a row of seven hidden units
 * and the wide one shares a cache line with its optimizer state, or a multiple
 * of ND_LANES. */
static inline size_t nd_padded(size_t width)
{
    if (width <= ND_NARROW)
        return ND_NARROW;
    return (width + ND_LANES - 1) / ND_LANES * ND_LANES;
}

/* A list of rows with a factor each. rows may be NULL: then term
 * t is row t. */
struct nd_terms {
    size_t count;
    const uint32_t *rows;
    const float *factors;
};

/* What one AdaGrad step needs to know (Duchi, Hazan and Singer 2011). */
struct nd_step {
    float rate;
    float keep; /* weights are multiplied by this first: decoupled decay */
};

struct nd_kernels {
    const char *name;

    /* out[0..width) += sum over terms of factor * base[row * pitch ..]. */
    void (*add_rows)(float *out, size_t width, const float *base, size_t pitch,
                     const struct nd_terms *terms);

    /* The same for the compact rows that a sparse vector's columns have:
     * out[0..compact->width) += their sum. Returns the wide sum. */
    float (*add_compact)(float *out, const struct nd_compact *compact,
                         const struct nd_sparse *vector);

    float (*dot)(const float *first, const float *second, size_t width);

    /* Leaky rectification in place. */
    void (*rectify)(float *values, size_t width);

    /* delta[i] = delta_out * weights[i] * slope of output[i]; output may be
     * delta. */
    void (*backward)(float *delta, const float *output, const float *weights,
                     float delta_out, size_t width);

    /* One AdaGrad step for every term: on the row at base + 2 * width * row,
     * weights[0..width) with the sums of their squared gradients behind them,
     * by the gradient factor * gradient[0..width). */
    void (*step_rows)(float *base, size_t width, const float *gradient,
                      const struct nd_terms *terms, const struct nd_step *step);
};

/* The table in use: the best that the processor has, or the one that
 * NEURALD_KERNEL names; chosen at the first call. */
const struct nd_kernels *nd_kernels(void);

/* The table of a name, NULL where it is not built or the processor lacks what
 * it needs; for tests. */
const struct nd_kernels *nd_kernels_named(const char *name);

extern const struct nd_kernels nd_kernels_scalar;
#if defined(__x86_64__)
extern const struct nd_kernels nd_kernels_avx2;
extern const struct nd_kernels nd_kernels_avx512;
#elif defined(__aarch64__)
extern const struct nd_kernels nd_kernels_neon;
#endif

#endif
