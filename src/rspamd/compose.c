/* SPDX-License-Identifier: Apache-2.0
 *
 * Folds encoding, hidden layers and calibration into a KANN graph of the four
 * operators that every rspamd has. With x the input, all of the networks'
 * hidden units side by side, and leak the slope of their units below zero:
 *
 *     below  = relu(1 - relu(S x + s))        1 - each step
 *     before = W x - V below + b
 *     output = tanh((1 - leak) u relu(before) + leak u before + c)
 *
 * The last line is a leaky unit made of one that is not. Nothing is
 * approximated: the output is what src/nn answers, but for rounding.
 */
#include "rspamd/compose.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "nn/kernels/kernels.h"

/* All of it row by row, as KANN has it. */
struct weights {
    uint32_t inputs, steps, units; /* units: of all networks together */
    float *rise, *start;           /* S [steps][inputs], s [steps] */
    float *direct, *stepwise;      /* W [units][inputs], -V [units][steps] */
    float *bias;                   /* b [units] */
    float *kinked, *straight;      /* [units] */
    float end;
};

static void fill_steps(const struct nd_encoding *encoding,
                       struct weights *weights)
{
    for (uint32_t k = 0; k < encoding->step_count; k++) {
        const struct nd_encoding_step *step = &encoding->steps[k];
        float rise = 1 / (step->high - step->low);
        weights->rise[(size_t)k * weights->inputs + step->input] = rise;
        weights->start[k] = -step->low * rise;
    }
}

/* One unit of a network; row is its weights by column. */
static void fill_unit(const struct nd_composition *composition,
                      const float *column, uint32_t width,
                      struct weights *weights, uint32_t unit)
{
    const struct nd_encoding *encoding = composition->encoding;
    float *direct = weights->direct + (size_t)unit * weights->inputs;
    for (uint32_t i = 0; i < weights->inputs; i++)
        direct[i] = column[(size_t)i * width] * encoding->scales[i];
    for (uint32_t k = 0; k < weights->steps; k++) {
        float weight = column[(size_t)(weights->inputs + k) * width];
        weights->stepwise[(size_t)unit * weights->steps + k] = -weight;
        weights->bias[unit] += weight;
    }
}

static void fill_network(const struct nd_composition *composition,
                         uint32_t index, struct weights *weights)
{
    const struct nd_network *network = composition->networks[index];
    struct nd_shape shape = nd_network_shape(network);
    uint32_t width = shape.units[0], first = index * width;
    const struct nd_line *line = &composition->lines[index];
    double share = line->slope / composition->count;
    float *rows = nd_calloc((size_t)shape.inputs * width, sizeof(*rows));
    float *out = nd_calloc(width, sizeof(*out));
    float out_bias =
        nd_network_weights(network, rows, weights->bias + first, out);
    for (uint32_t unit = 0; unit < width; unit++) {
        fill_unit(composition, rows + unit, width, weights, first + unit);
        double weight = share * (double)out[unit];
        weights->kinked[first + unit] = (float)(weight * (1 - (double)ND_LEAK));
        weights->straight[first + unit] = (float)(weight * (double)ND_LEAK);
    }
    weights->end +=
        (float)(share * (double)out_bias + line->offset / composition->count);
    free(rows);
    free(out);
}

static void weights_init(const struct nd_composition *composition,
                         struct weights *weights)
{
    uint32_t inputs = composition->encoding->inputs;
    uint32_t steps = composition->encoding->step_count;
    uint32_t units = nd_network_shape(composition->networks[0]).units[0] *
                     composition->count;
    *weights = (struct weights){
        .inputs = inputs,
        .steps = steps,
        .units = units,
        .rise = nd_calloc((size_t)steps * inputs, sizeof(float)),
        .start = nd_calloc(steps, sizeof(float)),
        .direct = nd_calloc((size_t)units * inputs, sizeof(float)),
        .stepwise = nd_calloc((size_t)units * steps, sizeof(float)),
        .bias = nd_calloc(units, sizeof(float)),
        .kinked = nd_calloc(units, sizeof(float)),
        .straight = nd_calloc(units, sizeof(float)),
    };
    fill_steps(composition->encoding, weights);
    for (uint32_t i = 0; i < composition->count; i++)
        fill_network(composition, i, weights);
}

static void weights_free(struct weights *weights)
{
    free(weights->rise);
    free(weights->start);
    free(weights->direct);
    free(weights->stepwise);
    free(weights->bias);
    free(weights->kinked);
    free(weights->straight);
}

/* The graph under construction: after the first failure nothing is added. */
struct builder {
    struct nd_kann *kann;
    struct nd_error *error;
    enum nd_status status;
};

