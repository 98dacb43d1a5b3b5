/* SPDX-License-Identifier: Apache-2.0
 *
 * A KANN file: what is accepted can be evaluated within the limits, and is
 * written as bytes that are read as the same network.
 */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "rspamd/kann.h"

static void require(bool condition)
{
    if (!condition)
        abort();
}

static void evaluate(const struct nd_kann *kann, float *output)
{
    uint32_t inputs = nd_kann_inputs(kann);
    size_t size = nd_kann_workspace(kann);
    float *input = nd_calloc(inputs, sizeof(*input));
    float *workspace = nd_calloc(size, sizeof(*workspace));
    require(size <= ND_KANN_MAX_VALUES);
    for (uint32_t i = 0; i < inputs; i++)
        input[i] = (float)(i % 5) - 1;
    const float *got = nd_kann_evaluate(kann, input, workspace);
    memcpy(output, got, nd_kann_outputs(kann) * sizeof(*output));
    free(input);
    free(workspace);
}

static void require_same(const struct nd_kann *one, const struct nd_kann *other)
{
    uint32_t outputs = nd_kann_outputs(one);
    float *first = nd_calloc(outputs, sizeof(*first));
    float *second = nd_calloc(outputs, sizeof(*second));
    require(nd_kann_inputs(one) == nd_kann_inputs(other));
    require(outputs == nd_kann_outputs(other));
    evaluate(one, first);
    evaluate(other, second);
    require(memcmp(first, second, outputs * sizeof(*first)) == 0);
    free(first);
    free(second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct nd_kann *kann = NULL, *again = NULL;
    struct nd_error error = {{0}};
    struct nd_buffer file = {0};
    enum nd_status status = nd_kann_read(data, size, &error, &kann);
    if (status != ND_OK) {
        require(kann == NULL && error.text[0] != '\0');
        require(status == ND_DATA || status == ND_LIMIT);
        return 0;
    }
    nd_kann_write(kann, &file);
    require(file.length == size);
    require(nd_kann_read(file.data, file.length, NULL, &again) == ND_OK);
    require_same(kann, again);
    nd_kann_destroy(&kann);
    nd_kann_destroy(&again);
    nd_buffer_free(&file);
    return 0;
}
