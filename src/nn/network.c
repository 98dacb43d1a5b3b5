/* SPDX-License-Identifier: Apache-2.0
 *
 * The network's life and its forward pass. Scoring sums the rows of the
 * message's columns, a few hundred at a time on the stack, and runs the small
 * dense layers on the sum; it takes no memory and no lock. Training is in
 * train.c, the compact form in compact.c.
 */
#include "nn/network.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/random.h"
#include "nn/network_internal.h"

#define ALIGNMENT 64
#define HUGE_PAGE ((size_t)2 << 20)
#define CHUNK 256 /* columns looked up before their rows are summed */

void *nd_aligned(size_t count, size_t size)
{
    size_t bytes = count * size;
    size_t alignment = bytes >= HUGE_PAGE ? HUGE_PAGE : ALIGNMENT;
    size_t whole = (bytes / alignment + 1) * alignment; /* the last page too */
    void *memory;
    if (count > SIZE_MAX / 2 / size ||
        posix_memalign(&memory, alignment, whole) != 0) {
        nd_log(ND_LOG_ERROR, "out of memory: %zu x %zu bytes", count, size);
        abort();
    }
    if (alignment == HUGE_PAGE)
        (void)madvise(memory, whole, MADV_HUGEPAGE); /* a hint, no more */
    memset(memory, 0, bytes);
    return memory;
}

float *nd_floats(size_t count)
{
    return nd_aligned(count, sizeof(float));
}

static enum nd_status check_shape(const struct nd_shape *shape,
                                  struct nd_error *error)
{
    if (shape->inputs == 0 || shape->inputs > ND_MAX_INPUTS)
        return nd_fail(error, ND_LIMIT, "a network of %u inputs (1 to %u)",
                       shape->inputs, ND_MAX_INPUTS);
    if (shape->layers > ND_MAX_LAYERS)
        return nd_fail(error, ND_LIMIT, "a network of %u layers (0 to %d)",
                       shape->layers, ND_MAX_LAYERS);
    size_t before = shape->inputs;
    for (uint32_t k = 0; k < shape->layers; k++) {
        uint32_t units = shape->units[k];
        if (units == 0 || units > ND_MAX_UNITS)
            return nd_fail(error, ND_LIMIT, "layer %u of %u units (1 to %d)",
                           k + 1, units, ND_MAX_UNITS);
        if (before * nd_padded(units + 1) > ND_MAX_WEIGHTS)
            return nd_fail(error, ND_LIMIT,
                           "layer %u has over %zu weights; fewer inputs or "
                           "units are needed",
                           k + 1, ND_MAX_WEIGHTS);
        before = units;
    }
    return ND_OK;
}

static void create_dense(struct nd_network *network, uint32_t layer)
{
    struct nd_dense *dense = &network->dense[layer - 1];
    dense->inputs = network->shape.units[layer - 1];
    dense->units = network->shape.units[layer];
    dense->width = nd_padded(dense->units);
    dense->weights = nd_floats(dense->inputs * dense->width);
    dense->bias = nd_floats(dense->width);
}

enum nd_status nd_network_empty(const struct nd_shape *shape,
                                struct nd_error *error,
                                struct nd_network **network_r)
{
    enum nd_status status = check_shape(shape, error);
    if (status != ND_OK)
        return status;
    struct nd_network *network = nd_calloc(1, sizeof(*network));
    network->shape.inputs = shape->inputs;
    network->shape.layers = shape->layers;
    memcpy(network->shape.units, shape->units,
           shape->layers * sizeof(shape->units[0]));
    network->shape.wide = shape->wide || shape->layers == 0;
    if (shape->layers > 0) {
        network->first_units = shape->units[0];
        network->last_units = shape->units[shape->layers - 1];
        network->dense_count = shape->layers - 1;
    }
    network->width = nd_padded(network->first_units + network->shape.wide);
    network->bias = nd_floats(network->width);
    for (uint32_t k = 1; k < shape->layers; k++)
        create_dense(network, k);
    network->out = nd_floats(nd_padded(network->last_units));
    *network_r = network;
    return ND_OK;
}

/* Rows are many and a sample has few of them, so the deviation that He et al.
 * derive from the number of inputs is taken as it is: it makes rows of a large
 * sparse layer start near 0, and a column that training hardly sees stays
 * almost silent. */
static void draw(struct nd_random *random, float *row, uint32_t units,
                 double deviation)
{
    double reach = deviation * sqrt(3.0); /* of a uniform distribution */
    for (uint32_t i = 0; i < units; i++)
        row[i] = (float)((nd_random_unit(random) * 2 - 1) * reach);
}

static void draw_weights(struct nd_network *network, uint64_t seed)
{
    struct nd_random random;
    nd_random_seed(&random, seed);
    double deviation = sqrt(2.0 / network->shape.inputs);
    for (size_t j = 0; j < network->shape.inputs; j++)
        draw(&random, network->rows + j * network->width, network->first_units,
             deviation);
    for (uint32_t k = 0; k < network->dense_count; k++) {
        struct nd_dense *dense = &network->dense[k];
        for (size_t i = 0; i < dense->inputs; i++)
            draw(&random, dense->weights + i * dense->width, dense->units,
                 sqrt(2.0 / dense->inputs));
    }
    if (network->last_units > 0)
        draw(&random, network->out, network->last_units,
             sqrt(1.0 / network->last_units));
}

