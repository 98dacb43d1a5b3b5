/* SPDX-License-Identifier: Apache-2.0
 *
 * svmlight text: what is accepted obeys the format's rules, and means the same
 * when it is written out and read again.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "nn/network.h"
#include "nn/svmlight.h"

static void require(bool condition)
{
    if (!condition)
        abort();
}

static struct nd_dataset *parse(const char *text, size_t length)
{
    struct nd_dataset *set = NULL;
    struct nd_error error = {{0}};
    enum nd_status status =
        nd_svmlight_parse("text", text, length, &error, &set);
    require((status == ND_OK) == (set != NULL));
    require((status == ND_OK) == (error.text[0] == '\0'));
    require(status == ND_OK || strncmp(error.text, "text:", 5) == 0);
    return set;
}

static void write_row(const struct nd_dataset *set, size_t row,
                      struct nd_buffer *text)
{
    struct nd_sparse vector = nd_dataset_row(set, row);
    nd_buffer_printf(text, "%d", nd_dataset_label(set, row));
    for (uint32_t i = 0; i < vector.count; i++) {
        require(vector.columns[i] < ND_MAX_INPUTS);
        require(i == 0 || vector.columns[i] > vector.columns[i - 1]);
        require(isfinite(vector.values[i]) && vector.values[i] != 0);
        nd_buffer_printf(text, " %u:%.9g", vector.columns[i] + 1,
                         (double)vector.values[i]);
    }
    nd_buffer_append_text(text, "\n");
}

static void require_same(const struct nd_dataset *one,
                         const struct nd_dataset *other)
{
    require(nd_dataset_count(one) == nd_dataset_count(other));
    require(nd_dataset_entries(one) == nd_dataset_entries(other));
    for (size_t i = 0; i < nd_dataset_count(one); i++) {
        struct nd_sparse a = nd_dataset_row(one, i);
        struct nd_sparse b = nd_dataset_row(other, i);
        require(nd_dataset_label(one, i) == nd_dataset_label(other, i));
        require(a.count == b.count);
        for (uint32_t e = 0; e < a.count; e++)
            require(a.columns[e] == b.columns[e] && a.values[e] == b.values[e]);
    }
}

static void check_meaning(struct nd_dataset *set)
{
    struct nd_buffer text = {0};
    nd_buffer_append_text(&text, "# written again\n");
    for (size_t i = 0; i < nd_dataset_count(set); i++)
        write_row(set, i, &text);
    struct nd_dataset *again = parse((const char *)text.data, text.length);
    require(again != NULL);
    require_same(set, again);
    nd_dataset_destroy(&again);
    nd_buffer_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    require(text != NULL);
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    struct nd_dataset *set = parse(text, size);
    if (set != NULL)
        check_meaning(set);
    nd_dataset_destroy(&set);
    free(text);
    return 0;
}
