/* SPDX-License-Identifier: Apache-2.0
 *
 * The training step. Both directions are sums of rows: the forward pass sums
 * the rows of a sample's columns, the backward pass sums, for each column, the
 * deltas of the samples that have it; so one kernel serves both, the gradient
 * of a row is complete when it is made, and its update follows at once. Only
 * rows of columns that are in the batch are touched (lazy updates); AdaGrad
 * needs nothing done for the others.
 */
#include "nn/trainer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#define STRETCH 384 /* units, a multiple of ND_LANES */

static struct nd_rows rows_of(float *data, size_t count, size_t units)
{
    return (struct nd_rows){count, nd_padded(units), units, data,
                            nd_floats(count)};
}

static float *row_at(const struct nd_rows *rows, size_t row)
{
    return rows->data + row * rows->width;
}

/* The rows that the first training will not see hold nothing but what they were
 * drawn as: noise for the score, and bytes for the model file. */
static void clear_unseen(struct nd_network *network,
                         const struct nd_dataset *set)
{
    uint32_t inputs = network->shape.inputs;
    uint8_t *seen = nd_calloc(inputs, sizeof(*seen));
    for (size_t i = 0; i < nd_dataset_count(set); i++) {
        struct nd_sparse row = nd_dataset_row(set, i);
        for (uint32_t e = 0; e < row.count; e++)
            if (row.columns[e] < inputs)
                seen[row.columns[e]] = 1;
    }
    for (size_t j = 0; j < inputs; j++)
        if (!seen[j])
            memset(network->rows + j * network->width, 0,
                   network->width * sizeof(float));
    free(seen);
}

static void take_weights(struct nd_trainer *trainer)
{
    struct nd_network *network = trainer->network;
    size_t units = network->first_units + (size_t)network->shape.wide;
    trainer->first = rows_of(network->rows, network->shape.inputs, units);
    trainer->first_bias = rows_of(network->bias, 1, units);
    for (uint32_t k = 0; k < network->dense_count; k++) {
        const struct nd_dense *dense = &network->dense[k];
        trainer->dense[k] =
            rows_of(dense->weights, dense->inputs, dense->units);
        trainer->dense_bias[k] = rows_of(dense->bias, 1, dense->units);
    }
    trainer->out = rows_of(network->out, 1, network->last_units);
}

static size_t layer_width(const struct nd_trainer *trainer, uint32_t layer)
{
    return layer == 0 ? trainer->network->width
                      : trainer->dense[layer - 1].width;
}

/* Layers that have outputs of their own: the first exists in a linear network
 * too, with the wide unit alone. */
static uint32_t layer_count(const struct nd_trainer *trainer)
{
    return trainer->network->dense_count + 1;
}

static void create_scratch(struct nd_trainer *trainer, uint32_t batch)
{
    size_t widest = ND_LANES;
    for (uint32_t k = 0; k < layer_count(trainer); k++) {
        size_t width = layer_width(trainer, k);
        trainer->outputs[k] = nd_floats(batch * width);
        trainer->deltas[k] = nd_floats(batch * width);
        if (trainer->dropout > 0)
            trainer->masks[k] = nd_floats(batch * width);
        if (width > widest)
            widest = width;
    }
    trainer->wide = nd_floats(batch);
    trainer->errors = nd_floats(batch);
    trainer->column = nd_floats(batch);
    trainer->gradient = nd_floats(widest);
}

struct nd_trainer *nd_trainer_create(struct nd_network *network,
                                     const struct nd_dataset *set,
                                     const struct nd_train_options *options)
{
    struct nd_trainer *trainer = nd_calloc(1, sizeof(*trainer));
    nd_network_expand(network);
    trainer->network = network;
    trainer->kernels = nd_kernels();
    trainer->dropout = options->dropout;
    trainer->rate = options->learning_rate;
    trainer->keep = 1 - options->learning_rate * options->weight_decay;
    nd_random_seed(&trainer->random, options->seed);
    if (!network->trained)
        clear_unseen(network, set);
    take_weights(trainer);
    create_scratch(trainer, options->batch);
    return trainer;
}