enum nd_status nd_network_create(const struct nd_shape *shape, uint64_t seed,
                                 struct nd_error *error,
                                 struct nd_network **network_r)
{
    enum nd_status status = nd_network_empty(shape, error, network_r);
    if (status != ND_OK)
        return status;
    struct nd_network *network = *network_r;
    network->rows = nd_floats(shape->inputs * network->width);
    draw_weights(network, seed);
    return ND_OK;
}

void nd_network_destroy(struct nd_network **network_p)
{
    if (network_p == NULL || *network_p == NULL)
        return;
    struct nd_network *network = *network_p;
    free(network->rows);
    nd_compact_destroy(&network->compact);
    free(network->bias);
    for (uint32_t k = 0; k < network->dense_count; k++) {
        free(network->dense[k].weights);
        free(network->dense[k].bias);
    }
    free(network->out);
    free(network);
    *network_p = NULL;
}

struct nd_shape nd_network_shape(const struct nd_network *network)
{
    return network->shape;
}

/* The plain form's sum, a chunk at a time: columns that the network does not
 * have are left out. */
static void add_plain(const struct nd_network *network,
                      const struct nd_sparse *vector, float *hidden)
{
    uint32_t rows[CHUNK];
    float factors[CHUNK];
    for (uint32_t i = 0; i < vector->count;) {
        struct nd_terms terms = {0, rows, factors};
        for (; i < vector->count && terms.count < CHUNK; i++) {
            rows[terms.count] = vector->columns[i];
            factors[terms.count] = vector->values[i];
            terms.count += vector->columns[i] < network->shape.inputs;
        }
        nd_kernels()->add_rows(hidden, network->width, network->rows,
                               network->width, &terms);
    }
}

float nd_network_first(const struct nd_network *network,
                       const struct nd_sparse *vector, float *hidden)
{
    float wide = 0;
    if (network->compact != NULL)
        return nd_kernels()->add_compact(hidden, network->compact, vector);
    add_plain(network, vector, hidden);
    if (network->shape.wide) {
        wide = hidden[network->first_units];
        hidden[network->first_units] = 0;
    }
    return wide;
}

/* The layers above the first, on hidden, the first layer's pre-activations,
 * which is overwritten. The answer is what they add to the log-odds. */
static float upper_layers(const struct nd_network *network, float *hidden)
{
    _Alignas(ALIGNMENT) float next[ND_MAX_UNITS + ND_LANES];
    const struct nd_kernels *kernels = nd_kernels();
    kernels->rectify(hidden, nd_padded(network->first_units));
    for (uint32_t k = 0; k < network->dense_count; k++) {
        const struct nd_dense *dense = &network->dense[k];
        struct nd_terms terms = {dense->inputs, NULL, hidden};
        memcpy(next, dense->bias, dense->width * sizeof(*next));
        kernels->add_rows(next, dense->width, dense->weights, dense->width,
                          &terms);
        kernels->rectify(next, dense->width);
        memcpy(hidden, next, dense->width * sizeof(*next));
    }
    return kernels->dot(hidden, network->out, nd_padded(network->last_units));
}

/* Overflow on absurd inputs ends at the limit, or at "cannot tell". */
static float finite_log_odds(float log_odds)
{
    if (isnan(log_odds))
        return 0;
    return fmaxf(-ND_LOG_ODDS_LIMIT, fminf(ND_LOG_ODDS_LIMIT, log_odds));
}

float nd_network_score(const struct nd_network *network,
                       const struct nd_sparse *vector)
{
    _Alignas(ALIGNMENT) float hidden[ND_MAX_UNITS + ND_LANES];
    memcpy(hidden, network->bias, network->width * sizeof(*hidden));
    float wide = nd_network_first(network, vector, hidden);
    return finite_log_odds(network->out_bias + wide +
                           upper_layers(network, hidden));
}

bool nd_network_knows(const struct nd_network *network, uint32_t column)
{
    uint32_t row;
    if (column >= network->shape.inputs)
        return false;
    return network->compact == NULL ||
           nd_compact_find(network->compact, column, &row);
}

/* Each entry's row is taken off a copy of the sum, so the sum over all rows is
 * done once and not once an entry. */
void nd_network_contributions(const struct nd_network *network,
                              const struct nd_sparse *vector, float *changes)
{
    _Alignas(ALIGNMENT) float sum[ND_MAX_UNITS + ND_LANES];
    _Alignas(ALIGNMENT) float hidden[ND_MAX_UNITS + ND_LANES];
    size_t bytes = network->width * sizeof(*sum);
    memcpy(sum, network->bias, bytes);
    float wide = nd_network_first(network, vector, sum);
    memcpy(hidden, sum, bytes);
    float all = finite_log_odds(wide + upper_layers(network, hidden));
    for (uint32_t i = 0; i < vector->count; i++) {
        float taken = -vector->values[i];
        struct nd_sparse entry = {1, &vector->columns[i], &taken};
        memcpy(hidden, sum, bytes);
        float without = wide + nd_network_first(network, &entry, hidden);
        without = finite_log_odds(without + upper_layers(network, hidden));
        changes[i] = all - without;
    }
}

float nd_network_weights(const struct nd_network *network, float *rows_r,
                         float *bias_r, float *out_r)
{
    size_t units = network->first_units;
    for (size_t i = 0; i < network->shape.inputs; i++)
        memcpy(rows_r + i * units, network->rows + i * network->width,
               units * sizeof(*rows_r));
    memcpy(bias_r, network->bias, units * sizeof(*bias_r));
    memcpy(out_r, network->out, units * sizeof(*out_r));
    return network->out_bias;
}
