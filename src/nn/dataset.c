/* SPDX-License-Identifier: Apache-2.0
 *
 * Labelled sparse vectors in compressed rows: three growing arrays for the
 * entries and the rows' ends, so that training walks through memory in order
 * and a set of tens of millions of entries costs eight bytes an entry. It only
 * stores; splitting and shuffling are done on indices by who needs them.
 */
#include "nn/dataset.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#define FIRST_ROWS 64
#define FIRST_ENTRIES 1024

struct row {
    size_t start; /* its first entry */
    uint32_t count;
    float weight;
    uint8_t label;
};

struct nd_dataset {
    size_t count, row_capacity;
    size_t entries, entry_capacity;
    uint32_t width;
    struct row *rows;
    uint32_t *columns;
    float *values;
    bool borrows; /* columns and values are another set's */
};

struct nd_dataset *nd_dataset_create(void)
{
    return nd_calloc(1, sizeof(struct nd_dataset));
}

void nd_dataset_destroy(struct nd_dataset **dataset)
{
    if (dataset == NULL || *dataset == NULL)
        return;
    struct nd_dataset *set = *dataset;
    free(set->rows);
    if (!set->borrows) {
        free(set->columns);
        free(set->values);
    }
    free(set);
    *dataset = NULL;
}

static size_t grown(size_t capacity, size_t needed, size_t first)
{
    if (capacity < first)
        capacity = first;
    while (capacity < needed)
        capacity += capacity / 2;
    return capacity;
}

static void reserve_row(struct nd_dataset *set, size_t extra)
{
    if (set->count + 1 > set->row_capacity) {
        size_t room = grown(set->row_capacity, set->count + 1, FIRST_ROWS);
        set->rows = nd_realloc(set->rows, room, sizeof(*set->rows));
        set->row_capacity = room;
    }
    size_t needed = set->entries + extra;
    if (needed > set->entry_capacity) {
        size_t room = grown(set->entry_capacity, needed, FIRST_ENTRIES);
        set->columns = nd_realloc(set->columns, room, sizeof(*set->columns));
        set->values = nd_realloc(set->values, room, sizeof(*set->values));
        set->entry_capacity = room;
    }
}

static enum nd_status check_row(const struct nd_dataset *set,
                                const struct nd_sparse *vector, float weight,
                                struct nd_error *error)
{
    if (!isfinite(weight) || weight <= 0)
        return nd_fail(error, ND_DATA,
                       "sample %zu has the weight %g; it must be above 0",
                       set->count, (double)weight);
    if (vector->count > UINT32_MAX - set->entries)
        return nd_fail(error, ND_LIMIT,
                       "sample %zu would bring the set to over %u entries; "
                       "train on fewer samples",
                       set->count, UINT32_MAX);
    for (uint32_t i = 0; i < vector->count; i++) {
        if (!isfinite(vector->values[i]))
            return nd_fail(error, ND_DATA,
                           "sample %zu has a value that is no finite number "
                           "in column %u",
                           set->count, vector->columns[i]);
        if (vector->columns[i] == UINT32_MAX)
            return nd_fail(error, ND_LIMIT, "sample %zu has a column beyond %u",
                           set->count, UINT32_MAX - 1);
    }
    return ND_OK;
}

enum nd_status nd_dataset_add(struct nd_dataset *set,
                              const struct nd_sparse *vector, int label,
                              float weight, struct nd_error *error)
{
    enum nd_status status = check_row(set, vector, weight, error);
    if (status != ND_OK)
        return status;
    reserve_row(set, vector->count);
    for (uint32_t i = 0; i < vector->count; i++) {
        uint32_t column = vector->columns[i];
        set->columns[set->entries + i] = column;
        set->values[set->entries + i] = vector->values[i];
        if (column >= set->width)
            set->width = column + 1;
    }
    set->rows[set->count++] = (struct row){.start = set->entries,
                                           .count = vector->count,
                                           .weight = weight,
                                           .label = label > 0};
    set->entries += vector->count;
    return ND_OK;
}

struct nd_dataset *nd_dataset_select(const struct nd_dataset *set,
                                     const uint32_t *rows, size_t count)
{
    struct nd_dataset *some = nd_dataset_create();
    *some = (struct nd_dataset){.count = count,
                                .row_capacity = count,
                                .width = set->width,
                                .columns = set->columns,
                                .values = set->values,
                                .borrows = true};
    some->rows = nd_calloc(count, sizeof(*some->rows));
    for (size_t i = 0; i < count; i++) {
        some->rows[i] = set->rows[rows[i]];
        some->entries += some->rows[i].count;
    }
    return some;
}

size_t nd_dataset_count(const struct nd_dataset *set)
{
    return set->count;
}

size_t nd_dataset_entries(const struct nd_dataset *set)
{
    return set->entries;
}

uint32_t nd_dataset_width(const struct nd_dataset *set)
{
    return set->width;
}

struct nd_sparse nd_dataset_row(const struct nd_dataset *set, size_t row)
{
    size_t start = set->rows[row].start;
    return (struct nd_sparse){
        .count = set->rows[row].count,
        .columns = set->columns == NULL ? NULL : set->columns + start,
        .values = set->values == NULL ? NULL : set->values + start};
}

int nd_dataset_label(const struct nd_dataset *set, size_t row)
{
    return set->rows[row].label;
}

float nd_dataset_weight(const struct nd_dataset *set, size_t row)
{
    return set->rows[row].weight;
}