void nd_trainer_destroy(struct nd_trainer **trainer_p)
{
    if (trainer_p == NULL || *trainer_p == NULL)
        return;
    struct nd_trainer *trainer = *trainer_p;
    for (uint32_t k = 0; k < ND_MAX_LAYERS; k++) {
        free(trainer->outputs[k]);
        free(trainer->deltas[k]);
        free(trainer->masks[k]);
    }
    for (uint32_t k = 0; k < ND_MAX_LAYERS - 1; k++) {
        free(trainer->dense[k].squares);
        free(trainer->dense_bias[k].squares);
    }
    free(trainer->first.squares);
    free(trainer->first_bias.squares);
    free(trainer->out.squares);
    nd_network_destroy(&trainer->best);
    free(trainer->wide);
    free(trainer->errors);
    free(trainer->column);
    free(trainer->gradient);
    free(trainer);
    *trainer_p = NULL;
}

static void copy_floats(float *to, const float *from, size_t count)
{
    memcpy(to, from, count * sizeof(float));
}

/* Between networks of the same shape, both plain. */
static void copy_weights(struct nd_network *to, const struct nd_network *from)
{
    copy_floats(to->rows, from->rows, from->shape.inputs * from->width);
    copy_floats(to->bias, from->bias, from->width);
    for (uint32_t k = 0; k < from->dense_count; k++) {
        const struct nd_dense *dense = &from->dense[k];
        copy_floats(to->dense[k].weights, dense->weights,
                    dense->inputs * dense->width);
        copy_floats(to->dense[k].bias, dense->bias, dense->width);
    }
    copy_floats(to->out, from->out, nd_padded(from->last_units));
    to->out_bias = from->out_bias;
}

void nd_trainer_keep(struct nd_trainer *trainer)
{
    struct nd_network *network = trainer->network;
    if (trainer->best == NULL) {
        if (nd_network_empty(&network->shape, NULL, &trainer->best) != ND_OK)
            return; /* cannot be: the shape was checked once */
        trainer->best->rows = nd_floats(network->shape.inputs * network->width);
    }
    copy_weights(trainer->best, network);
}

void nd_trainer_restore(struct nd_trainer *trainer)
{
    if (trainer->best != NULL)
        copy_weights(trainer->network, trainer->best);
}

static void apply_dropout(struct nd_trainer *trainer, uint32_t layer,
                          uint32_t count)
{
    size_t values = count * layer_width(trainer, layer);
    uint64_t limit = (uint64_t)((double)trainer->dropout * 4294967296.0);
    for (size_t i = 0; i < values; i++) {
        bool drop = nd_random_u64(&trainer->random) >> 32 < limit;
        trainer->masks[layer][i] = drop ? 0 : 1 / (1 - trainer->dropout);
        trainer->outputs[layer][i] *= trainer->masks[layer][i];
    }
}

/* One stretch of the first layer's units for all samples. */
static void add_stretch(struct nd_trainer *trainer,
                        const struct nd_batch *batch, size_t start,
                        size_t stretch)
{
    const struct nd_rows *rows = &trainer->first;
    for (uint32_t s = 0; s < batch->count; s++) {
        const struct nd_sparse *input = &batch->rows[s].input;
        struct nd_terms terms = {input->count, input->columns, input->values};
        float *output = trainer->outputs[0] + s * rows->width + start;
        memcpy(output, trainer->first_bias.data + start,
               stretch * sizeof(float));
        trainer->kernels->add_rows(output, stretch, rows->data + start,
                                   rows->width, &terms);
    }
}

/* The wide unit is no input of the layer above: its sum goes its own way. */
static void take_wide(struct nd_trainer *trainer, uint32_t sample)
{
    const struct nd_network *network = trainer->network;
    trainer->wide[sample] = 0;
    if (!network->shape.wide)
        return;
    float *unit =
        trainer->outputs[0] + sample * network->width + network->first_units;
    trainer->wide[sample] = *unit;
    *unit = 0;
}

/* In stretches of units, so that of a wide layer the weights of a stretch stay
 * in the cache from sample to sample. */
static void forward_first(struct nd_trainer *trainer,
                          const struct nd_batch *batch)
{
    size_t width = trainer->first.width;
    for (size_t start = 0; start < width; start += STRETCH)
        add_stretch(trainer, batch, start,
                    width - start < STRETCH ? width - start : STRETCH);
    for (uint32_t s = 0; s < batch->count; s++) {
        take_wide(trainer, s);
        trainer->kernels->rectify(trainer->outputs[0] + s * width, width);
    }
    if (trainer->dropout > 0)
        apply_dropout(trainer, 0, batch->count);
}

