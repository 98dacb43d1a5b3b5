/* SPDX-License-Identifier: Apache-2.0
 *
 * What the tests of src/rspamd share: rspamd's own vectors and network.
 */
#ifndef ND_TESTS_RSPAMD_FIXTURE_H
#define ND_TESTS_RSPAMD_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <zstd.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/random.h"
#include "nn/svmlight.h"
#include "rspamd/vectors.h"

/* A file of tests/data, decompressed where its name ends in .zst. */
static inline struct nd_buffer test_data(const char *name)
{
    struct nd_buffer file = {0}, plain = {0};
    char *path = nd_sprintf("%s/tests/data/%s", TEST_ROOT, name);
    assert_int_equal(nd_file_read(path, 1 << 26, NULL, &file), ND_OK);
    free(path);
    if (strstr(name, ".zst") == NULL)
        return file;
    size_t room = 1 << 24;
    size_t length = ZSTD_decompress(nd_buffer_reserve(&plain, room), room,
                                    file.data, file.length);
    assert_false(ZSTD_isError(length));
    plain.length = length;
    nd_buffer_append(&plain, "", 1); /* text is read up to a NUL */
    plain.length--;
    nd_buffer_free(&file);
    return plain;
}

/* Vectors of rspamd's that tests/data keeps as svmlight text. */
static inline struct nd_vectors test_vectors(const char *name, uint32_t width)
{
    struct nd_buffer text = test_data(name);
    struct nd_dataset *set = NULL;
    struct nd_vectors vectors = {0};
    float *row = nd_calloc(width, sizeof(*row));
    assert_int_equal(nd_svmlight_parse(name, (const char *)text.data,
                                       text.length, NULL, &set),
                     ND_OK);
    for (size_t i = 0; i < nd_dataset_count(set); i++) {
        struct nd_sparse sparse = nd_dataset_row(set, i);
        memset(row, 0, width * sizeof(*row));
        for (uint32_t k = 0; k < sparse.count; k++)
            row[sparse.columns[k]] = sparse.values[k];
        assert_int_equal(nd_vectors_add(&vectors, row, width,
                                        nd_dataset_label(set, i), NULL),
                         ND_OK);
    }
    free(row);
    nd_dataset_destroy(&set);
    nd_buffer_free(&text);
    return vectors;
}

/* Made-up vectors: symbols that are there or not, five in a hundred of them,
 * and a label that is linear in them but for two. */
static inline struct nd_vectors made_up_vectors(size_t count, uint32_t width,
                                                uint64_t seed)
{
    struct nd_vectors vectors = {0};
    struct nd_random fixed, draw;
    float *row = nd_calloc(width, sizeof(*row));
    nd_random_seed(&draw, seed);
    for (size_t i = 0; i < count; i++) {
        double z = 0;
        nd_random_seed(&fixed, 1);
        for (uint32_t k = 0; k < width; k++) {
            row[k] = nd_random_unit(&draw) < 0.05 ? 1 : 0;
            z += nd_random_normal(&fixed) * (double)row[k];
        }
        z += row[0] != row[1] ? 3 : 0;
        assert_int_equal(nd_vectors_add(&vectors, row, width, z > 0, NULL),
                         ND_OK);
    }
    free(row);
    return vectors;
}

#endif
