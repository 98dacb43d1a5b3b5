/* SPDX-License-Identifier: Apache-2.0
 *
 * Several networks as one that answers the mean of their log-odds. A mean of
 * networks with one hidden layer is such a network itself: the hidden units
 * side by side, their weights to the output divided by the number of networks,
 * and the means of the wide paths and biases. So a committee costs no format
 * and no scoring path of its own.
 */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "nn/network_internal.h"

static enum nd_status join_shapes(const struct nd_network *const *members,
                                  uint32_t count, uint32_t inputs,
                                  struct nd_error *error,
                                  struct nd_shape *shape_r)
{
    struct nd_shape shape = {.inputs = inputs, .wide = true};
    uint32_t units = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct nd_shape *own = &members[i]->shape;
        if (own->layers > 1 || !own->wide ||
            own->inputs != members[0]->shape.inputs)
            return nd_fail(error, ND_USAGE,
                           "network %u of %u cannot be joined: one hidden "
                           "layer, the wide path and the same inputs are "
                           "needed",
                           i + 1, count);
        units += members[i]->first_units;
    }
    shape.layers = units > 0;
    shape.units[0] = units;
    *shape_r = shape;
    return ND_OK;
}

static void join_outputs(const struct nd_network *const *members,
                         uint32_t count, struct nd_network *whole)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct nd_network *member = members[i];
        for (uint32_t u = 0; u < member->first_units; u++, at++) {
            whole->bias[at] = member->bias[u];
            whole->out[at] = member->out[u] / (float)count;
        }
        whole->out_bias += member->out_bias / (float)count;
    }
}

/* One column's weights in all members, as the whole has them. */
static void join_row(const struct nd_network *const *members, uint32_t count,
                     size_t column, float *row)
{
    float wide = 0;
    uint32_t at = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct nd_network *member = members[i];
        const float *own = member->rows + column * member->width;
        memcpy(row + at, own, member->first_units * sizeof(*row));
        at += member->first_units;
        wide += own[member->first_units];
    }
    row[at] = wide / (float)count;
}

static struct nd_compact *join_rows(const struct nd_network *const *members,
                                    uint32_t count, const uint32_t *columns,
                                    const struct nd_network *whole)
{
    uint32_t inputs = whole->shape.inputs;
    uint32_t rows = members[0]->shape.inputs;
    struct nd_rank *ranks = nd_calloc((inputs + 63) / 64, sizeof(*ranks));
    for (uint32_t j = 0; j < rows; j++)
        ranks[columns[j] / 64].present |= (uint64_t)1 << (columns[j] % 64);
    struct nd_compact *compact =
        nd_compact_create(ranks, inputs, whole->first_units);
    float *row = nd_floats(whole->width);
    for (uint32_t j = 0; j < rows; j++) {
        join_row(members, count, j, row);
        nd_compact_put(compact, j, row, whole->first_units, true);
    }
    free(row);
    return compact;
}

enum nd_status nd_network_join(const struct nd_network *const *members,
                               uint32_t count, const uint32_t *columns,
                               uint32_t inputs, struct nd_error *error,
                               struct nd_network **network_r)
{
    struct nd_shape shape;
    struct nd_network *whole = NULL;
    enum nd_status status = join_shapes(members, count, inputs, error, &shape);
    if (status == ND_OK)
        status = nd_network_empty(&shape, error, &whole);
    if (status != ND_OK)
        return status;
    join_outputs(members, count, whole);
    whole->compact = join_rows(members, count, columns, whole);
    whole->trained = true;
    *network_r = whole;
    return ND_OK;
}