static void forward_dense(struct nd_trainer *trainer, uint32_t layer,
                          uint32_t count)
{
    const struct nd_kernels *kernels = trainer->kernels;
    const struct nd_rows *rows = &trainer->dense[layer - 1];
    size_t before = layer_width(trainer, layer - 1);
    for (uint32_t s = 0; s < count; s++) {
        float *output = trainer->outputs[layer] + s * rows->width;
        struct nd_terms terms = {rows->count, NULL,
                                 trainer->outputs[layer - 1] + s * before};
        memcpy(output, trainer->dense_bias[layer - 1].data,
               rows->width * sizeof(float));
        kernels->add_rows(output, rows->width, rows->data, rows->width, &terms);
        kernels->rectify(output, rows->width);
    }
    if (trainer->dropout > 0)
        apply_dropout(trainer, layer, count);
}

/* Cross-entropy of log-odds z and a target t between 0 and 1, without
 * overflow: log(1 + exp(z)) - t * z. */
static double cross_entropy(double log_odds, double target)
{
    double softplus = fmax(log_odds, 0) + log1p(exp(-fabs(log_odds)));
    return softplus - target * log_odds;
}

static double sum_weights(const struct nd_batch *batch)
{
    double sum = 0;
    for (uint32_t s = 0; s < batch->count; s++)
        sum += (double)batch->rows[s].weight;
    return sum;
}

static double forward_out(struct nd_trainer *trainer,
                          const struct nd_batch *batch)
{
    uint32_t last = layer_count(trainer) - 1;
    size_t pitch = layer_width(trainer, last);
    double loss = 0;
    for (uint32_t s = 0; s < batch->count; s++) {
        const struct nd_batch_row *row = &batch->rows[s];
        float part =
            trainer->kernels->dot(trainer->outputs[last] + s * pitch,
                                  trainer->out.data, trainer->out.width);
        double z =
            (double)(trainer->network->out_bias + trainer->wide[s] + part);
        double target = (double)row->target, weight = (double)row->weight;
        trainer->errors[s] =
            (float)((1 / (1 + exp(-z)) - target) * weight / batch->count);
        loss += weight * cross_entropy(z, target);
    }
    return loss;
}

double nd_trainer_forward(struct nd_trainer *trainer,
                          const struct nd_batch *batch, double *weight_r)
{
    forward_first(trainer, batch);
    for (uint32_t k = 1; k < layer_count(trainer); k++)
        forward_dense(trainer, k, batch->count);
    *weight_r = sum_weights(batch);
    return forward_out(trainer, batch);
}

/* One step of all terms' rows, each by its factor times the gradient. */
static void step_rows(struct nd_trainer *trainer, struct nd_rows *rows,
                      const float *gradient, const struct nd_terms *terms)
{
    const struct nd_kernels *kernels = trainer->kernels;
    float energy = kernels->dot(gradient, gradient, rows->width);
    struct nd_step step = {trainer->rate, trainer->keep,
                           energy / (float)rows->units, rows->squares};
    kernels->step_rows(rows->data, rows->width, gradient, terms, &step);
}

/* A value for each unit and sample: base[sample][pitch]. */
struct table {
    const float *base;
    size_t pitch;
};

/* Makes one row's gradient, a sum over samples, and applies it. */
static void update_row(struct nd_trainer *trainer, struct nd_rows *rows,
                       uint32_t row, const struct table *table,
                       const struct nd_terms *samples)
{
    static const float one = 1;
    struct nd_terms terms = {1, &row, &one};
    memset(trainer->gradient, 0, rows->width * sizeof(float));
    trainer->kernels->add_rows(trainer->gradient, rows->width, table->base,
                               table->pitch, samples);
    step_rows(trainer, rows, trainer->gradient, &terms);
}

static void apply_masks(struct nd_trainer *trainer, uint32_t layer,
                        uint32_t count)
{
    size_t values = count * layer_width(trainer, layer);
    for (size_t i = 0; i < values; i++)
        trainer->deltas[layer][i] *= trainer->masks[layer][i];
}

static void backward_out(struct nd_trainer *trainer, uint32_t count)
{
    uint32_t last = layer_count(trainer) - 1;
    size_t width = layer_width(trainer, last);
    for (uint32_t s = 0; s < count; s++)
        trainer->kernels->backward(trainer->deltas[last] + s * width,
                                   trainer->outputs[last] + s * width,
                                   trainer->out.data, trainer->errors[s],
                                   trainer->out.width);
    if (trainer->dropout > 0)
        apply_masks(trainer, last, count);
}

/* Deltas of the layer below from those of layer; trainer->gradient is scratch
 * for one sample's gradient of the outputs below. */
