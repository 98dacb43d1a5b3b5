/* SPDX-License-Identifier: Apache-2.0
 *
 * The compact form of the first layer: 8-bit rows with a scale each, rows of
 * zeros left out and found by rank (a bit a column, and a count every 64
 * columns). It is what is deployed: a quarter of the size, so that far more of
 * it stays in the processor's caches, and the same numbers as in the model
 * file, so that a network scores after reading exactly as before writing.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "nn/network_internal.h"

#define LARGEST 127  /* of the 8-bit numbers, either sign */
#define HALF_LINE 32 /* bytes: no small row lies in two lines of the cache */

struct nd_compact *nd_compact_create(struct nd_rank *ranks, uint32_t inputs,
                                     uint32_t units)
{
    struct nd_compact *compact = nd_calloc(1, sizeof(*compact));
    compact->inputs = inputs;
    compact->ranks = ranks;
    for (uint32_t i = 0; i < (inputs + 63) / 64; i++) {
        ranks[i].before = compact->rows;
        compact->rows += (uint32_t)__builtin_popcountll(ranks[i].present);
    }
    compact->width = nd_padded(units);
    compact->pitch = sizeof(struct nd_compact_head) + compact->width;
    if (compact->pitch < HALF_LINE)
        compact->pitch = HALF_LINE;
    compact->data = nd_aligned(compact->rows, compact->pitch);
    return compact;
}

void nd_compact_destroy(struct nd_compact **compact_p)
{
    if (compact_p == NULL || *compact_p == NULL)
        return;
    free((*compact_p)->ranks);
    free((*compact_p)->data);
    free(*compact_p);
    *compact_p = NULL;
}

static bool is_zero(const float *row, size_t width)
{
    for (size_t i = 0; i < width; i++)
        if (row[i] != 0)
            return false;
    return true;
}

static struct nd_rank *find_rows(const struct nd_network *network)
{
    uint32_t inputs = network->shape.inputs;
    struct nd_rank *ranks = nd_calloc((inputs + 63) / 64, sizeof(*ranks));
    for (size_t j = 0; j < inputs; j++)
        if (!is_zero(network->rows + j * network->width, network->width))
            ranks[j / 64].present |= (uint64_t)1 << (j % 64);
    return ranks;
}

void nd_compact_put(struct nd_compact *compact, uint32_t row,
                    const float *weights, uint32_t units, bool wide)
{
    struct nd_compact_head head = {0};
    uint8_t *place = nd_compact_row(compact, row);
    int8_t *numbers = (int8_t *)place + sizeof(head);
    float largest = 0;
    for (uint32_t i = 0; i < units; i++)
        largest = fmaxf(largest, fabsf(weights[i]));
    head.scale = largest / LARGEST;
    if (wide)
        head.wide = weights[units];
    for (uint32_t i = 0; i < units && head.scale > 0; i++)
        numbers[i] = (int8_t)lrintf(weights[i] / head.scale);
    memcpy(place, &head, sizeof(head));
}

struct nd_compact *nd_compact_from_rows(const struct nd_network *network)
{
    struct nd_compact *compact = nd_compact_create(
        find_rows(network), network->shape.inputs, network->first_units);
    for (uint32_t j = 0; j < network->shape.inputs; j++) {
        uint32_t row;
        if (nd_compact_find(compact, j, &row))
            nd_compact_put(compact, row, network->rows + j * network->width,
                           network->first_units, network->shape.wide);
    }
    return compact;
}

void nd_network_quantize(struct nd_network *network)
{
    if (network->compact != NULL)
        return;
    network->compact = nd_compact_from_rows(network);
    free(network->rows);
    network->rows = NULL;
}

static void expand_row(const struct nd_network *network, const uint8_t *place,
                       float *row)
{
    struct nd_compact_head head;
    memcpy(&head, place, sizeof(head));
    const int8_t *numbers = (const int8_t *)place + sizeof(head);
    for (uint32_t i = 0; i < network->first_units; i++)
        row[i] = head.scale * (float)numbers[i];
    if (network->shape.wide)
        row[network->first_units] = head.wide;
}

void nd_network_expand(struct nd_network *network)
{
    const struct nd_compact *compact = network->compact;
    if (compact == NULL)
        return;
    network->rows = nd_floats(network->shape.inputs * network->width);
    for (uint32_t j = 0; j < network->shape.inputs; j++) {
        uint32_t row;
        if (nd_compact_find(compact, j, &row))
            expand_row(network, nd_compact_row(compact, row),
                       network->rows + j * network->width);
    }
    nd_compact_destroy(&network->compact);
}
