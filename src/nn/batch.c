/* SPDX-License-Identifier: Apache-2.0
 *
 * Builds mini-batches. The transposition is a counting sort over the columns
 * that the batch really has: a counter for every column of the network exists,
 * but only those that were touched are read and cleared. Rows without dropout
 * point into the data set; with it, or with columns that are too high, what is
 * kept is copied.
 */
#include "nn/batch.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

struct nd_batch *nd_batch_create(uint32_t capacity, uint32_t inputs)
{
    struct nd_batch *batch = nd_calloc(1, sizeof(*batch));
    batch->capacity = capacity;
    batch->inputs = inputs;
    batch->rows = nd_calloc(capacity, sizeof(*batch->rows));
    batch->places = nd_calloc(inputs, sizeof(*batch->places));
    return batch;
}

static void free_entries(struct nd_batch *batch)
{
    free(batch->columns);
    free(batch->starts);
    free(batch->samples);
    free(batch->values);
    free(batch->kept_columns);
    free(batch->kept_values);
}

void nd_batch_destroy(struct nd_batch **batch)
{
    if (batch == NULL || *batch == NULL)
        return;
    free_entries(*batch);
    free((*batch)->rows);
    free((*batch)->places);
    free(*batch);
    *batch = NULL;
}

static void reserve_entries(struct nd_batch *batch, size_t needed)
{
    if (needed <= batch->entry_capacity && batch->columns != NULL)
        return;
    free_entries(batch);
    size_t room = needed + needed / 4 + 1;
    batch->columns = nd_calloc(room, sizeof(*batch->columns));
    batch->starts = nd_calloc(room + 1, sizeof(*batch->starts));
    batch->samples = nd_calloc(room, sizeof(*batch->samples));
    batch->values = nd_calloc(room, sizeof(*batch->values));
    batch->kept_columns = nd_calloc(room, sizeof(*batch->kept_columns));
    batch->kept_values = nd_calloc(room, sizeof(*batch->kept_values));
    batch->entry_capacity = room;
}

/* The groups that a sample loses, a bit each. */
static uint32_t draw_lost(const struct nd_train_groups *groups,
                          struct nd_random *random)
{
    uint32_t all = (uint32_t)(((uint64_t)1 << groups->count) - 1);
    uint32_t lost = 0;
    for (uint32_t g = 0; g < groups->count && groups->dropout > 0; g++)
        if (nd_random_unit(random) < (double)groups->dropout)
            lost |= 1U << g;
    return lost == all ? 0 : lost;
}

/* Whether column is in a lost group. *near is where to look first. */
static bool is_lost(const struct nd_train_groups *groups, uint32_t lost,
                    uint32_t column, uint32_t *near)
{
    while (*near > 0 && column < groups->ends[*near - 1])
        (*near)--;
    while (*near < groups->count && column >= groups->ends[*near])
        (*near)++;
    return *near < groups->count && (lost >> *near & 1);
}

static float scale_for(const struct nd_batch_source *source, uint32_t lost)
{
    float scale = 1 / (1 - source->input_dropout);
    if (lost == 0)
        return scale;
    uint32_t left = source->groups.count - (uint32_t)__builtin_popcount(lost);
    return scale * (float)source->groups.count / (float)left;
}

/* Room for the entries that are kept. */
struct entries {
    uint32_t *columns;
    float *values;
};

/* Where the entries from start on, which are of one group, end. */
static uint32_t group_end(const struct nd_train_groups *groups,
                          const struct nd_sparse *row, uint32_t start,
                          uint32_t group)
{
    uint32_t begin = group > 0 ? groups->ends[group - 1] : 0;
    uint32_t reach = groups->ends[group] - begin;
    uint32_t end = start + 1;
    while (end < row->count && row->columns[end] - begin < reach)
        end++;
    return end;
}

static void scale_values(float *restrict to, const float *restrict from,
                         size_t count, float scale)
{
    for (size_t i = 0; i < count; i++)
        to[i] = from[i] * scale;
}

/* Copies the groups that are not lost, each in one go. */
static uint32_t keep_groups(const struct nd_train_groups *groups, uint32_t lost,
                            const struct nd_sparse *row, float scale,
                            struct entries kept)
{
    uint32_t count = 0, group = 0;
    for (uint32_t i = 0; i < row->count;) {
        bool drop = is_lost(groups, lost, row->columns[i], &group);
        uint32_t end =
            group < groups->count ? group_end(groups, row, i, group) : i + 1;
        if (!drop) {
            memcpy(kept.columns + count, row->columns + i,
                   (end - i) * sizeof(*kept.columns));
            scale_values(kept.values + count, row->values + i, end - i, scale);
            count += end - i;
        }
        i = end;
    }
    return count;
}

