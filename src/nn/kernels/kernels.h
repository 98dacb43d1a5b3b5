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

#include <math.h>
#include <stddef.h>
#include <stdint.h>

#include "nn/compact.h"
#include "nn/dataset.h"

#define ND_LANES 16
#define ND_NARROW 8
/* Slope of the leaky rectified linear unit below zero. */
#define ND_LEAK 0.01F

/* The width of a row of so many numbers: 8, half a cache line, or a multiple of
 * ND_LANES. */
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

/* The first square of a row: keeps a step without gradient from dividing by 0.
 * Small: a column seen for the first time is learned from at the full rate. */
#define ND_EPSILON 1e-10F

/* What a step of row-wise AdaGrad needs to know: AdaGrad (Duchi, Hazan and
 * Singer 2011) with one sum of squares for a whole row of weights, the mean
 * over the row, as Gupta, Bengio and Weston (2014) keep it for embeddings. */
struct nd_step {
    float rate;
    float keep;     /* weights are multiplied by this first: decoupled decay */
    float energy;   /* mean of the squares of the gradient given */
    float *squares; /* [rows]: sums so far */
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

    /* One step for every term: on row base[row * width ..] by the gradient
     * factor * gradient[0..width). */
    void (*step_rows)(float *base, size_t width, const float *gradient,
                      const struct nd_terms *terms, const struct nd_step *step);
};

/* The table in use: the best that the processor has, or the one that
 * NEURALD_KERNEL names; chosen at the first call. */
const struct nd_kernels *nd_kernels(void);

/* The table of a name, NULL where it is not built or the processor lacks what
 * it needs; for tests. */
const struct nd_kernels *nd_kernels_named(const char *name);

/* What the gradient is multiplied by before it is added to a row; the row's
 * square is brought up to date. */
static inline float nd_step_scale(const struct nd_step *step, size_t row,
                                  float factor)
{
    float square = step->squares[row] + factor * factor * step->energy;
    step->squares[row] = square;
    return -step->rate * factor / sqrtf(square + ND_EPSILON);
}

extern const struct nd_kernels nd_kernels_scalar;
#if defined(__x86_64__)
extern const struct nd_kernels nd_kernels_avx2;
extern const struct nd_kernels nd_kernels_avx512;
#elif defined(__aarch64__)
extern const struct nd_kernels nd_kernels_neon;
#endif

#endif
