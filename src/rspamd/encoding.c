/* SPDX-License-Identifier: Apache-2.0
 *
 * Scales and steps. A symbol has two values and is brought to 0 and 1. A
 * metatoken has many, often nearly all of them in one corner of its range, and
 * what they say is seldom a straight line: it is scaled to its deviation, but
 * not blown up where it hardly varies, and gets a step at each of its quartiles
 * so that a network of few units can tell its ranges apart.
 */
#include "rspamd/encoding.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"

#define SAMPLE 2048           /* values that quartiles are taken from */
#define LEAST_DEVIATION 0.25  /* smaller ones are taken as this */
#define LEAST_MAGNITUDE 1e-6F /* the same for what has two values */

/* What is known of one input. */
struct column {
    double deviation;
    float least, most;
    bool two_valued; /* or fewer */
};

static struct column look_at(const struct nd_vectors *vectors, uint32_t input)
{
    double sum = 0, squares = 0;
    float first = nd_vectors_row(vectors, 0)[input], other = first;
    struct column column = {.least = first, .most = first, .two_valued = true};
    for (size_t i = 0; i < vectors->count; i++) {
        float value = nd_vectors_row(vectors, i)[input];
        sum += (double)value;
        squares += (double)value * (double)value;
        column.least = fminf(column.least, value);
        column.most = fmaxf(column.most, value);
        if (value == first || value == other)
            continue;
        column.two_valued = column.two_valued && other == first;
        other = value;
    }
    double mean = sum / (double)vectors->count;
    column.deviation =
        sqrt(fmax(0, squares / (double)vectors->count - mean * mean));
    return column;
}

static float scale_of(const struct column *column)
{
    if (column->least == column->most)
        return 0;
    if (!column->two_valued)
        return (float)(1 / fmax(column->deviation, LEAST_DEVIATION));
    float magnitude = fmaxf(fabsf(column->least), fabsf(column->most));
    return 1 / fmaxf(magnitude, LEAST_MAGNITUDE);
}

static int by_value(const void *first, const void *second)
{
    float a = *(const float *)first, b = *(const float *)second;
    return (a > b) - (a < b);
}

/* Adds a step that begins at low. The one before it, of the same input, ends
 * there. A rise too steep for single precision is made less steep. */
static void add_step(struct nd_encoding *encoding, uint32_t input, float low)
{
    struct nd_encoding_step *step = &encoding->steps[encoding->step_count++];
    *step = (struct nd_encoding_step){input, low, low + fabsf(low) / 2 + 1e-3F};
    if (step > encoding->steps && step[-1].input == input)
        step[-1].high = fmaxf(low, step[-1].low + fabsf(step[-1].low) * 1e-3F);
}

static void plan_steps(const struct nd_vectors *vectors, uint32_t input,
                       const struct column *column,
                       struct nd_encoding *encoding)
{
    float sample[SAMPLE];
    size_t stride = vectors->count / SAMPLE + 1, count = 0;
    for (size_t i = 0; i < vectors->count; i += stride)
        sample[count++] = nd_vectors_row(vectors, i)[input];
    qsort(sample, count, sizeof(*sample), by_value);
    float last = -INFINITY;
    for (size_t k = 1; k <= ND_ENCODING_STEPS; k++) {
        float low = sample[count * k / (ND_ENCODING_STEPS + 1)];
        if (low > last && low < column->most)
            add_step(encoding, input, low);
        last = low;
    }
}

void nd_encoding_plan(const struct nd_vectors *vectors,
                      struct nd_encoding *encoding_r)
{
    struct nd_encoding encoding = {.inputs = vectors->width};
    encoding.scales = nd_calloc(encoding.inputs, sizeof(*encoding.scales));
    encoding.steps = nd_calloc((size_t)encoding.inputs * ND_ENCODING_STEPS,
                               sizeof(*encoding.steps));
    for (uint32_t i = 0; i < encoding.inputs; i++) {
        struct column column = look_at(vectors, i);
        encoding.scales[i] = scale_of(&column);
        if (!column.two_valued)
            plan_steps(vectors, i, &column, &encoding);
    }
    *encoding_r = encoding;
}

void nd_encoding_free(struct nd_encoding *encoding)
{
    free(encoding->scales);
    free(encoding->steps);
    *encoding = (struct nd_encoding){0};
}

float nd_encoding_step_at(const struct nd_encoding_step *step, float value)
{
    float height = (value - step->low) / (step->high - step->low);
    return fminf(fmaxf(height, 0), 1);
}

struct nd_sparse nd_encoding_apply(const struct nd_encoding *encoding,
                                   const float *vector, uint32_t *columns_r,
                                   float *values_r)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < encoding->inputs; i++) {
        float value = vector[i] * encoding->scales[i];
        if (value != 0) {
            columns_r[count] = i;
            values_r[count++] = value;
        }
    }
    for (uint32_t k = 0; k < encoding->step_count; k++) {
        const struct nd_encoding_step *step = &encoding->steps[k];
        float value = nd_encoding_step_at(step, vector[step->input]);
        if (value != 0) {
            columns_r[count] = encoding->inputs + k;
            values_r[count++] = value;
        }
    }
    return (struct nd_sparse){count, columns_r, values_r};
}
