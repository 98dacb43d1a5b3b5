/* SPDX-License-Identifier: Apache-2.0
 *
 * A model file: as it comes, and with its digests made to fit, so that the
 * parser behind them is reached. What is read scores finitely and is written
 * as the same bytes again.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "nn/model.h"

#define LENGTH_AT 16
#define CHECK_AT 40
#define CHECK_BYTES 16
#define LEAST (CHECK_AT + CHECK_BYTES + ND_DIGEST_BYTES)

static void require(bool condition)
{
    if (!condition)
        abort();
}

static void score_some(const struct nd_network *network)
{
    struct nd_shape shape = nd_network_shape(network);
    uint32_t columns[] = {0, shape.inputs / 2, shape.inputs - 1, shape.inputs,
                          UINT32_MAX};
    float values[] = {1, -2, 0.5F, 3, 4}, changes[5];
    struct nd_sparse vector = {5, columns, values};
    require(isfinite(nd_network_score(network, &vector)));
    nd_network_contributions(network, &vector, changes);
    require(changes[3] == 0 && changes[4] == 0);
}

static void try_read(const uint8_t *data, size_t size)
{
    struct nd_model *model = NULL;
    struct nd_error error = {{0}};
    struct nd_buffer again = {0};
    enum nd_status status = nd_model_read(data, size, NULL, &error, &model);
    if (status != ND_OK) {
        require(model == NULL && error.text[0] != '\0');
        require(status == ND_DATA || status == ND_VERSION || status == ND_KEY);
        return;
    }
    score_some(model->network);
    nd_model_write(model, NULL, &again);
    require(again.length == size && memcmp(again.data, data, size) == 0);
    nd_buffer_free(&again);
    nd_model_destroy(&model);
}

/* Makes length, header check and closing digest fit the rest. */
static void close_file(uint8_t *file, size_t size)
{
    struct nd_digest_state digest;
    for (size_t i = 0; i < sizeof(uint64_t); i++)
        file[LENGTH_AT + i] = (uint8_t)((uint64_t)size >> (8 * i));
    nd_digest_begin(&digest, NULL, CHECK_BYTES);
    nd_digest_add(&digest, file, CHECK_AT);
    nd_digest_end(&digest, file + CHECK_AT, CHECK_BYTES);
    nd_digest(file, size - ND_DIGEST_BYTES, NULL,
              file + size - ND_DIGEST_BYTES);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    require(nd_hash_init(NULL) == ND_OK);
    try_read(data, size);
    if (size < LEAST)
        return 0;
    uint8_t *file = malloc(size);
    require(file != NULL);
    memcpy(file, data, size);
    close_file(file, size);
    try_read(file, size);
    free(file);
    return 0;
}
