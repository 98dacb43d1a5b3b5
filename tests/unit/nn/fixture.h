/* SPDX-License-Identifier: Apache-2.0
 *
 * What the tests of the network share: made-up sets that can be learned, and
 * the calls that must succeed.
 */
#ifndef ND_TESTS_NN_FIXTURE_H
#define ND_TESTS_NN_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "nn/dataset.h"
#include "nn/network.h"
#include "nn/train.h"

#define ENTRIES 12 /* of each made-up vector */

static inline struct nd_network *make_network(const struct nd_shape *shape,
                                              uint64_t seed)
{
    struct nd_error error = {{0}};
    struct nd_network *network = NULL;
    enum nd_status status = nd_network_create(shape, seed, &error, &network);
    if (status != ND_OK)
        fail_msg("%s", error.text);
    return network;
}

static inline void add_vector(struct nd_dataset *set, uint32_t count,
                              const uint32_t *columns, const float *values,
                              int label)
{
    struct nd_error error = {{0}};
    struct nd_sparse vector = {count, columns, values};
    assert_int_equal(nd_dataset_add(set, &vector, label, 1, &error), ND_OK);
}

/* Distinct columns from start on, each with a value from -1 to 1. */
static inline void draw_vector(struct nd_random *random, uint32_t inputs,
                               uint32_t *columns, float *values)
{
    uint32_t column = (uint32_t)nd_random_below(random, inputs / ENTRIES);
    for (int i = 0; i < ENTRIES; i++) {
        columns[i] = column;
        values[i] = (float)(nd_random_unit(random) * 2 - 1);
        column += 1 + (uint32_t)nd_random_below(random, inputs / ENTRIES - 1);
    }
}

/* Samples whose label is the sign of a sum over columns, each with a weight of
 * its own that the column's number decides. */
static inline struct nd_dataset *linear_set(uint32_t inputs, size_t count,
                                            uint64_t seed)
{
    struct nd_random random;
    struct nd_dataset *set = nd_dataset_create();
    nd_random_seed(&random, seed);
    for (size_t i = 0; i < count; i++) {
        uint32_t columns[ENTRIES];
        float values[ENTRIES], sum = 0;
        draw_vector(&random, inputs, columns, values);
        for (int e = 0; e < ENTRIES; e++)
            sum += values[e] * (columns[e] * 7919 % 13 < 6 ? 1.0F : -1.0F);
        add_vector(set, ENTRIES, columns, values, sum > 0);
    }
    return set;
}

/* Exclusive or of two columns, with noise in the others: no linear function
 * tells its classes apart. */
static inline struct nd_dataset *exclusive_set(size_t count, uint64_t seed)
{
    struct nd_random random;
    struct nd_dataset *set = nd_dataset_create();
    nd_random_seed(&random, seed);
    for (size_t i = 0; i < count; i++) {
        uint32_t columns[] = {0, 1, 2, 3};
        int first = (int)nd_random_below(&random, 2);
        int second = (int)nd_random_below(&random, 2);
        float values[] = {first ? 1.0F : -1.0F, second ? 1.0F : -1.0F,
                          (float)nd_random_unit(&random),
                          (float)nd_random_unit(&random)};
        add_vector(set, 4, columns, values, first != second);
    }
    return set;
}

static inline double share_right(const struct nd_network *network,
                                 const struct nd_dataset *set)
{
    size_t right = 0, count = nd_dataset_count(set);
    for (size_t i = 0; i < count; i++) {
        struct nd_sparse row = nd_dataset_row(set, i);
        int verdict = nd_network_score(network, &row) > 0;
        right += verdict == nd_dataset_label(set, i);
    }
    return (double)right / (double)count;
}

static inline struct nd_train_report train_network(
    struct nd_network *network, const struct nd_dataset *set,
    const struct nd_train_options *options)
{
    struct nd_error error = {{0}};
    struct nd_train_report report;
    enum nd_status status =
        nd_train(network, set, NULL, options, &error, &report);
    if (status != ND_OK)
        fail_msg("%s", error.text);
    return report;
}

#endif
