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

static struct nd_rows rows_create(size_t count, size_t width)
{
    return (struct nd_rows){count, width, nd_floats(count * 2 * width)};
}

static float *row_at(const struct nd_rows *rows, size_t row)
{
    return rows->data + row * 2 * rows->width;
}

static void rows_load(struct nd_rows *rows, const float *weights)
{
    for (size_t i = 0; i < rows->count; i++)
        memcpy(row_at(rows, i), weights + i * rows->width,
               rows->width * sizeof(float));
}

static void rows_store(const struct nd_rows *rows, float *weights)
{
    for (size_t i = 0; i < rows->count; i++)
        memcpy(weights + i * rows->width, row_at(rows, i),
               rows->width * sizeof(float));
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

static void load_weights(struct nd_trainer *trainer)
{
    struct nd_network *network = trainer->network;
    trainer->first = rows_create(network->shape.inputs, network->width);
    rows_load(&trainer->first, network->rows);
    trainer->first_bias = rows_create(1, network->width);
    rows_load(&trainer->first_bias, network->bias);
    for (uint32_t k = 0; k < network->dense_count; k++) {
        const struct nd_dense *dense = &network->dense[k];
        trainer->dense[k] = rows_create(dense->inputs, dense->width);
        rows_load(&trainer->dense[k], dense->weights);
        trainer->dense_bias[k] = rows_create(1, dense->width);
        rows_load(&trainer->dense_bias[k], dense->bias);
    }
    trainer->out = rows_create(1, nd_padded(network->last_units));
    rows_load(&trainer->out, network->out);
    trainer->out_bias = rows_create(1, ND_NARROW);
    trainer->out_bias.data[0] = network->out_bias;
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
    trainer->step.rate = options->learning_rate;
    trainer->step.keep = 1 - options->learning_rate * options->weight_decay;
    nd_random_seed(&trainer->random, options->seed);
    if (!network->trained)
        clear_unseen(network, set);
    load_weights(trainer);
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
        free(trainer->dense[k].data);
        free(trainer->dense_bias[k].data);
    }
    free(trainer->first.data);
    free(trainer->first_bias.data);
    free(trainer->out.data);
    free(trainer->out_bias.data);
    free(trainer->wide);
    free(trainer->errors);
    free(trainer->column);
    free(trainer->gradient);
    free(trainer);
    *trainer_p = NULL;
}

void nd_trainer_store(const struct nd_trainer *trainer)
{
    struct nd_network *network = trainer->network;
    rows_store(&trainer->first, network->rows);
    rows_store(&trainer->first_bias, network->bias);
    for (uint32_t k = 0; k < network->dense_count; k++) {
        rows_store(&trainer->dense[k], network->dense[k].weights);
        rows_store(&trainer->dense_bias[k], network->dense[k].bias);
    }
    rows_store(&trainer->out, network->out);
    network->out_bias = trainer->out_bias.data[0];
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

static void forward_first(struct nd_trainer *trainer,
                          const struct nd_batch *batch)
{
    const struct nd_network *network = trainer->network;
    const struct nd_kernels *kernels = trainer->kernels;
    size_t width = network->width;
    for (uint32_t s = 0; s < batch->count; s++) {
        const struct nd_sparse *input = &batch->rows[s].input;
        struct nd_terms terms = {input->count, input->columns, input->values};
        float *output = trainer->outputs[0] + s * width;
        memcpy(output, trainer->first_bias.data, width * sizeof(float));
        kernels->add_rows(output, width, trainer->first.data, 2 * width,
                          &terms);
        trainer->wide[s] = 0;
        if (network->shape.wide) {
            trainer->wide[s] = output[network->first_units];
            output[network->first_units] = 0;
        }
        kernels->rectify(output, width);
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
        kernels->add_rows(output, rows->width, rows->data, 2 * rows->width,
                          &terms);
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
            (double)(trainer->out_bias.data[0] + trainer->wide[s] + part);
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

/* One step of one row by the gradient in the trainer. */
static void step_row(struct nd_trainer *trainer, float *row, size_t width)
{
    static const float one = 1;
    struct nd_terms terms = {1, NULL, &one};
    trainer->kernels->step_rows(row, width, trainer->gradient, &terms,
                                &trainer->step);
}

/* Makes one row's gradient from a sum over samples, and applies it. */
static void update_row(struct nd_trainer *trainer, float *row, size_t width,
                       const float *base, const struct nd_terms *terms)
{
    memset(trainer->gradient, 0, width * sizeof(float));
    trainer->kernels->add_rows(trainer->gradient, width, base, width, terms);
    step_row(trainer, row, width);
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
    const struct nd_rows *rows = &trainer->dense[layer - 1];
    const float *deltas = trainer->deltas[layer];
    size_t below = layer_width(trainer, layer - 1);
    struct nd_terms terms = {count, NULL, trainer->column};
    for (size_t i = 0; i < rows->count; i++) {
        for (uint32_t s = 0; s < count; s++)
            trainer->column[s] = trainer->outputs[layer - 1][s * below + i];
        update_row(trainer, row_at(rows, i), rows->width, deltas, &terms);
    }
    fill_ones(trainer->column, count);
    update_row(trainer, trainer->dense_bias[layer - 1].data, rows->width,
               deltas, &terms);
}

/* With one sample, each row's gradient is the sample's delta times the entry's
 * value: one call does them all. */
static void update_first_alone(struct nd_trainer *trainer,
                               const struct nd_sparse *input)
{
    struct nd_terms terms = {input->count, input->columns, input->values};
    trainer->kernels->step_rows(trainer->first.data, trainer->first.width,
                                trainer->deltas[0], &terms, &trainer->step);
}

static void update_first(struct nd_trainer *trainer,
                         const struct nd_batch *batch)
{
    size_t width = trainer->first.width;
    for (uint32_t c = 0; c < batch->column_count; c++) {
        uint32_t start = batch->starts[c];
        struct nd_terms terms = {batch->starts[c + 1] - start,
                                 batch->samples + start, batch->values + start};
        update_row(trainer, row_at(&trainer->first, batch->columns[c]), width,
                   trainer->deltas[0], &terms);
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

static void update_out(struct nd_trainer *trainer, uint32_t count)
{
    uint32_t last = layer_count(trainer) - 1;
    struct nd_terms terms = {count, NULL, trainer->errors};
    memset(trainer->gradient, 0, trainer->out.width * sizeof(float));
    trainer->kernels->add_rows(trainer->gradient, trainer->out.width,
                               trainer->outputs[last],
                               layer_width(trainer, last), &terms);
    step_row(trainer, trainer->out.data, trainer->out.width);
    memset(trainer->gradient, 0, ND_NARROW * sizeof(float));
    for (uint32_t s = 0; s < count; s++)
        trainer->gradient[0] += trainer->errors[s];
    step_row(trainer, trainer->out_bias.data, ND_NARROW);
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
    struct nd_terms all = {count, NULL, trainer->column};
    fill_ones(trainer->column, count);
    set_wide_deltas(trainer, count, false);
    update_row(trainer, trainer->first_bias.data, trainer->first.width,
               trainer->deltas[0], &all);
    set_wide_deltas(trainer, count, true);
    if (count == 1)
        update_first_alone(trainer, &batch->rows[0].input);
    else
        update_first(trainer, batch);
}
