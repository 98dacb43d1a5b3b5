/* SPDX-License-Identifier: Apache-2.0
 *
 * Evaluates a KANN network: one walk over the nodes that the output needs,
 * each into its place in the caller's memory. The functions are KANN's in
 * single precision; sums are taken in 16 lanes, so that they differ from
 * KANN's by rounding alone. Everything was checked when the graph was built.
 */
#include <math.h>
#include <string.h>

#include "rspamd/kann_graph.h"

#define LANES 16

/* What node i has to say: its weights, or its place in the workspace. */
static const float *values_of(const struct nd_kann *kann, uint32_t i,
                              const float *workspace)
{
    const struct nd_kann_node *node = &kann->nodes[i];
    return node->weights != NULL ? node->weights : workspace + node->at;
}

static float dot(const float *first, const float *second, uint32_t count)
{
    float lanes[LANES] = {0}, sum = 0;
    uint32_t i = 0;
    for (; i + LANES <= count; i += LANES)
        for (uint32_t k = 0; k < LANES; k++)
            lanes[k] += first[i + k] * second[i + k];
    for (; i < count; i++)
        sum += first[i] * second[i];
    for (uint32_t k = 0; k < LANES; k++)
        sum += lanes[k];
    return sum;
}

static void times_transposed(const struct nd_kann *kann,
                             const struct nd_kann_node *node,
                             const float *first, const float *second,
                             float *result)
{
    uint32_t rows[2], columns;
    (void)nd_kann_product(kann, node, rows, &columns);
    for (size_t i = 0; i < rows[0]; i++)
        for (size_t j = 0; j < rows[1]; j++)
            result[i * rows[1] + j] =
                dot(first + i * columns, second + j * columns, columns);
}

static void times(const struct nd_kann *kann, const struct nd_kann_node *node,
                  const float *first, const float *second, float *result)
{
    uint32_t rows[2], columns;
    (void)nd_kann_product(kann, node, rows, &columns);
    memset(result, 0, node->length * sizeof(*result));
    for (size_t i = 0; i < rows[0]; i++)
        for (size_t k = 0; k < columns; k++)
            for (size_t j = 0; j < rows[1]; j++)
                result[i * rows[1] + j] +=
                    first[i * columns + k] * second[k * rows[1] + j];
}

static void spread(const struct nd_kann_node *node, const float *first,
                   const float *second, uint32_t period, float *result)
{
    for (uint32_t i = 0; i < node->length; i++) {
        float other = second[i % period];
        if (node->operation == ND_KANN_ADD)
            result[i] = first[i] + other;
        else if (node->operation == ND_KANN_SUBTRACT)
            result[i] = first[i] - other;
        else
            result[i] = first[i] * other;
    }
}

static void softmax(const float *values, uint32_t count, float *result)
{
    float most = values[0], sum = 0;
    for (uint32_t i = 1; i < count; i++)
        most = values[i] > most ? values[i] : most;
    for (uint32_t i = 0; i < count; i++)
        sum += result[i] = expf(values[i] - most);
    for (uint32_t i = 0; i < count; i++)
        result[i] /= sum;
}

/* To mean 0 and variance 1. */
static void normalize(const float *values, uint32_t count, float *result)
{
    double sum = 0, squares = 0;
    for (uint32_t i = 0; i < count; i++)
        sum += (double)values[i];
    float mean = (float)(sum / count);
    for (uint32_t i = 0; i < count; i++) {
        result[i] = values[i] - mean;
        squares += (double)(result[i] * result[i]);
    }
    float scale = squares > 0 ? (float)(1 / sqrt(squares / count)) : 1;
    for (uint32_t i = 0; i < count; i++)
        result[i] *= scale;
}

static void by_rows(const struct nd_kann_node *node, const float *values,
                    float *result)
{
    uint32_t count = node->shape.sizes[node->shape.dimensions - 1];
    for (uint32_t at = 0; at < node->length; at += count)
        if (node->operation == ND_KANN_SOFTMAX)
            softmax(values + at, count, result + at);
        else
            normalize(values + at, count, result + at);
}

static float function_of(enum nd_kann_operator operation, float x)
{
    switch (operation) {
    case ND_KANN_SQUARE:
        return x * x;
    case ND_KANN_SIGMOID:
        return 1 / (1 + expf(-x));
    case ND_KANN_TANH:
        return tanhf(x);
    case ND_KANN_RELU:
        return x > 0 ? x : 0;
    case ND_KANN_ONE_MINUS:
        return 1 - x;
    case ND_KANN_LOG:
        return logf(x);
    case ND_KANN_EXP:
        return expf(x);
    case ND_KANN_SIN:
        return sinf(x);
    default:
        return x;
    }
}

static void run_node(const struct nd_kann *kann,
                     const struct nd_kann_node *node, float *workspace)
{
    float *result = workspace + node->at;
    const float *first = values_of(kann, node->children[0], workspace);
    const float *second = values_of(kann, node->children[1], workspace);
    switch (nd_kann_operator_rule(node->operation)) {
    case ND_KANN_PRODUCT_TRANSPOSED:
        times_transposed(kann, node, first, second, result);
        break;
    case ND_KANN_PRODUCT:
        times(kann, node, first, second, result);
        break;
    case ND_KANN_SPREAD:
        spread(node, first, second, kann->nodes[node->children[1]].length,
               result);
        break;
    case ND_KANN_ROWS:
        by_rows(node, first, result);
        break;
    default:
        for (uint32_t i = 0; i < node->length; i++)
            result[i] = function_of(node->operation, first[i]);
    }
}

const float *nd_kann_evaluate(const struct nd_kann *kann, const float *input,
                              float *workspace)
{
    const struct nd_kann_node *feed = &kann->nodes[kann->input];
    if (feed->needed)
        memcpy(workspace + feed->at, input, feed->length * sizeof(float));
    for (uint32_t i = 0; i <= kann->output; i++) {
        const struct nd_kann_node *node = &kann->nodes[i];
        if (node->needed && node->operation != ND_KANN_LEAF)
            run_node(kann, node, workspace);
    }
    return values_of(kann, kann->output, workspace);
}