/* Copies what is kept of a row behind the used entries already kept. */
static struct nd_sparse keep_some(struct nd_batch *batch,
                                  const struct nd_sparse *row, size_t used,
                                  const struct nd_batch_source *source,
                                  struct nd_random *random)
{
    uint32_t *columns = batch->kept_columns + used;
    float *values = batch->kept_values + used;
    uint64_t limit = (uint64_t)((double)source->input_dropout * 4294967296.0);
    uint32_t lost = draw_lost(&source->groups, random);
    float scale = scale_for(source, lost);
    uint32_t count = 0, near = 0;
    if (limit == 0 && nd_dataset_width(source->set) <= batch->inputs) {
        struct entries kept = {columns, values};
        count = keep_groups(&source->groups, lost, row, scale, kept);
        return (struct nd_sparse){count, columns, values};
    }
    for (uint32_t i = 0; i < row->count; i++) {
        if (row->columns[i] >= batch->inputs)
            continue;
        if (lost != 0 && is_lost(&source->groups, lost, row->columns[i], &near))
            continue;
        if (limit > 0 && nd_random_u64(random) >> 32 < limit)
            continue;
        columns[count] = row->columns[i];
        values[count++] = row->values[i] * scale;
    }
    return (struct nd_sparse){count, columns, values};
}

static void fill_rows(struct nd_batch *batch,
                      const struct nd_batch_source *source,
                      const uint32_t *samples, struct nd_random *random)
{
    bool copy = source->input_dropout > 0 || source->groups.count > 0 ||
                nd_dataset_width(source->set) > batch->inputs;
    size_t used = 0;
    for (uint32_t s = 0; s < batch->count; s++) {
        struct nd_batch_row *row = &batch->rows[s];
        int label = nd_dataset_label(source->set, samples[s]);
        float smoothing = source->label_smoothing / 2;
        row->input = nd_dataset_row(source->set, samples[s]);
        row->target = label ? 1 - smoothing : smoothing;
        row->weight = nd_dataset_weight(source->set, samples[s]) *
                      source->class_weight[label];
        if (copy)
            row->input = keep_some(batch, &row->input, used, source, random);
        used += row->input.count;
    }
}

static void count_columns(struct nd_batch *batch)
{
    uint32_t *counts = batch->places;
    uint32_t found = 0;
    for (uint32_t s = 0; s < batch->count; s++) {
        const struct nd_sparse *input = &batch->rows[s].input;
        for (uint32_t i = 0; i < input->count; i++)
            if (counts[input->columns[i]]++ == 0)
                batch->columns[found++] = input->columns[i];
    }
    batch->column_count = found;
}

static void place_columns(struct nd_batch *batch)
{
    uint32_t start = 0;
    for (uint32_t c = 0; c < batch->column_count; c++) {
        uint32_t count = batch->places[batch->columns[c]];
        batch->starts[c] = start;
        batch->places[batch->columns[c]] = start;
        start += count;
    }
    batch->starts[batch->column_count] = start;
}

static void place_entries(struct nd_batch *batch)
{
    for (uint32_t s = 0; s < batch->count; s++) {
        const struct nd_sparse *input = &batch->rows[s].input;
        for (uint32_t i = 0; i < input->count; i++) {
            uint32_t place = batch->places[input->columns[i]]++;
            batch->samples[place] = s;
            batch->values[place] = input->values[i];
        }
    }
    for (uint32_t c = 0; c < batch->column_count; c++)
        batch->places[batch->columns[c]] = 0;
}

void nd_batch_fill(struct nd_batch *batch, const struct nd_batch_source *source,
                   const uint32_t *samples, uint32_t count,
                   struct nd_random *random)
{
    size_t entries = 0;
    for (uint32_t s = 0; s < count; s++)
        entries += nd_dataset_row(source->set, samples[s]).count;
    batch->count = count;
    reserve_entries(batch, entries);
    fill_rows(batch, source, samples, random);
    batch->column_count = 0;
    if (count == 1)
        return;
    count_columns(batch);
    place_columns(batch);
    place_entries(batch);
}
