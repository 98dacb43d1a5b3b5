/* SPDX-License-Identifier: Apache-2.0
 *
 * The backward pass against finite differences of the forward pass, for every
 * weight of networks of all shapes. A kernel table whose optimizer step only
 * notes the gradient stands in for the real one.
 */
#include "fixture.h"

#include "nn/trainer.h"

#define SAMPLES 7
#define NUDGE 1e-3F
#define TOLERANCE 5e-4

/* Where the gradients of the rows being checked go: as many floats as their
 * weights, or NULL while others are updated. */
static struct {
    const float *data;
    float *gradients;
} noted;

/* Notes the gradient of the rows asked for; no weight changes. */
static void note_gradient(float *base, size_t width, const float *gradient,
                          const struct nd_terms *terms,
                          const struct nd_step *step)
{
    for (size_t t = 0; t < terms->count && base == noted.data; t++) {
        size_t row = terms->rows == NULL ? t : terms->rows[t];
        for (size_t i = 0; i < width; i++)
            noted.gradients[row * width + i] = terms->factors[t] * gradient[i];
    }
}

struct check {
    struct nd_network *network;
    struct nd_dataset *set;
    struct nd_kernels kernels;
    struct nd_trainer *trainer;
    struct nd_batch *batch;
};

static void open_check(struct check *check, const struct nd_shape *shape,
                       uint32_t samples)
{
    struct nd_train_options options;
    nd_train_defaults(&options);
    options.batch = samples;
    check->set = linear_set(shape->inputs, samples, 11);
    check->network = make_network(shape, 5);
    check->trainer = nd_trainer_create(check->network, check->set, &options);
    check->kernels = *nd_kernels();
    check->kernels.step_rows = note_gradient;
    check->trainer->kernels = &check->kernels;
    check->batch = nd_batch_create(samples, shape->inputs);
    struct nd_batch_source source = {.set = check->set,
                                     .class_weight = {0.7F, 1.6F},
                                     .label_smoothing = 0.1F};
    uint32_t order[SAMPLES] = {3, 1, 0, 2, 6, 5, 4};
    nd_batch_fill(check->batch, &source, samples == 1 ? &(uint32_t){0} : order,
                  samples, &check->trainer->random);
}

static void close_check(struct check *check)
{
    nd_trainer_destroy(&check->trainer);
    nd_batch_destroy(&check->batch);
    nd_dataset_destroy(&check->set);
    nd_network_destroy(&check->network);
}

/* Weighted as the errors are. */
static double mean_loss(struct check *check)
{
    double weight;
    double loss = nd_trainer_forward(check->trainer, check->batch, &weight);
    return loss / check->batch->count;
}

/* Slopes of the loss to either side of a weight. Where a unit's bend lies
 * within a nudge they differ, and the gradient is one of them. */
static void assert_between(double left, double right, double gradient,
                           size_t weight)
{
    if (gradient < fmin(left, right) - TOLERANCE ||
        gradient > fmax(left, right) + TOLERANCE)
        fail_msg("weight %zu: %g and %g by differences, %g by the backward "
                 "pass",
                 weight, left, right, gradient);
}

/* The slopes to both sides of one weight, whose gradient by the backward pass
 * is given. */
static void check_weight(struct check *check, float *weight, double gradient,
                         size_t number)
{
    double here = mean_loss(check), nudge = (double)NUDGE;
    float before = *weight;
    *weight = before + NUDGE;
    double above = mean_loss(check);
    *weight = before - NUDGE;
    double below = mean_loss(check);
    *weight = before;
    assert_between((here - below) / nudge, (above - here) / nudge, gradient,
                   number);
}

/* Every weight of rows; those of columns that the batch lacks have gradient 0
 * in both ways of working it out. Returns the greatest. */
static double check_rows(struct check *check, const struct nd_rows *rows,
                         uint32_t units)
{
    double greatest = 0;
    noted.data = rows->data;
    noted.gradients = calloc(rows->count * rows->width, sizeof(float));
    (void)mean_loss(check);
    float bias = check->network->out_bias;
    nd_trainer_backward(check->trainer, check->batch);
    check->network->out_bias = bias; /* stepped without a kernel */
    for (size_t i = 0; i < rows->count * units; i++) {
        size_t place = i / units * rows->width + i % units;
        double gradient = (double)noted.gradients[place];
        check_weight(check, &rows->data[place], gradient, i);
        greatest = fmax(greatest, fabs(gradient));
    }
    free(noted.gradients);
    return greatest;
}

/* The output's bias is one number, whose gradient is the sum of errors. */
static void check_out_bias(struct check *check)
{
    double gradient = 0;
    (void)mean_loss(check);
    for (uint32_t s = 0; s < check->batch->count; s++)
        gradient += (double)check->trainer->errors[s];
    check_weight(check, &check->network->out_bias, gradient, 0);
}

static void check_shape(const struct nd_shape *shape, uint32_t samples)
{
    struct check check;
    open_check(&check, shape, samples);
    const struct nd_trainer *trainer = check.trainer;
    const struct nd_network *network = check.network;
    double greatest = check_rows(&check, &trainer->first,
                                 network->first_units + network->shape.wide);
    assert_true(greatest > 1e-2);
    if (network->first_units > 0)
        check_rows(&check, &trainer->first_bias, network->first_units);
    for (uint32_t k = 0; k < network->dense_count; k++) {
        check_rows(&check, &trainer->dense[k], network->dense[k].units);
        check_rows(&check, &trainer->dense_bias[k], network->dense[k].units);
    }
    if (network->last_units > 0)
        check_rows(&check, &trainer->out, network->last_units);
    check_out_bias(&check);
    close_check(&check);
}

static void a_linear_network_has_the_right_gradient(void **state)
{
    check_shape(&(struct nd_shape){.inputs = 60}, SAMPLES);
    check_shape(&(struct nd_shape){.inputs = 60}, 1);
}

static void one_hidden_layer_has_the_right_gradient(void **state)
{
    check_shape(&(struct nd_shape){.inputs = 60, .layers = 1, .units = {5}},
                SAMPLES);
    check_shape(&(struct nd_shape){.inputs = 60, .layers = 1, .units = {5}}, 1);
}

static void the_wide_path_has_the_right_gradient(void **state)
{
    struct nd_shape shape = {
        .inputs = 60, .layers = 1, .units = {15}, .wide = true};
    check_shape(&shape, SAMPLES);
    shape.units[0] = 16;
    check_shape(&shape, SAMPLES);
    check_shape(&shape, 1);
}

static void deep_networks_have_the_right_gradient(void **state)
{
    struct nd_shape shape = {
        .inputs = 60, .layers = 4, .units = {9, 20, 3, 6}, .wide = true};
    check_shape(&shape, SAMPLES);
    shape.layers = 2;
    shape.wide = false;
    check_shape(&shape, SAMPLES);
    check_shape(&shape, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_linear_network_has_the_right_gradient),
        cmocka_unit_test(one_hidden_layer_has_the_right_gradient),
        cmocka_unit_test(the_wide_path_has_the_right_gradient),
        cmocka_unit_test(deep_networks_have_the_right_gradient),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