static void backward_dense(struct nd_trainer *trainer, uint32_t layer,
                           uint32_t count)
{
    const struct nd_rows *rows = &trainer->dense[layer - 1];
    size_t below = layer_width(trainer, layer - 1);
    for (uint32_t s = 0; s < count; s++) {
        const float *delta = trainer->deltas[layer] + s * rows->width;
        memset(trainer->gradient, 0, below * sizeof(float));
        for (size_t i = 0; i < rows->count; i++)
            trainer->gradient[i] =
                trainer->kernels->dot(row_at(rows, i), delta, rows->width);
        trainer->kernels->backward(trainer->deltas[layer - 1] + s * below,
                                   trainer->outputs[layer - 1] + s * below,
                                   trainer->gradient, 1, below);
    }
    if (trainer->dropout > 0)
        apply_masks(trainer, layer - 1, count);
}

static void fill_ones(float *values, uint32_t count)
{
    for (uint32_t s = 0; s < count; s++)
        values[s] = 1;
}

static void update_dense(struct nd_trainer *trainer, uint32_t layer,
                         uint32_t count)
{
    struct nd_rows *rows = &trainer->dense[layer - 1];
    const struct table deltas = {trainer->deltas[layer], rows->width};
    size_t below = layer_width(trainer, layer - 1);
    struct nd_terms terms = {count, NULL, trainer->column};
    for (uint32_t i = 0; i < rows->count; i++) {
        for (uint32_t s = 0; s < count; s++)
            trainer->column[s] = trainer->outputs[layer - 1][s * below + i];
        update_row(trainer, rows, i, &deltas, &terms);
    }
    fill_ones(trainer->column, count);
    update_row(trainer, &trainer->dense_bias[layer - 1], 0, &deltas, &terms);
}

/* With one sample, each row's gradient is the sample's delta times the entry's
 * value: one call does them all. */
static void update_first_alone(struct nd_trainer *trainer,
                               const struct nd_sparse *input)
{
    struct nd_terms terms = {input->count, input->columns, input->values};
    step_rows(trainer, &trainer->first, trainer->deltas[0], &terms);
}

static void update_first(struct nd_trainer *trainer,
                         const struct nd_batch *batch)
{
    const struct table deltas = {trainer->deltas[0], trainer->first.width};
    for (uint32_t c = 0; c < batch->column_count; c++) {
        uint32_t start = batch->starts[c];
        struct nd_terms terms = {batch->starts[c + 1] - start,
                                 batch->samples + start, batch->values + start};
        update_row(trainer, &trainer->first, batch->columns[c], &deltas,
                   &terms);
    }
}

/* The wide unit has the error itself as its delta, but no bias: the output
 * has one. */
static void set_wide_deltas(struct nd_trainer *trainer, uint32_t count, bool on)
{
    const struct nd_network *network = trainer->network;
    if (!network->shape.wide)
        return;
    for (uint32_t s = 0; s < count; s++)
        trainer->deltas[0][s * network->width + network->first_units] =
            on ? trainer->errors[s] : 0;
}

static void update_first_bias(struct nd_trainer *trainer, uint32_t count)
{
    const struct table deltas = {trainer->deltas[0], trainer->first.width};
    struct nd_terms all = {count, NULL, trainer->column};
    fill_ones(trainer->column, count);
    set_wide_deltas(trainer, count, false);
    update_row(trainer, &trainer->first_bias, 0, &deltas, &all);
    set_wide_deltas(trainer, count, true);
}

static void update_out(struct nd_trainer *trainer, uint32_t count)
{
    uint32_t last = layer_count(trainer) - 1;
    const struct table outputs = {trainer->outputs[last],
                                  layer_width(trainer, last)};
    struct nd_terms terms = {count, NULL, trainer->errors};
    struct nd_step step = {trainer->rate, 1, 1, &trainer->out_square};
    float error = 0;
    for (uint32_t s = 0; s < count; s++)
        error += trainer->errors[s];
    if (trainer->network->last_units > 0)
        update_row(trainer, &trainer->out, 0, &outputs, &terms);
    trainer->network->out_bias += nd_step_scale(&step, 0, error);
}

void nd_trainer_backward(struct nd_trainer *trainer,
                         const struct nd_batch *batch)
{
    uint32_t count = batch->count;
    uint32_t top = layer_count(trainer);
    backward_out(trainer, count);
    update_out(trainer, count);
    for (uint32_t k = top - 1; k > 0; k--) {
        backward_dense(trainer, k, count);
        update_dense(trainer, k, count);
    }
    update_first_bias(trainer, count);
    if (count == 1)
        update_first_alone(trainer, &batch->rows[0].input);
    else
        update_first(trainer, batch);
}
