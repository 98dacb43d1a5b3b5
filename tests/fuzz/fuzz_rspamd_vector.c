/* SPDX-License-Identifier: Apache-2.0
 *
 * rspamd's vectors as text, joined by semicolons as in Redis, and as the lines
 * of a file: what is accepted is finite, as wide as it says, and within bounds.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "rspamd/vectors.h"

#define MOST 64

static void require(bool condition)
{
    if (!condition)
        abort();
}

static void try_numbers(const char *text, size_t size)
{
    float numbers[MOST];
    uint32_t count = nd_vectors_parse_numbers(text, size, ';', MOST, numbers);
    require(count <= MOST);
    for (uint32_t i = 0; i < count; i++)
        require(isfinite(numbers[i]));
}

static void try_lines(const char *text, size_t size)
{
    struct nd_vectors vectors = {0};
    struct nd_error error = {{0}};
    enum nd_status status =
        nd_vectors_parse(&vectors, "text", text, size, &error);
    require((status == ND_OK) == (error.text[0] == '\0'));
    require(status == ND_OK || strncmp(error.text, "text:", 5) == 0);
    for (size_t i = 0; i < vectors.count * vectors.width; i++)
        require(isfinite(vectors.values[i]));
    for (size_t i = 0; i < vectors.count; i++)
        require(vectors.labels[i] <= 1);
    nd_vectors_free(&vectors);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = nd_strndup(size > 0 ? (const char *)data : "", size);
    try_numbers(text, size);
    try_lines(text, size);
    free(text);
    return 0;
}