static uint32_t leaf(struct builder *builder, enum nd_kann_role role,
                     uint32_t rows, uint32_t columns, const float *weights)
{
    struct nd_kann_shape shape = {2, {rows, columns}};
    uint32_t index = 0;
    if (rows == 0) /* a bias is KANN's word for a single row */
        shape = (struct nd_kann_shape){1, {columns}};
    if (builder->status == ND_OK)
        builder->status = nd_kann_add_leaf(builder->kann, role, &shape, weights,
                                           builder->error, &index);
    return index;
}

static uint32_t both(struct builder *builder, enum nd_kann_operator operation,
                     uint32_t first, uint32_t second)
{
    uint32_t index = 0, children[] = {first, second};
    enum nd_kann_role role = operation == ND_KANN_COST_BINARY_NEGATIVE
                                 ? ND_KANN_COST
                                 : ND_KANN_NO_ROLE;
    if (builder->status == ND_OK)
        builder->status = nd_kann_add(builder->kann, role, operation, children,
                                      2, builder->error, &index);
    return index;
}

static uint32_t apply(struct builder *builder, enum nd_kann_operator operation,
                      uint32_t operand)
{
    uint32_t index = 0;
    enum nd_kann_role role =
        operation == ND_KANN_TANH ? ND_KANN_OUTPUT : ND_KANN_NO_ROLE;
    if (builder->status == ND_OK)
        builder->status = nd_kann_add(builder->kann, role, operation, &operand,
                                      1, builder->error, &index);
    return index;
}

/* first + second * weights^T */
static uint32_t add_product(struct builder *builder, uint32_t first,
                            uint32_t second, uint32_t weights)
{
    return both(builder, ND_KANN_ADD, first,
                both(builder, ND_KANN_TIMES_TRANSPOSED, second, weights));
}

static uint32_t build_below(struct builder *builder,
                            const struct weights *weights, uint32_t input)
{
    uint32_t rise = leaf(builder, ND_KANN_NO_ROLE, weights->steps,
                         weights->inputs, weights->rise);
    uint32_t height = both(builder, ND_KANN_TIMES_TRANSPOSED, input, rise);
    uint32_t start =
        leaf(builder, ND_KANN_NO_ROLE, 0, weights->steps, weights->start);
    height = both(builder, ND_KANN_ADD, height, start);
    height = apply(builder, ND_KANN_RELU, height);
    height = apply(builder, ND_KANN_ONE_MINUS, height);
    return apply(builder, ND_KANN_RELU, height);
}

static uint32_t build_before(struct builder *builder,
                             const struct weights *weights, uint32_t input)
{
    uint32_t direct = leaf(builder, ND_KANN_NO_ROLE, weights->units,
                           weights->inputs, weights->direct);
    uint32_t sum = both(builder, ND_KANN_TIMES_TRANSPOSED, input, direct);
    if (weights->steps > 0) {
        uint32_t below = build_below(builder, weights, input);
        uint32_t stepwise = leaf(builder, ND_KANN_NO_ROLE, weights->units,
                                 weights->steps, weights->stepwise);
        sum = add_product(builder, sum, below, stepwise);
    }
    uint32_t bias =
        leaf(builder, ND_KANN_NO_ROLE, 0, weights->units, weights->bias);
    return both(builder, ND_KANN_ADD, sum, bias);
}

static void build(struct builder *builder, const struct weights *weights)
{
    uint32_t input = leaf(builder, ND_KANN_INPUT, 1, weights->inputs, NULL);
    uint32_t before = build_before(builder, weights, input);
    uint32_t after = apply(builder, ND_KANN_RELU, before);
    uint32_t kinked =
        leaf(builder, ND_KANN_NO_ROLE, 1, weights->units, weights->kinked);
    uint32_t sum = both(builder, ND_KANN_TIMES_TRANSPOSED, after, kinked);
    uint32_t straight =
        leaf(builder, ND_KANN_NO_ROLE, 1, weights->units, weights->straight);
    sum = add_product(builder, sum, before, straight);
    uint32_t end = leaf(builder, ND_KANN_NO_ROLE, 0, 1, &weights->end);
    uint32_t output =
        apply(builder, ND_KANN_TANH, both(builder, ND_KANN_ADD, sum, end));
    uint32_t truth = leaf(builder, ND_KANN_TRUTH, 1, 1, NULL);
    (void)both(builder, ND_KANN_COST_BINARY_NEGATIVE, output, truth);
    if (builder->status == ND_OK)
        builder->status = nd_kann_complete(builder->kann, builder->error);
}

enum nd_status nd_compose(const struct nd_composition *composition,
                          struct nd_error *error, struct nd_kann **kann_r)
{
    struct weights weights;
    struct builder builder = {.kann = nd_kann_create(), .error = error};
    weights_init(composition, &weights);
    build(&builder, &weights);
    weights_free(&weights);
    if (builder.status == ND_OK)
        *kann_r = builder.kann;
    else
        nd_kann_destroy(&builder.kann);
    return builder.status;
}
